"""Which pilots are acted on, when the schedd refuses some of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from glideinwms.factory.apply import job_actions
from glideinwms.factory.apply.job_actions import Hold, Outcome
from glideinwms.factory.collect import queries
from glideinwms.factory.plan import WAIT, PilotRelease, PilotRemoval
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.htc import ScheddAddress
from glideinwms.lib.errors import CondorError
from glideinwms.lib.reasons import Reason
from tests.unit.factory.builders import policy

WHERE = ScheddAddress("s", "<x>")


class Schedd:
    """Pilots 0.0 to 0.<n-1>; those in `firm` refuse to be acted on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, n: int, firm: Sequence[int] = ()) -> None:
        self.ids = [f"0.{k}" for k in range(n)]
        self.firm = {f"0.{k}" for k in firm}
        self.acts: list[tuple[str, list[str]]] = []
        self.ads: dict[str, dict[str, Any]] = {}
        monkeypatch.setattr(queries, "read_ids", self.read)
        monkeypatch.setattr(htc, "act", self.act)

    def read(self, schedd: ScheddAddress, constraint: str, limit: int) -> dict[str, dict[str, Any]]:
        return {i: self.ads.get(i, {"JobStatus": 1}) for i in self.ids[:limit]}

    def act(self, schedd: ScheddAddress, action: str, ids: list[str], reason: str) -> int:
        self.acts.append((action, ids))
        return len(set(ids) - self.firm)


def test_refused_acts_do_not_use_up_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    schedd = Schedd(monkeypatch, 12, firm=(0, 2, 3))
    assert job_actions.pick_and_act(WHERE, "Remove", [("c", 10)], 5, "r") == Outcome(
        [schedd.ids[:8]], 5
    )
    assert [len(ids) for _, ids in schedd.acts] == [5, 3]


def test_all_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    schedd = Schedd(monkeypatch, 7, firm=range(7))
    assert job_actions.pick_and_act(WHERE, "Remove", [("c", 7)], 3, "r", force=True) == Outcome(
        [schedd.ids], 0
    )
    assert schedd.acts[-1] == ("RemoveX", schedd.ids)


def test_a_second_pick_gets_what_the_first_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    schedd = Schedd(monkeypatch, 6)
    picks = [("c", 2), ("d", 6)]
    assert job_actions.pick_and_act(WHERE, "Remove", picks, 5, "r") == Outcome(
        [schedd.ids[:2], schedd.ids[2:5]], 5
    )
    assert job_actions.pick_and_act(WHERE, "Remove", picks, 0, "r") == Outcome([[], []], 0)


@pytest.mark.parametrize("action", ["Remove", "RemoveX"])
def test_what_was_done_before_something_failed_is_told(
    action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rail and the audit trail count on it."""
    schedd = Schedd(monkeypatch, 4)

    def fails(where: ScheddAddress, what: str, ids: list[str], reason: str) -> int:
        if what == action and schedd.acts:
            raise CondorError("gone")
        return schedd.act(where, what, ids, reason)

    monkeypatch.setattr(htc, "act", fails)
    picks = [("c", 2), ("d", 4)]
    outcome = job_actions.pick_and_act(WHERE, "Remove", picks, 4, "r", force=action == "RemoveX")
    rest, done = ([], 2) if action == "Remove" else (schedd.ids[2:], 4)
    assert outcome == Outcome([schedd.ids[:2], rest], done)
    schedd.acts.append(("", []))
    with pytest.raises(CondorError):
        job_actions.pick_and_act(WHERE, action, picks, 4, "r")


def test_why_pilots_were_held_is_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    schedd = Schedd(monkeypatch, 6)
    lapsed = {
        "JobStatus": 5,
        "HoldReasonCode": 77,
        "HoldReasonSubCode": 2,
        "HoldReason": "your VO membership lapsed",
    }
    long = {"JobStatus": 5, "HoldReasonCode": "x", "HoldReason": "bell \x07\n\x1b[31m" + "y" * 1000}
    schedd.ads = {
        "0.0": lapsed,
        "0.1": lapsed,
        "0.2": long,
        "0.5": {**lapsed, "HoldReason": "not acted on"},
    }
    holds = job_actions.pick_and_act(WHERE, "Remove", [("c", 5)], 5, "r").holds
    assert holds[0] == Hold(2, 77, 2, "your VO membership lapsed")
    assert (holds[1].n, holds[1].code, holds[1].subcode) == (1, 0, 0)
    assert len(holds[1].reason) <= 200 and holds[1].reason.isprintable()
    assert len(holds) == 2, "pilots that were not held, or not acted on, say nothing"


def test_there_are_spares_for_named_pilots(tmp_path: Path) -> None:
    """More than the cap is offered, but no expression that names thousands."""
    many = tuple(f"{n}.0" for n in range(5000))
    given = policy(tmp_path)
    for deed in (
        job_actions.removal(
            given,
            "s",
            "A",
            None,
            PilotRemoval("held_unrecoverable", Reason.HELD_UNRECOVERABLE, ids=many, cap=5),
        ),
        job_actions.release(given, "s", "A", None, PilotRelease(many, 5)),
    ):
        assert deed.cap == 5
        assert [p.limit for p in deed.picks] == [5 + job_actions.SPARE]
        assert deed.picks[0].constraint.count("ClusterId") == 5 + job_actions.SPARE


def test_pilots_of_a_state_are_looked_for_beyond_the_rate(tmp_path: Path) -> None:
    plan = PilotRemoval("excess", Reason.EXCESS_WAIT, (WAIT,), 40, cap=5)
    assert [p.limit for p in job_actions.removal(policy(tmp_path), "s", "A", None, plan).picks] == [
        40
    ]
