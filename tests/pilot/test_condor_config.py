"""HTCondor's configuration on the node: what real daemons make of slots, resources, lifetime and failures."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import classad2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glideinwms.demo.portable import Condor

pytestmark = [pytest.mark.condor, pytest.mark.grid]
GLIDEIN = Path(__file__).resolve().parents[2] / "glideinwms" / "glidein"


class Node:
    """The pilot's configuration code, run by itself; `param` asks the real HTCondor."""

    def __init__(self, condor: Condor, base: Path) -> None:
        self.condor, self.base, self.config = condor, base, base / "condor_config"

    def shell(self, script: str, values: dict[str, str], ok: bool = True) -> str:
        """Source the parts, with `values` as cfg, and run `script`; stdout, or stderr of a refusal."""
        base = {
            "CONDOR_DIR": str(self.condor.prefix),
            "GLIDEIN_LOCAL_TMP_DIR": str(self.base),
            "DEBUG_MODE": "0",
        }
        (self.base / "cfg").write_text("".join(f"{k} {v}\n" for k, v in {**base, **values}.items()))
        head = f"""
            glidein_config={self.base}/cfg; work_dir={self.base}; methods=IDTOKENS; missing= wrong=
            declare -A cfg=()
            while IFS= read -r line; do cfg[${{line%% *}}]=${{line#* }}; done < "$glidein_config"
            refuse() {{ echo "$1: $2" >&2; exit 3; }}
            for part in add_config_line condor_config condor_lifetime condor_resources; do
                . {GLIDEIN}/$part.source
            done
        """
        done = subprocess.run(
            ["bash", "-c", head + script], text=True, capture_output=True, timeout=60
        )
        assert (done.returncode == 0) == ok, done.stderr
        return done.stdout if ok else done.stderr

    def generate(
        self, values: dict[str, str], script: str = "write_slots", lines: str = ""
    ) -> None:
        """A condor_config of the base part, `lines` and what `script` writes."""
        text = self.shell(f"write_base; {script}", values)
        self.config.write_text(text + lines)

    def param(self, *names: str) -> list[str]:
        """Values as HTCondor's own parser gives them, macros expanded."""
        env = {"CONDOR_CONFIG": str(self.config), "PATH": "/usr/bin:/bin"}
        out = []
        for name in names:
            done = subprocess.run(
                [self.condor.prefix / "bin/condor_config_val", name],
                env=env,
                text=True,
                capture_output=True,
                timeout=120,
            )
            out.append(done.stdout.removesuffix("\n") if done.returncode == 0 else "")
        return out


@pytest.fixture
def node(condor: Condor, tmp_path: Path) -> Node:
    return Node(condor, tmp_path)


TABLE = [
    (
        "4 partitionable",
        {"GLIDEIN_CPUS": "4"},
        {
            "NUM_CPUS": "4",
            "SLOT_TYPE_1": "cpus=4",
            "NUM_SLOTS_TYPE_1": "1",
            "SLOT_TYPE_1_PARTITIONABLE": "True",
            "MACHINE_RESOURCE_GPUs": "0",
        },
    ),
    (
        "1 is fixed",
        {"GLIDEIN_CPUS": "1"},
        {"SLOT_TYPE_1_PARTITIONABLE": "", "NUM_SLOTS_TYPE_1": "1"},
    ),
    (
        "1 forced",
        {"GLIDEIN_CPUS": "1", "FORCE_PARTITIONABLE": "True"},
        {"SLOT_TYPE_1_PARTITIONABLE": "True"},
    ),
    (
        "fixed, disk shared",
        {"GLIDEIN_CPUS": "4", "SLOTS_LAYOUT": "fixed", "GLIDEIN_DISK": "10GB"},
        {
            "SLOT_TYPE_1": "cpus=1, disk=2560MB",
            "NUM_SLOTS_TYPE_1": "4",
            "SLOT_TYPE_1_PARTITIONABLE": "",
        },
    ),
    (
        "fraction of the disk",
        {"GLIDEIN_CPUS": "2", "SLOTS_LAYOUT": "fixed", "GLIDEIN_DISK": "1/2"},
        {"SLOT_TYPE_1": "cpus=1, disk=1/4"},
    ),
    (
        "main",
        {"GLIDEIN_CPUS": "2", "GLIDEIN_Resource_Slots": "ports,3,type=main"},
        {"NUM_CPUS": "2", "SLOT_TYPE_1": "cpus=2, ports=100%", "MACHINE_RESOURCE_ports": "3"},
    ),
    (
        "main makes fixed one",
        {"GLIDEIN_CPUS": "2", "SLOTS_LAYOUT": "fixed", "GLIDEIN_Resource_Slots": "ports,3,,main"},
        {"SLOT_TYPE_1_PARTITIONABLE": "True", "SLOT_TYPE_1": "cpus=2, ports=100%"},
    ),
    (
        "extra CPUs are in the slot",
        {"GLIDEIN_CPUS": "2", "GLIDEIN_Resource_Slots": "io,3,type=extra"},
        {"NUM_CPUS": "5", "SLOT_TYPE_1": "cpus=5, io=100%"},
    ),
    (
        "static",
        {
            "GLIDEIN_CPUS": "2",
            "GLIDEIN_MEMORY_MB": "2000",
            "GLIDEIN_Resource_Slots": "io,2,500,static",
        },
        {
            "NUM_CPUS": "4",
            "SLOT_TYPE_3": "cpus=1, io=1, memory=250",
            "NUM_SLOTS_TYPE_3": "2",
            "MEMORY": "2000",
            "SLOT_TYPE_1": "cpus=2, io=0",
        },
    ),
    (
        "all shares of staticextra",
        {
            "GLIDEIN_CPUS": "2",
            "GLIDEIN_MEMORY_MB": "2000",
            "GLIDEIN_Resource_Slots": "io,2,500,staticextra",
        },
        {"MEMORY": "2000 + 500"},
    ),
    (
        "partitionable",
        {"GLIDEIN_CPUS": "2", "GLIDEIN_Resource_Slots": "io,3,1GB,partitionable,20%"},
        {
            "SLOT_TYPE_3": "cpus=3, io=3, memory=1024, disk=20%",
            "SLOT_TYPE_3_PARTITIONABLE": "True",
            "NUM_CPUS": "5",
        },
    ),
    (
        "two kinds",
        {"GLIDEIN_CPUS": "2", "GLIDEIN_Resource_Slots": "io;GPUs,1,type=main"},
        {
            "SLOT_TYPE_1": "cpus=2, io=0, GPUs=100%",
            "SLOT_TYPE_3": "cpus=1, io=1, memory=128, GPUs=0",
        },
    ),
    (
        "GPUs are looked for",
        {"GLIDEIN_CPUS": "2", "GLIDEIN_Resource_Slots": "GPUs,type=main"},
        {"MACHINE_RESOURCE_GPUs": "0"},
    ),
    (
        "GPUs are believed",
        {"GLIDEIN_CPUS": "2", "GLIDEIN_Resource_Slots": "GPUs,2,type=main"},
        {"MACHINE_RESOURCE_GPUs": "2", "SLOT_TYPE_1": "cpus=2, GPUs=100%"},
    ),
]


