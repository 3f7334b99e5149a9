"""The systemd units: what they start exists, and nothing in them takes from a daemon what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from glideinwms.cli.commands import factory, frontend
from glideinwms.cli.tree import TREE

UNITS = Path(__file__).parents[3] / "etc/systemd"


def settings(path: Path) -> dict[str, str]:
    lines = [
        line for line in path.read_text().splitlines() if "=" in line and not line.startswith("#")
    ]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


@pytest.mark.parametrize(
    ("side", "user", "work"),
    [
        ("factory", "gfactory", factory.DEFAULT),
        ("frontend", "frontend", frontend.DEFAULT),
    ],
)
def test_a_unit_starts_the_daemon_where_the_commands_look_for_it(
    side: str, user: str, work: Path
) -> None:
    unit = settings(UNITS / f"gwms-{side}.service")
    assert (
        unit["ExecStart"] == f"/usr/bin/gwms {side} run --work-dir {work}"
        and "run" in TREE[side][1]
    )
    assert (unit["User"], unit["Group"], unit["Type"]) == (user, user, "notify")


@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_a_daemon_shares_tmp_with_htcondor(side: str) -> None:
    """FS authentication: the server names a directory in /tmp, the client makes it, the server
    looks who owns it.
    """
    unit = settings(UNITS / f"gwms-{side}.service")
    assert unit.get("PrivateTmp", "no") == "no" and unit["ProtectSystem"] == "full"
