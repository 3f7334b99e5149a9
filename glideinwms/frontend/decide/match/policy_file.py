"""Policy files: the operator's own Python, as trusted as the daemon (config 9, decision 21).

A file may hold `match(job, glidein)`, which must return True. Its text is part of the snapshot (see
`frontend.policy_files`), so a recorded cycle can be replayed after the file has changed.
"""

from __future__ import annotations

import functools
import hashlib
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from glideinwms.frontend.decide.match.expression import Conjunct, ExpressionReads, SeenNames
from glideinwms.frontend.snapshot import PolicyFile
from glideinwms.lib.errors import ConfigError

Test = Callable[[Mapping[str, Any], Mapping[str, Any], Any], Any]


def conjunct(path: str, files: Sequence[PolicyFile]) -> Conjunct:
    """The file's `match` as the last part of the match rules. A ConfigError says why it is not
    used.
    """
    file = next((f for f in files if f.path == path), None)
    if file is None:
        raise ConfigError(
            "the snapshot does not contain this policy file",
            where=path,
            hint="it was recorded by an older version, which did not keep policy files",
        )
    if file.problem:
        raise ConfigError(file.problem)
    test, seen = _match(path, file.text)
    return Conjunct(
        "match(job, glidein)",
        f"policy {path}:match",
        ExpressionReads(None, None),
        test,
        attr_dict=False,
        version=hashlib.sha256(file.text.encode()).hexdigest(),
        seen=seen,
    )


@functools.lru_cache(maxsize=100)
def _match(path: str, text: str) -> tuple[Test, SeenNames]:
    match, seen = getattr(load_module(path, text), "match", None), SeenNames()
    if match is None:
        return lambda job, glidein, attr_dict: True, seen
    # The function may change its copy of the job. Its result must equal True, as in GlideinWMS
    # 3.10.
    return lambda job, glidein, attr_dict: match(dict(job), _Glidein(glidein, seen)), seen


class _Glidein(dict[str, Any]):
    """The entry as a policy file sees it. Notes whether the file reads the monitoring values."""

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


def load_module(path: str, text: str) -> types.ModuleType:
    """Run a file's text as a module of the file's name."""
    module = types.ModuleType(path.rpartition("/")[2].removesuffix(".py"))
    module.__file__ = path
    try:
        exec(compile(text, path, "exec"), module.__dict__)  # noqa: S102 - the operator's program
    except Exception as error:
        line = getattr(error, "lineno", None) or _line(error, path)
        raise ConfigError(
            f"{type(error).__name__}: {error}", where=f"{path}:{line}", hint="correct the file"
        ) from error
    if not callable(getattr(module, "match", lambda: None)):
        raise ConfigError(
            "`match` is not a function", where=path, hint="write def match(job, glidein)"
        )
    return module


def _line(error: BaseException, path: str) -> int:
    line, trace = 0, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
