"""config.d beside the Factory's file, gwms.toml, expansion, inheritance: what a file comes to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from glideinwms.creation.build.factory import build_factory
from glideinwms.creation.build.frontend import build_frontend
from glideinwms.creation.xml.problems import InvalidConfig, Problems
from glideinwms.factory.policy import FactoryPolicy, Limits
from glideinwms.frontend.policy import FrontendPolicy
from glideinwms.lib.daemon.retention import DAY, RetainedFile, expired
from glideinwms.lib.stage.formats import read_pairs
from tests.support.configs import place


def factory(path: Path) -> FactoryPolicy:
    policy = build_factory(path, Problems()).policy
    assert isinstance(policy, FactoryPolicy)
    return policy


def frontend(path: Path) -> FrontendPolicy:
    policy = build_frontend(path, Problems()).policy
    assert isinstance(policy, FrontendPolicy)
    return policy


def test_config_d_replaces_items_by_key_and_keeps_the_order(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d" / "10-more.xml").write_text(
        '<glidein loop_delay="17"><entries><entry name="Zeta" gatekeeper="z z:1"/>'
        '<entry name="Beta" gatekeeper="b b:1"/></entries></glidein>'
    )
    (tmp_path / "config.d" / "20-other.xml").write_text(
        '<glidein><entries><entry name="Alpha" gatekeeper="other other:9619" trust_domain="X"/></entries></glidein>'
    )
    policy = factory(path)
    assert policy.loop_delay == 17
    assert [(e.name, e.gatekeeper) for e in policy.entries] == [
        ("Alpha", "other other:9619"),
        ("Zeta", "z z:1"),
        ("Beta", "b b:1"),
    ]


def test_an_error_of_config_d_names_that_file(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    extra = tmp_path / "config.d" / "x.xml"
    extra.parent.mkdir()
    extra.write_text('<glidein>\n<entries>\n<entry name="Beta"/></entries></glidein>')
    with pytest.raises(InvalidConfig, match=rf"{extra}:3: entry\[Beta\]@gatekeeper: is required"):
        factory(path)


def test_logs_of_0_days_are_kept_for_ever(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    kinds = "<condor_logs/>", '<job_logs max_days="0"/>', '<summary_logs max_mbytes="0"/>'
    text = path.read_text().replace(
        "<stage ", f"<log_retention>{''.join(kinds)}</log_retention><stage ", 1
    )
    path.write_text(text)
    kept = factory(path).retention
    assert (kept["condor"].max_days, kept["condor"].max_mbytes) == (14, 100)
    log = RetainedFile(path, 1000 * DAY, 10**9)
    assert expired([log], kept["job"]) == [log], "its size still counts"
    assert not expired([log], replace(kept["job"], max_mbytes=kept["summary"].max_mbytes))


def test_our_own_options_lie_beside_the_file_and_are_checked(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.minimal.xml")
    (tmp_path / "gwms.toml").write_text("[factory]\nrequest_max_age = 77\n")
    assert factory(path).request_max_age == 77
    (tmp_path / "gwms.toml").write_text(
        "[frontend]\nrequest_maxage = 1\n[factory]\n# ours\nrequest_maxage = 77\n"
    )
    with pytest.raises(
        InvalidConfig, match=r"gwms\.toml:5: factory\.request_maxage: unknown option; did you mean"
    ):
        factory(path)
    (tmp_path / "gwms.toml").write_text('[frontend]\ntokens_dir = "tokens"\n')
    with pytest.raises(InvalidConfig, match=r"gwms\.toml:2: frontend\.tokens_dir: is not absolute"):
        frontend(place(tmp_path, "frontend.minimal.xml"))
    (tmp_path / "gwms.toml").write_text("[factor]\n")
    with pytest.raises(
        InvalidConfig, match=r"gwms\.toml: factor: unknown section; did you mean factory"
    ):
        factory(path)


def test_maximal_factory(tmp_path: Path) -> None:
    policy = factory(place(tmp_path, "factory.maximal.xml"))
    entries = {e.name: e for e in policy.entries}
    alpha = entries["Alpha"]
    assert alpha.limits == Limits(100, 20, 10)
    assert alpha.class_limits == {"cms_frontend:prod": Limits(25, 5, 2)}
    assert entries["Beta"].limits == Limits(5000, 1000, 500)
    assert alpha.attrs["GLIDEIN_Site"] == "Alpha_Site"
    assert entries["Both"].attrs["GLIDEIN_Site"] == "Both_Site"
    assert alpha.params["GLIDEIN_OVERLOAD_ENABLED"] == "20%"
    assert alpha.attrs["GLIDEIN_ProxyURL"] == "squid.example.org:3128"
    assert alpha.allow_frontends == ("cms_frontend:prod",)
    assert [a.name for a in alpha.submit_attrs] == ["+maxWallTime", "Request_GPUs"]
    assert [a.name for a in alpha.published_submit_attrs] == [
        "+Everywhere",
        "+maxWallTime",
        "Request_GPUs",
    ]
    assert [s.submit_file for s in entries["Both"].sub_entries] == [
        "job.North.condor",
        "job.South.condor",
    ]
    assert "Secret" not in alpha.attrs and "Secret" not in alpha.params
    assert alpha.params["GLIDEIN_Factory_Collector"] == "mon.example.org:9620"
    assert not entries["Gamma"].enabled


def test_schedds_are_spread_over_enabled_entries_and_kept(tmp_path: Path) -> None:
    path = place(tmp_path, "factory.maximal.xml")
    first = {e.name: e.schedd_name for e in factory(path).entries}
    assert sorted(first[n] for n in ("Alpha", "Beta", "Delta", "Both")) == 2 * [
        "one@wms.example.org"
    ] + 2 * ["two@wms.example.org"]
    swapped = {
        n: "two@wms.example.org" if s.startswith("one") else "one@wms.example.org"
        for n, s in first.items()
    }
    policy = build_factory(path, Problems(), previous=lambda _: swapped).policy
    assert isinstance(policy, FactoryPolicy)
    assert {e.name: e.schedd_name for e in policy.entries} == swapped
    gone = build_factory(
        path, Problems(), previous=lambda _: dict.fromkeys(first, "old@wms")
    ).policy
    assert isinstance(gone, FactoryPolicy)
    assert {e.name: e.schedd_name for e in gone.entries} == first


def test_maximal_frontend(tmp_path: Path) -> None:
    policy = frontend(place(tmp_path, "frontend.maximal.xml"))
    main, off = policy.groups
    assert (
        policy.pilot_collectors
        == "pool.example.org:9620-9640;pool2.example.org:9618?sock=collector1-5"
    )
    assert policy.pilot_ccbs == "ccb.example.org:9618;ccb2.example.org:9618-9620"
    assert policy.monitoring_url == "http://fe.example.org/mon"
    assert (main.security_name, off.security_name) == ("Max_VO_main", "Max_VO")
    assert (main.limits.ramp_up_attenuation, off.limits.ramp_up_attenuation) == (4, 2)
    assert (main.ignore_down_entries, off.ignore_down_entries) == (False, True)
    assert (main.idtoken_lifetime, off.idtoken_lifetime) == (6 * 3600, 12 * 3600)
    assert main.params["Base"] == "bgroup" and off.params["Base"] == "bt"
    assert [c.absfname.rpartition("/")[2] for c in off.credentials] == [
        "ce.scitoken",
        "plain.txt",
        "pool01",
        "pool03",
        "pool04",
    ]
    assert (
        main.credentials[0].trust_domain == "special"
        and main.credentials[0].security_class == "group_main"
    )
    assert main.job_query == "(JobUniverse==5) && (Load < 1.0)"
    assert main.match[0].text.startswith("glidein")
    assert main.match[0].origin.startswith(str(tmp_path / "frontend.maximal.xml:"))
    assert {a.name: a.type for a in main.job_attrs} == {
        "DESIRED_Sites": "string",
        "Slow": "bool",
        "Load": "real",
        "RequestCpus": "int",
    }
    assert (
        policy.high_availability is not None
        and policy.high_availability.master == "master_frontend"
    )


def test_tracking_is_off_where_the_file_says_so(tmp_path: Path) -> None:
    path = place(tmp_path, "frontend.maximal.xml")
    path.write_text(
        path.read_text().replace('requests_tracking="True"', 'requests_tracking="False"')
    )
    assert not frontend(path).groups[0].limits.removal.tracking
    (tmp_path / "gwms.toml").write_text("[frontend]\nstrict_deployed_numbers = true\n")
    assert all(g.limits.removal.tracking for g in frontend(path).groups)


def test_a_frontend_file_of_3_11(tmp_path: Path) -> None:
    problems = Problems()
    policy = build_frontend(place(tmp_path, "frontend.v311.xml"), problems).policy
    assert isinstance(policy, FrontendPolicy)
    assert [str(p) for p in problems.found] == []
    (group,) = policy.groups
    assert group.selection_plugin == "CredentialsBasic"
    assert [(c.type, c.generator) for c in group.credentials] == [
        ("scitoken", ""),
        ("grid_proxy", ""),
        ("auth_file", ""),
        ("scitoken", "SciTokenGenerator"),
    ]
    assert {(c.project_id, c.vm_id) for c in group.credentials} == {("TG-2", "ami-1")}


@pytest.mark.parametrize("word", ["", "None"])
def test_a_number_that_is_not_given_has_its_default(word: str, tmp_path: Path) -> None:
    change = ("<security>", f'<security idtoken_lifetime="{word}">')
    with_word = frontend(place(tmp_path, "frontend.minimal.xml", change)).groups[0]
    assert (
        with_word.idtoken_lifetime
        == frontend(place(tmp_path, "frontend.minimal.xml")).groups[0].idtoken_lifetime
    )


def test_an_empty_start_expression_lets_jobs_start(tmp_path: Path) -> None:
    path = place(tmp_path, "frontend.minimal.xml", ("<match>", '<match start_expr="">'))
    path.write_text(
        path.read_text().replace('name="main"/>', 'name="main"><match start_expr=" "/></group>')
    )
    for tree, name in zip(
        build_frontend(path, Problems()).trees, ("Start", "Group_Start"), strict=True
    ):
        constants = next(
            b.read().decode() for n, b in tree.files.items() if n.startswith("constants.")
        )
        assert read_pairs(constants)[f"GLIDECLIENT_{name}"] == "True"
