"""Fuzz targets of the Frontend: jobs, slots, Factories' ads, match expressions, credentials."""

from __future__ import annotations

import json
from typing import Any

from glideinwms.factory.pilot_history.completed_jobs_log import dates
from glideinwms.frontend.collect.queries import factory_ads, job_values, slots
from glideinwms.frontend.collect.queries.jobs import ClassCounts, fold_job
from glideinwms.frontend.credentials import loaded, pilot_tokens
from glideinwms.frontend.decide.match import builtins
from glideinwms.frontend.decide.match.cache import MatchCache
from glideinwms.frontend.decide.match.expression import conjuncts
from glideinwms.frontend.decide.match.matcher import match_rules, matcher
from glideinwms.frontend.policy import Expression
from glideinwms.frontend.snapshot import EntryState
from glideinwms.lib.errors import ConfigError, StateError, WireError
from glideinwms.lib.jsondata import to_json
from tests.fuzz.lib_targets import FACTORY_ADS, FOLDER, texts
from tests.fuzz.mutate import NUMBERS, TEXTS, changed_ad, changed_text, value
from tests.fuzz.tape import Choices
from tests.fuzz.target import target
from tests.support import hostile_values
from tests.unit.frontend import build_frontend

ME = "factory@wms.demo"
OURS = tuple({**ad, "AuthenticatedIdentity": ME} for ad in FACTORY_ADS)


@target(make=lambda c: changed_ad(c, OURS), allowed=(WireError,))
def factory_ad(ad: Any) -> None:
    for read in (factory_ads.entry, factory_ads.client, factory_ads.public_key):
        try:
            json.dumps(to_json(read(ad, ME)), allow_nan=False)
        except WireError:
            if read is factory_ads.public_key:
                raise
    skipped = factory_ads.Skipped()
    factory_ads.each("glidefactory", [ad], factory_ads.entry, ME, skipped)
    assert all(len(text) <= 200 for text in skipped.foreign | skipped.malformed)


@target(make=texts(build_frontend.KEY.public.pem), allowed=(WireError,), units=("\\", "\\n", "A"))
def factory_key(text: Any) -> None:
    ad = {"Name": "i@f", "PubKeyType": "RSA", "PubKeyValue": text, "AuthenticatedIdentity": ME}
    factory_ads.public_key(ad, ME)


_SLOT = {
    "Name": "slot1@glidein_1@node",
    "State": "Claimed",
    "Activity": "Busy",
    "Cpus": 4,
    "Memory": 4000,
    "TotalSlots": 2,
    "PartitionableSlot": True,
    "SlotType": "Partitionable",
    "TotalSlotCpus": 8,
    "ChildState": ["Claimed", "Unclaimed"],
    "ChildActivity": ["Busy", "Idle"],
    "ChildCpus": [1, 2],
    "ChildMemory": [100, 200],
    "GLIDEIN_Entry_Name": "A",
    "GLIDEIN_Name": "inst",
    "GLIDEIN_Factory": "factory",
    "GLIDECLIENT_Name": "fe.main",
    "GLIDECLIENT_ReqNode": "wms:9618",
    "GLIDEIN_CredentialIdentifier": "X",
    "GLIDEIN_Schedd": "schedd@host:9618",
    "TotalGpus": 0,
    "Gpus": 0,
    "IS_MONITOR_VM": False,
}


@target(make=lambda c: [changed_ad(c, (_SLOT,)), _SLOT, changed_ad(c, (_SLOT,))])
def machine_slots(ads: Any) -> None:
    folded = slots.fold(ads, "fe", {})
    json.dumps(to_json(folded), allow_nan=False)
    assert folded.everything.total >= 3
    assert sum(bucket.counts.total for bucket in folded.buckets) >= 3
    assert all(len(skipped.reason) <= 200 for skipped in folded.skipped)


_JOB = {
    "JobStatus": 1,
    "Wants": "x",
    "RequestCpus": 1,
    "EnteredCurrentStatus": 1_800_000_000,
    "ServerTime": 1_800_000_900,
    "JobCount": 3,
}


@target(make=lambda c: [changed_ad(c, (_JOB,)), _JOB])
def queued_jobs(ads: Any) -> None:
    classes: dict[Any, ClassCounts] = {}
    odd = job_values.Oddities()
    for ad in ads:
        fold_job(classes, ad, ("Wants", "RequestCpus", "A"), odd)
        assert job_values.jobs_of(ad) >= 0
        assert job_values.age_of(ad, 1_800_000_000.0, odd) >= 0
    json.dumps([list(values) for values in classes], allow_nan=False)
    assert all(len(item.reason) <= 200 for item in odd.summary())


