"""Print the answers of commands: aligned columns for people, JSON for programs (`--json`)."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Sequence
from typing import Annotated, NoReturn, TypeVar

import typer

from glideinwms.lib.bounded import printable
from glideinwms.lib.daemon.status import Status
from glideinwms.lib.jsondata import to_json

NOT_RUNNING = 3
MIN_STEP_SECONDS = 0.05
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Cell = object
Record = TypeVar("Record")


def print_json(data: object) -> None:
    """Print dataclasses, lists and dictionaries as indented JSON."""
    print(json.dumps(to_json(data), indent=2, default=str))


def visible(text: str) -> str:
    """Escape control characters: peers write texts that we show, and a terminal obeys them."""
    return CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


def raw(text: str) -> None:
    """Print the text of a file unchanged, but without control sequences on a terminal."""
    print(printable(text) if sys.stdout.isatty() else text, end="")


def say(text: str) -> None:
    """Print one line for people."""
    print(visible(text))


def warn(text: str) -> None:
    """Print one line on stderr."""
    print(f"gwms: {visible(text)}", file=sys.stderr)


def table(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print columns, with numbers aligned to the right. Nothing is cut off."""
    texts = [[_cell(value) for value in row] for row in rows]
    columns = range(len(headers))
    widths = [max(len(cells[column]) for cells in [headers, *texts]) for column in columns]
    numeric = [
        bool(rows) and all(isinstance(row[column], int | float | None) for row in rows)
        for column in columns
    ]
    for cells in [list(headers), *texts]:
        padded = [
            cells[column].rjust(widths[column])
            if numeric[column]
            else cells[column].ljust(widths[column])
            for column in columns
        ]
        print("  ".join(padded).rstrip())


def _cell(value: Cell) -> str:
    return "" if value is None else visible(str(value))


def sorted_by(records: Sequence[Record], column: str, columns: Sequence[str]) -> list[Record]:
    """Sort records by one of their fields, largest first. Without a column, keep their order."""
    if not column:
        return list(records)
    if column not in columns:
        fail(f"there is no column {column}; the columns are {', '.join(columns)}")
    return sorted(records, key=lambda record: getattr(record, column), reverse=True)


def ago(seconds: float) -> str:
    """Format an age: 42s, 7m, 3h, 5d."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(max(0, seconds))}s"


def cycle(status: Status, now: float) -> str:
    """Describe the last cycle of a daemon: when it ended, and how long its steps took."""
    steps = ", ".join(
        f"{name} {seconds:.1f} s"
        for name, seconds in status.took.items()
        if seconds >= MIN_STEP_SECONDS
    )
    ended = ago(now - status.cycle_ended)
    text = f"cycle {status.cycle} ended {ended} ago, {status.cpu_s:.2f} s of CPU"
    return f"{text}; {steps}" if steps else text


def clock(when: float) -> str:
    """Format epoch seconds as local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))


def fail(text: str, code: int = 1) -> NoReturn:
    """Print a line on stderr and exit with the code."""
    print(f"gwms: {text}", file=sys.stderr)
    sys.exit(code)
