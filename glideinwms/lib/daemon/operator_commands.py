"""Operator words: files between the command line and a daemon, no socket (decision 37).

`<state>/requests/<id>.json` {verb, args, who, time} is consumed at the next cycle boundary and answered in
`<id>.answer.json` {ok, text}.
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

MAX_WORD_BYTES = 64 * 1024
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
    """Make the directory of words, as the daemon: its group may leave some, and the daemon may take
    them away.
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
    """Leave a word for the daemon; its id. It can be read whoever leaves it: root's too."""
    if not directory.is_dir():
        raise StateError(
            "there is no place for words", where=str(directory), hint="has the daemon run here?"
        )
    word = OperatorCommand(uuid.uuid4().hex, verb, args, caller(), time.time())
    write_atomic(directory / f"{word.id}.json", json.dumps(to_json(word)), 0o644)
    return word.id


def withdraw(directory: Path, word_id: str) -> bool:
    """Take a word back that nobody has answered; False if it is gone, done or not."""
    try:
        (directory / f"{word_id}.json").unlink()
    except FileNotFoundError:
        return False
    return True


def wait_answer(directory: Path, word_id: str, timeout: float) -> CommandAnswer:
    """The daemon's answer; a StateError after `timeout` seconds without one."""
    path = directory / f"{word_id}.answer.json"
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


def _who(word: OperatorCommand, owner: int) -> str:
    """Who left a word: the owner of its file. A command of root leaves it as the daemon's account,
    for root.
    """
    name = name_of(owner)
    return (
        f"{name} (for {reason(word.who)})" if owner == os.geteuid() and word.who != name else name
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
            yield path, _word(path)
        except Exception as error:  # noqa: BLE001 - the boundary of one command
            _answer(path, CommandAnswer(False, reason(f"unreadable request: {error}")))


def _word(path: Path) -> OperatorCommand:
    """The command in a file. `who` is proved by the file's owner; it is no later than the file."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise StateError("is no file")
    if found.st_size > MAX_WORD_BYTES:
        raise StateError(f"has {found.st_size} bytes, at most {MAX_WORD_BYTES} are allowed")
    word = from_json(
        OperatorCommand, jsondata.parse(path.read_bytes(), "command", largest=MAX_WORD_BYTES)
    )
    said = bounded.number(word.time, "time", low=0.0)
    return replace(word, who=_who(word, found.st_uid), time=min(said, found.st_ctime))


def consume(
    directory: Path, handle: Callable[[OperatorCommand], str]
) -> list[tuple[OperatorCommand, CommandAnswer]]:
    """Let `handle` act on each pending word; its text, or its error, is the answer. A word is taken
    away before it is
    acted on, so that one whose answer cannot be written is not acted on again.
    """
    done = []
    for path, word in pending(directory):
        try:
            path.unlink()
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                log.get("commands").error(
                    "not taken", verb=word.verb, who=word.who, error=str(error)
                )
            continue
        try:
            answer = CommandAnswer(True, handle(word))
        except GwmsError as error:
            answer = CommandAnswer(False, str(error))
        except Exception as error:  # noqa: BLE001 - the boundary of one command
            log.get("commands").error(
                "failed", verb=reason(word.verb), who=word.who, trace=trace_of(error)
            )
            answer = CommandAnswer(
                False, f"the daemon failed on this: {type(error).__name__}; see its log"
            )
        _answer(path, answer)
        done.append((word, answer))
    return done


def _answer(path: Path, answer: CommandAnswer) -> None:
    try:
        write_atomic(path.with_suffix(".answer.json"), json.dumps(to_json(answer)), 0o660)
    except (StateError, OSError) as error:
        log.get("commands").error("not answered", answer=answer.text, error=str(error))
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def unhandled(word: OperatorCommand) -> Any:
    """The answer of a daemon that knows no such verb."""
    raise StateError(f"unknown verb {bounded.shown(word.verb)}")
