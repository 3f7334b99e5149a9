"""Find misspelt domains of host names: used once or twice, and nearly one that is used much more often."""

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
# elements that hold most of a file and no address
WITHOUT_ADDRESSES = frozenset({"attrs", "config", "files", "allow_frontends", "infosys_refs"})


def check(root: Node, problems: Problems) -> None:
    """Warn of a domain that is a slip of one that the file uses much more often."""
    addresses = list(_addresses(root))
    odd = known_names.odd_ones(domain for _, _, domain in addresses)
    for node, name, domain in addresses if odd else ():
        if domain in odd:
            what = f"no other address here is in the domain {domain}"
            problems.warn(node.where, f"{title(node)}@{name}", what, f"did you mean {odd[domain]}?")


def _addresses(root: Node) -> Iterator[tuple[Node, str, str]]:
    """Yield the node, the attribute and the domain of every address."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        for name in ADDRESSES & node.attrs.keys():
            for match in DOMAIN.finditer(node.attrs[name]):
                yield node, name, match[1]
        waiting += [child for child in node.children if child.tag not in WITHOUT_ADDRESSES]
