"""A real pair of deployed files: they load unchanged, and come to what the deployed program made of them."""

from __future__ import annotations

import ast
import tarfile
from pathlib import Path

import pytest

from glideinwms.creation.build.resolved import Built
from glideinwms.creation.reconfig.run import build
from glideinwms.creation.xml.problems import Problems
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.frontend.policy import FrontendPolicy
from glideinwms.lib.stage.formats import read_list, read_pairs, read_vars
from glideinwms.lib.stage.tree import Tree

GOLDEN = Path(__file__).resolve().parents[2] / "data" / "golden-wire" / "golden-wire.tgz"
FILES = (
    "files/wrapper.sh",
    "files/f1.sh",
    "files/f2.sh",
    "files/gf.sh",
    "cred/pilot_proxy.pem",
    "condor/sbin/condor_master",
    "condor/sbin/condor_startd",
    "condor/sbin/condor_starter",
)
ENTRIES = ("CMS_T2_XX_Alpha_ce01", "OSG-Beta.ce-02", "AWS_Gamma", "GCE_Delta")


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stage/ folder of the golden data."""
    folder = tmp_path_factory.mktemp("golden")
    with tarfile.open(GOLDEN) as tar:
        tar.extractall(folder, [m for m in tar.getmembers() if m.name.startswith("stage/")])
    return folder / "stage"


def built(golden: Path, folder: Path, name: str) -> Built:
    """The file `name` with its directories moved below `folder`; nothing else is touched."""
    for file in FILES:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("#!/bin/sh\n")
    text = (golden / "config" / name).read_text()
    for place in ("/var/lib/gwms-factory", "/var/lib/gwms-frontend", "/etc/gwms-frontend"):
        text = text.replace(f'"{place}', f'"{folder}')
    path = folder / name
    path.write_text(text)
    return build(path, "factory" if name == "glideinWMS.xml" else "frontend", Problems())


def text_of(tree: Tree, stem: str) -> str:
    return next(b.read().decode() for n, b in tree.files.items() if n.startswith(f"{stem}."))


def theirs(folder: Path, stem: str) -> str:
    return next(folder.glob(f"{stem}.*")).read_text()


def literals(path: Path) -> dict[str, object]:
    """`name <TAB> Python literal` lines of the deployed work area."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    pairs = (line.split(None, 1) for line in lines)
    return {name: ast.literal_eval(value) for name, value in pairs}


@pytest.mark.parametrize("name", ENTRIES)
def test_attributes_and_parameters_of_an_entry(golden: Path, tmp_path: Path, name: str) -> None:
    policy = built(golden, tmp_path, "glideinWMS.xml").policy
    assert isinstance(policy, FactoryPolicy)
    entry = next(e for e in policy.entries if e.name == name)
    work = golden / "factory-workdir"
    attrs = literals(work / "attributes.cfg") | literals(work / f"entry_{name}" / "attributes.cfg")
    params = literals(work / "params.cfg") | literals(work / f"entry_{name}" / "params.cfg")
    assert dict(entry.attrs) == attrs
    assert dict(entry.params) == params


@pytest.mark.parametrize("name", ENTRIES[:1] + ENTRIES[2:3])
def test_constants_and_variables_of_an_entry(golden: Path, tmp_path: Path, name: str) -> None:
    found = built(golden, tmp_path, "glideinWMS.xml")
    tree = next(t for t in found.trees if t.subdir == f"entry_{name}")
    folder = golden / "factory" / f"entry_{name}"
    assert read_pairs(text_of(tree, "constants")) == read_pairs(theirs(folder, "constants"))
    assert set(read_vars(text_of(tree, "condor_vars"))) == set(
        read_vars(theirs(folder, "condor_vars"))
    )


@pytest.mark.parametrize("group", ["", "group_main"])
def test_tables_and_lists_of_a_frontend(golden: Path, tmp_path: Path, group: str) -> None:
    found = built(golden, tmp_path, "frontend.xml")
    tree = next(t for t in found.trees if t.subdir == group)
    folder = golden / "frontend_vofe-1" / group
    assert read_pairs(text_of(tree, "constants")) == read_pairs(theirs(folder, "constants"))
    assert set(read_vars(text_of(tree, "condor_vars"))) == set(
        read_vars(theirs(folder, "condor_vars"))
    )
    lists = sorted(p.name.partition(".")[0] for p in folder.glob("*file_list.*"))
    assert sorted(n.partition(".")[0] for n in tree.files if "file_list." in n) == lists
    operators = {f.rpartition("/")[2] for f in FILES[:4]}
    for name in lists:
        mine = [
            (r.outfile, r.kind, r.period, r.prefix, r.condition)
            for r in read_list(text_of(tree, name))
        ]
        real = [
            (r.outfile, r.kind, r.period, r.prefix, r.condition)
            for r in read_list(theirs(folder, name))
        ]
        assert [r for r in mine if r[0] in operators] == [r for r in real if r[0] in operators], (
            name
        )


def test_groups_of_a_frontend(golden: Path, tmp_path: Path) -> None:
    policy = built(golden, tmp_path, "frontend.xml").policy
    assert isinstance(policy, FrontendPolicy)
    assert policy.stage.url == "http://fe.example.org/vofrontend/stage/frontend_vofe-1"
    assert policy.pilot_collectors == "fe.example.org:9620-9630"
    main, special = policy.groups
    assert {c.security_class for c in special.credentials} == {"frontend", "group_special"}
    assert len(main.credentials) == 3 and len(special.credentials) == 6
    for group in policy.groups:
        folder = golden / "frontend-workdir" / f"group_{group.name}"
        descript = read_pairs((folder / "group.descript").read_text())
        limits = group.limits
        assert int(descript["MaxRunningPerEntry"]) == limits.max_running
        assert (int(descript["MaxIdlePerEntry"]), int(descript["ReserveIdlePerEntry"])) == (
            limits.max_idle,
            limits.reserve_idle,
        )
        assert int(descript["IdleLifetime"]) == limits.idle_lifetime
        assert dict(group.params).keys() >= literal_names(folder / "params.cfg")


def literal_names(path: Path) -> set[str]:
    """Names in the deployed table of a group's parameters."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {line.split(None, 1)[0] for line in lines}
