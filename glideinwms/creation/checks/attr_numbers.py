"""Attributes that pilots read as numbers: their values are checked whatever type the attribute has."""

from __future__ import annotations

import re

from glideinwms.creation.xml.common_model import FrontendAttr
from glideinwms.creation.xml.problems import Problems

WHOLE = re.compile(r"[0-9]{1,10}")
DECIMAL = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)")
SECONDS = frozenset(
    {
        "GLIDEIN_Max_Idle",
        "GLIDEIN_Max_Tail",
        "GLIDEIN_Max_Walltime",
        "GLIDEIN_Retire_Time",
        "GLIDEIN_Retire_Time_Spread",
        "GLIDEIN_Job_Max_Time",
        "GLIDEIN_Graceful_Shutdown",
        "PREEMPT_GRACE_TIME",
        "HOLD_GRACE_TIME",
    }
)
COUNTS = frozenset({"GLIDEIN_BLACKHOLE_NUMJOBS", "GLIDEIN_ESTIMATED_CPUS", "GLIDEIN_NODES"})
WORK_LIVES = frozenset({"GLIDEIN_CLAIM_WORKLIFE", "GLIDEIN_CLAIM_WORKLIFE_DYNAMIC"})
FACTORS = frozenset({"GLIDEIN_OVERLOAD_CPUS", "GLIDEIN_OVERLOAD_MEMORY"})
CPU_WORDS = frozenset({"auto", "slot", "node", "-1"})


def check(attr: FrontendAttr, problems: Problems) -> None:
    """Report a value that the pilot would refuse or ignore. Empty values and references are left
    out.
    """
    value = attr.value.strip()
    # a newline, and what is no integer of type int, is reported where the value is read
    if (
        not value
        or set(value) & set("$\r\n")
        or (attr.type == "int" and not re.fullmatch(r"[+-]?[0-9]+", value))
    ):
        return
    if wanted := wrong(attr.name, value):
        problems.error(attr.where, f"attr[{attr.name}]@value", f"{attr.value!r} is not {wanted}")


def wrong(name: str, value: str) -> str:
    """What a value should be and is not, or ""."""
    if name in SECONDS and not WHOLE.fullmatch(value):
        return "a whole number of seconds"
    if name in COUNTS and not WHOLE.fullmatch(value):
        return "a whole number"
    if name in WORK_LIVES and value != "-1" and not WHOLE.fullmatch(value):
        return "a whole number of seconds, or -1 for no limit"
    if name in FACTORS and not (DECIMAL.fullmatch(value) and float(value) > 0):
        return "a number above 0, such as 1.5"
    if name == "GLIDEIN_MaxMemMBs" and not (WHOLE.fullmatch(value) and int(value) > 0):
        return "a whole number of MB above 0"
    if name == "GLIDEIN_CPUS" and value.lower() not in CPU_WORDS and not WHOLE.fullmatch(value):
        return "a whole number, auto, slot or node"
    if name.upper() == "MIN_DISK_GBS" and not DECIMAL.fullmatch(value):
        return "a number of GB"
    if name == "GLIDEIN_BLACKHOLE_RATE" and not DECIMAL.fullmatch(value):
        return "a number of jobs a second"
    return ""
