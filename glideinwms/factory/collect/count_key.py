"""The job attribute by which pilots are counted: it holds the eight attributes of protocol 4.2.

Grouping by it costs a schedd half the time of grouping by these eight, which pilots have as well.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from urllib.parse import quote, unquote

NAME = "GlideinCountKey"
FIELDS = (
    "GlideinFactory",
    "GlideinName",
    "GlideinEntryName",
    "GlideinClient",
    "GlideinFrontendName",
    "GlideinSecurityClass",
    "GlideinCredentialIdentifier",
    "GlideinEntrySubmitFile",
)
_SAFE = "".join(c for c in map(chr, range(32, 127)) if c not in '%|"\\')


def key_of(attributes: Mapping[str, str]) -> str:
    """The key of a pilot with these attributes."""
    return "|".join(quote(attributes[name], safe=_SAFE) for name in FIELDS)


def fields_of(key: object) -> dict[str, str] | None:
    """What a key holds; None for a job without one. Equal texts of thousands of rows are one
    object.
    """
    parts = key.split("|") if isinstance(key, str) else []
    if len(parts) != len(FIELDS):
        return None
    return {name: sys.intern(unquote(part)) for name, part in zip(FIELDS, parts, strict=True)}
