"""`gwms job explain ID` and `gwms frontend plan --config XML` on a whole chain, for jobs as they are in its queue."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from glideinwms.demo import jobs
from glideinwms.demo.full_stack import Chain
from glideinwms.demo.jobs import JobClass
from glideinwms.lib.errors import DemoError
from tests.grid.conftest import MakeChain

pytestmark = [pytest.mark.condor, pytest.mark.grid]
ALPHA = JobClass(name="only SiteA", count=12, sites="SiteA", entries=("Alpha",))
HUGE = JobClass(name="500 GB", count=2, memory=500000)
NAME = "Alpha@v1@demo_factory"


def say(chain: Chain, *words: str) -> tuple[int, str]:
    """Exit code (0 or 1) and what is said on stdout, else on stderr."""
    try:
        return 0, chain.gwms("frontend", *words, "--work-dir", str(chain.work("frontend")))
    except DemoError as error:
        assert "ended with 1: " in error.message, error
        return 1, error.message.partition("ended with 1: ")[2]


def explained(chain: Chain, job: str) -> tuple[int, Any]:
    code, text = say(chain, "job", "explain", job, "--json")
    return code, json.loads(text)


def until_asked(chain: Chain, job: str, deadline: float = 120) -> Any:
    """What is explained of a job once pilots are asked for it, and a limit has cut their number."""
    end = time.monotonic() + deadline
    while True:
        code, found = explained(chain, job)
        plans = found["groups"]["analysis"]["plan"]
        if plans and plans[0]["clips"] and plans[0]["idle"]:
            assert code == 0
            return found
        assert time.monotonic() < end, found
        time.sleep(0.2)


@pytest.mark.slow
def test_jobs_of_the_queue_are_explained(make_chain: MakeChain) -> None:
    chain = make_chain()
    ids = jobs.submit(chain.grid, 600, (ALPHA, HUGE))
    clipped, huge = next(iter(ids)), list(ids)[-1]
    found = until_asked(chain, clipped)
    assert found["job"]["DESIRED_Sites"] == "SiteA" and found["job"]["RequestCpus"] == 1
    analysis = found["groups"]["analysis"]
    verdicts = {v["entry"].split("@")[0]: v for v in analysis["entries"]}
    assert verdicts["Alpha"]["matches"] and not verdicts["Beta"]["matches"]
    assert (
        "DESIRED_Sites" in verdicts["Beta"]["conjunct"]
        and "frontend.xml:" in verdicts["Beta"]["origin"]
    )
    [plan] = analysis["plan"]
    assert plan["entry"] == NAME and plan["idle"] <= 2
    assert [c for c in plan["clips"] if c["after"] < c["before"]]
    code, text = say(chain, "job", "explain", clipped)
    assert (
        code == 0
        and f"analysis at {NAME}: " in text
        and " by " in text
        and "GLIDEIN_Site='SiteB'" in text
    )

    code, found = explained(chain, huge)
    assert code == 1 and not any(g["plan"] for g in found["groups"].values())
    code, text = say(chain, "job", "explain", huge)
    assert (
        code == 1
        and "group analysis: matches 0 of 2 entries" in text
        and "RequestMemory=500000" in text
    )

    code, text = say(chain, "job", "explain", "99999.0")
    assert code == 1 and "job 99999.0 is in no schedd" in text
    _changed_limits_are_shown_before_they_are_taken(chain)


def _changed_limits_are_shown_before_they_are_taken(chain: Chain) -> None:
    xml = chain.etc / "frontend.xml"
    new = xml.with_name("new.xml")
    new.write_text(xml.read_text().replace('relative_to_queue="1.15"', 'relative_to_queue="5"'))
    chain.grid.who.own(new)
    words = ("frontend", "plan", "--snapshot", "last", "--config")
    code, text = say(chain, *words, str(xml), "--json")
    assert code == 0 and json.loads(text)["changes"] == {}
    code, text = say(chain, *words, str(new), "--json")
    before, after = json.loads(text)["changes"]["analysis"][NAME]
    assert code == 1 and after["max_glideins"] > before["max_glideins"] > 0
    new.write_text(xml.read_text().replace('max="10"', 'max="many"', 1))
    code, text = say(chain, *words, str(new))
    assert code == 1 and "new.xml:" in text and "running_glideins_per_entry" in text
