"""A log server: keeps what is PUT with the token that it is started with. Arguments: port file, token, directory."""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

PORT_FILE, TOKEN, KEPT = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])


class Server(BaseHTTPRequestHandler):
    """One file a PUT; the order of arrival is in `order`."""

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        good = self.headers["Authorization"] == f"Bearer {TOKEN}"
        with (KEPT / "order").open("a") as f:
            f.write(f"{self.path} {'good' if good else 'refused'}\n")
        if good:
            (KEPT / self.path.rpartition(".")[2]).write_bytes(data)
        self.send_response(201 if good else 403)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


server = HTTPServer(("127.0.0.1", 0), Server)
PORT_FILE.with_suffix(".new").write_text(str(server.server_port))
PORT_FILE.with_suffix(".new").rename(PORT_FILE)
server.serve_forever()
