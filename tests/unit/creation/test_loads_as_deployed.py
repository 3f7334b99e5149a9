"""Files that GlideinWMS 3.10 or 3.11 loads are loaded, and mean the same (config 1, 4, 16)."""

from __future__ import annotations

from pathlib import Path

import pytest

from glideinwms.creation.reconfig.run import build
from glideinwms.creation.xml.problems import InvalidConfig, Problems
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.frontend.policy import FrontendPolicy
from glideinwms.lib.stage.formats import read_pairs
from tests.support.configs import place

ENTRY = '<entry name="{0}" gatekeeper="ce.example.org ce.example.org:9619">{1}</entry>'


def piece(directory: Path, *entries: str, name: str = "10-sites.xml") -> Path:
    """A config.d file with these entries."""
    path = directory / "config.d" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("<glidein><entries>\n" + "\n".join(entries) + "\n</entries></glidein>\n")
    return path


@pytest.mark.parametrize("const", [True, False])
def test_an_entry_of_config_d_overrides_a_global_attr_of_another_const(
    const: bool, tmp_path: Path
) -> None:
    everywhere = f'<attrs><attr name="USE_CCB" const="{not const}" value="True"/>'
    path = place(tmp_path, "factory.minimal.xml", ("<attrs>", everywhere))
    own = f'<attrs><attr name="USE_CCB" const="{const}" value="False"/></attrs>'
    extra = piece(tmp_path, ENTRY.format("Beta", own), ENTRY.format("Gamma", own))
    problems = Problems()
    built = build(path, "factory", problems)
    assert isinstance(built.policy, FactoryPolicy)
    entries = {e.name: e for e in built.policy.entries}
    for name, value in (("Alpha", "True"), ("Beta", "False"), ("Gamma", "False")):
        given = [
            t["USE_CCB"] for t in (entries[name].attrs, entries[name].params) if "USE_CCB" in t
        ]
        assert set(given) == {value}
    tree = next(t for t in built.trees if t.subdir == "entry_Beta")
    constants = next(b.read().decode() for n, b in tree.files.items() if n.startswith("constants."))
    assert read_pairs(constants)["USE_CCB"] == "False"
    (said,) = problems.warnings
    assert (said.level, said.where.line) == ("notice", 2)
    assert str(path) in said.what and said.where.file == str(extra)


