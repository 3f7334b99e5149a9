"""The one vocabulary of why: everything that can clip, reject, refuse, hold or freeze.

The value is the short code seen in ads (`GlideinMonitorStatus_Reason`), logs, plans and `explain`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from glideinwms.lib import bounded


class Reason(StrEnum):
    """A cause, as a stable word. Codes of deployed limits keep the deployed names (protocol 4.4,
    5.6).
    """

    # Frontend limits and curbs (protocol 5.6)
    TOTAL_PER_ENTRY = "TotalGlideinsPerEntry"
    IDLE_PER_ENTRY = "IdleGlideinsPerEntry"
    TOTAL_PER_GROUP = "TotalGlideinsPerGroup"
    IDLE_PER_GROUP = "IdleGlideinsPerGroup"
    TOTAL_PER_FRONTEND = "TotalGlideinsPerFrontend"
    IDLE_PER_FRONTEND = "IdleGlideinsPerFrontend"
    TOTAL_GLOBAL = "TotalGlideinsGlobal"
    IDLE_GLOBAL = "IdleGlideinsGlobal"
    CURB_IDLE_PER_ENTRY = "CurbIdleGlideinsPerEntry"
    CURB_TOTAL_PER_GROUP = "CurbTotalGlideinsPerGroup"
    CURB_IDLE_PER_GROUP = "CurbIdleGlideinsPerGroup"
    CURB_TOTAL_PER_FRONTEND = "CurbTotalGlideinsPerFrontend"
    CURB_IDLE_PER_FRONTEND = "CurbIdleGlideinsPerFrontend"
    CURB_TOTAL_GLOBAL = "CurbTotalGlideinsGlobal"
    CURB_IDLE_GLOBAL = "CurbIdleGlideinsGlobal"
    RAMP_UP = "RampUpAttenuation"
    RESERVE = "ReserveIdle"
    MAX_IDLE = "MaxIdlePerEntry"
    MIN_RUNNING = "MinRunningPerEntry"
    AT_LEAST_ONE = "AtLeastOne"
    WHOLE_PILOTS = "WholePilots"
    NO_DEMAND = "NoIdleJobs"
    SLOTS_COVER = "IdleSlotsCoverDemand"
    FRONTEND_DOWNTIME = "FrontendDowntime"
    ENTRY_DOWNTIME = "EntryDowntime"
    OPERATOR_REMOVAL = "OperatorRemoval"
    OPERATOR_SUBMISSION = "OperatorSubmission"
    NO_KEY = "NoFactoryKey"
    NO_CREDENTIAL = "NoMatchingCredential"
    CREDENTIAL_UNUSABLE = "CredentialUnusable"
    REJECTED_BY_EXPRESSION = "RejectedByExpression"

    # Factory limits (protocol 4.3-4.7)
    FACTORY_IDLE_PER_ENTRY = "GlideFactoryLimitIdleGlideinsPerEntry"
    FACTORY_HELD_PER_ENTRY = "GlideFactoryLimitHeldGlideinsPerEntry"
    FACTORY_TOTAL_PER_ENTRY = "GlideFactoryLimitTotalGlideinsPerEntry"
    FACTORY_IDLE_PER_CLASS = "GlideFactoryLimitIdlePerClass"
    FACTORY_HELD_PER_CLASS = "GlideFactoryLimitHeldPerClass"
    FACTORY_TOTAL_PER_CLASS = "GlideFactoryLimitTotalPerClass"
    REQUEST_MAX = "RequestMaxGlideins"
    REQUEST_COVERED = "IdlePilotsCoverRequest"
    SUBMIT_RATE = "MaxSubmitRate"
    REMOVE_RATE = "MaxRemoveRate"
    RUNNING_REMOVAL_PARKED = "RunningRemovalParked"
    FACTORY_DOWNTIME = "FactoryDowntime"
    CLASS_DOWNTIME = "SecurityClassDowntime"
    ENTRY_THROTTLED = "EntryFailing"
    CLIENT_THROTTLED = "ClientFailing"

    # A request that is refused (protocol 2.4, 3.5, 4.3)
    BAD_NAME = "UnsafeName"
    MALFORMED_AD = "MalformedAd"
    STALE_AD = "StaleAd"
    UNKNOWN_ENTRY = "UnknownEntry"
    UNKNOWN_KEY = "UnknownKey"
    BAD_ENVELOPE = "EnvelopeNotOpened"
    PICKLED_PAYLOAD = "PayloadOfUnsupportedVersion"
    IDENTITY_MISMATCH = "IdentityMismatch"
    UNKNOWN_FRONTEND = "FrontendUnknown"
    NOT_ALLOWED = "FrontendNotAllowed"
    UNKNOWN_CLASS = "SecurityClassUnknown"
    MISSING_PARAMETER = "MissingParameter"
    CREDENTIAL_MISMATCH = "CredentialsDoNotFitEntry"
    CREDENTIAL_MISSING = "CredentialMissing"
    BAD_NUMBER = "BadNumber"
    BAD_WEB = "StageParametersIncomplete"
    BAD_VALUE = "UnsafeValue"

    # A submit that is refused before it is tried, or by the schedd
    NO_EXECUTABLE = "ExecutableMissing"
    NO_LOG_DIR = "LogDirectoryMissing"
    LOG_DIR_UNWRITABLE = "LogDirectoryUnwritable"
    SUBMIT_FAILED = "SubmitFailed"
    SUBMIT_UNKNOWN = "SubmitOutcomeUnknown"
    ACT_FAILED = "RemovalOrReleaseFailed"

    # Removal and release (protocol 4.6, 4.7)
    EXCESS_WAIT = "ExcessWaiting"
    EXCESS_IDLE = "ExcessIdle"
    EXCESS_RUNNING = "ExcessRunning"
    STALE_IDLE = "StaleIdle"
    STALE_RUNNING = "StaleRunning"
    HELD_UNRECOVERABLE = "HeldUnrecoverable"
    HELD_FORCEX = "HeldForceRemoved"
    HELD_RECOVERABLE = "HeldRecoverable"

    # Inputs (decision 15)
    INPUT_UNKNOWN = "InputUnknown"
    UNREADABLE = "Unreadable"
    FROZEN = "Frozen"


def _bounded(text: str) -> str:
    return text if len(text) <= bounded.MAX_REASON and text.isprintable() else bounded.reason(text)


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One step that changed a number: `before` -> `after`, because `count` met `limit` (None where
    there is none).
    """

    reason: Reason
    before: float
    after: float
    count: float | None = None
    limit: float | None = None
    detail: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", _bounded(self.detail))

    def __str__(self) -> str:
        """`50 -> 12 by Limit (88 of 100)`."""
        text = f"{self.before:g} -> {self.after:g} by {self.reason}"
        if self.limit is not None:
            text += (
                f" ({self.count:g} of {self.limit:g})"
                if self.count is not None
                else f" (at most {self.limit:g})"
            )
        return f"{text}: {self.detail}" if self.detail else text


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one thing (request, ad, credential, entry) was left out; `where` names it, `text` is for
    people.

    Both are cut to `bounded.MAX_REASON` characters: peers can write parts of them.
    """

    reason: Reason
    where: str
    text: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "where", _bounded(self.where))
        object.__setattr__(self, "text", _bounded(self.text))

    def __str__(self) -> str:
        """`Code: text`."""
        return f"{self.reason}: {self.text}" if self.text else str(self.reason)
