"""Outputs of pilots, against what the deployed tools read out of them (golden-wire)."""

from __future__ import annotations

from pathlib import Path

import pytest

from glideinwms.factory.pilot_history.pilot import FinishedPilot, cause_of, described
from glideinwms.factory.pilot_history.pilot_log import STATS, facts, sections, tail, xml_result
from tests.support import golden

EXPECTED = golden.data("pilot-output/expected.json")
BOTH = pytest.mark.parametrize("which", ["good", "validation-failure"])


def out(which: str, stream: str) -> str:
    return golden.text(f"pilot-output/{EXPECTED[which][stream]}")


@BOTH
def test_marked_lines(which: str) -> None:
    theirs = EXPECTED[which]["extract_log_data(stdout)"]
    mine = facts(out(which, "stdout"))
    assert mine.condor_started == bool(theirs["condor_started"])
    assert mine.validation == theirs.get("validation_duration")
    assert mine.lifetime == theirs.get("glidein_duration")
    assert mine.claims == theirs.get("activations_claims")
    assert mine.condor == theirs.get("condor_duration")
    assert {k: {"jobsnr": j, "secs": s} for k, (j, s) in mine.stats.items()} == theirs.get(
        "stats", {}
    )
    assert not facts(out(which, "stderr")).condor_started


@BOTH
def test_packed_logs(which: str) -> None:
    found = sections(out(which, "stderr"))
    assert list(found) == EXPECTED[which]["section_names_in_stderr"]
    for name, text in EXPECTED[which]["condor_logs(stderr)"].items():
        assert found.get(name, "") == text, name


@BOTH
def test_xml_result(which: str) -> None:
    assert xml_result(out(which, "stderr")) == EXPECTED[which]["xml_result(stderr)"]
    assert xml_result(out(which, "stdout")).startswith('<?xml version="1.0"?>')
    assert xml_result("nothing") == ""


def test_why_a_pilot_failed() -> None:
    assert cause_of(facts(out("good", "stdout"))) == ""
    assert (
        cause_of(facts(out("validation-failure", "stdout")))
        == "validation failed in client/fail.sh (VO_Config)"
    )
    assert cause_of(facts("Starting\n")) == "ended before HTCondor started"
    assert "within 60 s" in cause_of(
        facts("=== Condor starting x (1) ===\n=== Condor ended x (2) after 3 ===\n")
    )


ENDED = """=== Condor starting x (1) ===
=== Condor ended x (2) after {condor} ===
=== Stats of main ===
(Normalized) Total jobs {jobs} utilization 9
=== End Stats of main ===
=== Glidein ending x (3) with code {code} after 90 ===

=== XML description of glidein activity ===
<OSGTestResult id="glidein_startup.sh" version="4.3.1">
  <result>
    <status>{status}</status>
    <metric name="TestID" ts="t" uri="local">main/condor_startup.sh</metric>{failure}
    <metric name="AutoShutdown" ts="t" uri="local">True</metric>
  </result>
  <detail>
     Validation failed in main/condor_startup.sh.


     the pool never had this startd: from &lt;127.0.0.1:9618?addrs=x&gt;: Received "DENIED"
  </detail>
</OSGTestResult>
=== End XML description of glidein activity ===
"""
VO_PROXY = '<metric name="failure" ts="t" uri="local">VO_Proxy</metric>'


def test_a_pilot_that_only_had_no_jobs_did_not_fail_however_soon_it_ended() -> None:
    text = ENDED.format(condor=25, jobs=0, code=0, status="OK", failure="")
    assert cause_of(facts(text)) == ""
    assert cause_of(facts(text.replace(">True<", ">False<"))) == "HTCondor ended within 60 s"


@pytest.mark.parametrize("condor", [25, 1300])
def test_a_pilot_that_the_pool_never_had_failed_however_long_it_lived(condor: int) -> None:
    text = ENDED.format(condor=condor, jobs=0, code=1, status="ERROR", failure=VO_PROXY)
    assert (
        cause_of(facts(text))
        == 'HTCondor: the pool never had this startd: from <...>: Received "DENIED" (VO_Proxy)'
    )
    assert (
        cause_of(
            facts(ENDED.format(condor=condor, jobs=2, code=1, status="ERROR", failure=VO_PROXY))
        )
        == ""
    )


def test_normalised_statistics_are_of_one_kind() -> None:
    text = (
        "=== Stats of main ===\n(Real) Total jobs 8 utilization 800\n(Normalized) Total jobs 4 utilization 400\n"
        "(Normalized) Total goodZ jobs 3 (75%) utilization 300 (75%)\n=== End Stats of main ===\n"
    )
    found = facts(text)
    assert found.stats["Total"] == (4, 400) and found.stats["goodZ"] == (3, 300)
    assert found.jobs == 4
    old = (
        text.replace("(Real) ", "")
        .replace("main", "slot1_2")
        .replace("(Normalized) Total jobs 4", "x")
    )
    assert facts(old).stats["Total"] == (8, 800)
    assert facts(old.replace("slot1_2", "slot1")).stats == {}
    assert set(found.stats) <= set(STATS)


@pytest.mark.parametrize("damage", ["H4sIAAA!", "====", "AAAA", ""])
def test_a_damaged_log_is_empty(damage: str) -> None:
    text = (
        f"MasterLog\n======== gzip | uuencode =============\nbegin-base64 644 -\n{damage}\n====\n"
    )
    assert set(sections(text).values()) <= {""}


def test_where_the_time_went() -> None:
    pilot = FinishedPilot("A", "fe.main", "feuser", "4711.0", 0.0, 10.0, 24.0)
    done = described(pilot, facts(out("good", "stdout")))
    assert (done.lifetime, done.validation, done.condor, done.jobs, done.good_seconds) == (
        14,
        8,
        5,
        1,
        600,
    )
    assert done.idle == 0 and done.bad_put == 0 and not done.cause
    failed = described(pilot, facts(out("validation-failure", "stdout")))
    assert failed.validation == failed.lifetime == failed.bad_put == 163
    assert 'validation="1000"' in failed.line() and 'condor_started="False"' in failed.line()
    assert 'client="fe.main" username="feuser" id="4711.0"' in failed.line()


def test_the_end_of_a_file(tmp_path: Path) -> None:
    assert tail(tmp_path / "none") is None
    (tmp_path / "x").write_text("abc")
    assert tail(tmp_path / "x", 2) == "bc"
