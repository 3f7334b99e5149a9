"""`<state>/status.json`: what a daemon says of itself, once a cycle, atomically (decision 37)."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glideinwms.lib.errors import StateError
from glideinwms.lib.files import held, read_text, write_atomic
from glideinwms.lib.jsondata import from_json, read_file, to_json

SCHEMA = 1
LOCK = "daemon.lock"
# what Linux allows; 0, 1 and negative numbers would mean other processes than one daemon
MAX_PID = 2**22


@dataclass(frozen=True, slots=True)
class ReadingStatus:
    """One input as `gwms status` shows it; `age` in seconds (None: never had one)."""

    source: str
    age: float | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """One daemon after one cycle. Times are epoch seconds; `summary` is the daemon's own; `took` is
    seconds by step: words, collect, decide, apply, record; `problems`: directories and files that
    cannot be written.
    """

    schema: int
    daemon: str
    pid: int
    generation: str
    cycle: int
    started: float
    cycle_began: float
    cycle_ended: float
    cpu_s: float
    loop_delay: float
    error: str = ""
    policy_error: str = ""
    readings: tuple[ReadingStatus, ...] = ()
    summary: dict[str, Any] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def write(path: Path, status: Status) -> None:
    """Replace the status file."""
    write_atomic(path, json.dumps(to_json(status), default=str), 0o640)


def read(path: Path, daemon: str = "") -> Status:
    """The status file (of this kind of daemon, if it is named); a StateError if there is none."""
    if not path.exists():
        raise StateError("no status yet", where=str(path), hint="has the daemon run here?")
    found = from_json(Status, read_file(path), where=str(path), ignore_unknown=True)
    if daemon not in ("", found.daemon):
        hint = f"the {daemon}'s is wanted"
        raise StateError(
            f"is a {found.daemon}'s work directory", where=str(path.parent.parent), hint=hint
        )
    return found


def running(path: Path) -> bool:
    """Whether the daemon of a status file lives: whether its lock is held, since its pid may be
    another program's by now. Only where there is no lock file the pid must do.
    """
    if path.with_name(LOCK).exists():
        return held(path.with_name(LOCK))
    try:
        found = read(path).pid
        if not 1 < found <= MAX_PID:
            return False
        os.kill(found, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, StateError):
        return False
    return True


def pid(path: Path) -> int:
    """The process of the daemon that lives, 0 if none does. Its lock says so: the status file may
    still be that of the one before.
    """
    if not running(path):
        return 0
    lock = path.with_name(LOCK)
    if not lock.exists():
        return read(path).pid
    found = re.search(r"pid (\d{1,7})$", read_text(lock))
    number = int(found[1]) if found else 0
    return number if 1 < number <= MAX_PID else 0
