"""A relay on loopback that counts the bytes a server sends to its client."""

from __future__ import annotations

import socket
import threading


class Tap:
    """Listens on `port` and passes everything to 127.0.0.1:`target`. `received`: bytes from there,
    so far.
    """

    def __init__(self, target: int) -> None:
        self.target, self.received = target, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            for source, sink, counts in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._pass, args=(source, sink, counts), daemon=True
                ).start()

    def _pass(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        try:
            while data := source.recv(1 << 18):
                self.received += len(data) if counts else 0
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()