_EXPRESSIONS = (
    'glidein["attrs"].get("GLIDEIN_Site") in job["DESIRED_Sites"].split(",")'
    ' and job.get("RequestCpus", 1) <= getGlideinCpusNum(glidein)',
    '(job.get("A") is None or not any(x in job["A"] for x in ["a", "b"])) and len(set(job["W"].split())) > 0',
    'int(job["RequestMemory"]) / 2 < float(glidein["attrs"]["M"]) and re.search("^a.*b$", job["W"]) and "%s" != "x"',
    'sorted([str(x) for x in range(3)])[0:2] == ["0", "1"] or {k: v for k, v in job.items()} != {}',
    'max(job["N"], 3) * 2 % 5 + abs(-1) >= round(1.5, 1) if job["N"] else attr_dict["F"].lower().replace("a", "b")',
)
_CODE = (
    "**",
    "//",
    "lambda x: x",
    "__class__",
    ".__class__",
    ".format(",
    "f'{job}'",
    ":=",
    "await ",
    "yield ",
    "*",
    "not ",
    " and ",
    " or ",
    " in ",
    " is ",
    "[0]",
    "[1:]",
    "[::2]",
    "()",
    "job",
    "glidein",
    "attr_dict",
    "range(1000)",
    '"a"*99',
    "10**9",
    "'%9999d'",
    ".join(",
    ".split()",
    "sum(",
    "for x in job",
    "for y in range(1000)",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "1",
    "1e999",
    "'",
    '"',
    ",",
    "lambda",
    ".get(",
    "key=str",
    "str(",
    "isinstance(",
    "sorted(",
    "re.match('(a|b)*', ",
    "\n",
    "#",
    "\\",
    "None",
    "True",
    "9" * 50,
)
_GROUP = build_frontend.group()


def _expression(choices: Choices) -> list[Any]:
    values = [choices.pick(TEXTS + NUMBERS) for _ in range(4)]
    return [changed_text(choices, _EXPRESSIONS, _CODE), *values]


@target(make=_expression, allowed=(ConfigError,), short=60, million=200_000)
def match_expression(item: Any) -> None:
    text, *values = item
    parts = conjuncts.__wrapped__(text, "here")
    wants, number, site, other = values
    job = {"DESIRED_Sites": wants, "A": wants, "W": other, "N": number, "RequestMemory": number}
    glidein = {
        "attrs": {"GLIDEIN_Site": site, "GLIDEIN_CPUS": site, "M": number},
        "params": {},
        "monitor": {},
    }
    for part in parts:
        builtins.begin()
        try:
            part.test(job, glidein, {"F": "x"})
        except Exception:  # noqa: BLE001 - whatever a value of a user makes of it
            # an expression that fails matches nothing; only its time and memory matter here
            continue


@target(
    make=lambda c: [
        changed_text(
            c,
            ("^a.*b$", "(?i)cms|atlas", r"\w{1,16}[-_]?", "(a+)+$", "[a-z]{2,}"),
            (*_CODE, "(", ")+", "*", "{1000}", "\\", "[", "?:", "|"),
        ),
        c.pick(TEXTS),
    ]
)
def regular_expression(item: Any) -> None:
    text, subject = item
    builtins.begin()
    try:
        builtins.SCOPE["_re_search"](text, subject)
    except (builtins.SizeBound, UnicodeEncodeError):
        return


@target(
    make=lambda c: {
        choices: value(c)
        for choices in ("GLIDEIN_CPUS", "GLIDEIN_ESTIMATED_CPUS", "GLIDEIN_Max_Walltime")
    }
)
def entry_numbers(attrs: Any) -> None:
    assert 0 <= builtins.cpus(attrs) < 2**31
    seconds = pilot_tokens.walltime(attrs)
    assert 0 <= seconds < 1e15


@target(make=texts("20261130", "20260229"), allowed=(StateError,), units=("2", "0", "\ud800"))
def day(text: Any) -> None:
    assert len(dates(text, 3)) == 3


@target(
    make=lambda c: [
        c.pick(("scitoken", "grid_proxy", "x")),
        changed_text(
            c,
            (
                *hostile_values.TOKENS.values(),
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            ),
        ),
    ]
)
def credential_file(item: Any) -> None:
    kind, text = item
    policy = build_frontend.CredentialPolicy("/tok", kind, "demo", "frontend", absfname="/tok")
    data = text.encode("utf-8", "surrogatepass")
    found = loaded.load(
        build_frontend.group(credentials=(policy,)), 1_800_000_000.0, lambda path: data
    )
    assert all(len(why) < 400 for why in found.unusable.values())


@target(
    make=lambda c: changed_text(c, ("VM_ID = ami-1\n", "vm_id=x")),
    units=("\n", " ", "VM_ID", "VM_ID =", "VM_ID = x "),
    allowed=(loaded.CredentialError,),
)
def cloud_parameter(text: Any) -> None:
    path = FOLDER / "vm_id"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    loaded._line(str(path), "VM_ID")


def _matching(choices: Choices) -> list[Any]:
    return [choices.pick(_EXPRESSIONS), *(choices.pick(TEXTS + NUMBERS) for _ in range(4))]


@target(make=_matching, short=60, million=200_000)
def matched_entries(item: Any) -> None:
    text, *values = item
    group = build_frontend.group(match=(Expression(text, "here"),))
    entries = [
        EntryState(f"e{n}", "p", {"GLIDEIN_Site": v, "GLIDEIN_CPUS": v, "M": v})
        for n, v in enumerate(values[:2])
    ]
    found = matcher(group, entries, 0, MatchCache(), match_rules(group))
    found.entries(("DESIRED_Sites", "A", "W", "N", "RequestMemory"), tuple(values + values[:1]))
    assert all(len(f.error) <= 200 for f in found.failing())
