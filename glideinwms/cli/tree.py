"""What `gwms` can do, as data: noun -> (about, verb -> where it is and one line of help)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verb:
    """One command: `target` is `module:function`, a typer command; `help` its line in the listing."""

    target: str
    help: str


TREE: dict[str, tuple[str, dict[str, Verb] | Verb]] = {
    "factory": (
        "The Factory: turns requests into pilots at the entries.",
        {
            "run": Verb("glideinwms.cli.daemons:factory", "Run the daemon in the foreground (as systemd does)."),
        },
    ),
    "frontend": (
        "The Frontend: turns a VO's idle jobs into requests.",
        {
            "run": Verb("glideinwms.cli.daemons:frontend", "Run the daemon in the foreground (as systemd does)."),
        },
    ),
}
