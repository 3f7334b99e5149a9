"""Commands of operators: files between the command line and a daemon, no socket (decision 37).

`<state>/requests/<id>.json` {verb, args, who, time} is consumed at the next cycle boundary and
answered in `<id>.answer.json` {ok, text}.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glideinwms.lib import bounded, jsondata
from glideinwms.lib.bounded import reason
from glideinwms.lib.daemon import log
from glideinwms.lib.errors import GwmsError, StateError, trace_of
from glideinwms.lib.files import write_atomic
from glideinwms.lib.jsondata import from_json, to_json
from glideinwms.lib.run_as_owner import caller, name_of

MAX_COMMAND_BYTES = 64 * 1024
MAX_COMMANDS_PER_CYCLE = 200


@dataclass(frozen=True, slots=True)
class OperatorCommand:
    """What an operator asks for."""

    id: str
    verb: str
    args: dict[str, str]
    who: str
    time: float


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """What the daemon said to it."""

    ok: bool
    text: str


def open_box(directory: Path) -> None:
    """Create the directory of commands, as the daemon. Its group may add files, and the daemon may
    remove them.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o770)
    except OSError as error:
        hint = "give it to the daemon's user"
        raise StateError(
            f"cannot be used: {error.strerror}", where=str(directory), hint=hint
        ) from error


def put(directory: Path, verb: str, args: dict[str, str]) -> str:
    """Leave a command for the daemon and return its id. The daemon can read it, even one of root."""
    if not directory.is_dir():
        raise StateError(
            "there is no directory for commands",
            where=str(directory),
            hint="has the daemon run here?",
        )
    command = OperatorCommand(uuid.uuid4().hex, verb, args, caller(), time.time())
    write_atomic(directory / f"{command.id}.json", json.dumps(to_json(command)), 0o644)
    return command.id


def withdraw(directory: Path, command_id: str) -> bool:
    """Withdraw a command. Return False if the daemon has taken it already."""
    try:
        (directory / f"{command_id}.json").unlink()
    except FileNotFoundError:
        return False
    return True


def wait_answer(directory: Path, command_id: str, timeout: float) -> CommandAnswer:
    """Wait for the daemon's answer. StateError if there is none within `timeout` seconds."""
    path = directory / f"{command_id}.answer.json"
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if path.exists():
            answer = from_json(CommandAnswer, jsondata.read_file(path))
            path.unlink(missing_ok=True)
            return answer
        time.sleep(0.1)
    raise StateError(
        f"no answer within {timeout:g} s", where=str(directory), hint="is the daemon running?"
    )


def _who(command: OperatorCommand, owner: int) -> str:
    """Return who left a command: the owner of its file.

    A program of root writes it with the daemon's account, for root.
    """
    name = name_of(owner)
    return (
        f"{name} (for {reason(command.who)})"
        if owner == os.geteuid() and command.who != name
        else name
    )


def pending(directory: Path) -> Iterator[tuple[Path, OperatorCommand]]:
    """Commands not yet consumed, oldest first, at most `MAX_COMMANDS_PER_CYCLE`. One that cannot be
    read is answered so and dropped.
    """
    if not directory.is_dir():
        return
    times: dict[Path, float] = {}
    for path in directory.glob("*.json"):
        with contextlib.suppress(OSError):  # withdrawn meanwhile
            if not path.name.endswith(".answer.json") and not stat.S_ISDIR(path.lstat().st_mode):
                times[path] = path.lstat().st_mtime
    oldest = sorted(times, key=lambda p: (times[p], p.name))
    for path in oldest[:MAX_COMMANDS_PER_CYCLE]:
        try:
            yield path, _read(path)
        except Exception as error:  # noqa: BLE001 - the boundary of one command
            _answer(path, CommandAnswer(False, reason(f"unreadable request: {error}")))


def _read(path: Path) -> OperatorCommand:
    """The command in a file. `who` is proved by the file's owner; it is no later than the file."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise StateError("is no file")
    if found.st_size > MAX_COMMAND_BYTES:
        raise StateError(f"has {found.st_size} bytes, at most {MAX_COMMAND_BYTES} are allowed")
    command = from_json(
        OperatorCommand, jsondata.parse(path.read_bytes(), "command", largest=MAX_COMMAND_BYTES)
    )
    said = bounded.number(command.time, "time", low=0.0)
    return replace(command, who=_who(command, found.st_uid), time=min(said, found.st_ctime))


def consume(
    directory: Path, handle: Callable[[OperatorCommand], str]
) -> list[tuple[OperatorCommand, CommandAnswer]]:
    """Let `handle` act on each pending command; its text, or its error, is the answer.

    A command is removed before it is acted on, so that one whose answer cannot be written is not
    acted on again.
    """
    done = []
    for path, command in pending(directory):
        try:
            path.unlink()
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                log.get("commands").error(
                    "not taken", verb=command.verb, who=command.who, error=str(error)
                )
            continue
        try:
            answer = CommandAnswer(True, handle(command))
        except GwmsError as error:
            answer = CommandAnswer(False, str(error))
        except Exception as error:  # noqa: BLE001 - the boundary of one command
            log.get("commands").error(
                "failed", verb=reason(command.verb), who=command.who, trace=trace_of(error)
            )
            answer = CommandAnswer(
                False, f"the daemon failed on this: {type(error).__name__}; see its log"
            )
        _answer(path, answer)
        done.append((command, answer))
    return done


def _answer(path: Path, answer: CommandAnswer) -> None:
    try:
        write_atomic(path.with_suffix(".answer.json"), json.dumps(to_json(answer)), 0o660)
    except (StateError, OSError) as error:
        log.get("commands").error("not answered", answer=answer.text, error=str(error))
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def unhandled(command: OperatorCommand) -> Any:
    """Refuse a command whose verb the daemon does not know."""
    raise StateError(f"unknown verb {bounded.shown(command.verb)}")
