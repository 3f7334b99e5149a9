"""Reading Factory ads: what the deployed reader got from the same bytes, and which ad alone is left out."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from glideinwms.frontend.collect.queries import factory_ads
from glideinwms.frontend.snapshot import EntryState
from glideinwms.lib.errors import WireError
from glideinwms.lib.wire import parse_long_form
from glideinwms.testing import World

PACKED = Path(__file__).parents[4] / "data" / "golden-wire" / "golden-wire.tgz"
FACTORY = "gfactory@gfactory.example.org"


def member(name: str) -> str:
    with tarfile.open(PACKED) as tar:
        found = next(m for m in tar.getmembers() if m.name.endswith(name))
        file = tar.extractfile(found)
        assert file is not None
        return file.read().decode()


def ads(name: str) -> list[dict[str, Any]]:
    return [
        {**ad, "AuthenticatedIdentity": FACTORY} for ad in parse_long_form(member(f"ads/{name}"))
    ]


def test_entries_are_split_as_the_deployed_reader_does() -> None:
    want = {
        r["key"][1]: r["value"]
        for r in json.loads(member("ads/frontend-reader.json"))["query_entries"]
    }
    seen = 0
    for ad in ads("07-factory-entries-after-work.ad"):
        if ad["Name"] not in want:
            continue
        row, golden = factory_ads.entry(ad, FACTORY), want[ad["Name"]]
        assert row.params == golden["params"] and row.monitor == golden["monitor"]
        kept = {
            k: v
            for k, v in golden["attrs"].items()
            if k not in ("PubKeyValue", "PubKeyType", "LastHeardFrom")
        }
        assert row.attrs == kept
        seen += 1
    assert seen == len(want) > 1


def test_a_foreign_ad_is_left_out_alone() -> None:
    found = ads("07-factory-entries-after-work.ad")
    found[0]["AuthenticatedIdentity"] = "mallory@gfactory.example.org"
    del found[1]["AuthenticatedIdentity"]
    skipped = factory_ads.Skipped()
    rows = factory_ads.each("glidefactory", found, factory_ads.entry, FACTORY, skipped)
    assert len(rows) == len(found) - 2 and not skipped.malformed
    assert sorted(w for text in skipped.foreign for w in ("mallory", "nobody") if w in text) == [
        "mallory",
        "nobody",
    ]


def test_a_broken_ad_is_left_out_alone() -> None:
    found = ads("07-factory-entries-after-work.ad")
    found[0]["Name"] = "no-at-signs"
    skipped = factory_ads.Skipped()
    rows = factory_ads.each("glidefactory", found, factory_ads.entry, FACTORY, skipped)
    [text] = skipped.malformed
    assert len(rows) == len(found) - 1 and "no-at-signs" in text


def test_the_key_must_be_rsa_and_come_from_the_factory() -> None:
    ad = ads("01-factory-global.ad")[0]
    key = factory_ads.public_key(ad, FACTORY)
    assert key.global_id == "gfactory_v3@OSGfactory"
    assert key.key_id == ad["PubKeyID"]
    assert key.pem.endswith("-----\n")
    for change in (
        {"PubKeyType": "DSA"},
        {"AuthenticatedIdentity": "mallory@x"},
        {"PubKeyValue": "rubbish"},
    ):
        with pytest.raises(WireError):
            factory_ads.public_key({**ad, **change}, FACTORY)


def test_constraints_are_the_deployed_ones() -> None:
    wanted = [q["constraint"] for q in json.loads(member("ads/queries.json"))]
    query = wanted[1].split(" && ", 2)[2]
    inner = query.removeprefix("(").removesuffix(")")
    assert wanted[0] == factory_ads.GLOBALS
    assert factory_ads.entries_constraint(inner) == wanted[1]
    assert factory_ads.clients_constraint("vofe-1.main", inner) == wanted[2]


def test_expansion_of_frontend_attributes() -> None:
    text = factory_ads.expanded("A == $$(x) && B == $$(n) && C == $$(gone)", {"x": 'a"b', "n": 3})
    assert text == 'A == "a\\"b" && B == 3 && C == undefined'


@pytest.mark.parametrize(
    ("value", "down"),
    [(True, True), ("true", True), ("True", True), (False, False), (1, False), (None, False)],
)
def test_downtime_is_text(value: Any, down: bool) -> None:
    assert EntryState("e@i@f", "wms", {"GLIDEIN_In_Downtime": value}).in_downtime is down


def test_an_answer_to_another_identity_is_not_ours() -> None:
    """Somebody else may claim our ClientName; the Factory says whom it answers. One of 3.10 does
    not say.
    """
    collector = World().collector("wms.demo:9618")
    for name, identity in (("ours", "me@fe"), ("theirs", "evil@fe"), ("old", None)):
        ad = {
            "MyType": "glidefactoryclient",
            "GlideinMyType": "glidefactoryclient",
            "Name": name,
            "ReqClientName": "fe.g",
        }
        collector.put({**ad, **({"ReqClientIdentity": identity} if identity else {})})
    constraint = factory_ads.clients_constraint("fe.g", "", "me@fe")
    assert {ad["Name"] for ad in collector.ads(constraint=constraint)} == {"ours", "old"}
