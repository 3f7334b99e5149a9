"""The Factory's file resolved: FactoryPolicy and the trees of main and every entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from glideinwms import __version__
from glideinwms.creation.build import cvmfsexec, tarballs
from glideinwms.creation.build.attribute_placement import place_factory
from glideinwms.creation.build.factory_entry import SharedSettings, name_of, resolve, runs, subs_of
from glideinwms.creation.build.resolved import Built
from glideinwms.creation.build.script_times import after_all
from glideinwms.creation.build.stage_files import (
    GLIDEIN,
    PilotFiles,
    Tables,
    expanded,
    gridmap,
    load_pilot,
    startup_with,
    unique,
    user_items,
)
from glideinwms.creation.checks import domains, factory_checks
from glideinwms.creation.reconfig.takeover import deployed_startup
from glideinwms.creation.xml import gwms_toml, nodes, source
from glideinwms.creation.xml.common_model import process_retention, retention
from glideinwms.creation.xml.elements import load
from glideinwms.creation.xml.factory_model import Entry, EntrySet, Factory
from glideinwms.creation.xml.problems import InvalidConfig, Problems
from glideinwms.factory.policy import (
    SCHEMA,
    EntryPolicy,
    FactoryPolicy,
    FrontendTrust,
    Guard,
    StageTriple,
)
from glideinwms.lib.stage.blobs import Blob
from glideinwms.lib.stage.tree import Tree, build

Previous = Callable[[Path], Mapping[str, str]]
LISTS = ("file_list", "precvmfs_file_list", "at_file_list", "after_file_list")


def read(
    path: Path, problems: Problems, *, strict: bool = False, raw: source.Read = Path.read_bytes
) -> Factory:
    """The typed file (config.d merged), without what `problems` says is wrong; InvalidConfig if
    nothing is left.
    """
    node = source.parse_factory(path, problems, raw)
    if node.tag != "glidein":
        problems.error(node.where, node.tag, "the root element of a Factory's file is glidein")
    domains.check(node, problems)
    factory = load(node, Factory, problems, strict=strict)
    if factory is None:
        raise InvalidConfig(problems.errors)
    return factory


def build_factory(
    path: Path,
    problems: Problems,
    *,
    previous: Previous = lambda work_dir: {},
    glidein: Path = GLIDEIN,
    raw: source.Read = Path.read_bytes,
) -> Built:
    """Resolve the file at `path`; `previous` gives, for the work area, the schedds that entries
    have. InvalidConfig names all errors.
    """
    factory = read(path, problems, raw=raw)
    options = gwms_toml.load(path, gwms_toml.FactoryOwn, problems)
    factory_checks.check(factory, problems)
    pilot = load_pilot(glidein)
    factory_checks.names(factory, (v.name for v in pilot.vars), problems)
    placed = place_factory(factory.attrs, {v.name: v for v in pilot.vars}, problems)
    sub = f"/glidein_{factory.glidein_name}" if factory.factory_versioning else ""
    url = factory.stage.web_base_url.rstrip("/") + sub
    blobs: dict[str, Blob] = {}
    shared = SharedSettings(factory, placed, pilot, blobs, url, problems)
    kept = previous(Path(factory.submit.base_dir + sub))
    entries: list[Entry | EntrySet] = [*factory.entries, *factory.entry_sets]
    schedds = assign_schedds(entries, tarballs.words(factory.schedd_name), kept)
    if collectors := _monitoring(factory):
        placed.params["GLIDEIN_Factory_Collector"] = collectors
    done = [
        found
        for e in entries
        if subs_of(e) and (found := _resolved(e, schedds[name_of(e)], shared))
    ]
    main: Tree | None = None
    with problems.catching(factory.where, "glidein"):
        main = _main_tree(
            factory, shared, problems, Path(factory.submit.base_dir + sub) / "tarballs"
        )
        # the probe and clouds fetch it under its plain name (protocol 6.1)
        deployed = deployed_startup(
            Path(factory.stage.base_dir + sub), Path(factory.submit.base_dir + sub)
        )
        startup = startup_with(deployed, glidein) if deployed else pilot.startup
        main = replace(main, plain={**main.plain, "glidein_startup.sh": startup})
    problems.check()
    assert main is not None
    policy = _policy(factory, options, [p for p, _ in done], main, url, sub, pilot)
    work = {policy.startup_script.rpartition("/")[2]: pilot.startup}
    work |= {f"tarballs/{p.name}": b for p, b in shared.packed.items()}
    return Built(
        "factory",
        policy,
        (main, *(t for _, t in done)),
        work,
        _directories(policy),
        options.keep_generations,
        (
            *source.inputs(path),
            path.parent / gwms_toml.NAME,
            *(d.path for d in cvmfsexec.wanted(factory)),
        ),
        (*map(Path, blobs), *tarballs.sources(factory.condor_tarballs)),
    )


def _resolved(
    entry: Entry | EntrySet, schedd: str, shared: SharedSettings
) -> tuple[EntryPolicy, Tree] | None:
    """An entry's policy and tree, or None with the reason in the problems."""
    with (
        shared.problems.catching(entry.where, f"entry[{name_of(entry)}]"),
        shared.problems.about(disabled=not entry.enabled),
    ):
        return resolve(entry, schedd, shared)
    return None


