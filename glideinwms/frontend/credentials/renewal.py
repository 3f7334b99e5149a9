"""Credential files that a program of the operator makes (creation_script, update_frequency; protocol 3.6)."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from glideinwms.frontend.credentials.loaded import lifetime
from glideinwms.frontend.policy import CredentialPolicy
from glideinwms.lib import file_ownership
from glideinwms.lib.condor.calls import Workers, call
from glideinwms.lib.errors import ConfigError, CredentialError, place_of

SECONDS = 60.0
# one that failed, or did not help, is run again after so many seconds
RETRY = 300.0


@dataclass(slots=True)
class Renewals:
    """When each credential's program was run last, and why it failed or ""."""

    tried: dict[str, tuple[float, str]] = field(default_factory=dict)

    def run(
        self, pool: Workers, credentials: Sequence[CredentialPolicy], now: float
    ) -> Iterator[tuple[str, str]]:
        """Run the programs that are due, some at a time; (credential, why it failed or "") of each.
        The file that is there stays in use.
        """
        due = []
        for credential in credentials:
            try:
                if self._due(credential, now):
                    due.append(credential)
            except Exception as error:  # noqa: BLE001 - the boundary of one credential, whose text must not be told
                self.tried[credential.name] = (now, place_of(error))
                yield credential.name, place_of(error)
        calls = [
            call(
                f"creation_script of {c.name}", make, command=c.creation_script, path=c.absfname
            ).within(SECONDS + 10)
            for c in due
        ]
        for credential, answer in zip(due, pool.run(calls) if calls else [], strict=True):
            why = "" if answer.error is None else str(answer.error)
            self.tried[credential.name] = (now, why)
            yield credential.name, why

    def _due(self, credential: CredentialPolicy, now: float) -> bool:
        if not credential.creation_script or not credential.absfname:
            return False
        if now - self.tried.get(credential.name, (0.0, ""))[0] < RETRY:
            return False
        seconds = left(credential, now)
        return seconds is None or 0 <= credential.update_frequency > seconds


def left(credential: CredentialPolicy, now: float) -> float | None:
    """Seconds that a credential's file is good for: None if it is not there, infinite if it does
    not say.
    """
    try:
        data = Path(credential.absfname).read_bytes()
    except OSError:
        return None
    return lifetime(credential.type, data, now)


def make(command: str, path: str) -> None:
    """Runs in a reader: the program with its words, no shell. A CredentialError says how it failed;
    what it printed, which may be secret, goes nowhere.
    """
    try:
        words = shlex.split(command)
        file_ownership.check_command(words or [""])
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except ConfigError as error:
        raise CredentialError(f"its creation_script is not run: {error}", where=path) from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise CredentialError(f"its creation_script cannot be run: {why}", where=path) from error
    try:
        code = child.wait(SECONDS)
    except subprocess.TimeoutExpired as error:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise CredentialError(
            f"its creation_script did not end within {SECONDS:.0f} s", where=path
        ) from error
    if code:
        hint = "run it by hand as the Frontend's account to see what it says"
        raise CredentialError(f"its creation_script ended with {code}", where=path, hint=hint)
    if not Path(path).is_file():
        raise CredentialError(
            "its creation_script ended well, but the file is not there", where=path
        )
