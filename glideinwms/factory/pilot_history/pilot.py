"""One finished pilot: its times, what it did with them, whether it failed (protocol 7.1)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from glideinwms.factory.pilot_history.health import SHORT
from glideinwms.factory.pilot_history.pilot_log import PilotFacts


@dataclass(frozen=True, slots=True)
class FinishedPilot:
    """Times in epoch seconds, durations in seconds. `output` False: it left none. `removed`: it did
    not end itself.
    """

    entry: str
    client: str
    username: str
    id: str
    submitted: float
    started: float
    ended: float
    removed: bool = False
    output: bool = False
    lifetime: int = 0
    condor_started: bool = False
    condor: int = 0
    validation: int = 0
    jobs: int = 0
    job_seconds: int = 0
    good_seconds: int = 0
    cause: str = ""

    @property
    def idle(self) -> int:
        """Seconds in which the startd ran no job."""
        return max(0, self.condor - self.job_seconds)

    @property
    def no_success(self) -> int:
        """Seconds of jobs that did not end well."""
        return max(0, self.job_seconds - self.good_seconds)

    @property
    def bad_put(self) -> int:
        """Seconds of its life that were no good job's."""
        return max(0, self.lifetime - self.good_seconds)

    def line(self) -> str:
        """Its line of completed_jobs_YYYYMMDD.log."""
        whole = max(1, self.lifetime)
        share = {
            "validation": self.validation,
            "idle": self.idle,
            "nosuccess": self.no_success,
            "badput": self.bad_put,
        }
        waste = " ".join(f'{k}="{min(1000, 1000 * v // whole)}"' for k, v in share.items())
        terminated = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(self.ended))
        zone = time.strftime("%z", time.localtime(self.ended))
        return (
            f'<job terminated="{terminated}{zone[:3]}:{zone[3:]}" client={quoteattr(self.client)}'
            f' username={quoteattr(self.username)} id="{self.id}" duration="{self.lifetime}"'
            f' condor_started="{self.condor_started}" condor_duration="{self.condor}">'
            f'<user jobsnr="{self.jobs}" duration="{self.job_seconds}" goodput="{self.good_seconds}"'
            f' terminated="{self.condor_started}"/><wastemill {waste}/></job>'
        )


def described(pilot: FinishedPilot, facts: PilotFacts) -> FinishedPilot:
    """With what its output says; a pilot that never ran, or ended before it could say, failed."""
    lifetime = (
        facts.lifetime if facts.lifetime is not None else int(max(0.0, pilot.ended - pilot.started))
    )
    validation = (
        facts.validation if facts.condor_started and facts.validation is not None else lifetime
    )
    return FinishedPilot(
        entry=pilot.entry,
        client=pilot.client,
        username=pilot.username,
        id=pilot.id,
        submitted=pilot.submitted,
        started=pilot.started,
        ended=pilot.ended,
        removed=pilot.removed,
        output=True,
        lifetime=lifetime,
        condor_started=facts.condor_started,
        condor=facts.condor or 0,
        validation=min(validation, lifetime),
        jobs=facts.jobs,
        job_seconds=facts.seconds("Total"),
        good_seconds=facts.seconds("goodZ"),
        cause=cause_of(facts),
    )


def cause_of(facts: PilotFacts) -> str:
    """Why the pilot failed, as one line; "" if it worked."""
    if not facts.condor_started:
        if not facts.script:
            return "ended before HTCondor started"
        return f"validation failed in {facts.script}" + (
            f" ({facts.failure})" if facts.failure else ""
        )
    if facts.jobs or facts.idle_end:
        return ""
    if facts.code and facts.failure:
        return f"HTCondor: {facts.detail or facts.script} ({facts.failure})"
    if facts.condor is not None and facts.condor < SHORT:
        return f"HTCondor ended within {SHORT} s"
    return ""
