"""Serve the stage area: static files over HTTP/1.1 with keep-alive, requests logged on stdout."""

from __future__ import annotations

import argparse
import posixpath
import sys
import urllib.parse
from collections.abc import Mapping
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NOWHERE = "/nonexistent"


def locate(mounts: Mapping[str, Path], url_path: str) -> Path:
    """Return the file of a URL path.

    A path below no mount, or one that leads out of it, names a file that does not exist.
    """
    clean = posixpath.normpath(urllib.parse.unquote(url_path.partition("?")[0].partition("#")[0]))
    for prefix, root in mounts.items():
        if clean == prefix or clean.startswith(prefix.rstrip("/") + "/"):
            return root / clean[len(prefix) :].lstrip("/")
    return Path(NOWHERE)


def server(
    mounts: Mapping[str, Path], port: int = 0, address: str = "127.0.0.1"
) -> ThreadingHTTPServer:
    """A server on one address; call `serve_forever`. `mounts`: URL prefix -> directory."""
    fixed = {url: path.resolve() for url, path in mounts.items()}

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # headers and body are two writes: Nagle would hold the second back
        disable_nagle_algorithm = True

        def translate_path(self, path: str) -> str:
            return str(locate(fixed, path))

        def list_directory(self, path: object) -> None:
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            print(
                f"{self.log_date_time_string()} {self.client_address[0]} {format % args}",
                flush=True,
            )

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        # a pilot opens two dozen connections at once: what does not fit is asked for again a second
        # later
        request_queue_size = 128

    return Server((address, port), Handler)


def main() -> None:
    """`python -m glideinwms.demo.web --port N --map /factory=DIR ...`"""
    parser = argparse.ArgumentParser(prog="glideinwms.demo.web")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--map", action="append", default=[])
    options = parser.parse_args()
    mounts = {url: Path(path) for url, _, path in (m.partition("=") for m in options.map)}
    try:
        server(mounts, options.port, options.address).serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
