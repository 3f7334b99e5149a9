"""An entry's auth_method: words joined by `+`, or groups of 3.11, `scitoken,grid_proxy;project_id`
(config 16).
"""

from __future__ import annotations

import re
from collections.abc import Collection

# words of 3.11, in lower case -> those of 3.10
OLD = {
    "x509_cert": "grid_proxy",
    "x509_pair": "cert_pair",
    "text": "auth_file",
    "projectid": "project_id",
    "vmid": "vm_id",
    "vmtype": "vm_type",
    "remoteusername": "username",
    "glideinproxy": "glidein_proxy",
}


def grouped(method: str) -> bool:
    """Whether it is written in the way of 3.11 that 3.10 does not know."""
    return (
        "," in method or ";" in method or any(w.strip().lower() in OLD for w in method.split("+"))
    )


def groups(method: str) -> list[list[str]]:
    """Groups that are all needed, each a list of alternatives, in words of 3.10."""
    found = []
    for group in re.split(r"[;+]", method):
        words = [word.strip() for word in group.split(",") if word.strip()]
        found.append([OLD.get(word.lower(), word) for word in words])
    return [group for group in found if group]


def settled(method: str, supplied: Collection[str]) -> str:
    """The `+`-joined method that comes of the first alternative of each group that is supplied; ""
    if a group has none. One of 3.10 stays as it is.
    """
    if not grouped(method):
        return method
    chosen = [next((w for w in group if w in supplied), "") for group in groups(method)]
    return "+".join(chosen) if all(chosen) else ""
