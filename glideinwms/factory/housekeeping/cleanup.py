"""Remove old log files by the configured retention, and credentials that nobody uses.

The age of a credential counts from its last use, not from its mtime: unchanged files are not
rewritten (decision 30). A file that a queued pilot names is never removed (protocol 3.4, config 2.2).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from glideinwms.factory.policy import FactoryPolicy
from glideinwms.lib.daemon import state_file
from glideinwms.lib.daemon.retention import own_kind, removed, sweep
from glideinwms.lib.files import write_atomic

HOUR, SOON = 3600.0, 600.0
SUFFIXES = ("", "_compressed", "_idtoken")


def kind_of(path: Path) -> str:
    """Which retention governs a log: pilots' outputs (job), event logs (condor), completed jobs
    (summary), our own logs of days past (process).
    """
    if path.name.startswith("job.") and path.suffix in (".out", ".err"):
        return "job"
    if path.name.startswith("condor_activity_"):
        return "condor"
    return "summary" if path.name.startswith("completed_jobs_") else own_kind(path)


def client_directories(policy: FactoryPolicy) -> list[Path]:
    """Directories with pilots' logs, summaries and our own logs: swept a few at a time."""
    clients = Path(policy.client_log_dir).glob(f"user_*/glidein_{policy.glidein_name}/entry_*")
    return sorted([*clients, Path(policy.log_dir), *Path(policy.log_dir).glob("entry_*")])


class LastUse:
    """`<state>/credentials.json`: when a credential file was last named by a request or brought by
    a Frontend.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.times: dict[str, float] = self._load()

    def _load(self) -> dict[str, float]:
        # Without the times every age restarts from now, so that nothing is removed early.
        lost = "when credentials were last used"
        return state_file.load(self.path, dict[str, float], {}, lost=lost)

    def touch(self, paths: Iterable[str], now: float) -> None:
        """These are in use now."""
        self.times.update(dict.fromkeys(paths, now))

    def save(self) -> None:
        """Write the table."""
        write_atomic(self.path, json.dumps(self.times), 0o640)

    def sweep(
        self, files: Iterable[Path], max_age: float, now: float, used: Collection[str]
    ) -> list[Path]:
        """Remove credentials not used for `max_age` seconds. The age of one that is new to the
        table starts now.
        """
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
    """Every stored credential of this Factory, those in the directories of GlideinWMS 3.10 too."""
    for users in (
        f"user_*/glidein_{policy.glidein_name}",
        f"user_*/glidein_{policy.glidein_name}/frontend_*",
    ):
        yield from Path(policy.client_proxies_dir).glob(f"{users}/credential_*")


class Cleaner:
    """Sweeps a share of the log directories each cycle, so that all are swept each hour, and
    credentials once a day.

    `used` asks what queued pilots name; None: not known, then nothing is removed.
    """

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
            self.logs_at, self.credentials_at = (
                now - HOUR + SOON,
                now - policy.remove_old_cred_freq + SOON,
            )
        if not self.todo and now - self.logs_at >= HOUR:
            self._plan(policy, now)
        share = int(len(self.todo) * policy.loop_delay / HOUR) + 1
        for directory in self.todo[:share]:
            gone += sweep(directory, policy.retention, now, self.named, kind_of)
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
