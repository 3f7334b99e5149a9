"""Node strings of collectors and CCBs, and the lists that pilots are given (config 6, protocol 5.9)."""

from __future__ import annotations

import re
from collections.abc import Iterable

HOST = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*"
)
NAME = re.compile(r"[\w.+-]+")


def fault(node: str, *, ranges: bool, schedd: bool = False) -> str:
    """What is wrong with `[schedd@]host[:port[-port]][?sock=name[N-M]]`, or an empty string.

    `ranges` says whether a range of ports or of sock names is possible here.
    """
    if re.search(r"[,;\s]", node):
        return "may not contain commas, semicolons or blanks"
    address, mark, query = node.partition("?")
    if "?" in query:
        return "may contain one ?"
    if "@" in address:
        if not schedd:
            return "may not contain @"
        name, _, address = address.rpartition("@")
        if not NAME.fullmatch(name):
            return f"{name!r} is not the name of a daemon"
    host, colon, port = address.partition(":")
    if ":" in port:
        return "may contain one : (no IPv6 address)"
    if not HOST.fullmatch(host):
        return f"{host!r} is not a host name"
    if colon and (wrong := _ports(port, ranges)):
        return wrong
    return _query(query, ranges, "-" in port) if mark else ""


def _ports(port: str, ranges: bool) -> str:
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", port)
    if not match:
        return f"{port!r} is not a port or a range of ports"
    low, high = int(match[1]), int(match[2] or match[1])
    if not (1 <= low <= 65535 and high <= 65535):
        return "ports are 1 to 65535"
    if match[2] and not ranges:
        return "a range of ports is only possible for secondary collectors and CCBs"
    return "the range of ports is empty" if match[2] and low >= high else ""


def _query(query: str, ranges: bool, ported: bool) -> str:
    socks = [
        value for key, _, value in (p.partition("=") for p in query.split("&")) if key == "sock"
    ]
    if len(socks) > 1:
        return "may name one sock"
    for sock in socks:
        match = re.fullmatch(r"(\w*?[A-Za-z_])(?:(\d+)(?:-(\d+))?)?", sock)
        if not match:
            return f"{sock!r} is not a sock name"
        if match[3] and not ranges:
            return "a range of socks is only possible for secondary collectors and CCBs"
        if match[3] and (int(match[2]) >= int(match[3]) or ported):
            return "the range of socks is empty or beside a range of ports"
    return ""


def joined(nodes: Iterable[tuple[str, str, bool]]) -> str:
    """(group, node, secondary) -> groups joined by `;`, nodes by `,`; secondaries of a group if it
    has any.
    """
    groups: dict[str, tuple[list[str], list[str]]] = {}
    for group, node, secondary in nodes:
        groups.setdefault(group, ([], []))[secondary].append(node)
    return ";".join(",".join(second or first) for first, second in groups.values())
