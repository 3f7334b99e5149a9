"""A Frontend on real pools: jobs become requests that a Factory can open; stopping withdraws them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from glideinwms.lib.credentials.ids import credential_id
from glideinwms.lib.credentials.tokens import claims_of
from tests.grid.frontend.grid_frontend import FRONTEND, GridFrontend
from tests.grid.waiting import wait_for

pytestmark = [pytest.mark.condor, pytest.mark.grid]
NAME = "A@inst@factory"


def test_jobs_become_requests_that_the_factory_can_open(
    make_frontend: Callable[..., GridFrontend],
) -> None:
    rig = make_frontend()
    rig.serve("A", "B")
    rig.submit(30)
    rig.submit(7, wants="nobody")
    wait_for("the jobs", lambda: rig.once()["groups"]["main"]["jobs"]["idle"] == 37)
    requests = wait_for("the requests", lambda: len(ads := rig.wms_ads("glideclient")) == 2 and ads)
    [credentials] = wait_for("the credentials", lambda: rig.wms_ads("glideclientglobal"))
    path = str(rig.scitoken)
    ad = next(a for a in requests if a["ReqName"] == NAME)
    assert ad["Name"] == f"{credential_id(path)}_{NAME}@fe.main"
    assert (ad["ReqIdleGlideins"], ad["ReqMaxGlideins"], ad["ReqRemoveExcess"]) == (5, 18, "NO")
    assert ad["GlideinParamGLIDEIN_Collector"] == rig.grid["user"].collector
    assert ad["GlideinParamGLIDECLIENT_ReqNode"] == rig.grid["wms"].collector
    opened = rig.opened(ad)
    token = opened.pop("A.idtoken").decode()
    assert opened == {
        "SecurityName": b"fe",
        "SecurityClass": b"frontend",
        "ScitokenId": credential_id(path).encode(),
        "frontend_scitoken": rig.scitoken.read_bytes().strip(),
    }
    assert rig.opened(credentials)[credential_id(path)] == rig.scitoken.read_bytes()
    claims = claims_of(token)
    assert claims["iss"] == "user.demo" and claims["sub"].startswith("A@")
    assert claims["scope"] == "condor:/READ condor:/ADVERTISE_STARTD condor:/ADVERTISE_MASTER"


def test_a_pilot_token_opens_the_user_pool(make_frontend: Callable[..., GridFrontend]) -> None:
    rig = make_frontend()
    rig.serve("A")
    rig.submit(1)
    wait_for("the request", lambda: rig.once() and rig.wms_ads("glideclient"))
    token = rig.opened(rig.wms_ads("glideclient")[0])["A.idtoken"]
    config = rig.grid.client_config("bob@user.demo", for_account=True)
    (config.parent / "tokens.d/user").write_bytes(token)
    slot = rig.base / "slot.ad"
    slot.write_text(
        'MyType = "Machine"\nName = "slot1@g"\nState = "Unclaimed"\nMyAddress = "<127.0.0.1:0>"\n'
    )
    env = {**rig.grid.client_env(FRONTEND, for_account=True), "CONDOR_CONFIG": str(config)}
    import subprocess

    done = subprocess.run(  # type: ignore[call-overload]
        ["condor_advertise", "-pool", rig.grid["user"].collector, "UPDATE_STARTD_AD", str(slot)],
        env=env,
        cwd=rig.grid.base,
        text=True,
        capture_output=True,
        timeout=120,
        **rig.grid.who.drop,
    )
    assert done.returncode == 0, done.stderr
    collector = rig.grid["user"].collector
    wait_for(
        "the slot",
        lambda: rig.call(
            FRONTEND,
            "glideinwms.lib.condor.htc:query_ads",
            collector=collector,
            constraint='Name == "slot1@g"',
            ad_type="Startd",
        ),
    )


def test_the_status_says_what_is_asked_and_why(make_frontend: Callable[..., GridFrontend]) -> None:
    rig = make_frontend()
    rig.serve("A")
    rig.submit(4)
    rig.submit(3, wants="nobody")
    wait_for("the jobs", lambda: rig.once()["groups"]["main"]["jobs"]["idle"] == 7)
    shown = rig.once()["groups"]["main"]
    assert shown["jobs"]["unmatched"] == 3 and shown["frozen"] == [] and shown["problems"] == []
    [one] = shown["unmatched"]
    assert one["idle"] == 3 and one["values"]["Wants"] == "nobody"
    assert one["rejected_by"][0]["origin"] == "test:1"
    [entry] = shown["entries"]
    assert (
        entry["entry"] == NAME and entry["idle"] == 1 and entry["jobs"] == 4 and entry["requested"]
    )
    assert [c["reason"] for c in entry["clips"]] and entry["credentials"][0]["idle"] == 1
    [resource] = wait_for("glideresource", lambda: rig.user_ads("glideresource"))
    assert resource["GlideClientMonitorJobsIdleMatching"] == 4
    [monitor] = wait_for("glidefrontendmonitor", lambda: rig.user_ads("glidefrontendmonitor"))
    assert monitor["GlideFrontend_IdleJobs_Total"] == 7


def test_a_stopped_frontend_withdraws_its_ads(make_frontend: Callable[..., GridFrontend]) -> None:
    rig = make_frontend()
    rig.serve("A")
    rig.submit(2)
    daemon = rig.start()
    wait_for("the request", lambda: rig.wms_ads("glideclient"))
    wait_for("glideresource", lambda: rig.user_ads("glideresource"))
    daemon.terminate()
    assert daemon.wait(60) == 0
    for kind in ("glideclient", "glideclientglobal"):
        wait_for(f"{kind} gone", lambda kind=kind: not rig.wms_ads(kind))  # type: ignore[misc]
    for kind in ("glideresource", "glidefrontendmonitor"):
        wait_for(f"{kind} gone", lambda kind=kind: not rig.user_ads(kind))  # type: ignore[misc]