@pytest.mark.parametrize(
    ("values", "wanted"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_slots_as_htcondor_reads_them(
    node: Node, values: dict[str, str], wanted: dict[str, str]
) -> None:
    node.generate(values)
    assert dict(zip(wanted, node.param(*wanted), strict=True)) == wanted


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("io,2,,odd", "'odd'"),
        ("io,x", "'x'"),
        ("$(id),2", "is no name"),
        ("io,1,abc", "'abc'"),
        ("io,1,1,main,1,9", "five"),
        ("io,2,1;\\", "is no name"),
        ("io,2,50%,staticextra", "as a number"),
        ("io,bad=1", "unknown key"),
    ],
)
def test_resources_that_are_none_are_refused(node: Node, text: str, word: str) -> None:
    said = node.shell("write_slots", {"GLIDEIN_Resource_Slots": text}, ok=False)
    assert "GLIDEIN_Resource_Slots" in said and word in said


TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=30) | st.text(
    st.sampled_from("\"'\\$(){}`;&|=#@ a\t"), min_size=1, max_size=20
)


@settings(max_examples=25, deadline=None)
@given(values=st.lists(TEXT.filter(lambda t: t.strip() == t), min_size=1, max_size=12))
def test_no_value_is_more_than_a_value(
    condor: Condor, tmp_path_factory: pytest.TempPathFactory, values: list[str]
) -> None:
    node = Node(condor, tmp_path_factory.mktemp("node"))
    names = [f"VO_V{n}" for n in range(len(values))]
    (node.base / "vars").write_text(
        "".join(f"{n} S - + N Y +\n" for n in names) + "VO_End I 7 + N Y -\n"
    )
    script = f"""use_vars {node.base}/vars; echo "STARTER_JOB_ENVIRONMENT = \\"${{job_environment# }}\\""; [ -z "$wrong" ]"""  # noqa: E501
    node.generate(dict(zip(names, values, strict=True)), script)
    *got, end, environment = node.param(*names, "VO_End", "STARTER_JOB_ENVIRONMENT")
    assert [classad2.ExprTree(g).eval() for g in got] == values
    assert end == "7"
    inner = environment[1:-1].replace('""', '"')
    found = {
        k: v.replace("''", "'") for k, v in re.findall(r"(?:^| )(VO_V\d+)='((?:[^']|'')*)'", inner)
    }
    assert found == dict(zip(names, values, strict=True))


@pytest.mark.parametrize("value", ["True \\", "1\\ \t", "a\rb"])
def test_an_expression_that_would_swallow_the_next_line_is_refused(node: Node, value: str) -> None:
    (node.base / "vars").write_text("VO_Expr C - + N Y -\n")
    assert (
        node.shell(f'use_vars {node.base}/vars; echo "$wrong"', {"VO_Expr": value}) == " VO_Expr\n"
    )


def test_secrets_are_neither_published_nor_given_to_jobs_nor_printed(node: Node) -> None:
    rows = "VO_Token S - + N Y +\nVO_Path S - + N Y +\nVO_Plain S - + N Y +\n"
    (node.base / "vars").write_text(rows)
    values = {
        "VO_Token": "hunter2",
        "VO_Path": f"{node.base}/cred.d/idtokens/a.idtoken",
        "VO_Plain": "x",
    }
    script = f'use_vars {node.base}/vars > /dev/null; echo "$published|$job_environment|$published_lines"'
    assert node.shell(script, values) == ",VO_Plain| VO_Plain='x'|VO_Plain = \"x\"\n\n"
    said = node.shell('masked < "$glidein_config"', values)
    assert "VO_Token ***" in said and "hunter2" not in said and "VO_Plain x" in said
    said = node.shell("""masked <<< "E = \\"A_PASSWORD='it''s' B='c'\\"" """, {})
    assert said == "E = \"A_PASSWORD='***' B='c'\"\n"
