"""Tests that the files about the project agree with its scripts: hooks, workflow, changelog."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
CHECK = (ROOT / "scripts/check").read_text()
STEPS = set(re.findall(r'step "([^"]+)"', CHECK))
WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text()


def hooks() -> list[Any]:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    return [hook for repository in config["repos"] for hook in repository["hooks"]]


@pytest.mark.parametrize("hook", hooks(), ids=[hook["id"] for hook in hooks()])
def test_a_hook_runs_a_step_of_the_gate(hook: Any) -> None:
    step = re.fullmatch(r'scripts/check --step "?([\w ]+?)"?', hook["entry"])
    assert step is not None
    assert step[1] in STEPS


def test_the_gate_has_the_steps_that_contributors_read_about() -> None:
    assert {"ruff", "mypy", "dependencies", "spelling", "documentation", "unit tests"} <= STEPS


def test_the_workflow_runs_the_scripts_of_a_developer() -> None:
    jobs = yaml.safe_load(WORKFLOW)["jobs"].values()
    commands = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    assert {"scripts/check", "scripts/test"} <= set(commands)


def test_the_workflow_uses_no_secret() -> None:
    assert "secrets." not in WORKFLOW


@pytest.mark.parametrize("used", re.findall(r"uses: (\S+)|container: (\S+)", WORKFLOW))
def test_what_the_workflow_uses_has_a_version(used: tuple[str, str]) -> None:
    action, image = used
    assert re.search(r"@v\d+\.\d+\.\d+$|:\d+\.\d+$", action or image)


def test_templates_can_be_read() -> None:
    templates = list((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
    assert len(templates) >= 2
    for template in templates:
        assert yaml.safe_load(template.read_text())


def test_the_changelog_has_a_place_for_what_is_not_released() -> None:
    assert re.search(r"^## Unreleased", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_the_glossary_has_the_terms_of_the_architecture() -> None:
    text = (ROOT / "docs/glossary.md").read_text()
    terms = {
        term.strip()
        for line in re.findall(r"^(\S.*)\n:   ", text, re.MULTILINE)
        for term in line.split(",")
    }
    expected = """entry group curb glidein pilot pool collector schedd startd negotiator request
        command cycle held adjustment stage generation reading policy snapshot plan reason"""
    phrases = {
        "security class",
        "trust domain",
        "WMS pool",
        "user pool",
        "retained reading",
        "parked removal",
    }
    assert set(expected.split()) | phrases <= terms
