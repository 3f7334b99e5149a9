"""Reads operators' policy files, and tries them out in a child process (config 9, decision 21).

A file is read only if nobody but root or the daemon's user could have written it. Reconfig tries it in a child process
first. The decision gets its text as part of the snapshot: see `decide.match.policy_file`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import decode_source
from pathlib import Path
from typing import Any

from glideinwms.frontend.decide.match.policy_file import load_module
from glideinwms.frontend.snapshot import PolicyFile
from glideinwms.lib import file_ownership
from glideinwms.lib.errors import ConfigError, GwmsError

QUERIES = ("factory_query_expr", "job_query_expr")
ATTRS = ("factory_match_attrs", "job_match_attrs")
DECLARATIONS = (*QUERIES, *ATTRS)
TRIAL_SECONDS = 10.0


def read(path: str) -> PolicyFile:
    """A policy file as it is now: its text, or why it cannot be used."""
    try:
        return PolicyFile(path=path, text=source(path))
    except GwmsError as error:
        return PolicyFile(path=path, problem=str(error))


def source(path: str) -> str:
    """The text of a file that only root or this user can have written. A ConfigError says why it is
    not used.
    """
    try:
        return decode_source(file_ownership.read(Path(path)))
    except (SyntaxError, ValueError) as error:
        raise ConfigError(
            f"cannot be decoded: {error}", where=path, hint="save the file as UTF-8"
        ) from error


def read_all(paths: Iterable[str]) -> dict[str, PolicyFile]:
    """Each file once, by its path."""
    return {path: read(path) for path in dict.fromkeys(paths)}


def declarations(path: str) -> dict[str, Any]:
    """Run the file and return what it declares: queries ("TRUE" where absent) and {name: type} of
    attributes.
    """
    module, found = load_module(path, source(path)), {}
    for name in QUERIES:
        found[name] = getattr(module, name, "TRUE")
        if not isinstance(found[name], str):
            raise ConfigError(
                f"{name} is {type(found[name]).__name__}",
                where=path,
                hint="write a ClassAd expression",
            )
    for name in ATTRS:
        attrs = getattr(module, name, {})
        if not isinstance(attrs, dict) or not all(
            isinstance(v, dict) and "type" in v for v in attrs.values()
        ):
            raise ConfigError(
                f"{name} is not {{name: {{'type': ...}}}}", where=path, hint="write a dict of dicts"
            )
        found[name] = {str(n): str(v["type"]) for n, v in attrs.items()}
    return found


def try_out(path: str, seconds: float = TRIAL_SECONDS) -> dict[str, Any]:
    """Run `declarations` in a child process with a time limit, for validate and reconfig: a file
    that hangs or exits does no harm.
    """
    file_ownership.check(Path(path))
    argv = [sys.executable, "-m", __name__, path]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"did not end within {seconds:g} s", where=path, hint="it must only define things"
        ) from None
    last = (done.stdout.strip().splitlines() or [""])[-1]
    try:
        answer = json.loads(last)
    except ValueError:
        raise ConfigError(
            f"ended the process with code {done.returncode}", where=path, hint="correct the file"
        ) from None
    if "error" in answer:
        error = answer["error"]
        raise ConfigError(error["message"], where=error["where"], hint=error["hint"])
    declared: dict[str, Any] = answer["found"]
    return declared


def main(path: str) -> None:
    """The child: one JSON line, `{"found"}` or `{"error": {message, where, hint}}`."""
    try:
        answer: dict[str, Any] = {"found": declarations(path)}
    except ConfigError as error:
        answer = {"error": {"message": error.message, "where": error.where, "hint": error.hint}}
    print("\n" + json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
