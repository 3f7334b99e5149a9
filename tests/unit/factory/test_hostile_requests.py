"""Each value of a request that does not fit is refused with its reason, and what is kept of it is small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from glideinwms.factory.collect.entry_credentials import SubmitCredentials
from glideinwms.factory.collect.pilot_queue import parse_queue
from glideinwms.factory.collect.request_validation import RequestRefused, harmless
from glideinwms.factory.inspect.listing import pilot_row
from glideinwms.factory.submit.check import over
from glideinwms.lib.bounded import Expr
from glideinwms.lib.jsondata import dumps
from glideinwms.lib.reasons import Reason
from tests.support import hostile_values
from tests.support.hostile_values import params
from tests.unit.factory.builders import NOW, request_ad, trust


@pytest.mark.parametrize("field", ["ReqIdleGlideins", "ReqMaxGlideins", "ReqRemoveExcessMargin"])
@pytest.mark.parametrize("value", params(hostile_values.NUMBERS))
def test_a_number_that_does_not_fit(tmp_path: Path, field: str, value: Any) -> None:
    row = trust(tmp_path).request({**request_ad(), field: value})
    assert row.refusal is not None
    assert (
        row.refusal.reason in (Reason.BAD_NUMBER, Reason.MALFORMED_AD)
        and field not in row.refusal.where
    )
    assert len(dumps(row)) < 3000 and (row.idle, row.max_glideins) in ((0, 0), (3, 10))


@pytest.mark.parametrize(
    "field", ["Name", "ClientName", "ReqName", "GroupName", "WebURL", "GlideinParamX"]
)
@pytest.mark.parametrize(
    "value",
    params(hostile_values.TEXTS, ["long", "1MB", "newlines", "escapes", "nul", "list", "ad"]),
)
def test_a_text_that_does_not_fit(tmp_path: Path, field: str, value: Any) -> None:
    row = trust(tmp_path).request({**request_ad(), field: value})
    assert (
        row.refusal is not None and len(row.refusal.text) <= 200 and row.refusal.text.isprintable()
    )
    assert len(row.name) < 256 and len(row.client) < 256 and len(row.entry) < 256
    assert len(dumps(row)) < 250_000


@pytest.mark.parametrize(
    "user", ["-oProxyCommand=id", "a/b", "a:b", "a=b", "a@b", "a,b", "$(A)", "u" * 65]
)
def test_a_remote_user_name_is_plain(user: str) -> None:
    with pytest.raises(RequestRefused, match="RemoteUsername has characters"):
        harmless(SubmitCredentials(extra={"RemoteUsername": user}))
    harmless(
        SubmitCredentials(
            "TOKENIDX", extra={"RemoteUsername": "cms-pilot_01.x", "VMId": "projects/p/images:1"}
        )
    )


@pytest.mark.parametrize("extra", ["ProjectId", "VMId", "VMType"])
def test_no_text_of_a_submission_is_an_option(extra: str) -> None:
    with pytest.raises(RequestRefused, match=f"{extra} has characters"):
        harmless(SubmitCredentials(extra={extra: "-rf"}))


def test_numbers_for_monitoring_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    ad = {
        **request_ad(),
        **{f"GlideinMonitor{name}": value for name, value in hostile_values.NUMBERS.items()},
    }
    row = trust(tmp_path).request(ad)
    assert row.refusal is None and row.monitor == {"Idle": 5}


def test_as_many_parameters_as_a_command_line_takes(tmp_path: Path) -> None:
    ad = {**request_ad(), **{f"GlideinParamX{n}": n for n in range(501)}}
    row = trust(tmp_path).request(ad)
    assert row.refusal is not None and row.refusal.reason is Reason.BAD_VALUE and row.params == {}


@pytest.mark.parametrize("token", params(hostile_values.TOKENS))
def test_a_token_file_is_judged_whatever_it_holds(tmp_path: Path, token: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(token.encode(errors="surrogateescape"))
    assert len(over("scitoken", path, NOW)) < 300


@pytest.mark.parametrize("name", ["exp-10^400", "exp-1e999", "exp-nan", "exp-list", "exp-text"])
def test_a_token_whose_end_is_no_time_is_not_submitted_with(tmp_path: Path, name: str) -> None:
    (tmp_path / "token").write_text(hostile_values.TOKENS[name])
    assert over("scitoken", tmp_path / "token", NOW).startswith("does not say when it ends")


@pytest.mark.parametrize("value", params(hostile_values.TIMES))
@pytest.mark.parametrize(
    "field", ["EnteredCurrentStatus", "ServerTime", "HoldReasonCode", "JobStatus", "ClusterId"]
)
def test_a_row_of_the_queue_that_cannot_be_read_is_counted(field: str, value: Any) -> None:
    good = {
        "ClusterId": 1,
        "ProcId": 0,
        "JobStatus": 5,
        "ServerTime": int(NOW),
        "EnteredCurrentStatus": int(NOW) - 9,
    }
    groups = [{"JobStatus": 1, "JobCount": 3, "GlideinEntryName": "A"}]
    parsed = parse_queue(groups, [good, {**good, field: value}])
    queue = parsed.queue
    assert len(queue.exceptions) + parsed.unreadable == 2 and queue.exceptions[0].age == 9
    assert all(pilot.age is None or abs(pilot.age) < 4e9 for pilot in queue.exceptions)
    assert pilot_row({**good, field: value})


def test_a_group_is_counted_whatever_its_texts_are() -> None:
    rows = [
        {"JobStatus": 1, "JobCount": 7, "GlideinClient": value}
        for value in hostile_values.NAMES.values()
    ]
    queue = parse_queue(rows, []).queue
    assert sum(group.count for group in queue.groups) == 7 * len(rows)
    assert all(len(group.client) < 1001 for group in queue.groups)
    assert parse_queue([{"GridJobStatus": Expr("A + B")}], []).queue.groups[0].grid_status
