"""Start a pilot by hand: check that it can start, run it to its end, or write a script for it."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path

from glideinwms.cli.manual_pilot import ManualPilot
from glideinwms.lib.errors import CredentialError, StageError, StateError

STAGE_TIMEOUT_SECONDS = 10.0
NO_PROXY = ("", "None", "OSG")


def check(pilot: ManualPilot, env: Mapping[str, str]) -> None:
    """Raise an error that names what is missing, unless stage areas answer and a credential is
    there.
    """
    if os.geteuid() == 0:
        raise StateError(
            "root cannot start a pilot: HTCondor would switch to other accounts",
            where="gwms pilot run",
            hint="sudo -u ACCOUNT, or --print",
        )
    if not pilot.token and not env.get("X509_USER_PROXY"):
        raise CredentialError(
            "there is no token for the user pool",
            where=f"pilot for {pilot.client}",
            hint="give --token FILE, or a proxy in X509_USER_PROXY",
        )
    proxies = pilot.words[pilot.words.index("-proxy") + 1].split(",")
    handlers = [
        urllib.request.ProxyHandler({"http": f"http://{proxy.removeprefix('http://')}"})
        for proxy in proxies
        if proxy not in NO_PROXY
    ]
    for url in pilot.stage:
        failure = _failure(url, [*handlers, urllib.request.ProxyHandler({})])
        if failure:
            raise StageError(
                f"the stage area does not answer: {failure}",
                where=url,
                hint="check that its web server runs",
            )


def _failure(url: str, handlers: Iterable[urllib.request.ProxyHandler]) -> str:
    """Return why no way leads to the URL (the first failure), or "" if one does."""
    failure = ""
    for handler in handlers:
        opener = urllib.request.build_opener(handler)
        try:
            with opener.open(url, timeout=STAGE_TIMEOUT_SECONDS) as answer:
                answer.read(1)
                return ""
        except (OSError, ValueError) as error:
            cause = error.reason if isinstance(error, urllib.error.URLError) else error
            failure = failure or str(cause)
    return failure


def start(pilot: ManualPilot, where: Path, *, keep: bool) -> int:
    """Run the pilot to its end and return its exit code. Signals to us are passed on to it."""
    home = Path(tempfile.mkdtemp(prefix="gwms-pilot-", dir=where.resolve()))
    env = {**os.environ, "GLIDEIN_HOLD_DOWN": os.environ.get("GLIDEIN_HOLD_DOWN", "0")}
    if pilot.token:
        path = home / pilot.token_file
        path.touch(0o600)
        path.write_text(pilot.token)
        env["IDTOKENS_FILE"] = path.name
    if keep:
        options = filter(None, [env.get("GLIDEIN_DEBUG_OPTIONS"), "nocleanup"])
        env["GLIDEIN_DEBUG_OPTIONS"] = ",".join(options)
    try:
        argv = ["/bin/bash", str(_startup_script(pilot, home)), *pilot.words]
        print(f"# in {home}\n{shlex.join(argv)}", flush=True)
        with subprocess.Popen(argv, cwd=home, env=env, stdin=subprocess.DEVNULL) as child:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
                signal.signal(number, lambda received, _: child.send_signal(received))
            code = child.wait()
    finally:
        if not keep:
            subprocess.run(["rm", "-rf", str(home)], check=False)
    return code if code >= 0 else 128 - code


def _startup_script(pilot: ManualPilot, home: Path) -> Path:
    """Write a verified copy of the start-up script: the Factory's file, else the staged one."""
    expected = _startup_checksum(pilot)
    where = str(pilot.startup)
    if os.access(pilot.startup, os.R_OK):
        content = pilot.startup.read_bytes()
    else:
        where = pilot.startup_url
        try:
            with urllib.request.urlopen(where, timeout=STAGE_TIMEOUT_SECONDS) as answer:
                content = answer.read()
        except OSError as error:
            raise StageError(
                f"cannot download the start-up script: {error}", where=where
            ) from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise StageError(
            "the start-up script does not have the checksum of the Factory's policy",
            where=where,
            hint="run gwms factory reconfig; check whether a proxy alters downloads",
        )
    path = home / "glidein_startup.sh"
    path.write_bytes(content)
    return path


def _startup_checksum(pilot: ManualPilot) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", pilot.startup_sha256):
        raise StateError(
            "the Factory's policy has no checksum of the start-up script",
            where=str(pilot.startup),
            hint="it was written by an older release: run gwms factory reconfig",
        )
    return pilot.startup_sha256


def script(pilot: ManualPilot) -> str:
    """Return a bash script that starts the pilot on any machine. It does not hold the token."""
    url, token = shlex.quote(pilot.startup_url), shlex.quote(pilot.token_file)
    return f"""#!/bin/bash
# Start a pilot for {pilot.client}. GWMS_TOKEN names the file with an IDTOKEN for the user pool.
set -e
home=$(mktemp -d "$PWD/gwms-pilot-XXXXXX")
[ -n "$X509_USER_PROXY" ] || cp "${{GWMS_TOKEN:?the file with the IDTOKEN}}" "$home"/{token}
cd "$home"
curl -fsS -o glidein_startup.sh {url} || wget -q -O glidein_startup.sh {url}
echo "{_startup_checksum(pilot)}  glidein_startup.sh" | sha256sum -c - >&2
export GLIDEIN_HOLD_DOWN=${{GLIDEIN_HOLD_DOWN:-0}} IDTOKENS_FILE={token}
exec bash glidein_startup.sh {shlex.join(pilot.words)} < /dev/null
"""
