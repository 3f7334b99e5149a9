"""docs/reference/script-api.md: its examples run and print what stands there, and it names every function there is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support import pilot_files

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "reference" / "script-api.md"
EXAMPLE = r"## ([^\n]+)\n(?:(?!\n## ).)*?```bash\n(.*?)```\n\n```output\n(.*?)```"
EXAMPLES = re.findall(EXAMPLE, PAGE.read_text(), re.DOTALL)
SOURCES = (
    "add_config_line.source",
    "get_id_selectors.source",
    "logging_utils.source",
    "b64uuencode.source",
    "glidein_paths.source",
    "glidein_lib.sh",
    "singularity_lib.sh",
)
# functions that our own parts share, which are no part of the API
INTERNAL = {
    "bind_cvmfs",
    "binds_of",
    "cvmfs_is_below",
    "cvmfs_path",
    "cvmfs_resolve",
    "env_unpass",
    "gconfig_get_to",
    "glog_close",
    "glog_init",
    "glog_json_escape",
    "glog_open",
    "glog_send",
    "gwms_process_script",
    "image_check",
    "image_for",
    "is_uri",
    "outside_aliases",
    "path_inside",
    "platforms_of",
    "print_log",
    "uri_path",
}


def pilot(top: Path) -> Path:
    """A pilot's work directory, with the ads of a job."""
    main = pilot_files.write(top / "main")
    for name in SOURCES[:5]:
        (top / name).write_bytes((main / name).read_bytes())
    (main / "error_gen.sh").chmod(0o755)
    (top / "vars").touch()
    (top / "logs" / "u").mkdir(parents=True)
    (top / "logs" / "u" / "u.log").touch()
    lines = {
        "ADD_CONFIG_LINE_SOURCE": top / "add_config_line.source",
        "LOGGING_UTILS_SOURCE": top / "logging_utils.source",
        "ERROR_GEN_PATH": main / "error_gen.sh",
        "CONDOR_VARS_FILE": top / "vars",
        "GLIDEIN_Site": "SiteA",
        "GLIDEIN_UUID": "u",
        "GLIDEIN_WORKSPACE_ORIG": top,
        "GLIDEIN_LOGDIR": "logs/u",
        "GLIDEIN_LOG_LOGFILE": "u.log",
        "GLIDEIN_LOG_INITIALIZED": 1,
    }
    (top / "glidein_config").write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
    (top / "job.ad").write_text('SingularityImage = "/cvmfs/repo/image"\nREQUIRED_OS = "rhel9"\n')
    (top / "machine.ad").write_text("HAS_SINGULARITY = true\n")
    return top


@pytest.mark.parametrize(
    ("code", "wanted"), [e[1:] for e in EXAMPLES], ids=[e[0] for e in EXAMPLES]
)
def test_an_example_prints_what_stands_there(code: str, wanted: str, tmp_path: Path) -> None:
    top = pilot(tmp_path)
    environment = {
        "PATH": "/usr/bin:/bin",
        "_CONDOR_JOB_AD": "job.ad",
        "_CONDOR_MACHINE_AD": "machine.ad",
    }
    command = ["bash", "-c", code, "script.sh", "glidein_config", "client"]
    done = subprocess.run(
        command, cwd=top, env=environment, text=True, capture_output=True, check=False
    )
    assert (done.stdout, done.returncode) == (wanted, 0), done.stderr


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == PAGE.read_text().count("```bash") >= 4


def test_every_function_is_on_the_page_and_every_name_on_the_page_is_a_function(
    tmp_path: Path,
) -> None:
    top = pilot(tmp_path)
    code = "; ".join(f". main/{name}" for name in SOURCES) + "; compgen -A function"
    done = subprocess.run(
        ["bash", "-c", f"glidein_config=$PWD/glidein_config; {code}"],
        cwd=top,
        env={"PATH": "/usr/bin:/bin"},
        text=True,
        capture_output=True,
        check=True,
    )
    there = {name for name in done.stdout.split() if not name.startswith("_")}
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert there - INTERNAL == named
    assert there >= INTERNAL
