"""When a file acts on the worker node: its `time` (contract 1.16), as the eighth field of the lists
has it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from glideinwms.creation.xml.common_model import File
from glideinwms.creation.xml.problems import Problems
from glideinwms.lib.bounded import count_or

RUN = ("exec", "exec:s")
POINTS = ("setup", "prejob", "postjob", "cleanup")
# before, after, any, none: the place of a set-up script before or after those of the entry and of
# the group
ORDER = re.compile(r"setup:([abno])e([abno])g")
SIDE = {"a": True, "b": False}


@dataclass(frozen=True, slots=True)
class When:
    """`points`: words separated by commas, `setup:source` for sources at set-up; `period`: seconds,
    0 = once.
    """

    points: str = "setup"
    period: int = 0


def when(file: File, kind: str, problems: Problems) -> When:
    """When a file of this kind acts; what has no effect is noticed."""
    points, period = list[str](), file.period
    sourced = file.type == "source"
    subject = f"file[{file.absfname}]"
    if sourced and kind != "regular":
        what = "a file that may change is not sourced: it is not signed"
        problems.warn(file.where, f"{subject}@const", what, "const=True")
        return When()
    for word in file.time.split(",") if file.time else []:
        name, _, rest = word.partition(":")
        every = count_or(rest or file.period, 0)
        if name == "periodic" and kind in RUN and (every or rest == "0"):
            period = every
        elif (kind in RUN or sourced) and (
            word in POINTS or name == "cleanup" or ORDER.fullmatch(word)
        ):
            points.append(name)
        elif not (word == "setup" or ORDER.fullmatch(word)):
            what = f"{word!r} has no effect for a file of kind {kind}, as in the deployed program"
            problems.notice(file.where, f"{subject}@time", what)
    if period or not points:
        points.append("setup")
    if sourced:
        points = ["setup:source" if p == "setup" else p for p in points]
    return When(",".join(dict.fromkeys(points)), period)


BOOLEANS = {"exec": "executable", "exec:s": "executable", "wrapper": "wrapper", "untar": "untar"}


def warn_of_versions(
    file: File, kind: str, acts: When, problems: Problems, *, factory: bool
) -> None:
    """Warn of what acts otherwise than in GlideinWMS 3.10: a directory may be taken over from it,
    and pilots of a Factory of 3.10 read a Frontend's files.
    """
    subject = f"file[{file.absfname}]"
    boolean = BOOLEANS.get(kind, "")
    if file.type == "source":
        what = "is sourced here; GlideinWMS 3.10 only stores it"
        problems.warn(file.where, f"{subject}@type", what, 'type="regular" stores it everywhere')
    elif boolean and file.type not in ("", "regular") and not getattr(file, boolean):
        what = (
            f"{file.type!r} acts here; GlideinWMS 3.10 only stores the file without {boolean}=True"
        )
        problems.warn(
            file.where,
            f"{subject}@type",
            what,
            f'write {boolean}="True", or type="regular" to store it',
        )
    elif factory and file.type.startswith("config") and not file.config:
        what = (
            f"{file.type!r} is read by the pilot's HTCondor here; "
            "GlideinWMS 3.10 only stores such a file of a Factory"
        )
        problems.warn(file.where, f"{subject}@type", what, 'type="regular" stores it everywhere')
    if kind in RUN and file.time and (acts != When() or side(file, Problems()) != Side(None, None)):
        what = f"{file.time!r} acts here; GlideinWMS 3.10 passes over it and runs the file once, at set-up"
        hint = (
            ""
            if "setup" in acts.points.split(",")
            else "pilots of a Factory of 3.10 do not run it at all"
        )
        problems.warn(file.where, f"{subject}@time", what, "" if factory else hint)


@dataclass(frozen=True, slots=True)
class Side:
    """Whether a file comes after the entry's and after the group's; None: nothing is said."""

    after_entry: bool | None
    after_group: bool | None


def side(file: File, problems: Problems) -> Side:
    """after_entry and after_group, said by these attributes or by time=setup:QeQg; both ways must
    agree.
    """
    found = Side(file.after_entry, True if file.after_group else None)
    for word in file.time.split(","):
        if match := ORDER.fullmatch(word):
            said = Side(SIDE.get(match[1]), SIDE.get(match[2]))
            for name in ("after_entry", "after_group"):
                one, other = getattr(found, name), getattr(said, name)
                if one is not None and other is not None and one != other:
                    what = f"{word!r} contradicts {name}={one}"
                    problems.error(
                        file.where, f"file[{file.absfname}]@time", what, f"leave {name} out"
                    )
            found = Side(
                found.after_entry if said.after_entry is None else said.after_entry,
                found.after_group if said.after_group is None else said.after_group,
            )
    return found


def after_all(file: File, problems: Problems) -> bool:
    """Of a global file of the Factory: whether it comes after entry and group; otherwise it comes
    before both.
    """
    found = side(file, problems)
    if (
        None not in (found.after_entry, found.after_group)
        and found.after_entry != found.after_group
    ):
        what = "the Factory's files come before both entry and group, or after both"
        problems.error(file.where, f"file[{file.absfname}]@time", what, "setup:bebg or setup:aeag")
    return bool(found.after_entry or found.after_group)
