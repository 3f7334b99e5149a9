"""The Frontend's file resolved: FrontendPolicy and the trees of the main part and every group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from glideinwms import __version__
from glideinwms.creation.build import frontend_policy_files
from glideinwms.creation.build.attribute_placement import Placed, Value, place_frontend
from glideinwms.creation.build.frontend_credentials import credentials_of, generators_dir
from glideinwms.creation.build.frontend_match import folded, law_of
from glideinwms.creation.build.frontend_policy_files import Declared
from glideinwms.creation.build.frontend_trees import group_tree, main_tree
from glideinwms.creation.build.resolved import Built
from glideinwms.creation.build.stage_files import GLIDEIN, load_pilot
from glideinwms.creation.checks import domains, frontend_checks, frontend_values
from glideinwms.creation.xml import gwms_toml, nodes, source
from glideinwms.creation.xml.common_model import process_retention
from glideinwms.creation.xml.elements import load
from glideinwms.creation.xml.expand import Unexpandable, expand
from glideinwms.creation.xml.frontend_model import Frontend, Group, TotalRunning, TotalSlots
from glideinwms.creation.xml.problems import InvalidConfig, Problems, Where
from glideinwms.frontend.policy import (
    SCHEMA,
    FrontendPolicy,
    GroupLimits,
    GroupPolicy,
    HaPolicy,
    MaxCurb,
    RemovalPolicy,
    StageTriple,
    WmsPool,
)
from glideinwms.lib.stage.blobs import Blob
from glideinwms.lib.stage.tree import Tree

HOUR = 3600
SINGULARITY = "GLIDEIN_Singularity_Use"


def read(path: Path, problems: Problems) -> Frontend:
    """The typed file without what `problems` says is wrong; InvalidConfig if nothing is left.
    Unknown names are errors, as deployed (config 15).
    """
    node = source.parse(path, problems=problems)
    if node.tag != "frontend":
        problems.error(node.where, node.tag, "the root element of a Frontend's file is frontend")
    domains.check(node, problems)
    frontend = load(node, Frontend, problems, strict=True)
    if frontend is None:
        raise InvalidConfig(problems.errors)
    return frontend


def build_frontend(path: Path, problems: Problems, *, glidein: Path = GLIDEIN) -> Built:
    """Resolve the file at `path`. InvalidConfig names all errors."""
    frontend = folded(read(path, problems), problems)
    options = gwms_toml.load(path, gwms_toml.FrontendOwn, problems)
    frontend_checks.check(frontend, problems)
    frontend_values.signing_keys(frontend, Path(options.passwords_dir), problems)
    pilot = load_pilot(glidein)
    sub = f"/frontend_{frontend.frontend_name}" if frontend.frontend_versioning else ""
    url = frontend.stage.web_base_url.rstrip("/") + sub
    blobs: dict[str, Blob] = {}
    shared = place_frontend(frontend.attrs, problems)
    declared = frontend_policy_files.tried(frontend, problems)
    groups, trees = [], []
    for group in frontend.groups:
        with problems.catching(group.where, f"group[{group.name}]"):
            placed = _overlaid(frontend, group, shared, problems)
            tree = group_tree(group, placed, pilot, blobs, problems)
            groups.append(_group(frontend, group, placed, tree, url, declared, problems))
            trees.append(tree)
    if options.strict_deployed_numbers:
        groups = [_always_tracking(g) for g in groups]
    main: Tree | None = None
    with problems.catching(frontend.where, "frontend"):
        main = main_tree(frontend, _expanded(frontend, shared, problems), pilot, blobs, problems)
    problems.check()
    assert main is not None
    policy = _policy(frontend, options, groups, main, url, sub)
    return Built(
        "frontend",
        policy,
        (main, *trees),
        {},
        _directories(policy),
        options.keep_generations,
        (path, path.parent / gwms_toml.NAME),
        (*map(Path, blobs), *(d.path for d in declared.values())),
    )


def _overlaid(frontend: Frontend, group: Group, shared: Placed, problems: Problems) -> Placed:
    """Global attributes under the group's, expanded where that is on."""
    mine = place_frontend(group.attrs, problems)
    named = set(mine.attrs)
    out = Placed(
        {**shared.attrs, **mine.attrs},
        {**{k: v for k, v in shared.params.items() if k not in named}, **mine.params},
        mine.consts,
        mine.vars,
    )
    return _expanded(frontend, out, problems)


def _expanded(frontend: Frontend, placed: Placed, problems: Problems) -> Placed:
    if not frontend.enable_attribute_expansion:
        return placed

    def table(values: dict[str, Value]) -> dict[str, Value]:
        return {k: _word(k, v, placed.attrs, places, problems) for k, v in values.items()}

    everyone = (*frontend.attrs, *(a for g in frontend.groups for a in g.attrs))
    places = {a.name: a.where for a in everyone if "$" in a.value}

    return replace(
        placed, attrs=table(placed.attrs), params=table(placed.params), consts=table(placed.consts)
    )


def _word(
    name: str, value: Value, values: dict[str, Value], places: dict[str, Where], problems: Problems
) -> Value:
    if not isinstance(value, str) or "$" not in value:
        return value
    try:
        return expand(value, values)
    except Unexpandable as error:
        problems.error(
            places[name], f"attr[{name}]@value", f"{value!r} cannot be expanded: {error}"
        )
        return value


