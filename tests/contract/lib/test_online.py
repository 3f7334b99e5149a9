"""What `validate --online` hears of collectors, in memory and from real ones."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from glideinwms.creation.checks import online_pools
from glideinwms.creation.reconfig.run import build
from glideinwms.creation.xml.problems import Problems
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.htc import quoted
from glideinwms.lib.wire import GlideClient, GlideFactory
from tests.contract.lib.condor_targets import FACTORY, FRONTEND, CondorTarget, ask, wait_for
from tests.support.configs import place


def send(target: CondorTarget, ad: Any, identity: str) -> None:
    ask(
        target.pool(identity),
        htc.advertise,
        collector=target.collector,
        ads=[ad.to_ad()],
        command=ad.KIND.update,
    )
    named = f"(GlideinMyType =?= {quoted(ad.KIND.my_type)}) && (Name =?= {quoted(ad.name)})"
    look = lambda: ask(target.pool(), htc.query_ads, collector=target.collector, constraint=named)  # noqa: E731
    wait_for(target, ad.name, look, bool)


def said(path: Path, side: str, target: CondorTarget) -> list[str]:
    problems = Problems()
    built = build(path, side, problems)
    problems.found.clear()
    online_pools.check(
        built.policy, path, problems, target.pool(FACTORY if side == "factory" else FRONTEND)
    )
    return [str(p).partition(": ")[2].partition(": ")[2] for p in problems.warnings]


def frontend(directory: Path, target: CondorTarget, tag: str, node: str = "") -> Path:
    """A file whose group asks the entries with our tag, and matches by two attributes of theirs."""
    path = place(directory, "frontend.minimal.xml")
    text = path.read_text().replace(
        'node="factory.example.org"', f'node="{node or target.collector}"'
    )
    text = text.replace("pool.example.org:9618", target.collector)
    query = f'<factory query_expr="Tag =?= &quot;{tag}&quot;"><match_attrs><match_attr name="GLIDEIN_Site"/>'
    text = text.replace("<factory>", f'{query}<match_attr name="GLIDEIN_Sitee"/></match_attrs>')
    path.write_text(text)
    return path


def entry(tag: str) -> GlideFactory:
    return GlideFactory(
        name=f"E@i{tag}@F",
        factory_name="F",
        glidein_name=f"i{tag}",
        entry_name="E",
        in_downtime=False,
        params={},
        monitor={},
        config={},
        submit={},
        attrs={"GLIDEIN_Site": "s", "Tag": tag},
        key_id="k",
        key_type="RSA",
        key_pem="",
    )


def test_a_frontend_hears_who_publishes_and_as_whom_it_is_seen(
    target: CondorTarget, tmp_path: Path
) -> None:
    tag = uuid.uuid4().hex[:8]
    path = frontend(tmp_path, target, tag)
    text = path.read_text()
    assert FACTORY not in text and FRONTEND not in text
    (nobody,) = said(path, "frontend", target)
    assert "no entry of its fits factory@query_expr" in nobody
    send(target, entry(tag), FACTORY)
    found = said(path, "frontend", target)
    assert len(found) == 2 and f"is not who the collector sees: {FACTORY}" in found[0]
    assert (
        "no entry that group main may use publishes GLIDEIN_Sitee; did you mean GLIDEIN_Site?"
        in found[1]
    )


def test_a_collector_that_is_not_there_is_one_warning(target: CondorTarget, tmp_path: Path) -> None:
    path = frontend(tmp_path, target, "none", node="127.0.0.1:9")
    (found,) = said(path, "frontend", target)
    assert "127.0.0.1:9 does not answer" in found and "collector[127.0.0.1:9]" in found


def test_a_factory_hears_of_unknown_schedds_and_frontends(
    target: CondorTarget, tmp_path: Path
) -> None:
    path = place(
        tmp_path,
        "factory.minimal.xml",
        ("<glidein ", f'<glidein factory_collector="{target.collector}" '),
    )
    client = f"c{uuid.uuid4().hex[:8]}.main"
    name = f"E@i@F@{client}"
    send(
        target,
        GlideClient(
            name=name,
            client_name=client,
            req_name="E@i@F",
            req_glidein="E@i@F",
            idle=1,
            max_glideins=1,
            params={},
            enc_params={},
        ),
        FRONTEND,
    )
    found = said(path, "factory", target)
    assert any("the collector knows no schedd schedd_glideins1@localhost" in f for f in found)
    assert any(f"asks as {FRONTEND}, which is the identity of no frontend" in f for f in found)
    good = path.read_text().replace("vo@fe.example.org", FRONTEND)
    path.write_text(good.replace("<glidein ", f'<glidein schedd_name="{target.schedd.name}" ', 1))
    assert not said(path, "factory", target)
