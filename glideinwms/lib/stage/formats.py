"""The text formats of the stage area, written and read (protocol 6.2-6.6).

Readers raise StageError naming the line; writers refuse what a format cannot carry: blanks in a
list field, newlines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from glideinwms.lib.bounded import count_or
from glideinwms.lib.errors import StageError

PROGRAMS = ("exec", "exec:s")
KINDS = ("regular", "nocache", "exec", "exec:s", "wrapper", "untar", "config:c")
LIST_HEAD = (
    "# Outfile \tInFile         \tCache/exec \tPeriod \tPrefix \tCondition \tConfigOut\n"
    + "#" * 89
    + "\n"
)
VARS_HEAD = "# VarName \tType \tDefault \tCondorName \tReq. \tExport \tUserName\n" + "#" * 89 + "\n"
SUM = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})  (\S+)")


@dataclass(frozen=True, slots=True)
class FileListRow:
    """One line of a file list (protocol 6.4); `period` in seconds, 0 = once.

    `points`: when the pilot runs or sources it; an eighth field where it is not setup, which
    deployed pilots pass over. They run every program at set-up: one that is not for set-up is a
    regular file to them, and the eighth field is `KIND@POINTS`.
    """

    outfile: str
    infile: str
    kind: str = "regular"
    period: int = 0
    prefix: str = "GLIDEIN_PS_"
    condition: str = "TRUE"
    config_out: str = "FALSE"
    points: str = "setup"


@dataclass(frozen=True, slots=True)
class VariableRow:
    """One line of condor_vars.lst (protocol 6.6)."""

    name: str
    type: str = "S"
    default: str = "-"
    condor_name: str = "+"
    required: bool = False
    export: bool = False
    job_name: str = "-"


def _lines(text: str) -> Iterable[tuple[int, str]]:
    return (
        (n, line)
        for n, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    )


def _one_line(value: str, what: str) -> str:
    if "\n" in value or "\r" in value:
        raise StageError(
            "a value may not contain a newline",
            where=what,
            hint="stage files hold one value a line",
        )
    return value


def _word(name: str, file: str) -> str:
    """A name that is not read as a comment, nor as two lines."""
    if name.startswith("#") or not name.strip():
        raise StageError(f"{name!r} cannot be a name", where=file)
    return _one_line(name, file)


def write_list(rows: Iterable[FileListRow], name: str = "file_list.lst") -> str:
    """A file list; every field is one word."""
    out = [f"# File: {name}\n#\n", LIST_HEAD]
    for row in rows:
        kind, points = row.kind, row.points
        if kind in PROGRAMS and "setup" not in points.split(","):
            kind, points = "regular", f"{kind}@{points}"
        fields = [
            row.outfile,
            row.infile,
            kind,
            str(row.period),
            row.prefix,
            row.condition,
            row.config_out,
        ]
        if points != "setup":
            fields.append(points)
        if " ".join(fields).split() != fields:
            wrong = next(f for f in fields if f.split() != [f])
            raise StageError(
                f"{wrong!r} must be one word without blanks", where=f"{name}: {row.outfile}"
            )
        if row.kind not in KINDS:
            raise StageError(
                f"{row.kind!r} is none of {', '.join(KINDS)}", where=f"{name}: {row.outfile}"
            )
        out.append(" \t".join(fields) + "\n")
    return "".join(out)


def read_list(text: str, name: str = "file_list.lst") -> list[FileListRow]:
    """Rows of a file list; extra trailing fields and the older form of five or six fields are
    accepted.
    """
    rows = []
    for n, line in _lines(text):
        f = line.split()
        if len(f) == 5:
            f = [*f[:3], "0", "GLIDEIN_PS_", *f[3:]]
        if len(f) == 6:
            f = [*f[:3], "0", "GLIDEIN_PS_", *f[4:]]
        period = count_or(f[3], None) if len(f) >= 7 else None
        if period is None:
            raise StageError("not seven fields", where=f"{name}:{n}")
        kind, _, points = f[7].rpartition("@") if len(f) > 7 else ("", "", "setup")
        rows.append(FileListRow(f[0], f[1], kind or f[2], period, f[4], f[5], f[6], points))
    return rows


def write_pairs(pairs: Mapping[str, object] | Iterable[tuple[str, object]], name: str) -> str:
    """`name <TAB>value` lines: descriptions, constants, untar tables."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    body = "".join(
        f"{_word(key, name)} \t{_one_line(str(value), f'{name}: {key}')}\n" for key, value in items
    )
    return f"# File: {name}\n#\n{body}"


def read_pairs(text: str, name: str = "") -> dict[str, str]:
    """The pairs of `write_pairs`; the value is the rest of the line, trailing blanks stripped."""
    found = {}
    for n, line in _lines(text):
        key, _, value = line.partition("\t")
        if not key.strip():
            raise StageError("a line without a name", where=f"{name}:{n}")
        found[key.strip()] = value.rstrip()
    return found


def write_vars(rows: Iterable[VariableRow], name: str = "condor_vars.lst") -> str:
    """condor_vars.lst; defaults are one word (the pilot splits at blanks)."""
    out = [f"# File: {name}\n#\n", VARS_HEAD]
    for v in rows:
        fields = (
            v.name,
            v.type,
            v.default,
            v.condor_name,
            "NY"[v.required],
            "NY"[v.export],
            v.job_name,
        )
        if " ".join(fields).split() != list(fields) or v.type not in "ISC":
            raise StageError(
                "every field is one word, the type I, S or C", where=f"{name}: {v.name}"
            )
        out.append(" \t".join(fields) + "\n")
    return "".join(out)


def read_vars(text: str, name: str = "condor_vars.lst") -> list[VariableRow]:
    """Rows of condor_vars.lst."""
    rows = []
    for n, line in _lines(text):
        f = line.split()
        if len(f) != 7 or f[1] not in "ISC" or f[4] not in "YN" or f[5] not in "YN":
            raise StageError("not the seven fields of a variable", where=f"{name}:{n}")
        rows.append(VariableRow(f[0], f[1], f[2], f[3], f[4] == "Y", f[5] == "Y", f[6]))
    return rows


def write_sums(sums: Iterable[tuple[str, str]], name: str) -> str:
    """A signature file from (file name, hex sum) pairs: the output format of sha1sum and sha256sum."""
    return f"# File: {name}\n#\n" + "".join(f"{value}  {file}\n" for file, value in sums)


def read_sums(text: str, name: str = "signature") -> dict[str, str]:
    """File name -> hex sum."""
    found = {}
    for n, line in _lines(text):
        match = SUM.fullmatch(line)
        if not match:
            raise StageError("not `<sum>  <file>`", where=f"{name}:{n}")
        found[match[2]] = match[1]
    return found