def test_an_entry_twice_in_one_piece_is_an_error_with_both_lines(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    extra = piece(tmp_path, ENTRY.format("Beta", ""), ENTRY.format("Beta", ""))
    with pytest.raises(InvalidConfig) as caught:
        build(path, "factory", Problems())
    assert [str(p) for p in caught.value.problems] == [
        f"{extra}:3: entry[Beta]@name: is also the name of the entry at {extra}:2"
    ]


def test_an_attr_twice_in_one_piece_is_a_warning(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    extra = piece(tmp_path)
    extra.write_text(
        '<glidein><attrs>\n<attr name="A" value="1"/>\n<attr name="A" value="2"/></attrs></glidein>'
    )
    problems = Problems()
    build(path, "factory", problems)
    assert [str(p) for p in problems.warnings] == [
        f"warning: {extra}:3: attr[A]: is also at {extra}:2; this one counts"
    ]


def test_files_that_are_not_well_formed_are_told_together(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml", ("</entries>", ""))
    extra = piece(tmp_path, "<entry>")
    with pytest.raises(InvalidConfig) as caught:
        build(path, "factory", Problems())
    assert {p.where.file for p in caught.value.problems} == {str(path), str(extra)}


@pytest.mark.parametrize(
    ("const", "enabled", "loads"),
    [
        (False, True, True),
        (True, False, True),
        (True, True, False),
    ],
)
def test_cvmfsexec_without_a_distribution(
    const: bool, enabled: bool, loads: bool, tmp_path: Path
) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    own = f'<attrs><attr name="GLIDEIN_USE_CVMFSEXEC" value="1" const="{const}"/></attrs>'
    piece(tmp_path, ENTRY.format("Beta", own).replace("<entry", f'<entry enabled="{enabled}"'))
    problems = Problems()
    if not loads:
        with pytest.raises(InvalidConfig):
            build(path, "factory", problems)
        return
    build(path, "factory", problems)
    (said,) = problems.all_warnings
    assert said.what == "there is no cvmfsexec distribution to use"


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("vm_id", "vm_id"),
        ("VM_TYPE", "vm_type"),
        ("project_id", "project_id"),
        ("vmid", "vm_id"),
        ("PROJECTID", "project_id"),
        ("glideinproxy", "pilotabsfname"),
        ("remoteusername", "remote_username"),
    ],
)
@pytest.mark.parametrize("kind", ["str", "Expr", "string", "expression"])
def test_names_and_types_of_parameters_of_3_11(
    name: str, field: str, kind: str, tmp_path: Path
) -> None:
    given = f'</credentials><parameters><parameter name="{name}" value="/abc" type="{kind}"/></parameters>'
    problems = Problems()
    policy = build(
        place(tmp_path, "frontend.minimal.xml", ("</credentials>", given)), "frontend", problems
    ).policy
    assert isinstance(policy, FrontendPolicy)
    assert getattr(policy.groups[0].credentials[0], field) == "/abc"
    assert problems.found == []


@pytest.mark.parametrize("written", ["SciToken", "SCITOKEN", "Token", "X509_Cert", "Grid_Proxy"])
def test_types_of_credentials_in_any_case(written: str, tmp_path: Path) -> None:
    path = place(tmp_path, "frontend.minimal.xml", ('type="scitoken"', f'type="{written}"'))
    policy = build(path, "frontend", Problems()).policy
    assert isinstance(policy, FrontendPolicy)
    expected = {"x509_cert": "grid_proxy"}.get(written.lower(), written.lower())
    assert policy.groups[0].credentials[0].type == expected


@pytest.mark.parametrize(
    ("generator", "context", "kind"),
    [
        (
            "SciTokenGenerator",
            "{'key_file': '/k', 'key_id': 'k', 'issuer': 'https://i', 'scope': 'c'}",
            "scitoken",
        ),
        ("IdTokenGenerator", "{'password': '/p'}", "idtoken"),
    ],
)
@pytest.mark.parametrize("written", ["generator", "Dynamic"])
def test_generators_whose_context_has_no_type(
    generator: str, context: str, kind: str, written: str, tmp_path: Path
) -> None:
    given = f'<credential type="{written}" absfname="{generator}" trust_domain="grid" context="{context}"/>'
    path = place(tmp_path, "frontend.minimal.xml", ("<credentials>", f"<credentials>{given}"))
    policy = build(path, "frontend", Problems()).policy
    assert isinstance(policy, FrontendPolicy)
    assert policy.groups[0].credentials[0].type == kind


def test_a_plugin_that_is_gone_is_replaced(tmp_path: Path) -> None:
    path = place(
        tmp_path,
        "frontend.minimal.xml",
        ("<security>", '<security proxy_selection_plugin="ProxyUserRR">'),
    )
    policy = build(path, "frontend", Problems()).policy
    assert isinstance(policy, FrontendPolicy)
    assert policy.groups[0].selection_plugin == "ProxyAll"


def test_an_entry_of_a_grid_type_that_is_gone_is_not_run(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    text = ENTRY.format("Beta", "").replace("<entry", '<entry gridtype="nordugrid" enabled="True"')
    piece(tmp_path, text)
    policy = build(path, "factory", Problems()).policy
    assert isinstance(policy, FactoryPolicy)
    assert {e.name: e.enabled for e in policy.entries} == {"Alpha": True, "Beta": False}


@pytest.mark.parametrize("attribute", ["match_expr", "start_expr"])
def test_an_expression_of_several_lines(attribute: str, tmp_path: Path) -> None:
    text = {"match_expr": "True&#10;and not False", "start_expr": "isUndefined(X)&#10;|| X"}[
        attribute
    ]
    path = place(tmp_path, "frontend.minimal.xml", ("<match>", f'<match {attribute}="{text}">'))
    problems = Problems()
    built = build(path, "frontend", problems)
    assert isinstance(built.policy, FrontendPolicy)
    group = built.policy.groups[0]
    found = group.start_expr if attribute == "start_expr" else group.match[0].text
    assert found == text.replace("&#10;", " ")
    assert problems.found == []


def test_attrs_that_are_expressions_of_several_lines(tmp_path: Path) -> None:
    given = '<attrs><attr name="GLIDECLIENT_Rank" type="expr" value="1&#10;+ 2" parameter="False"/></attrs><groups>'
    path = place(tmp_path, "frontend.minimal.xml", ("<groups>", given))
    built = build(path, "frontend", Problems())
    constants = next(
        b.read().decode() for n, b in built.trees[0].files.items() if n.startswith("constants.")
    )
    assert read_pairs(constants)["GLIDECLIENT_Rank"] == "1 + 2"


def test_a_disabled_entry_needs_no_tarball(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    own = '<attrs><attr name="CONDOR_VERSION" value="7.x"/></attrs>'
    piece(tmp_path, ENTRY.format("Beta", own).replace("<entry", '<entry enabled="False"'))
    build(path, "factory", Problems())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GLIDEIN_Max_Walltime", "2 days"),
        ("GLIDEIN_CPUS", "eight"),
        ("GLIDEIN_MaxMemMBs", "2GB"),
        ("GLIDEIN_OVERLOAD_CPUS", "1,5"),
        ("min_disk_gbs", "10GB"),
    ],
)
def test_a_number_that_pilots_cannot_read_is_refused_only_of_an_enabled_entry(
    name: str, value: str, tmp_path: Path
) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    own = f'<attrs>\n<attr name="{name}" value="{value}"/></attrs>'
    enabled = ENTRY.format("Beta", own)
    piece(tmp_path, enabled.replace("<entry ", '<entry enabled="False" '))
    problems = Problems()
    build(path, "factory", problems)
    (summary,) = problems.warnings
    assert summary.what.startswith("1 warning of disabled entries not shown")
    (warning,) = problems.all_warnings
    assert (warning.level, warning.where.line) == ("warning", 3)
    extra = piece(tmp_path, enabled)
    with pytest.raises(InvalidConfig, match=f"{value!r} is not a") as refused:
        build(path, "factory", Problems())
    (error,) = refused.value.problems
    assert str(error.where) == f"{extra}:3"
