"""One entry: its resolved policy and its staged tree (config 2.7, 2.8, 4, 8)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from glideinwms.creation.build.attribute_placement import Placed, place_factory
from glideinwms.creation.build.stage_files import (
    PilotFiles,
    Tables,
    blacklist,
    expanded,
    unique,
    user_items,
)
from glideinwms.creation.xml.expand import Unexpandable, expand
from glideinwms.creation.xml.factory_model import (
    BareEntry,
    ClassLimits,
    Entry,
    EntryConfig,
    EntrySet,
    Factory,
    JobLimits,
)
from glideinwms.creation.xml.problems import Problems, Where
from glideinwms.factory.policy import EntryPolicy, Limits, StageTriple, SubEntry, SubmitAttribute
from glideinwms.lib.stage.blobs import Blob
from glideinwms.lib.stage.formats import VariableRow
from glideinwms.lib.stage.tree import Item, Tree, build

Value = str | int | float | bool
LEGACY_TYPES = ("cream", "nordugrid")


@dataclass(frozen=True, slots=True)
class SharedSettings:
    """What all entries of a Factory share while it is resolved."""

    factory: Factory
    placed: Placed
    pilot: PilotFiles
    blobs: dict[str, Blob]
    url: str
    problems: Problems
    packed: dict[Path, Blob] = field(default_factory=dict)


def name_of(entry: Entry | EntrySet) -> str:
    """The entry's name; a set's is its alias."""
    return entry.alias if isinstance(entry, EntrySet) else entry.name


def subs_of(entry: Entry | EntrySet) -> tuple[BareEntry, ...]:
    """The CEs behind an entry."""
    return entry.entries if isinstance(entry, EntrySet) else (entry,)


def runs(entry: Entry | EntrySet) -> bool:
    """Whether pilots are submitted: not if it is disabled, or HTCondor no longer has the grid type
    of any CE.
    """
    return entry.enabled and not all(map(_is_legacy, subs_of(entry)))


def _is_legacy(sub: BareEntry) -> bool:
    return sub.gridtype.partition(" ")[0] in LEGACY_TYPES


def resolve(
    entry: Entry | EntrySet, schedd: str, shared: SharedSettings
) -> tuple[EntryPolicy, Tree]:
    """Policy and tree; problems go to `shared.problems`."""
    placed = _placed(entry, shared)
    values: dict[str, Value] = {
        **shared.placed.attrs,
        **shared.placed.params,
        **shared.placed.consts,
    }
    values |= {**placed.consts, **placed.attrs, **placed.params}
    subject = f"entry[{name_of(entry)}]"

    def word(text: str) -> str:
        return _expanded(text, values, entry.where, subject, shared)

    first = subs_of(entry)[0]
    # a newline in one is an error that factory_checks has named
    forced = {
        k: re.sub(r"[\r\n]", " ", str(v)) for k, v in _forced(first, entry.config, word).items()
    }
    placed.attrs |= forced
    placed.consts |= forced
    _expand_all(placed, word)
    tree = _tree(entry, placed, shared)
    policy = _policy(entry, schedd, word, placed, tree, shared)
    return policy, tree


def _expanded(
    text: str, values: Mapping[str, Value], where: Where, subject: str, shared: SharedSettings
) -> str:
    if not shared.factory.enable_attribute_expansion or "$" not in text:
        return text
    try:
        return expand(text, values)
    except Unexpandable as error:
        shared.problems.error(where, subject, f"{text!r} cannot be expanded: {error}")
        return text


def _expand_all(placed: Placed, word: Callable[[str], str]) -> None:
    for table in placed.tables:
        for name, value in table.items():
            if isinstance(value, str) and "$" in value:
                table[name] = word(value)


def _placed(entry: Entry | EntrySet, shared: SharedSettings) -> Placed:
    mine = place_factory(entry.attrs, {}, shared.problems)
    _override(entry, mine, shared)
    if shared.factory.enable_attribute_expansion:
        _adopt(mine, shared.placed)
    return mine


def _override(entry: Entry | EntrySet, mine: Placed, shared: SharedSettings) -> None:
    """Put the entry's value also where the global one stands, if only one of the two is a constant:
    pilots and Frontends must not read the global value there.
    """
    const_of = {a.name: a.const for a in shared.factory.attrs}
    for attr in entry.attrs:
        if const_of.get(attr.name, attr.const) == attr.const:
            continue
        tables = (mine.attrs, mine.params, mine.consts)
        value = next((t[attr.name] for t in tables if attr.name in t), None)
        for own, everywhere in zip(tables, shared.placed.tables, strict=True):
            if attr.name in everywhere and value is not None:
                own.setdefault(attr.name, value)


def _adopt(mine: Placed, shared: Placed) -> None:
    """Global attributes with references are resolved where they are used: in each entry (config 8)."""
    for here, there in zip(mine.tables, shared.tables, strict=True):
        for name, value in there.items():
            if isinstance(value, str) and "$" in value:
                here.setdefault(name, value)


def _forced(first: BareEntry, config: EntryConfig, word: Callable[[str], str]) -> dict[str, Value]:
    """The system's attributes of an entry, which override the operator's (config 4)."""
    auth = first.auth_method
    out: dict[str, Value] = {
        "GLIDEIN_Gatekeeper": word(first.gatekeeper),
        "GLIDEIN_GridType": first.gridtype,
        "GLIDEIN_REQUIRE_VOMS": str(config.restrictions.require_voms_proxy),
        "GLIDEIN_TrustDomain": word(first.trust_domain),
        "GLIDEIN_SupportedAuthenticationMethod": auth,
        "GLIDEIN_SlotsLayout": config.submit.slots_layout,
        "GLIDEIN_WorkDir": word(first.work_dir),
        "GLIDEIN_Verbosity": first.verbosity,
    }
    if first.rsl:
        out["GLIDEIN_GlobusRSL"] = word(first.rsl)
    if first.gridtype.startswith("batch"):
        out["GLIDEIN_BoscoDir"] = first.bosco_dir
    if first.proxy_url:
        out["GLIDEIN_ProxyURL"] = word(first.proxy_url)
    return out


def _tree(entry: Entry | EntrySet, placed: Placed, shared: SharedSettings) -> Tree:
    voms = VariableRow("GLIDEIN_REQUIRE_VOMS", "I", "False", export=True, job_name="+")
    tables = Tables(placed.consts, [*placed.vars.values(), voms])
    own = user_items(entry.files, tables, shared.blobs, shared.problems)
    body = expanded(shared.pilot, "entry", "file_list", tables, {"constants": []})
    rows: list[Item] = [*tables.items(), blacklist(), *body, *own]
    return build(
        f"entry_{name_of(entry)}", unique({"file_list": rows}, entry.files, shared.problems)
    )


def _limits(limits: JobLimits | ClassLimits, divisor: int) -> Limits:
    return Limits(limits.glideins // divisor, limits.idle // divisor, limits.held // divisor)


def _policy(
    entry: Entry | EntrySet,
    schedd: str,
    word: Callable[[str], str],
    placed: Placed,
    tree: Tree,
    shared: SharedSettings,
) -> EntryPolicy:
    first, config, jobs = subs_of(entry)[0], entry.config, entry.config.max_jobs
    divisor = jobs.num_factories or shared.factory.submit.num_factories
    lines = [SubmitAttribute(a.name, a.value, a.all_grid_types) for a in config.submit.submit_attrs]
    published = {
        a.name: SubmitAttribute(a.name, a.value) for a in shared.factory.submit.submit_attrs
    }
    published |= {a.name: a for a in lines}
    system: dict[str, Value] = dict(DEFAULT_PARAMS)
    return EntryPolicy(
        name=name_of(entry),
        enabled=runs(entry),
        schedd_name=schedd,
        gatekeeper=word(first.gatekeeper),
        gridtype=first.gridtype,
        auth_method=first.auth_method,
        trust_domain=word(first.trust_domain),
        stage=StageTriple(f"{shared.url}/{tree.subdir}", tree.descript, tree.sign, tree.sign256),
        limits=_limits(jobs.per_entry, divisor),
        class_default=_limits(jobs.default_per_frontend, divisor),
        class_limits={p.name: _limits(p, divisor) for p in jobs.per_frontends},
        attrs={**shared.placed.attrs, **placed.attrs},
        params={**system, **shared.placed.params, **placed.params},
        submit_attrs=tuple(lines),
        published_submit_attrs=tuple(published.values()),
        sub_entries=_subs(entry, word),
        selection_algorithm=config.entry_selection.algorithm_name
        if isinstance(entry, EntrySet)
        else "",
        allow_frontends=tuple(f"{a.name}:{a.security_class}" for a in entry.allow_frontends),
        work_dir=word(first.work_dir),
        verbosity=first.verbosity,
        rsl=word(first.rsl),
        proxy_url=word(first.proxy_url),
        bosco_dir=first.bosco_dir,
        vm_id=first.vm_id,
        vm_type=first.vm_type,
        slots_layout=config.submit.slots_layout,
        stale_idle=config.stale_age.idle,
        stale_running=config.stale_age.running,
        submit_cluster_size=config.submit.cluster_size,
        submit_max_per_cycle=config.submit.max_per_cycle,
        submit_sleep=config.submit.sleep,
        remove_max_per_cycle=config.remove.max_per_cycle,
        release_max_per_cycle=config.release.max_per_cycle,
    )


DEFAULT_PARAMS: Mapping[str, str] = {
    "GLIDEIN_Report_Failed": "NEVER",
    "CONDOR_OS": "default",
    "CONDOR_ARCH": "default",
    "CONDOR_VERSION": "default",
    "GLIDEIN_Collector": "Fake",
}


def _subs(entry: Entry | EntrySet, word: Callable[[str], str]) -> tuple[SubEntry, ...]:
    plain = isinstance(entry, Entry)
    return tuple(
        SubEntry(
            name=s.name,
            gatekeeper=word(s.gatekeeper),
            gridtype=s.gridtype,
            submit_file="job.condor" if plain else f"job.{s.name}.condor",
            rsl=word(s.rsl),
            bosco_dir=s.bosco_dir,
            vm_id=s.vm_id,
            vm_type=s.vm_type,
            work_dir=word(s.work_dir),
            proxy_url=word(s.proxy_url),
        )
        for s in subs_of(entry)
        if plain or (s.enabled and not _is_legacy(s))
    )
