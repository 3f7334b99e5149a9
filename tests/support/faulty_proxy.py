"""An HTTP proxy on loopback that misbehaves in one way: `python -m tests.support.faulty_proxy --port N --mode MODE`.

A line `METHOD URL` on stdout for each request.
"""

from __future__ import annotations

import argparse
import http.client
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODES = ("slow", "refuse", "lie", "cut", "stall")
PAGE = b"<html><body>Please log in to use this network.</body></html>\n"


class Proxy(ThreadingHTTPServer):
    """Serves requests for absolute URLs in its mode: `slow` waits before each reply, `refuse` says
    503, `lie` gives everybody a page, `cut` sends half of each body, `stall` never answers.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, mode: str, delay: float) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.mode, self.delay = mode, delay


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Proxy

    def do_GET(self) -> None:
        print(f"GET {self.path}", flush=True)
        mode = self.server.mode
        if mode == "stall":
            time.sleep(3600)
        elif mode == "refuse":
            self.reply(503, b"")
        elif mode == "lie":
            self.reply(200, PAGE)
        else:
            status, body = self.origin()
            time.sleep(self.server.delay)
            self.reply(status, body, cut=mode == "cut")

    def origin(self) -> tuple[int, bytes]:
        """What the server that the URL names answers."""
        url = urllib.parse.urlsplit(self.path)
        connection = http.client.HTTPConnection(url.netloc, timeout=120)
        try:
            connection.request("GET", url.path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def reply(self, status: int, body: bytes, cut: bool = False) -> None:
        """The whole answer, or half of it and the end of the connection."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = cut

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mode", choices=MODES, required=True)
    parser.add_argument("--delay", type=float, default=0.0)
    options = parser.parse_args()
    Proxy(options.port, options.mode, options.delay).serve_forever()


if __name__ == "__main__":
    main()
