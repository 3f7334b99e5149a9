"""Our IDTOKENs at a real pool: taken while they are good, for what they allow, and refused otherwise (protocol 2.6).

HTCondor 23.9 does not look at `nbf`: a token is good from its making.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from glideinwms.demo.grid import Grid
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.workers import ProcessWorkers
from glideinwms.lib.credentials.tokens import PILOT_SCOPES, Signer
from tests.contract.lib.condor_targets import RealCondor, ask

pytestmark = pytest.mark.condor
ME = "frontend@wms.demo"


@pytest.fixture
def real(wms: Grid) -> Iterator[RealCondor]:
    target = RealCondor(wms)
    yield target
    target.close()


@pytest.fixture
def signer(wms: Grid) -> Signer:
    return Signer.load(wms["wms"].signing_key, wms["wms"].trust_domain)


def ping(real: RealCondor, token: str, *levels: str) -> subprocess.CompletedProcess[str]:
    """condor_ping the collector with nothing but this token."""
    config = real.client(token, "ping")
    env = {k: v for k, v in os.environ.items() if not k.startswith("_CONDOR_")}
    argv = [
        str(real.grid.prefix / "bin/condor_ping"),
        "-pool",
        real.collector,
        "-type",
        "COLLECTOR",
        *levels,
    ]
    return subprocess.run(
        argv,
        env={**env, "CONDOR_CONFIG": str(config)},
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_token_of_ours_opens_the_pool(real: RealCondor, signer: Signer) -> None:
    done = ping(real, signer.sign(ME, 600, time.time(), ()), "-verbose", "READ")
    assert done.returncode == 0 and ME in done.stdout and "IDTOKENS" in done.stdout, (
        done.stdout + done.stderr
    )


@pytest.mark.parametrize(
    ("scopes", "good", "bad"),
    [
        (("condor:/READ",), ("READ",), ("ADVERTISE_MASTER", "DAEMON", "WRITE")),
        (
            ("condor:/READ", "condor:/ADVERTISE_MASTER"),
            ("READ", "ADVERTISE_MASTER"),
            ("DAEMON", "WRITE"),
        ),
        (PILOT_SCOPES, ("READ", "ADVERTISE_MASTER"), ("DAEMON", "ADMINISTRATOR", "NEGOTIATOR")),
    ],
)
def test_a_token_allows_what_it_says(
    real: RealCondor, signer: Signer, scopes: Sequence[str], good: Sequence[str], bad: Sequence[str]
) -> None:
    token = signer.sign(ME, 600, time.time(), scopes)
    done = ping(real, token, *good)
    assert done.returncode == 0, done.stdout + done.stderr
    for level in bad:
        assert ping(real, token, level).returncode != 0, level


def test_bad_tokens_are_refused(real: RealCondor, signer: Signer) -> None:
    now = time.time()
    wrong = {
        "expired": signer.sign(ME, 60, now - 3600, ()),
        "another key": replace(signer, key=bytes(32)).sign(ME, 600, now, ()),
        "another key's name": replace(signer, key_id="OTHER").sign(ME, 600, now, ()),
        "another issuer": replace(signer, issuer="elsewhere.demo").sign(ME, 600, now, ()),
        "changed": signer.sign(ME, 600, now, ())[:-4] + "AAAA",
    }
    for why, token in wrong.items():
        assert ping(real, token, "READ").returncode != 0, why
    assert ping(real, signer.sign(ME, 600, now, ()), "READ").returncode == 0


def test_one_directory_of_tokens_serves_two_pools(make_grid: Callable[..., Grid]) -> None:
    """HTCondor picks the token by its issuer: no process per identity (decision 5)."""
    grid = make_grid(("wms", "user"), daemons={"user": ("COLLECTOR",), "wms": ("COLLECTOR",)})
    config = grid.client_config("alice@user.demo")
    for name in ("wms", "user"):
        token = Signer.load(grid[name].signing_key, grid[name].trust_domain).sign(
            f"frontend@{name}.demo", 600, time.time(), ()
        )
        (config.parent / "tokens.d" / name).write_text(token + "\n")
        (config.parent / "tokens.d" / name).chmod(0o600)
    with ProcessWorkers(env={**os.environ, "CONDOR_CONFIG": str(config)}) as pool:
        for name in ("wms", "user"):
            ad = {"MyType": "who", "Name": name}
            ask(
                pool,
                htc.advertise,
                collector=grid[name].collector,
                ads=[ad],
                command="UPDATE_AD_GENERIC",
            )
            found = wait_until(
                lambda name=name: ask(
                    pool,
                    htc.query_ads,
                    collector=grid[name].collector,
                    constraint='MyType == "who"',
                )
            )
            assert found[0]["AuthenticatedIdentity"] == f"frontend@{name}.demo"


def wait_until(look: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    end = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < end, "the ad did not arrive within 60 s"
        time.sleep(0.05)
    return found
