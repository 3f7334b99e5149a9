"""Check the attributes that pilots read as numbers, whatever type they have in the file."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

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
MIN_DISK = "MIN_DISK_GBS"
CPU_WORDS = frozenset({"auto", "slot", "node", "-1"})


def check(attr: FrontendAttr, problems: Problems) -> None:
    """Refuse a value that pilots cannot read as the number that it should be.

    Empty values and references to other attributes are not judged. Of a disabled entry, which gets
    no pilots, the value is only a warning.
    """
    rule = _rule(attr.name)
    if rule is None:
        return
    value = attr.value.strip()
    # a newline, and a value that its type int does not allow, is reported where the value is read
    if (
        not value
        or set(value) & set("$\r\n")
        or (attr.type == "int" and not re.fullmatch(r"[+-]?[0-9]+", value))
    ):
        return
    if not rule.allows(value):
        what = f"{attr.value!r} is not {rule.wanted}"
        problems.refuse(attr.where, f"attr[{attr.name}]@value", what)


@dataclass(frozen=True, slots=True)
class NumberRule:
    """What the value of an attribute must be, and the words for it in a message."""

    allows: Callable[[str], bool]
    wanted: str


def _is_whole(value: str) -> bool:
    return bool(WHOLE.fullmatch(value))


def _is_decimal(value: str) -> bool:
    return bool(DECIMAL.fullmatch(value))


def _is_factor(value: str) -> bool:
    return _is_decimal(value) and float(value) > 0


def _is_memory(value: str) -> bool:
    return _is_whole(value) and int(value) > 0


def _is_work_life(value: str) -> bool:
    return value == "-1" or _is_whole(value)


def _is_cpus(value: str) -> bool:
    return value.lower() in CPU_WORDS or _is_whole(value)


WORK_LIFE = NumberRule(_is_work_life, "a whole number of seconds, or -1 for no limit")
RULES: dict[str, NumberRule] = {
    **dict.fromkeys(SECONDS, NumberRule(_is_whole, "a whole number of seconds")),
    **dict.fromkeys(COUNTS, NumberRule(_is_whole, "a whole number")),
    **dict.fromkeys(WORK_LIVES, WORK_LIFE),
    **dict.fromkeys(FACTORS, NumberRule(_is_factor, "a number above 0, such as 1.5")),
    "GLIDEIN_MaxMemMBs": NumberRule(_is_memory, "a whole number of MB above 0"),
    "GLIDEIN_CPUS": NumberRule(_is_cpus, "a whole number, auto, slot or node"),
    "GLIDEIN_BLACKHOLE_RATE": NumberRule(_is_decimal, "a number of jobs a second"),
    MIN_DISK: NumberRule(_is_decimal, "a number of GB"),
}


@functools.lru_cache(maxsize=4096)
def _rule(name: str) -> NumberRule | None:
    """Return the rule for an attribute; MIN_DISK_GBS is read in any case of letters."""
    return RULES.get(name) or (RULES[MIN_DISK] if name.upper() == MIN_DISK else None)
