"""One staged tree (main, entry, client, client_group): its lists become named files, both
signatures, a description.

Names cannot be circular (decision 10): the signature files are named by their lines *without* the
description's, the description by its own content, which names both signatures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from glideinwms.lib.errors import StageError
from glideinwms.lib.stage.blobs import Blob, content_name, of_bytes
from glideinwms.lib.stage.formats import FileListRow, write_list, write_pairs, write_sums

EMPTY: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Item:
    """A file of a list before it has its stage name."""

    outfile: str
    blob: Blob
    kind: str = "regular"
    period: int = 0
    prefix: str = "GLIDEIN_PS_"
    condition: str = "TRUE"
    config_out: str = "FALSE"
    points: str = "setup"
    stage_stem: str = ""
    once: bool = False

    @property
    def infile(self) -> str:
        """Its name in the stage directory; `nocache` files keep their plain name."""
        stem = self.stage_stem or self.outfile
        return stem if self.kind == "nocache" else content_name(stem, self.blob.sha256)


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree ready to be published. `files` are immutable, `plain` ones are replaced by rename,
    `once` ones are made if missing and then belong to the operator.
    """

    subdir: str
    descript: str
    sign: str
    sign256: str
    files: Mapping[str, Blob] = field(default_factory=dict)
    plain: Mapping[str, Blob] = field(default_factory=dict)
    once: Mapping[str, Blob] = field(default_factory=dict)


def build(subdir: str, lists: Mapping[str, Sequence[Item]], ids: Mapping[str, str] = EMPTY) -> Tree:
    """The tree of `lists` (description id -> items in order) plus further description ids."""
    files: dict[str, Blob] = {}
    plain: dict[str, Blob] = {}
    once: dict[str, Blob] = {}
    list_names: dict[str, str] = {}
    for name, items in lists.items():
        seen: set[str] = set()
        for item in items:
            if item.outfile in seen:
                raise StageError(
                    f"{item.outfile} is twice in {name}",
                    where=subdir or "main",
                    hint="set relfname",
                )
            seen.add(item.outfile)
            place = (once if item.once else plain) if item.kind == "nocache" else files
            place[item.infile] = item.blob
        rows = [_row(i) for i in items]
        blob = of_bytes(write_list(rows, f"{name}.lst"))
        list_names[name] = content_name(f"{name}.lst", blob.sha256)
        files[list_names[name]] = blob
    tree = _sign(subdir, files, list_names, ids)
    return replace(tree, plain=plain, once=once)


def _row(item: Item) -> FileListRow:
    return FileListRow(
        item.outfile,
        item.infile,
        item.kind,
        item.period,
        item.prefix,
        item.condition,
        item.config_out,
        item.points,
    )


def _sign(
    subdir: str, files: dict[str, Blob], lists: Mapping[str, str], ids: Mapping[str, str]
) -> Tree:
    sums = {
        256: [(n, b.sha256) for n, b in files.items()],
        1: [(n, b.sha1) for n, b in files.items()],
    }
    names = {}
    for bits, lines in sums.items():
        stem = f"signature.sha{bits}"
        names[bits] = content_name(
            stem, hashlib.sha256(write_sums(lines, stem).encode()).hexdigest()
        )
    pairs = {"signature": names[1], "signature_sha256": names[256], **lists, **ids}
    description = of_bytes(write_pairs(pairs, "description.cfg"))
    descript = content_name("description.cfg", description.sha256)
    one = of_bytes(write_sums([*sums[1], (descript, description.sha1)], "signature.sha1"))
    two = of_bytes(write_sums([*sums[256], (descript, description.sha256)], "signature.sha256"))
    files |= {descript: description, names[1]: one, names[256]: two}
    return Tree(subdir, descript, one.sha1, two.sha256, files)
