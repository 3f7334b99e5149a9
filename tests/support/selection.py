"""Skip tests that need more than an ordinary machine, with a reason, unless --all is given."""

from __future__ import annotations

import os

import pytest

ONLY_ALL = {
    "slow": "longer than a minute",
    "netns": "needs root and network namespaces",
    "slurm": "needs a Slurm that can be installed",
    "apptainer": "needs Apptainer and user namespaces",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the marked tests unless GWMS_TEST_ALL is set."""
    if os.environ.get("GWMS_TEST_ALL"):
        return
    for item in items:
        for mark, why in ONLY_ALL.items():
            if item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=f"{why}: scripts/test --all runs it"))
