"""Comparisons that can never hold, by the declared types (config 9)."""

from __future__ import annotations

import pytest

from glideinwms.creation.checks.match_types import Declared, mismatches

DECLARED = Declared(
    {"Cpus": "int", "Site": "string", "Real": "real", "Flag": "bool"},
    {"CPUS": "string", "Mem": "int", "VOs": "string"},
    {"N": "int", "S": "string"},
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('job["Cpus"] <= glidein["attrs"]["CPUS"]', "compares a number with text"),
        ('job.get("Cpus", 1) <= glidein["attrs"].get("CPUS", "1")', "compares a number with text"),
        ('job["Site"] == 3', "compares text with a number"),
        ('job["Cpus"] == "3"', "compares a number with text"),
        ('job["Cpus"] in "1,2"', "compares a number with text"),
        ('job["Cpus"] in ("1", "2")', "compares a number with text"),
        ('"x" in glidein["attrs"]["Mem"]', "looks into a number"),
        ('job["Real"] > attr_dict["S"]', "compares a number with text"),
        ('job["Cpus"] + glidein["attrs"]["CPUS"] > 3', "calculates with text"),
        ('glidein["attrs"]["CPUS"] * 2 > 3', "calculates with text"),
        ('job["Cpus"].lower() == "x"', "treats a number as text"),
        ('glidein["attrs"]["Mem"].split(",")', "treats a number as text"),
        ('job.get("Cpus", "1") == 1', "its default is text"),
        ('job.get("Site", 0) == "x"', "its default is a number"),
        ('glidein["VOs"] == "x"', "never finds VOs"),
        ('glidein.get("VOs") == "x"', "never finds VOs"),
        ('"VOs" in glidein', "never finds VOs"),
        ('job["Site"].split(",") == "a"', "compares a list with text"),
        ('True and (job["Site"] == "a" or job["Cpus"] < "2")', "compares a number with text"),
    ],
)
def test_what_never_holds(text: str, says: str) -> None:
    found = mismatches(text, DECLARED)
    assert len(found) == 1
    assert says in found[0].what


@pytest.mark.parametrize(
    "text",
    [
        'job["Cpus"] <= int(glidein["attrs"]["CPUS"])',
        'str(job["Cpus"]) == glidein["attrs"]["CPUS"]',
        'job["Site"] in glidein["attrs"]["VOs"].split(",")',
        'job["Site"] in ("a", "b") and job["Cpus"] in (1, 2)',
        'job["Flag"] == True and job["Flag"] > 0',
        'job["Unknown"] < 3 or glidein["attrs"]["Unknown"] == "x"',
        'glidein["attrs"].get("VOs") is None',
        'job.get("Site") == None',
        '"attrs" in glidein and glidein["monitor"]["x"] > 3',
        'job["Real"] > attr_dict["N"] * 1.5',
        'job["Site"] + "x" == attr_dict["S"]',
        'getGlideinCpusNum(glidein) >= job["Cpus"]',
        'len(job["Site"]) > 3',
        '[s for s in job["Site"].split(",") if s in glidein["attrs"]["VOs"]] != []',
    ],
)
def test_what_may_hold(text: str) -> None:
    assert mismatches(text, DECLARED) == []
