"""Policy files: the operator's own Python, as much trusted as the daemon (config 9, decision 21).

A module may hold `match(job, glidein)`, which must return True, and the variables of `DECLARATIONS`. It is imported
only if nobody but root or the daemon's user could have written it; reconfig tries it in a child process first.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from glideinwms.frontend.decide.match.expression import Conjunct, ExpressionReads, SeenNames
from glideinwms.lib import file_ownership, jsondata
from glideinwms.lib.errors import ConfigError, StateError

QUERIES = ("factory_query_expr", "job_query_expr")
ATTRS = ("factory_match_attrs", "job_match_attrs")
DECLARATIONS = (*QUERIES, *ATTRS)
TRIAL_SECONDS = 10.0
Test = Callable[[Mapping[str, Any], Mapping[str, Any], Any], Any]


def conjunct(path: str) -> Conjunct:
    """The file's `match` as the last part of a match law; a ConfigError says why it is not taken."""
    found = file_ownership.check(Path(path))
    version = (found.st_mtime_ns, found.st_ino)
    test, seen = _match(path, version)
    name = f"policy {path}:match"
    return Conjunct(
        "match(job, glidein)",
        name,
        ExpressionReads(None, None),
        test,
        attr_dict=False,
        version=version,
        seen=seen,
    )


@functools.lru_cache(maxsize=100)
def _match(path: str, version: tuple[int, ...]) -> tuple[Test, SeenNames]:
    match, seen = getattr(load(path), "match", None), SeenNames()
    if match is None:
        return lambda job, glidein, attr_dict: True, seen
    # a copy of the job, since it is theirs to change; its answer must equal True, as deployed
    return lambda job, glidein, attr_dict: match(dict(job), _Glidein(glidein, seen)), seen


class _Glidein(dict[str, Any]):
    """The entry as a policy file is given it; notes whether the monitoring values were looked at."""

    def __init__(self, parts: Mapping[str, Any], seen: SeenNames) -> None:
        super().__init__(parts)
        self._seen = seen

    def __getitem__(self, name: str) -> Any:
        self._seen.monitor |= name == "monitor"
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._seen.monitor |= name == "monitor"
        return super().get(name, default)

    def __iter__(self) -> Iterator[str]:
        self._seen.monitor = True
        return super().__iter__()

    def keys(self) -> Any:
        self._seen.monitor = True
        return super().keys()

    def values(self) -> Any:
        self._seen.monitor = True
        return super().values()

    def items(self) -> Any:
        self._seen.monitor = True
        return super().items()

    def copy(self) -> dict[str, Any]:
        self._seen.monitor = True
        return super().copy()


def load(path: str) -> types.ModuleType:
    """Run the file as a module of its own name."""
    text = file_ownership.read(Path(path))
    module = types.ModuleType(Path(path).stem)
    module.__file__ = path
    try:
        exec(compile(text, path, "exec"), module.__dict__)  # noqa: S102 - the operator's program
    except Exception as error:  # whatever it does: the group says so and the others go on
        line = getattr(error, "lineno", None) or _line(error, path)
        raise ConfigError(
            f"{type(error).__name__}: {error}", where=f"{path}:{line}", hint="mend the file"
        ) from error
    if not callable(getattr(module, "match", lambda: None)):
        raise ConfigError(
            "`match` is no function", where=path, hint="write def match(job, glidein)"
        )
    return module


def _line(error: BaseException, path: str) -> int:
    found, trace = 0, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == path:
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def declarations(path: str) -> dict[str, Any]:
    """What the file declares: queries ("TRUE" where absent) and {name: type} of attributes. Runs
    the file.
    """
    module, found = load(path), {}
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
    """`declarations` in a child process with a time limit, for validate and reconfig: a file that
    hangs or exits
    harms nobody.
    """
    file_ownership.check(Path(path))
    argv = [sys.executable, "-m", __name__, path]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"has not ended after {seconds:g} s", where=path, hint="it must only define things"
        ) from None
    last = (done.stdout.strip().splitlines() or [""])[-1]
    try:
        answer = jsondata.parse(last, path)
    except StateError:
        raise ConfigError(
            f"ended the process with code {done.returncode}", where=path, hint="mend the file"
        ) from None
    if "error" in answer:
        error = answer["error"]
        raise ConfigError(error["message"], where=error["where"], hint=error["hint"])
    found: dict[str, Any] = answer["found"]
    return found


def main(path: str) -> None:
    """The child: one JSON line, `{"found"}` or `{"error": {message, where, hint}}`."""
    try:
        answer: dict[str, Any] = {"found": declarations(path)}
    except ConfigError as error:
        answer = {"error": {"message": error.message, "where": error.where, "hint": error.hint}}
    print("\n" + json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
