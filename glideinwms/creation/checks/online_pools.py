"""What collectors say of a configuration: who answers, as whom peers are seen there, what is published (protocol 1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from glideinwms.creation.build.frontend_match import IMPLICIT_FACTORY
from glideinwms.creation.xml.problems import Problems, Where, did_you_mean
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.frontend.collect.queries.factory_ads import IDENTITY, entries_constraint, expanded
from glideinwms.frontend.policy import FrontendPolicy, GroupPolicy, WmsPool
from glideinwms.lib.condor.calls import Call, CallResult, Workers, call
from glideinwms.lib.condor.htc import locate_schedds, query_ads, quoted

DEADLINE = 20.0
Ads = Sequence[dict[str, Any]]


def check(
    policy: FactoryPolicy | FrontendPolicy, xml: Path, problems: Problems, pool: Workers
) -> None:
    """Ask every collector that is named; what cannot be asked is one warning for each collector."""
    where = Where(str(xml), 0)
    if isinstance(policy, FactoryPolicy):
        _factory(policy, where, problems, pool)
    else:
        _frontend(policy, where, problems, pool)


def _query(
    collector: str,
    constraint: str = "true",
    projection: Sequence[str] | None = None,
    ad_type: str = "Any",
) -> Call[list[dict[str, Any]]]:
    return call(
        collector or "local collector",
        query_ads,
        collector=collector,
        constraint=constraint,
        projection=projection,
        ad_type=ad_type,
    ).within(DEADLINE)


def _ads(
    answer: CallResult[list[dict[str, Any]]], what: str, where: Where, problems: Problems
) -> Ads | None:
    """The ads, None with a warning if there is no answer."""
    if answer.error is None:
        return list(answer.value)
    hint = answer.error.hint or "is it up, and does it know our token? condor_ping says more"
    problems.warn(
        where, what, f"{answer.call.endpoint} does not answer: {answer.error.message}", hint
    )
    return None


def _factory(policy: FactoryPolicy, where: Where, problems: Problems, pool: Workers) -> None:
    what = "glidein@factory_collector"
    clients = '(GlideinMyType=?="glideclient")'
    names = ["ClientName", IDENTITY]
    schedds, asking = pool.run(
        [
            call(
                policy.collector or "local collector", locate_schedds, collector=policy.collector
            ).within(DEADLINE),
            _query(policy.collector, constraint=clients, projection=names),
        ]
    )
    if (found := _ads(schedds, what, where, problems)) is None:
        return
    there = {str(ad.get("Name")) for ad in found}
    for name in sorted({e.schedd_name for e in policy.entries if e.enabled} - there - {""}):
        problems.warn(
            where,
            "glidein@schedd_name",
            f"the collector knows no schedd {name}",
            did_you_mean(name, there),
        )
    known = {f.identity for f in policy.frontends}
    strangers = {
        str(ad.get(IDENTITY)): str(ad.get("ClientName"))
        for ad in _ads(asking, what, where, problems) or ()
    }
    for identity in sorted(set(strangers) - known):
        text = f"{strangers[identity]} asks as {identity}, which is the identity of no frontend"
        problems.warn(where, "security/frontend@identity", text, did_you_mean(identity, known))


def _frontend(policy: FrontendPolicy, where: Where, problems: Problems, pool: Workers) -> None:
    groups = [g for g in policy.groups if g.enabled]
    rows = [(g, p) for g in groups for p in g.wms_pools]
    calls = [_query(policy.user_collector, projection=["Name"], ad_type="Collector")]
    for group, wms in rows:
        query = entries_constraint(expanded(group.factory_query, group.attrs))
        ours = f'(GlideinMyType=?="glideclient") && (ClientName=?={quoted(f"{policy.frontend_name}.{group.name}")})'
        calls += [
            _query(wms.node, constraint=query),
            _query(wms.node, constraint=ours, projection=["Name", IDENTITY]),
        ]
    answers = pool.run(calls)
    _ads(answers[0], "collectors", where, problems)
    published: dict[str, set[str]] = {}
    for (group, wms), theirs, mine in zip(rows, answers[1::2], answers[2::2], strict=True):
        subject = f"group[{group.name}]/collector[{wms.node}]"
        if (entries := _ads(theirs, subject, where, problems)) is None:
            continue
        _identities(
            subject, wms, entries, _ads(mine, subject, where, problems) or (), where, problems
        )
        published.setdefault(group.name, set()).update(name for ad in entries for name in ad)
    for group in groups:
        if names := published.get(group.name):
            _published(group, names, where, problems)


def _identities(
    subject: str, wms: WmsPool, entries: Ads, mine: Ads, where: Where, problems: Problems
) -> None:
    """Ads of another identity than the one that is named are not used, on either side (protocol
    1.7).
    """
    if not entries:
        problems.warn(
            where,
            subject,
            "no entry of its fits factory@query_expr",
            "or the Factory does not run yet",
        )
    for name, wanted, ads in (
        ("factory_identity", wms.factory_identity, entries),
        ("my_identity", wms.my_identity, mine),
    ):
        seen = sorted({str(ad.get(IDENTITY)) for ad in ads})
        if seen and wanted not in seen:
            what = f"{wanted} is not who the collector sees: {', '.join(seen)}"
            problems.warn(where, f"{subject}@{name}", what, did_you_mean(wanted, seen))


def _published(group: GroupPolicy, names: Iterable[str], where: Where, problems: Problems) -> None:
    folded = {n.lower() for n in names}
    implicit = {n for n, _ in IMPLICIT_FACTORY}
    for attr in group.factory_attrs:
        if attr.name not in implicit and attr.name.lower() not in folded:
            what = f"no entry that group {group.name} may use publishes {attr.name}"
            problems.warn(
                where,
                f"group[{group.name}]/match_attr[{attr.name}]",
                what,
                did_you_mean(attr.name, names),
            )
