"""Where an attribute goes: ad, parameters, constants, condor_vars (config 4, protocol 1.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from glideinwms.creation.checks.common_checks import ATTR
from glideinwms.creation.xml.common_model import FactoryAttr, FrontendAttr
from glideinwms.creation.xml.problems import Problems
from glideinwms.lib.stage.formats import VariableRow

Value = str | int | float | bool
TYPES = {"string": "S", "int": "I", "expr": "C"}
# a newline is white space in an expression
ONE_LINE = re.compile(r"[\r\n]+")
REQUIRE = ("REQUIRED_GWMS", "NEVER", "OPTIONAL", "PREFERRED", "REQUIRED")
USE = ("DISABLE_GWMS", "NEVER", "OPTIONAL", "PREFERRED", "REQUIRED")


@dataclass(slots=True)
class Placed:
    """The attributes of one level (global, entry, group) by where they go."""

    attrs: dict[str, Value] = field(default_factory=dict)
    params: dict[str, Value] = field(default_factory=dict)
    consts: dict[str, Value] = field(default_factory=dict)
    vars: dict[str, VariableRow] = field(default_factory=dict)

    @property
    def tables(self) -> tuple[dict[str, Value], dict[str, Value], dict[str, Value]]:
        """`attrs`, `params` and `consts`."""
        return self.attrs, self.params, self.consts


def value_of(attr: FrontendAttr, problems: Problems) -> Value:
    """The typed value; an int that does not parse is a problem."""
    if attr.type == "expr":
        return ONE_LINE.sub(" ", attr.value)
    if ONE_LINE.search(attr.value):
        what = "may not contain a newline: pilots read one value a line"
        problems.error(attr.where, f"attr[{attr.name}]@value", what)
        return ""
    if attr.type != "int":
        return attr.value
    try:
        return int(attr.value)
    except ValueError:
        problems.error(
            attr.where,
            f"attr[{attr.name}]@value",
            f"must be an integer (type int), not {attr.value!r}",
        )
        return 0


def place_factory(
    attrs: Iterable[FactoryAttr], system: Mapping[str, VariableRow], problems: Problems
) -> Placed:
    """Factory rules: publish, parameter and const decide; impossible combinations are refused."""
    out = Placed()
    for attr in attrs:
        value = value_of(attr, problems)
        _check_value(attr, "GLIDEIN_SINGULARITY_REQUIRE", REQUIRE, problems)
        if attr.publish and attr.parameter and not attr.const:
            out.params[attr.name] = value
        elif attr.publish and attr.const:
            out.attrs[attr.name] = out.consts[attr.name] = value
        elif not attr.publish and attr.parameter and attr.const:
            out.consts[attr.name] = value
        else:
            flags = f"publish={attr.publish} parameter={attr.parameter} const={attr.const}"
            problems.error(
                attr.where,
                f"attr[{attr.name}]",
                f"{flags} is not possible",
                "set const and parameter True",
            )
        _overload(attr, problems)
        _published(attr, system, out, problems)
    return out


def place_frontend(attrs: Iterable[FrontendAttr], problems: Problems) -> Placed:
    """Frontend rules: parameter or constant; all are seen by match expressions."""
    out = Placed()
    for attr in attrs:
        value = value_of(attr, problems)
        _check_value(attr, "GLIDEIN_Singularity_Use", USE, problems)
        if attr.name == "SLOTS_LAYOUT" and attr.parameter:
            problems.error(
                attr.where,
                "attr[SLOTS_LAYOUT]@parameter",
                "must be False: the pilot reads it as a constant",
            )
        out.attrs[attr.name] = value
        (out.params if attr.parameter else out.consts)[attr.name] = value
        _published(attr, {}, out, problems)
    return out


def _check_value(
    attr: FrontendAttr, name: str, allowed: tuple[str, ...], problems: Problems
) -> None:
    if attr.name == name and attr.value not in allowed and "$" not in attr.value:
        problems.error(
            attr.where,
            f"attr[{name}]@value",
            f"must be one of {', '.join(allowed)}, not {attr.value!r}",
        )


def _overload(attr: FactoryAttr, problems: Problems) -> None:
    if (
        attr.name == "GLIDEIN_OVERLOAD_ENABLED"
        and attr.value.endswith("%")
        and (attr.const or not attr.parameter)
    ):
        what = "a percentage needs const False and parameter True"
        problems.error(
            attr.where, "attr[GLIDEIN_OVERLOAD_ENABLED]", what, "it is drawn for each submission"
        )


def _published(
    attr: FrontendAttr, system: Mapping[str, VariableRow], out: Placed, problems: Problems
) -> None:
    if not (attr.glidein_publish or attr.job_publish) or not ATTR.fullmatch(attr.name):
        return
    row = system.get(attr.name)
    if row is None:
        out.vars[attr.name] = VariableRow(
            attr.name,
            TYPES[attr.type],
            export=attr.glidein_publish,
            job_name="+" if attr.job_publish else "-",
        )
        return
    subject = f"attr[{attr.name}]"
    if (row.type == "I") != (attr.type == "int"):
        problems.error(
            attr.where, f"{subject}@type", f"{attr.type} does not fit the system's type {row.type}"
        )
    if attr.glidein_publish and not row.export:
        problems.error(
            attr.where,
            f"{subject}@glidein_publish",
            "cannot force glidein publishing of a system attribute",
        )
    if attr.job_publish and row.job_name == "-":
        problems.error(
            attr.where,
            f"{subject}@job_publish",
            "cannot force job publishing of a system attribute",
        )
