"""Domains that stand once in a file and are slips of one that stands in many places: hosts that nobody would reach."""

from __future__ import annotations

import re
from collections.abc import Iterator

from glideinwms.creation.checks import known_names
from glideinwms.creation.xml.elements import title
from glideinwms.creation.xml.problems import Problems
from glideinwms.creation.xml.source import Node

# the last two labels of a host name
DOMAIN = re.compile(r"(?<![\w.-])(?:[A-Za-z0-9][\w-]*\.)+?([A-Za-z][\w-]+\.[a-z]{2,6})(?![\w.-])")
ADDRESSES = frozenset(
    """
    gatekeeper node fullname identity my_identity factory_identity schedd_name factory_collector web_base_url proxy_url
""".split()
)


def check(root: Node, problems: Problems) -> None:
    """Warn of them."""
    found = list(_found(root))
    odd = known_names.odd_ones(domain for _, _, domain in found)
    for node, name, domain in found if odd else ():
        if domain in odd:
            what = f"the domain {domain} stands nowhere else"
            problems.warn(node.where, f"{title(node)}@{name}", what, f"did you mean {odd[domain]}?")


def _found(node: Node) -> Iterator[tuple[Node, str, str]]:
    for name in ADDRESSES & node.attrs.keys():
        for match in DOMAIN.finditer(node.attrs[name]):
            yield node, name, match[1]
    for child in node.children:
        yield from _found(child)
