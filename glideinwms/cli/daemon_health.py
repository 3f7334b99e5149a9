"""Report whether a daemon is well, for `gwms factory status` and `gwms frontend status`."""

from __future__ import annotations

from glideinwms.cli import output
from glideinwms.lib.daemon.liveness import Liveness


def lines(health: Liveness, name: str, now: float) -> list[str]:
    """Describe whether it runs, its last cycle, and the problems of the daemon itself."""
    status = health.shown
    described = []
    if status is None:
        described.append(f"{name} runs (pid {health.pid}) and is in its first cycle")
    else:
        runs = "runs" if health.running else "does not run"
        described.append(f"{name} {runs} (pid {status.pid}), policy {status.generation}")
        described.append(output.cycle(status, now))
    if health.hangs:
        described.append(f"the {name} {health.hangs}")
    described += [f"problem: {problem}" for problem in health.problems]
    if status is not None and status.error:
        described.append(f"cycle failed: {status.error}")
    if status is not None and status.policy_error:
        described.append(f"policy not loaded: {status.policy_error}")
    return described


def exit_code(health: Liveness) -> int:
    """Return 3 if it does not run, 1 if something is wrong with it, 0 if it is well."""
    if not health.running:
        return output.NOT_RUNNING
    status = health.shown
    failed = status is not None and bool(status.error or status.policy_error)
    return 1 if failed or health.hangs or health.problems else 0


def as_json(health: Liveness) -> dict[str, object]:
    """Return the fields for programs. `status` is null in the first cycle after a start."""
    return {
        "running": health.running,
        "first_cycle": health.first_cycle,
        "hangs": health.hangs,
        "problems": list(health.problems),
        "status": health.shown,
    }
