"""`<state>/heartbeat`: the last sign of life of a daemon, a small record that is overwritten in
place.

The file is opened once and keeps its size. A daemon whose file system is full, or whose state
directory was made read-only, can therefore still say what it does and what it cannot write.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from glideinwms.lib.errors import StateError
from glideinwms.lib.files import give
from glideinwms.lib.jsondata import from_json, read_file, to_json

NAME = "heartbeat"
RECORD_BYTES = 4096
MAX_PROBLEMS, MAX_PROBLEM_CHARS = 8, 400
SLEEP = "sleep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """`step`: what the daemon began to do at `time` (epoch seconds): a step of the cycle, or sleep.
    `problems`: what the last cycle could not write.
    """

    pid: int
    cycle: int
    step: str
    time: float
    loop_delay: float
    problems: tuple[str, ...] = ()


class HeartbeatFile:
    """The open file. A failure to write it is ignored: its age then says what is wrong."""

    def __init__(self, state: Path) -> None:
        self._fd = -1
        with contextlib.suppress(OSError):
            self._fd = os.open(
                state / NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640
            )
            give(self._fd, state)

    def beat(self, heartbeat: Heartbeat) -> None:
        """Overwrite the record."""
        if self._fd < 0:
            return
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, record_of(heartbeat), 0)

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


def record_of(heartbeat: Heartbeat) -> bytes:
    """JSON padded to the size of the file; problems that do not fit are left out."""
    problems = tuple(text[:MAX_PROBLEM_CHARS] for text in heartbeat.problems[:MAX_PROBLEMS])
    raw = _encoded(replace(heartbeat, problems=problems))
    while len(raw) > RECORD_BYTES and problems:
        problems = problems[:-1]
        raw = _encoded(replace(heartbeat, problems=problems))
    return raw.ljust(RECORD_BYTES)


def _encoded(heartbeat: Heartbeat) -> bytes:
    return json.dumps(to_json(heartbeat)).encode()


def read(state: Path) -> Heartbeat | None:
    """The record; None if there is none that can be read, as with a daemon of an older version."""
    try:
        return from_json(Heartbeat, read_file(state / NAME), ignore_unknown=True)
    except StateError:
        return None
