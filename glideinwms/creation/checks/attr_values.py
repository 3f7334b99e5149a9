"""Attributes whose value or name is probably a slip, on both sides (config 4.1). All of it is warnings."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from glideinwms.creation.checks import known_names
from glideinwms.creation.xml.common_model import FrontendAttr
from glideinwms.creation.xml.problems import Problems, did_you_mean

WORD = re.compile(r"[A-Za-z]+")
PAIR = re.compile(r"[^\s:,;|]+:(\w+://[^\s,;|]+|[^\s:,;|]+)")
DAY = 86400
# attribute -> (least, most, the unit) of a likely value
LIKELY = {
    "GLIDEIN_MaxMemMBs": (128, 32_000_000, "MB"),
    "GLIDEIN_Max_Walltime": (0, 100 * DAY, "seconds"),
    "GLIDEIN_Job_Max_Time": (60, 100 * DAY, "seconds"),
    "GLIDEIN_Retire_Time": (60, 100 * DAY, "seconds"),
    "GLIDEIN_Retire_Time_Spread": (0, 100 * DAY, "seconds"),
    "GLIDEIN_Max_Idle": (0, 10 * DAY, "seconds"),
    "GLIDEIN_Max_Tail": (0, 10 * DAY, "seconds"),
    "GLIDEIN_CPUS": (-1, 4096, "cores"),
    "GLIDEIN_ESTIMATED_CPUS": (1, 4096, "cores"),
    "GLIDEIN_NODES": (1, 10_000, "nodes"),
    "GLIDEIN_DISK": (0, 10**12, "KB"),
}
LISTS = frozenset({"GLIDEIN_Supported_VOs", "SINGULARITY_IMAGES_DICT", "GLIDEIN_CVMFS_REPOS"})


def check(attr: FrontendAttr, problems: Problems) -> None:
    """Warn of a value that is probably not meant. References to other attributes are not judged."""
    value = attr.value
    # most attributes of a large file end here
    if (
        _ordinary(attr.name)
        and not value.isalpha()
        and value not in known_names.attributes()
        and value == value.strip()
    ):
        return
    for part, what, hint in _findings(attr.name, value, attr.type):
        problems.warn(attr.where, f"attr[{attr.name}]@{part}", what, hint)


@functools.lru_cache(maxsize=4096)
def _ordinary(name: str) -> bool:
    """Whether no rule is about attributes of this name in particular."""
    return not (
        name in known_names.VALUES
        or name in known_names.WORDS
        or name in known_names.BOOLEANS
        or name in LIKELY
        or name in LISTS
        or name.lower() in known_names.TRUTHS
        or name[:1].isdigit()
    )


@functools.lru_cache(maxsize=8192)
def _findings(name: str, value: str, kind: str) -> tuple[tuple[str, str, str], ...]:
    """(name or value, what is wrong, hint) of an attribute; most stand in many entries."""
    found = []
    if name.lower() in known_names.TRUTHS or name[:1].isdigit():
        found.append(("name", "looks like a value", "are name and value exchanged?"))
    elif value in known_names.attributes() and name not in known_names.attributes():
        found.append(
            ("value", f"{value!r} is the name of an attribute", "are name and value exchanged?")
        )
    if "$" in value or "\n" in value:
        return tuple(found)
    if value != value.strip() and kind == "string" and value.strip():
        what = f"{value!r} begins or ends with a blank, which Frontends and pilots compare as well"
        found.append(("value", what, "remove it"))
    if wrong := _wrong(name, value.strip()):
        found.append(("value", *wrong))
    return tuple(found)


def _wrong(name: str, value: str) -> tuple[str, str] | None:
    """What is wrong with a value, and what to write."""
    if allowed := known_names.VALUES.get(name):
        if value and value not in allowed:
            return f"{value!r} is none of {', '.join(allowed)}", did_you_mean(value, allowed)
        return None
    if allowed := known_names.WORDS.get(name):
        wrong = next((w for w in value.split(",") if w.strip() and w.strip() not in allowed), "")
        return (
            (f"{wrong!r} is none of {', '.join(allowed)}", did_you_mean(wrong, allowed))
            if wrong
            else None
        )
    lower = value.lower()
    if name in known_names.BOOLEANS:
        if value.strip('"') != value or (
            re.fullmatch(r"\w+", value) and lower not in known_names.TRUTHS
        ):
            return f"{value!r} is neither True nor False", did_you_mean(value, ("True", "False"))
    elif WORD.fullmatch(value) and lower not in known_names.TRUTHS and (near := _truth(lower)):
        return f"{value!r} is hardly meant", f"did you mean {near}?"
    return _separators(name, value) or _unlikely(name, value)


def _truth(lower: str) -> str:
    return next((w for w in ("True", "False") if known_names.one_edit(lower, w.lower())), "")


def _separators(name: str, value: str) -> tuple[str, str] | None:
    if name == "GLIDEIN_Supported_VOs" and re.search(r"[;:|]|\w\s+\w", value):
        return f"{value!r} is no list with commas", "VO1,VO2"
    if name == "SINGULARITY_IMAGES_DICT" and value:
        wrong = next((p for p in value.split(",") if not PAIR.fullmatch(p.strip())), None)
        return (
            (f"{wrong!r} is not `platform:path`", "rhel9:/path,rhel8:/path")
            if wrong is not None
            else None
        )
    if name == "GLIDEIN_CVMFS_REPOS" and re.search(r"[,;\s]", value):
        return f"{value!r} is no list with colons", "repository1:repository2"
    return None


def _unlikely(name: str, value: str) -> tuple[str, str] | None:
    """A number that is far from what anybody configures has another unit."""
    if name not in LIKELY or not re.fullmatch(r"-?\d{1,15}", value):
        return None
    least, most, unit = LIKELY[name]
    if least <= int(value) <= most:
        return None
    return f"{value} {unit} is hardly meant", f"it is in {unit}; {least} to {most} are usual"


def names(attrs: Iterable[FrontendAttr], known: Iterable[str], problems: Problems) -> None:
    """Warn of names that are slips of one that pilots know or that most others in the file have."""
    rows = list(attrs)
    words = frozenset(known) | known_names.attributes()
    elsewhere = known_names.odd_ones(attr.name for attr in rows)
    wrong: dict[str, tuple[str, str]] = {}
    for name in {attr.name for attr in rows}:
        if near := known_names.slip(name, words):
            wrong[name] = ("no pilot or daemon reads this name", near)
        elif name in elsewhere and name not in words:
            wrong[name] = (f"elsewhere it is {elsewhere[name]}", elsewhere[name])
    for attr in rows if wrong else ():
        if attr.name in wrong:
            what, near = wrong[attr.name]
            problems.warn(attr.where, f"attr[{attr.name}]@name", what, f"did you mean {near}?")
