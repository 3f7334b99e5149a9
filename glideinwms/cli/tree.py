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
        "The Factory: what it submits, and why not more.",
        {
            "run": Verb("glideinwms.cli.factory:run", "Run the daemon."),
        },
    ),
    "frontend": (
        "The Frontend: what it asks the Factories for, and why.",
        {
            "run": Verb("glideinwms.cli.frontend:run", "Run the daemon."),
        },
    ),
    "version": ("The version of this program.", Verb("glideinwms.cli.version:version", "Print the version.")),
}
