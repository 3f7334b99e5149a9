"""What MONITOR_INFO says, from the output of pilots that the deployed Factory read too."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from glideinwms.factory.apply.accounting import monitor_info, output_of

PACKED = Path(__file__).parents[3] / "data" / "golden-wire" / "golden-wire.tgz"


def member(name: str) -> str:
    with tarfile.open(PACKED) as tar:
        file = tar.extractfile(
            next(m for m in tar.getmembers() if m.name.endswith(f"pilot-output/{name}"))
        )
        assert file is not None
        return file.read().decode()


@pytest.mark.parametrize("which", ["good", "validation-failure"])
def test_the_deployed_parser_read_the_same(which: str) -> None:
    expected = json.loads(member("expected.json"))[which]
    theirs = expected["extract_log_data(stdout)"]
    assert monitor_info(member(expected["stdout"])) == {
        "glidein_duration": theirs.get("glidein_duration", 0),
        "condor_duration": theirs.get("condor_duration", 0),
        "activation_claims": theirs.get("activations_claims", 0),
        "numjobs": theirs.get("stats", {}).get("Total", {}).get("jobsnr", 0),
        "condor_started": theirs["condor_started"],
    }


def test_output_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert set(monitor_info(output_of(tmp_path / "none")).values()) == {0}
