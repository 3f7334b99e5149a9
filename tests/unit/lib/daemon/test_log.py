"""Logs: JSON lines with event and fields, whoever writes them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from glideinwms.lib.daemon import log


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if isinstance(handler, logging.FileHandler):
            handler.close()
    root.handlers[:], root.level = handlers, level
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(text) for text in path.read_text().splitlines()]


def test_events_and_their_fields(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.setup("factory", tmp_path / "logs", console=False)
    log.get("cycle").info("cycle done", cycle=3, entry="a")
    logging.getLogger("other.library").warning("it says %s", "so")
    log.get("cycle").debug("not shown")
    try:
        raise ValueError("broken")
    except ValueError:
        log.get("cycle").exception("failed")
    written = lines(tmp_path / "logs" / "factory.log")
    assert [w["event"] for w in written] == ["cycle done", "it says so", "failed"]
    assert (
        written[0]["cycle"] == 3
        and written[0]["level"] == "info"
        and written[0]["daemon"] == "factory"
    )
    assert str(written[0]["timestamp"]).endswith("Z") and "ValueError: broken" in str(
        written[2]["exception"]
    )
    assert [json.loads(x)["event"] for x in capsys.readouterr().err.splitlines()] == [
        w["event"] for w in written
    ]


def test_one_line_an_event_whatever_is_in_it(tmp_path: Path) -> None:
    log.setup("x", tmp_path, console=False)
    log.get("m").info("line\nbreak", value="a\nb\x1b[31m", obj=object())
    assert len((tmp_path / "x.log").read_text().splitlines()) == 1


def test_people_get_text(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup("x", console=True)
    log.get("m").info("hello", n=1)
    err = capsys.readouterr().err
    assert "hello" in err and not err.startswith("{")


def test_setting_up_again_doubles_nothing(tmp_path: Path) -> None:
    for _ in range(3):
        log.setup("x", tmp_path, console=False)
    log.get("m").info("once")
    assert len(lines(tmp_path / "x.log")) == 1
