"""`policy.json`: how a daemon's policy is read, and what both policies hold alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from glideinwms.lib.errors import ConfigError, StateError
from glideinwms.lib.files import hint_of, write_atomic
from glideinwms.lib.jsondata import from_json, read_file

T = TypeVar("T")
NAME = "policy.json"
KEPT = 10


@dataclass(frozen=True, slots=True)
class StageTriple:
    """Entry point of one staged tree (protocol 6.1): file names inside `url`, sums of the
    *signature* files.
    """

    url: str
    descript: str
    sign: str
    sign256: str = ""


@dataclass(frozen=True, slots=True)
class Retention:
    """Days and megabytes of one kind of log that are kept (config 2.2)."""

    max_days: float
    min_days: float
    max_mbytes: float


def load(kind: type[T], path: Path, schema: int, side: str) -> T:
    """The policy in a file; a ConfigError or StateError says what is wrong with it. `side`: factory
    or frontend.
    """
    hint = f"run gwms {side} reconfig"
    if not path.exists():
        raise ConfigError("there is no policy", where=str(path), hint=hint)
    data = read_file(path, hint=hint)
    other = {"factory": "frontend", "frontend": "factory"}[side]
    if isinstance(data, dict) and f"{other}_name" in data:
        raise ConfigError(
            f"is a {other}'s", where=str(path), hint=f"give the work directory of the {side}"
        )
    found = data.get("schema") if isinstance(data, dict) else None
    if found != schema:
        raise ConfigError(
            f"has schema {found}, this program reads {schema}", where=str(path), hint=hint
        )
    return from_json(kind, data, where=str(path))


def keep(path: Path, generation: str, state: Path) -> None:
    """Keep a copy of the policy in force, so that its cycles can be replayed; the oldest of more
    than 10 go.
    """
    copy = kept(state, generation)
    try:
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        policy = path.read_bytes()
        if not copy.exists() or copy.read_bytes() != policy:
            write_atomic(copy, policy, 0o640)
        for old in sorted(copy.parent.glob("*.json"), key=lambda p: p.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise StateError(
            f"cannot be kept: {error.strerror}", where=str(copy), hint=hint_of(error)
        ) from error


def kept(state: Path, generation: str) -> Path:
    """Where that copy is."""
    return state / "policies" / f"{generation or 'none'}.json"
