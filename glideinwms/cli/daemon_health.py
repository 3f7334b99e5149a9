"""What `gwms factory status` and `gwms frontend status` have in common: whether the daemon is well."""

from __future__ import annotations

from typing import Any

from glideinwms.cli import output
from glideinwms.lib.daemon.liveness import Liveness


def lines(found: Liveness, name: str, now: float) -> list[str]:
    """Whether it runs, its last cycle, and what is wrong with the daemon itself."""
    told = found.shown
    if told is None:
        out = [f"{name} runs (pid {found.pid}) and is in its first cycle"]
    else:
        out = [
            f"{name} {'runs' if found.running else 'does not run'} (pid {told.pid}), policy {told.generation}"
        ]
        out.append(output.cycle(told, now))
    out += [f"the {name} {found.hangs}"] if found.hangs else []
    out += [f"problem: {text}" for text in found.problems]
    if told is not None:
        failures = (("cycle failed", told.error), ("policy not taken", told.policy_error))
        out += [f"{label}: {text}" for label, text in failures if text]
    return out


def exit_code(found: Liveness) -> int:
    """3: not running; 1: something is wrong with the daemon; 0: well."""
    if not found.running:
        return output.NOT_RUNNING
    told = found.shown
    failed = told is not None and bool(told.error or told.policy_error)
    return 1 if failed or found.hangs or found.problems else 0


def as_json(found: Liveness) -> dict[str, Any]:
    """For programs: `status` is null in the first cycle after a start."""
    return {
        "running": found.running,
        "first_cycle": found.first_cycle,
        "hangs": found.hangs,
        "problems": list(found.problems),
        "status": found.shown,
    }
