"""How verbs print: aligned columns for people, JSON for programs (`--json`)."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from glideinwms.lib.bounded import printable
from glideinwms.lib.daemon.status import Status
from glideinwms.lib.jsondata import to_json

NOT_RUNNING = 3
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def print_json(data: Any) -> None:
    """Data of ours as indented JSON."""
    print(json.dumps(to_json(data), indent=2, default=str))


def visible(text: str) -> str:
    """Control characters as Python writes them: peers write texts that we show, and a terminal
    obeys.
    """
    return CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def raw(text: str) -> None:
    """A file's own text, as it is; on a terminal without what a terminal would obey."""
    print(printable(text) if sys.stdout.isatty() else text, end="")


def say(text: str) -> None:
    """One line for people."""
    print(visible(text))


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Columns, numbers to the right; nothing is cut off."""
    texts = [["" if v is None else visible(str(v)) for v in row] for row in rows]
    widths = [
        max(len(h), *(len(r[i]) for r in texts)) if texts else len(h) for i, h in enumerate(headers)
    ]
    right = [
        all(isinstance(r[i], int | float) or r[i] is None for r in rows) and bool(rows)
        for i in range(len(widths))
    ]
    for row in [list(headers), *texts]:
        cells = [
            t.rjust(w) if r else t.ljust(w) for t, w, r in zip(row, widths, right, strict=True)
        ]
        print("  ".join(cells).rstrip())


def sorted_by(rows: Sequence[Any], column: str, columns: Sequence[str]) -> list[Any]:
    """Rows by one of their fields, the largest first; as they are without one."""
    if column and column not in columns:
        fail(f"there is no column {column}; one of {', '.join(columns)}")
    return sorted(rows, key=lambda r: getattr(r, column), reverse=True) if column else list(rows)


def ago(seconds: float) -> str:
    """An age for people: 42s, 7m, 3h, 5d."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(max(0, seconds))}s"


def cycle(found: Status, now: float) -> str:
    """A daemon's last cycle: when it ended, and what took how long."""
    took = ", ".join(
        f"{name} {seconds:.1f} s" for name, seconds in found.took.items() if seconds >= 0.05
    )
    text = (
        f"cycle {found.cycle} ended {ago(now - found.cycle_ended)} ago, {found.cpu_s:.2f} s of CPU"
    )
    return f"{text}; {took}" if took else text


def clock(when: float) -> str:
    """Epoch seconds as local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))


def fail(text: str, code: int = 1) -> None:
    """A line on stderr, and the end."""
    print(f"gwms: {text}", file=sys.stderr)
    sys.exit(code)