def _group(
    frontend: Frontend,
    group: Group,
    placed: Placed,
    tree: Tree,
    url: str,
    declared: Mapping[str, Declared],
    problems: Problems,
) -> GroupPolicy:
    law = law_of(frontend, group, str(placed.attrs.get(SINGULARITY, "")), declared, problems)
    g, p = frontend.security, group.security
    collectors = [*frontend.match.factory.collectors, *group.match.factory.collectors]
    schedds = [s.fullname for s in (*frontend.match.job.schedds, *group.match.job.schedds)]
    lifetime = p.idtoken_lifetime or g.idtoken_lifetime or 24
    ignore = group.config.ignore_down_entries
    plugin = p.proxy_selection_plugin or g.proxy_selection_plugin or "ProxyAll"
    return GroupPolicy(
        name=group.name,
        enabled=group.enabled,
        security_name=p.security_name or g.security_name or frontend.frontend_name,
        stage=StageTriple(f"{url}/{tree.subdir}", tree.descript, tree.sign, tree.sign256),
        match=law.match,
        policy_files=law.policy_files,
        job_query=law.job_query,
        factory_query=law.factory_query,
        start_expr=law.start_expr,
        job_attrs=law.job_attrs,
        factory_attrs=law.factory_attrs,
        schedds=tuple(dict.fromkeys(schedds)),
        wms_pools=tuple(
            dict.fromkeys(WmsPool(c.node, c.factory_identity, c.my_identity) for c in collectors)
        ),
        credentials=credentials_of(frontend, group, problems),
        params=dict(placed.params),
        attrs=dict(placed.attrs),
        limits=_limits(frontend, group),
        selection_plugin="ProxyAll" if plugin in frontend_checks.DROPPED_PLUGINS else plugin,
        ignore_down_entries=frontend.config.ignore_down_entries if ignore is None else ignore,
        idtoken_lifetime=lifetime * HOUR,
        idtoken_keyname=p.idtoken_keyname or g.idtoken_keyname or "FRONTEND",
    )


def _pair(pair: TotalSlots | TotalRunning) -> MaxCurb:
    return MaxCurb(pair.max, pair.curb)


def _limits(frontend: Frontend, group: Group) -> GroupLimits:
    """The throttles of a group. A group that gives no ramp_up_attenuation has the global one, as
    documented.
    """
    c = group.config
    attenuation = (
        c.ramp_up_attenuation
        if c.ramp_up_attenuation is not None
        else frontend.config.ramp_up_attenuation
    )
    removal = c.glideins_removal
    return GroupLimits(
        max_running=c.running_glideins_per_entry.max,
        min_running=c.running_glideins_per_entry.min,
        relative_to_queue=c.running_glideins_per_entry.relative_to_queue,
        max_idle=c.idle_glideins_per_entry.max,
        reserve_idle=c.idle_glideins_per_entry.reserve,
        idle_lifetime=c.idle_glideins_lifetime.max,
        idle_vms_per_entry=MaxCurb(c.idle_vms_per_entry.max, c.idle_vms_per_entry.curb),
        running_total=_pair(c.running_glideins_total),
        idle_vms_total=_pair(c.idle_vms_total),
        ramp_up_attenuation=attenuation,
        min_memory=c.partitionable_glidein.min_memory,
        removal=RemovalPolicy(
            removal.type, removal.wait, removal.requests_tracking, removal.margin
        ),
    )


def _always_tracking(group: GroupPolicy) -> GroupPolicy:
    """The deployed program takes requests_tracking for true, whatever it says (protocol 9.4/43)."""
    return replace(
        group, limits=replace(group.limits, removal=replace(group.limits.removal, tracking=True))
    )


def _collectors(frontend: Frontend) -> str:
    return nodes.joined((c.group, c.node, c.secondary) for c in frontend.collectors)


def _policy(
    frontend: Frontend,
    options: gwms_toml.FrontendOwn,
    groups: list[GroupPolicy],
    main: Tree,
    url: str,
    sub: str,
) -> FrontendPolicy:
    ha, config = frontend.high_availability, frontend.config
    monitor = frontend.monitor.web_base_url or frontend.stage.web_base_url.replace(
        "stage", "monitor"
    )
    return FrontendPolicy(
        schema=SCHEMA,
        generation="",
        version=__version__,
        frontend_name=frontend.frontend_name,
        work_dir=frontend.work.base_dir + sub,
        stage_dir=frontend.stage.base_dir + sub,
        log_dir=frontend.work.base_log_dir + sub,
        monitoring_url=monitor.rstrip("/") + sub,
        user_collector=options.user_collector
        or next((c.node for c in frontend.collectors if not c.secondary), ""),
        pilot_collectors=_collectors(frontend),
        pilot_ccbs=nodes.joined((c.group, c.node, False) for c in frontend.ccbs),
        passwords_dir=options.passwords_dir,
        tokens_dir=options.tokens_dir,
        stage=StageTriple(url, main.descript, main.sign, main.sign256),
        groups=tuple(groups),
        running_total=_pair(config.running_glideins_total),
        idle_vms_total=_pair(config.idle_vms_total),
        running_total_global=_pair(config.running_glideins_total_global),
        idle_vms_total_global=_pair(config.idle_vms_total_global),
        loop_delay=frontend.loop_delay,
        advertise_tcp=frontend.advertise_with_tcp,
        downtimes_file=frontend.downtimes_file,
        high_availability=HaPolicy(ha.ha_frontends[0].frontend_name, ha.check_interval)
        if ha.enabled
        else None,
        job_max_age=options.job_max_age,
        slot_max_age=options.slot_max_age,
        factory_max_age=options.factory_max_age,
        strict_deployed_numbers=options.strict_deployed_numbers,
        log_retention=process_retention(frontend.log_retention.process_logs),
        generators_dir=generators_dir(frontend.where),
    )


def _directories(policy: FrontendPolicy) -> dict[Path, int]:
    """Work and log areas; keys and tokens are private."""
    work = Path(policy.work_dir)
    return {
        work: 0o750,
        work / "state": 0o750,
        Path(policy.log_dir): 0o750,
        Path(policy.tokens_dir): 0o700,
    }
