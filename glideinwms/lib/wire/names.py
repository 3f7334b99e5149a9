"""Names and how they are joined (protocol 0)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from glideinwms.lib.bounded import MAX_NAME_BYTES, shown
from glideinwms.lib.errors import WireError

SAFE = re.compile(r"[A-Za-z0-9._@-]+")
# what a file system takes, for names that are put together of several
MAX_FILE_NAME = 255


def is_safe(text: str, longest: int = MAX_NAME_BYTES) -> bool:
    """Whether a name from a peer may become part of a file name (the Factory's "safe string"; no
    path parts).
    """
    return (
        len(text) <= longest
        and bool(SAFE.fullmatch(text))
        and text not in (".", "..")
        and text[0] != "-"
    )


def label(value: object) -> str:
    """A peer's name for a thing of its own: a safe name as it is, anything else in quotes, which no
    safe name has.
    """
    return value if isinstance(value, str) and is_safe(value) else shown(value)


@dataclass(frozen=True, slots=True)
class RequestName:
    """`<EntryName>@<GlideinName>@<FactoryName>`: Name of a glidefactory ad, ReqName and ReqGlidein
    of a request.
    """

    entry: str
    glidein: str
    factory: str

    def __str__(self) -> str:
        return f"{self.entry}@{self.glidein}@{self.factory}"

    @property
    def global_id(self) -> str:
        """`<GlideinName>@<FactoryName>`: Name of the glidefactoryglobal ad that carries the key of
        this entry.
        """
        return f"{self.glidein}@{self.factory}"

    @classmethod
    def parse(cls, text: str) -> RequestName:
        """Split a request name; a WireError if it has not exactly three parts."""
        parts = text.split("@")
        if len(parts) != 3 or not all(parts):
            raise WireError(f"{shown(text)} is not <entry>@<instance>@<factory>")
        return cls(*parts)


def client_name(frontend: str, group: str) -> str:
    """ClientName, the published name of a Frontend group."""
    return f"{frontend}.{group}"


def security_key(security_name: str, security_class: str) -> str:
    """`<SecurityName>:<SecurityClass>`: key of the Factory's limits, job attribute
    GlideinFrontendName.
    """
    return f"{security_name}:{security_class}"


def file_safe(text: str) -> str:
    """Monitoring file names: any character outside `[A-Za-z0-9.-]` becomes `_` (protocol 7.2)."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", text)
