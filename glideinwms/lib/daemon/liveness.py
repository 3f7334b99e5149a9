"""Whether a daemon is well, for those who look from outside: its lock, its heartbeat, its last
status.

A daemon that hangs or is stopped holds its lock and leaves its last status, so that neither says
that it is in trouble.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from glideinwms.lib.daemon import heartbeat, status, storage
from glideinwms.lib.daemon.heartbeat import Heartbeat
from glideinwms.lib.daemon.status import Status
from glideinwms.lib.errors import StateError

# what a step may take without being suspect, however short the loop delay: a collector has so long
# to answer
MIN_PATIENCE_SECONDS = 10.0
MAX_CLOCK_SECONDS = 1200.0
STOPPED = {"T": "is stopped by a signal", "t": "is stopped by a debugger"}
BUSY = {"start": "is starting", heartbeat.SLEEP: "has not begun the next cycle"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """`pid` 0: it does not run. `told`: its last status, None before there is one; `first_cycle`:
    that status is of an earlier process. `hangs`: how it hangs ("": it does not); `problems`: what
    it cannot write.
    """

    running: bool
    pid: int
    told: Status | None
    first_cycle: bool
    hangs: str = ""
    problems: tuple[str, ...] = ()

    @property
    def shown(self) -> Status | None:
        """The status that speaks of the present daemon, or of the last one if none runs."""
        return None if self.first_cycle else self.told


def look(state: Path, daemon: str, now: float) -> Liveness:
    """The daemon whose state directory this is. A StateError if its status belongs to the other
    kind of daemon.
    """
    path = state / "status.json"
    told = status.read(path, daemon) if path.exists() else None
    if not status.running(path):
        return Liveness(running=False, pid=0, told=told, first_cycle=False)
    pid = status.pid(path)
    beat = heartbeat.read(state)
    if beat is not None and beat.pid != pid:
        beat = None
    first_cycle = told is None or bool(pid and told.pid != pid)
    problems = _problems(state, told if not first_cycle else None, beat)
    hangs = _hangs(state, pid, None if first_cycle else told, beat, now)
    if wrong := _clock(state, beat, now):
        hangs, problems = "", (*problems, wrong)
    if hangs and not problems and (trouble := storage.problem(state, ours=False)):
        problems = (f"{trouble}: the status cannot be written",)
    return Liveness(
        running=True, pid=pid, told=told, first_cycle=first_cycle, hangs=hangs, problems=problems
    )


def _problems(state: Path, told: Status | None, beat: Heartbeat | None) -> tuple[str, ...]:
    """The newer of status and heartbeat says. A status that could not be written is one more
    problem.
    """
    if beat is None or (told is not None and beat.cycle <= told.cycle):
        return told.problems if told is not None else ()
    return beat.problems


def _hangs(state: Path, pid: int, told: Status | None, beat: Heartbeat | None, now: float) -> str:
    """Why this daemon counts as hung, and since when; "" if it does not."""
    last = max(told.cycle_ended if told else 0.0, beat.time if beat else 0.0) or _started(state)
    if last is None:
        return ""
    since = f"since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(last))}"
    if stopped := STOPPED.get(process_state(pid), ""):
        return f"{stopped} (pid {pid}), no sign of life {since}; continue it with kill -CONT {pid}"
    delay = beat.loop_delay if beat else told.loop_delay if told else 0.0
    if now - last <= max(2 * delay, MIN_PATIENCE_SECONDS) or not delay:
        return ""
    doing = f", {_doing(beat)}" if beat else ""
    return f"hangs (pid {pid}): no sign of life {since}{doing}; a cycle is due every {delay:g} s"


def _clock(state: Path, beat: Heartbeat | None, now: float) -> str:
    """How the clock of a daemon that is alive differs from ours; the kernel's time of its last
    heartbeat is no daemon's to tell. "" if it does not, as far as this can be seen.
    """
    if beat is None or beat.time - now > MAX_CLOCK_SECONDS:
        return (
            f"the daemon's clock is {beat.time - now:.0f} s ahead: compare the clocks"
            if beat
            else ""
        )
    patience = max(2 * beat.loop_delay, MIN_PATIENCE_SECONDS)
    try:
        written = (state / heartbeat.NAME).stat().st_mtime
    except OSError:
        return ""
    if abs(now - written) <= patience and written - beat.time > patience + MAX_CLOCK_SECONDS:
        return f"the daemon's clock is {written - beat.time:.0f} s behind: compare the clocks"
    return ""


def _doing(beat: Heartbeat) -> str:
    return BUSY.get(beat.step, f"in step {beat.step} of cycle {beat.cycle}")


def _started(state: Path) -> float | None:
    """When the daemon took its lock: it wrote its pid there."""
    try:
        return (state / status.LOCK).stat().st_mtime
    except OSError:
        return None


def process_state(pid: int) -> str:
    """The kernel's letter for the state of a process: R, S, D, T ...; "" if it cannot be had."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def require_start(found: Liveness, state: Path) -> None:
    """StateError if the daemon neither runs nor has run."""
    if found.told is None and not found.running:
        raise StateError(
            "no status yet", where=str(state / "status.json"), hint="has the daemon run here?"
        )
