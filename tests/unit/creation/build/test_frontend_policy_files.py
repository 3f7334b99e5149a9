"""Policy files of the Frontend's file: tried at validation, their declarations merged with the XML's (config 9)."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from glideinwms.creation.build.resolved import Built
from glideinwms.creation.reconfig.run import build
from glideinwms.creation.xml.problems import InvalidConfig, Problems
from glideinwms.frontend.policy import FrontendPolicy, GroupPolicy
from tests.support.configs import place

GLOBAL = """
job_query_expr = "Wants =!= UNDEFINED"
job_match_attrs = {"Wants": {"type": "string", "comment": "a site"}}
factory_match_attrs = {"GLIDEIN_Site": {"type": "string"}}
def match(job, glidein):
    return job["Wants"] == glidein["attrs"]["GLIDEIN_Site"]
"""
OWN = """
factory_query_expr = "GLIDEIN_Site =!= \\"Nowhere\\""
job_match_attrs = {"Wants": {"type": "string"}, "Hours": {"type": "int"}}
"""
GROUP = '<group name="main"><match policy_file="own.py"/></group>'


def configured(folder: Path, everyone: str, own: str = "") -> Path:
    xml = place(folder, "frontend.minimal.xml", ("<match>", '<match policy_file="all.py">'))
    (folder / "all.py").write_text(everyone)
    if own:
        xml.write_text(xml.read_text().replace('<group name="main"/>', GROUP))
        (folder / "own.py").write_text(own)
    return xml


def built(xml: Path, problems: Problems) -> tuple[Built, GroupPolicy]:
    found = build(xml, "frontend", problems)
    return found, cast(FrontendPolicy, found.policy).groups[0]


def test_declarations_are_merged_and_files_kept_in_their_order(tmp_path: Path) -> None:
    problems = Problems()
    found, group = built(configured(tmp_path, GLOBAL, OWN), problems)
    paths = (str(tmp_path / "all.py"), str(tmp_path / "own.py"))
    assert group.policy_files == paths and not problems.found
    assert {Path(p) for p in paths} <= set(found.inputs), (
        "a reconfig after a change of a file is none for nothing"
    )
    assert (
        group.job_query.endswith(" && (Wants =!= UNDEFINED)")
        and "JobUniverse==5" in group.job_query
    )
    assert 'GLIDEIN_Site =!= "Nowhere"' in group.factory_query
    assert {(a.name, a.type) for a in group.job_attrs} >= {("Wants", "string"), ("Hours", "int")}
    assert ("GLIDEIN_Site", "string") in {(a.name, a.type) for a in group.factory_attrs}


def test_a_file_named_twice_counts_once(tmp_path: Path) -> None:
    xml = configured(tmp_path, GLOBAL, OWN)
    xml.write_text(xml.read_text().replace("own.py", "all.py"))
    _, group = built(xml, Problems())
    assert (
        group.policy_files == (str(tmp_path / "all.py"),)
        and group.job_query.count("Wants =!= UNDEFINED") == 1
    )


@pytest.mark.parametrize(
    ("everyone", "own", "says"),
    [
        ("x = 1\n1 / 0", "", "all.py:2: ZeroDivisionError"),
        ("import os; os._exit(3)", OWN, "all.py: ended the process with code 3"),
        (
            GLOBAL,
            OWN.replace('"string"', '"int"'),
            "is int here and string in the global match_attrs",
        ),
        ('job_match_attrs = {"A": {"type": "list"}}', "", "job_match_attrs: A has type 'list'"),
    ],
)
def test_what_a_file_gets_wrong_stops_the_reconfig(
    tmp_path: Path, everyone: str, own: str, says: str
) -> None:
    with pytest.raises(InvalidConfig) as caught:
        built(configured(tmp_path, everyone, own), Problems())
    assert [p for p in caught.value.problems if says in str(p)], str(caught.value)
