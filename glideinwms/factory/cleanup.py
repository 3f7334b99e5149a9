"""Removal of old log files by the configured retention, and of credentials nobody names any more (3.4, config 2.2).

Credentials go by their last use, not by mtime: unchanged files are not rewritten here (decision 30). What a queued
pilot names is never removed, whatever its age.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from glideinwms.factory.policy import FactoryPolicy, Retention
from glideinwms.lib import log
from glideinwms.lib.errors import StateError
from glideinwms.lib.files import read_text, write_atomic

DAY = 86400.0
MEGABYTE = 1_000_000
HOUR, SOON = 3600.0, 600.0
ROTATED = re.compile(r"\.log\.\d{4}-\d\d-\d\d$")
SUFFIXES = ("", "_compressed", "_idtoken")


@dataclass(frozen=True, slots=True)
class File:
    """A file that may go: `age` in seconds."""

    path: Path
    age: float
    size: int


def expired(files: Iterable[File], keep: Retention) -> list[File]:
    """Older than max_days; then, while the rest is larger than max_mbytes, the oldest of those past min_days."""
    rows = sorted(files, key=lambda f: -f.age)
    gone = [f for f in rows if f.age > keep.max_days * DAY]
    left = rows[len(gone) :]
    total = sum(f.size for f in left)
    for file in left:
        if total <= keep.max_mbytes * MEGABYTE or file.age <= keep.min_days * DAY:
            break
        gone.append(file)
        total -= file.size
    return gone


def kind_of(path: Path) -> str:
    """Which retention governs a log: pilots' outputs (job), event logs (condor), completed jobs (summary), our own
    logs of days past (process)."""
    if ROTATED.search(path.name):
        return "process"
    if path.name.startswith("job.") and path.suffix in (".out", ".err"):
        return "job"
    if path.name.startswith("condor_activity_"):
        return "condor"
    return "summary" if path.name.startswith("completed_jobs_") else ""


def client_directories(policy: FactoryPolicy) -> list[Path]:
    """Directories with pilots' logs, summaries and our own logs: swept a few at a time."""
    clients = Path(policy.client_log_dir).glob(f"user_*/glidein_{policy.glidein_name}/entry_*")
    return sorted([*clients, Path(policy.log_dir), *Path(policy.log_dir).glob("entry_*")])


def retentions(policy: FactoryPolicy) -> dict[str, Retention]:
    """Retention by kind; of several process logs the one that keeps longest governs ours."""
    process = [r for k, r in policy.retention.items() if k.startswith("process_")]
    out = {k: r for k, r in policy.retention.items() if not k.startswith("process_")}
    return out | ({"process": max(process, key=lambda r: r.max_days)} if process else {})


def sweep_logs(directory: Path, retention: dict[str, Retention], now: float, used: Collection[str]) -> list[Path]:
    """Remove what is over in one directory; a file of a queued pilot stays (decision 29). What was removed."""
    by_kind: dict[str, list[File]] = {}
    try:
        paths = list(directory.iterdir()) if directory.is_dir() else []
    except OSError as error:
        log.get("cleanup").warning("cannot be read", directory=str(directory), error=error.strerror)
        return []
    for path in paths:
        kind = kind_of(path)
        if kind in retention and str(path) not in used and path.is_file() and not path.is_symlink():
            found = path.stat()
            by_kind.setdefault(kind, []).append(File(path, now - found.st_mtime, found.st_size))
    gone = [f.path for kind, files in by_kind.items() for f in expired(files, retention[kind])]
    return [path for path in gone if removed(path)]


def removed(path: Path) -> bool:
    """Remove a file; what refuses is said and left alone."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.get("cleanup").warning("cannot be removed", file=str(path), error=error.strerror)
        return False
    return True


class LastUse:
    """`<state>/credentials.json`: when a credential file was last named by a request or brought by a Frontend."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.times: dict[str, float] = self._load()

    def _load(self) -> dict[str, float]:
        if not self.path.exists():
            return {}
        try:
            data = json.loads(read_text(self.path))
            return {str(k): float(v) for k, v in data.items()}
        except (StateError, ValueError, TypeError, AttributeError) as error:
            # lives begin anew, which removes nothing too early
            log.get("cleanup").warning("last uses are forgotten", file=str(self.path), error=str(error))
            return {}

    def touch(self, paths: Iterable[str], now: float) -> None:
        """These are in use now."""
        self.times.update(dict.fromkeys(paths, now))

    def save(self) -> None:
        """Write the table."""
        write_atomic(self.path, json.dumps(self.times), 0o640)

    def sweep(self, files: Iterable[Path], max_age: float, now: float, used: Collection[str]) -> list[Path]:
        """Remove credentials not used for `max_age` s; one seen for the first time begins its life now."""
        gone = []
        known = {str(p): p for p in files}
        for name, path in known.items():
            old = now - self.times.setdefault(name, now) > max_age and not in_use(name, used)
            if old and removed(path):
                gone.append(path)
        self.times = {k: v for k, v in self.times.items() if k in known and known[k] not in gone}
        self.save()
        return gone


def in_use(name: str, used: Collection[str]) -> bool:
    """Whether a queued pilot names the file, or the one it belongs to."""
    main = name.removesuffix("_compressed").removesuffix("_idtoken")
    return any(main + suffix in used for suffix in SUFFIXES)


def credential_files(policy: FactoryPolicy) -> Iterator[Path]:
    """Every stored credential of this Factory."""
    return Path(policy.client_proxies_dir).glob(f"user_*/glidein_{policy.glidein_name}/credential_*")


class Cleaner:
    """Sweeps a share of the log directories each cycle, so that all are swept each hour, and credentials once a day.

    `used` asks what queued pilots name; None: not known, then nothing is removed."""

    def __init__(self, last_use: LastUse, used: Callable[[FactoryPolicy], set[str] | None]) -> None:
        self.last_use, self.used = last_use, used
        self.todo: list[Path] = []
        self.logs_at = self.credentials_at = 0.0
        self.named: set[str] = set()

    def run(self, policy: FactoryPolicy, now: float) -> list[Path]:
        """One cycle's share; what was removed. Time stamps are of the caller's clock."""
        gone: list[Path] = []
        if not self.logs_at:
            # not while a start has enough to do
            self.logs_at, self.credentials_at = now - HOUR + SOON, now - policy.remove_old_cred_freq + SOON
        if not self.todo and now - self.logs_at >= HOUR:
            self._plan(policy, now)
        share = int(len(self.todo) * policy.loop_delay / HOUR) + 1
        for directory in self.todo[:share]:
            gone += sweep_logs(directory, retentions(policy), now, self.named)
        self.todo = self.todo[share:]
        if now - self.credentials_at >= policy.remove_old_cred_freq:
            gone += self._credentials(policy, now)
        return gone

    def _plan(self, policy: FactoryPolicy, now: float) -> None:
        named = self.used(policy)
        if named is not None:
            self.named, self.todo, self.logs_at = named, client_directories(policy), now

    def _credentials(self, policy: FactoryPolicy, now: float) -> list[Path]:
        named = self.used(policy)
        if named is None:
            return []
        self.credentials_at = now
        return self.last_use.sweep(credential_files(policy), policy.remove_old_cred_age, now, named)
