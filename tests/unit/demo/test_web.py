"""The stage web server."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from glideinwms.demo.web import server


def test_connections_of_several_pilots_wait_their_turn() -> None:
    """A connection that finds no place is tried again by TCP a second later: nobody accepts here,
    all find one.
    """
    with server({}) as httpd, ExitStack() as opened:
        for _ in range(64):
            opened.enter_context(
                socket.create_connection(("127.0.0.1", httpd.server_address[1]), timeout=0.5)
            )
