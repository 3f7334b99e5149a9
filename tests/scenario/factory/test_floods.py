"""Items that are harmless alone but hostile in number or size: the good ones are served in the same cycle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from glideinwms.factory.collect.queries import MAX_STRANGERS
from glideinwms.factory.collect.request_reader import MAX_CREDENTIAL_BYTES, MAX_NEW_CREDENTIALS
from tests.scenario.factory.factory_harness import SECRETS, FactoryHarness, entry
from tests.unit.factory.builders import IDENTITY, global_ad, request_ad


@pytest.fixture
def scene(tmp_path: Path) -> FactoryHarness:
    """A Factory with one entry; a good Frontend asks for pilots."""
    made = FactoryHarness(tmp_path, entry("A"))
    made.ask(5)
    return made


def send(scene: FactoryHarness, ad: Mapping[str, Any], identity: str = IDENTITY) -> None:
    stamped = ("AuthenticatedIdentity", "LastHeardFrom")
    own = {name: value for name, value in ad.items() if name not in stamped}
    scene.wms.put(own, "UPDATE_MASTER_AD", identity)


def served(scene: FactoryHarness) -> list[dict[str, str]]:
    """Run a cycle; the good request got its pilots. The refusals of the cycle."""
    scene.cycle()
    assert scene.schedd.count('GlideinClient =?= "fe.main"') == 5
    refusals: list[dict[str, str]] = scene.status()["refusals"]
    return refusals


def stored(scene: FactoryHarness) -> list[str]:
    """Names of the stored credentials, without their compressed forms."""
    names = (path.name for path in (scene.base / "proxies").rglob("credential_fe.main_ID*"))
    return sorted(name for name in names if not name.endswith("_compressed"))


def test_ads_of_strangers_are_counted_beyond_a_limit(scene: FactoryHarness) -> None:
    ad = request_ad(SECRETS, scene.seal)
    for number in range(MAX_STRANGERS + 50):
        send(scene, {**ad, "Name": f"x{number}", "ClientName": f"fe.x{number}"}, "evil@x")
    send(scene, {**ad, "GlideinMyType": "glideclientglobal", "Name": "inst@fact@x"}, "evil@x")
    assert "51 more ads come from identities that are not configured here" in [
        refusal["text"] for refusal in served(scene)
    ]
    assert sum(scene.status()["refused"].values()) == MAX_STRANGERS + 1


def credentials(scene: FactoryHarness, data: Mapping[str, str]) -> None:
    """One global ad with these credentials by id."""
    classes = {f"SecurityClass{name}": "frontend" for name in data}
    send(scene, global_ad({"SecurityName": "fe", **classes, **data}, scene.seal))


def test_new_credentials_are_stored_at_a_bounded_rate(scene: FactoryHarness) -> None:
    credentials(scene, {f"ID{n}": "data" for n in range(MAX_NEW_CREDENTIALS + 20)})
    assert "20 new credentials wait for the next cycle" in [r["text"] for r in served(scene)]
    assert len(stored(scene)) == MAX_NEW_CREDENTIALS
    scene.cycle()
    assert len(stored(scene)) == MAX_NEW_CREDENTIALS + 20
    assert scene.status()["refusals"] == []


def test_one_bad_credential_does_not_keep_back_the_others_of_its_ad(scene: FactoryHarness) -> None:
    large = "x" * (MAX_CREDENTIAL_BYTES + 1)
    credentials(scene, {"ID1": "data", "../x": "data", "ID2": large, "ID3": "data"})
    texts = [refusal["text"] for refusal in served(scene)]
    assert len(texts) == 2
    assert any("not a safe name" in text for text in texts)
    assert any("bytes, at most" in text for text in texts)
    assert stored(scene) == ["credential_fe.main_ID1", "credential_fe.main_ID3"]