def assign_schedds(
    entries: list[Entry | EntrySet], schedds: list[str], previous: Mapping[str, str]
) -> dict[str, str]:
    """Entry -> schedd: what it has if still listed, else the one with the fewest enabled entries
    (config 2.1).
    """
    load_of = dict.fromkeys(schedds or [""], 0)
    out: dict[str, str] = {}
    for entry in entries:
        name = name_of(entry)
        if previous.get(name) in load_of:
            out[name] = previous[name]
            load_of[previous[name]] += runs(entry)
    for entry in entries:
        name = name_of(entry)
        if name not in out:
            out[name] = min(load_of, key=lambda s: load_of[s])
            load_of[out[name]] += runs(entry)
    return out


def _monitoring(factory: Factory) -> str:
    return nodes.joined((c.group, c.node, c.secondary) for c in factory.monitoring_collectors)


def _main_tree(factory: Factory, shared: SharedSettings, problems: Problems, cache: Path) -> Tree:
    pilot: PilotFiles = shared.pilot
    offered = [p for t in factory.condor_tarballs for p in tarballs.platforms(t)]
    consts: dict[str, object] = {f"CONDOR_PLATFORM_{p.name}": 0 for p in offered}
    consts |= _ready(shared.placed.consts, factory)
    tables = Tables(consts, [*pilot.vars, *shared.placed.vars.values()])
    tables.untar |= {
        r.item.outfile: r.untar_dir
        for r in pilot.files
        if r.tree == "main" and r.item and r.untar_dir
    }
    condor = (
        []
        if problems.errors
        else tarballs.items(factory.condor_tarballs, cache, shared.blobs, tables, shared.packed)
    )
    late = [after_all(f, problems) for f in factory.files]
    distributions = (
        [] if problems.errors else cvmfsexec.items(cvmfsexec.wanted(factory), shared.blobs, tables)
    )
    before = user_items(
        [f for f, x in zip(factory.files, late, strict=True) if not x],
        tables,
        shared.blobs,
        problems,
    )
    after = user_items(
        [f for f, x in zip(factory.files, late, strict=True) if x], tables, shared.blobs, problems
    )
    dns = {c.DN: f"fcollector{n}" for n, c in enumerate(factory.monitoring_collectors)}
    constants = [*tables.items(), gridmap(dns)]
    generated = {"constants": constants, "condor_tarballs": condor, "cvmfsexec": distributions}
    lists = {"file_list": expanded(pilot, "main", "file_list", tables, generated) + before}
    lists |= {name: expanded(pilot, "main", name, tables, {}) for name in LISTS[1:]}
    lists["after_file_list"] = after + lists["after_file_list"]
    return build("", unique(lists, factory.files, problems), pilot.ids)


def _ready(consts: Mapping[str, object], factory: Factory) -> dict[str, object]:
    if not factory.enable_attribute_expansion:
        return dict(consts)
    return {k: v for k, v in consts.items() if "$" not in str(v)}


def _policy(
    factory: Factory,
    options: gwms_toml.FactoryOwn,
    entries: list[EntryPolicy],
    main: Tree,
    url: str,
    sub: str,
    pilot: PilotFiles,
) -> FactoryPolicy:
    submit, security, logs = factory.submit, factory.security, factory.log_retention
    kinds = {"condor": logs.condor_logs, "job": logs.job_logs, "summary": logs.summary_logs}
    collector = (
        factory.factory_collector if factory.factory_collector not in ("None", "default") else ""
    )
    work = submit.base_dir + sub
    return FactoryPolicy(
        schema=SCHEMA,
        generation="",
        version=__version__,
        factory_name=factory.factory_name,
        glidein_name=factory.glidein_name,
        work_dir=work,
        stage_dir=factory.stage.base_dir + sub,
        log_dir=submit.base_log_dir + sub,
        client_log_dir=submit.base_client_log_dir,
        client_proxies_dir=submit.base_client_proxies_dir,
        collector=collector,
        startup_script=f"{work}/glidein_startup.{pilot.startup.sha256[:12]}.sh",
        startup_sha256=pilot.startup.sha256,
        stage=StageTriple(url, main.descript, main.sign, main.sign256),
        frontends=tuple(
            FrontendTrust(f.name, f.identity, {c.name: c.username for c in f.security_classes})
            for f in security.frontends
        ),
        entries=tuple(entries),
        loop_delay=factory.loop_delay,
        advertise_delay=factory.advertise_delay,
        advertise_tcp=factory.advertise_with_tcp,
        pilot_accounting=factory.advertise_pilot_accounting,
        recoverable_exitcodes=factory.recoverable_exitcodes,
        guard=Guard(
            options.guard_pilots, options.guard_least, options.guard_share, options.guard_window
        ),
        key_length=security.key_length,
        old_key_grace=security.reuse_oldkey_onstartup_gracetime,
        remove_old_cred_age=security.remove_old_cred_age * 86400.0,
        remove_old_cred_freq=security.remove_old_cred_freq * 3600.0,
        retention={k: retention(r) for k, r in kinds.items()}
        | {"process": process_retention(logs.process_logs)},
        request_max_age=options.request_max_age,
        keep_generations=options.keep_generations,
    )


def _directories(policy: FactoryPolicy) -> dict[Path, int]:
    """Work, log, and client directories per user: the owner's and the group's; credentials are
    private. Those per (user, entry) the daemon makes when it submits first: most pairs never meet.
    """
    out = dict.fromkeys(
        (Path(policy.work_dir), Path(policy.work_dir) / "state", Path(policy.log_dir)), 0o750
    )
    users = sorted({u for f in policy.frontends for u in f.usernames.values()})
    for base, mode in ((policy.client_log_dir, 0o750), (policy.client_proxies_dir, 0o700)):
        for user in users:
            glidein = Path(base) / f"user_{user}" / f"glidein_{policy.glidein_name}"
            out |= {glidein.parent: mode, glidein: mode}
    return out
