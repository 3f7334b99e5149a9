"""A reconfig that is killed on its way: pilots that started before it, that were told before it, and that are told
after it, all run, each with what its generation says.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import jwt
import pytest

from glideinwms.cli.manual_pilot import pilot_of, request_of_frontend
from glideinwms.creation.reconfig.run import reconfig
from glideinwms.demo import web
from glideinwms.factory.daemon import load_policy
from glideinwms.frontend.daemon import load_policy as load_frontend
from glideinwms.lib.stage import generations
from glideinwms.lib.stage.formats import read_pairs
from tests.support.pilot_stage import Setup, tarball

ROOT = Path(__file__).resolve().parents[2]
SIDES = ("factory", "frontend")
VALUE = {"factory": "FACTORY_VALUE", "frontend": "FRONTEND_VALUE"}
# a reconfig of one of these files changes something by some 47 calls: it is killed at each of them
STEPS = 50
FEW = (8, 30, 44)


class Site:
    """A Factory and a Frontend, the web server of their stages, and pilots that can be held on
    their way.
    """

    def __init__(self, base: Path) -> None:
        self.base = base
        self.server = web.server({"/": base})
        self.gate, self.served, self.limit = threading.Event(), 0, 1 << 30
        gate, handler = self._wait, self.server.RequestHandlerClass

        class Gated(handler):  # type: ignore[misc, valid-type]
            def do_GET(self) -> None:
                gate()
                super().do_GET()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server.RequestHandlerClass = Gated
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        ball = base / "condor.tgz"
        tarball(ball)
        url = f"http://127.0.0.1:{self.server.server_port}"
        for name in SIDES:
            (base / f"{name}.sh").write_text("exit 0\n")
        self.setup = Setup(
            base,
            url,
            [ball],
            entry_attrs={"FACTORY_VALUE": "0"},
            client_attrs={"FRONTEND_VALUE": "0"},
            entry_files=f"<file absfname='{base}/factory.sh' executable='True'/>",
            client_files=f"<file absfname='{base}/frontend.sh' executable='True'/>",
        )
        for side in SIDES:
            self.change(side, "0")
            reconfig(base / f"{side}.xml", side)

    def _wait(self) -> None:
        self.served += 1
        if self.served > self.limit:
            self.gate.wait(60)

    def change(self, side: str, value: str) -> None:
        """Another value of an attribute, another script."""
        values = self.setup.entry_attrs if side == "factory" else self.setup.client_attrs
        assert isinstance(values, dict)
        values[VALUE[side]] = value
        (self.base / f"{side}.sh").write_text(f"exit 0 # {value}\n")
        xml = self.setup.factory_xml() if side == "factory" else self.setup.frontend_xml()
        (self.base / f"{side}.xml").write_text(xml)

    def kill_reconfig(self, side: str, step: int) -> bool:
        """Whether it was killed before it was through."""
        argv = [
            sys.executable,
            "-m",
            "tests.support.killed_reconfig",
            str(step),
            f"{self.base}/{side}.xml",
            side,
        ]
        done = subprocess.run(argv, timeout=60, cwd=ROOT)
        assert done.returncode in (0, -9)
        return done.returncode != 0

    def told(self) -> tuple[list[str], str, Mapping[str, str]]:
        """The words and the executable of a pilot that is submitted now, and the values of its
        generations.
        """
        policy = load_policy(self.base / "factory/work")
        entry = policy.entries[0]
        request, _ = request_of_frontend(
            self.base / "frontend/work", "", policy, entry, make_token=False
        )
        pilot = pilot_of(policy, entry, request, "", "")
        work = self.base / "frontend/work"
        files = generations.load(
            work / "generations" / f"{load_frontend(work).generation}.json"
        ).files
        constants = next(f for f in files if f.startswith("constants."))
        pairs = read_pairs((self.base / "frontend/stage" / constants).read_text())
        return (
            pilot.words,
            str(pilot.startup),
            {"factory": str(entry.attrs["FACTORY_VALUE"]), "frontend": pairs["FRONTEND_VALUE"]},
        )


class Pilot:
    """A real pilot with a stub condor_master that keeps its glidein_config."""

    def __init__(self, home: Path, told: tuple[list[str], str, Mapping[str, str]]) -> None:
        words, startup, self.values = told
        self.home = home
        (home / "tmp").mkdir(parents=True)
        (home / "evidence").mkdir()
        (home / "credential_a.idtoken").write_text(
            jwt.encode({"exp": time.time() + 86400}, "k" * 32)
        )
        env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(home),
            "GLIDEIN_TMP": f"{home}/tmp",
            "GLIDEIN_HOLD_DOWN": "0",
            "EVIDENCE": f"{home}/evidence",
        }
        with (home / "log").open("w") as log:
            self.process = subprocess.Popen(
                ["/bin/bash", startup, *words], cwd=home, env=env, stdout=log, stderr=log
            )

    def ran(self) -> None:
        """It ends well, and had the values of what it was told."""
        code = self.process.wait(60)
        assert code == 0, (self.home / "log").read_text(errors="replace")[-3000:]
        lines = (self.home / "evidence/glidein_config").read_text().splitlines()
        for side in SIDES:
            assert f"{VALUE[side]} {self.values[side]}" in lines, (side, self.values)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.parametrize(
    ("side", "step"),
    [
        pytest.param(side, step, marks=[] if step in FEW else [pytest.mark.slow])
        for side in SIDES
        for step in range(1, STEPS + 1)
    ],
)
def test_pilots_run_whatever_became_of_it(site: Site, tmp_path: Path, side: str, step: int) -> None:
    before = site.told()
    site.gate.clear()
    site.served, site.limit = 0, 1 + step % 40
    early = Pilot(tmp_path / "early", before)
    deadline = time.monotonic() + 300
    while (
        site.served <= site.limit and early.process.poll() is None and time.monotonic() < deadline
    ):
        time.sleep(0.02)
    assert early.process.poll() is None, "it was to be held on its way"
    site.change(side, str(step))
    killed = site.kill_reconfig(side, step)
    site.limit = 1 << 30
    site.gate.set()
    after = site.told()
    pilots = [early, Pilot(tmp_path / "queued", before), Pilot(tmp_path / "late", after)]
    for pilot in pilots:
        pilot.ran()
    assert after[2][side] in (before[2][side], str(step))
    assert killed or after[2][side] == str(step)
