"""Which pilots are acted on, when the schedd refuses some of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from glideinwms.factory import act, fold
from glideinwms.factory.plan import WAIT, Release, Removal
from glideinwms.lib import htc
from glideinwms.lib.errors import CondorError
from glideinwms.lib.htc import ScheddAddress
from glideinwms.lib.reasons import Reason
from tests.unit.factory.makes import policy

WHERE = ScheddAddress("s", "<x>")


class Schedd:
    """Pilots 0.0 to 0.<n-1>; those in `firm` refuse to be acted on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, n: int, firm: Sequence[int] = ()) -> None:
        self.ids = [f"0.{k}" for k in range(n)]
        self.firm = {f"0.{k}" for k in firm}
        self.acts: list[tuple[str, list[str]]] = []
        monkeypatch.setattr(fold, "read_ids", lambda schedd, constraint, limit: self.ids[:limit])
        monkeypatch.setattr(htc, "act", self.act)

    def act(self, schedd: ScheddAddress, action: str, ids: list[str], reason: str) -> int:
        self.acts.append((action, ids))
        return len(set(ids) - self.firm)


def test_refused_acts_do_not_use_up_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    schedd = Schedd(monkeypatch, 12, firm=(0, 2, 3))
    tried, done = act.pick_and_act(WHERE, "Remove", [("c", 10)], 5, "r")
    assert (tried, done) == ([schedd.ids[:8]], 5)
    assert [len(ids) for _, ids in schedd.acts] == [5, 3]


def test_all_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    schedd = Schedd(monkeypatch, 7, firm=range(7))
    assert act.pick_and_act(WHERE, "Remove", [("c", 7)], 3, "r", force=True) == ([schedd.ids], 0)
    assert schedd.acts[-1] == ("RemoveX", schedd.ids)


def test_a_second_pick_gets_what_the_first_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    schedd = Schedd(monkeypatch, 6)
    assert act.pick_and_act(WHERE, "Remove", [("c", 2), ("d", 6)], 5, "r") == ([schedd.ids[:2], schedd.ids[2:5]], 5)
    assert act.pick_and_act(WHERE, "Remove", [("c", 2), ("d", 6)], 0, "r") == ([[], []], 0)


@pytest.mark.parametrize("action", ["Remove", "RemoveX"])
def test_what_was_done_before_something_failed_is_told(action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rail and the audit trail count on it."""
    schedd = Schedd(monkeypatch, 4)

    def fails(where: ScheddAddress, what: str, ids: list[str], reason: str) -> int:
        if what == action and schedd.acts:
            raise CondorError("gone")
        return schedd.act(where, what, ids, reason)

    monkeypatch.setattr(htc, "act", fails)
    picks = [("c", 2), ("d", 4)]
    found, done = act.pick_and_act(WHERE, "Remove", picks, 4, "r", force=action == "RemoveX")
    assert (found, done) == (([schedd.ids[:2], []], 2) if action == "Remove" else ([schedd.ids[:2], schedd.ids[2:]], 4))
    schedd.acts.append(("", []))
    with pytest.raises(CondorError):
        act.pick_and_act(WHERE, action, picks, 4, "r")


def test_there_are_spares_for_named_pilots(tmp_path: Path) -> None:
    """More than the cap is offered, but no expression that names thousands."""
    many = tuple(f"{n}.0" for n in range(5000))
    given = policy(tmp_path)
    for deed in (
        act.removal(given, "s", "A", None, Removal("held_unrecoverable", Reason.HELD_UNRECOVERABLE, ids=many, cap=5)),
        act.release(given, "s", "A", None, Release(many, 5)),
    ):
        assert deed.cap == 5
        assert [p.limit for p in deed.picks] == [5 + act.SPARE]
        assert deed.picks[0].constraint.count("ClusterId") == 5 + act.SPARE


def test_pilots_of_a_state_are_looked_for_beyond_the_rate(tmp_path: Path) -> None:
    plan = Removal("excess", Reason.EXCESS_WAIT, (WAIT,), 40, cap=5)
    assert [p.limit for p in act.removal(policy(tmp_path), "s", "A", None, plan).picks] == [40]
