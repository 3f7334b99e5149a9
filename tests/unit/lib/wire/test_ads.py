"""The seven kinds of ads: both ways, against the deployed bytes, and with nonsense in them (protocol 1)."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from typing import Any, get_type_hints

import classad2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glideinwms.lib.bounded import Missing
from glideinwms.lib.condor.htc import Expr, plain
from glideinwms.lib.errors import WireError
from glideinwms.lib.wire import (
    ALL,
    GlideClient,
    GlideFactory,
    GlideFactoryGlobal,
    WireAd,
    long_form,
    parse_long_form,
)
from glideinwms.lib.wire.base import STRIPPED
from tests.support import golden

BY_TYPE = {kind.KIND.my_type: kind for kind in ALL}
FILES = [f["file"] for f in golden.data("ads/expected.json")["files"]]
ADS = [(f["file"], ad) for f in golden.data("ads/expected.json")["files"] for ad in f["ads"]]

NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9_.:-]{0,12}", fullmatch=True)
TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=30)
VALUE = st.one_of(
    TEXT,
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)
# seven kinds go through the same code
EACH = 25
PEM = st.lists(st.text("ABCab+/= -", min_size=1), min_size=1).map(
    lambda lines: "\n".join(lines) + "\n"
)
OF_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(-(2**31), 2**53),
    "count": st.integers(0, 2**31 - 1),
    bool: st.booleans(),
}


def attribute_names(kind: type[WireAd]) -> set[str]:
    return {f.metadata["attr"] for f in dataclasses.fields(kind) if "attr" in f.metadata}


def prefixes(kind: type[WireAd]) -> tuple[str, ...]:
    return tuple(f.metadata["prefix"] for f in dataclasses.fields(kind) if "prefix" in f.metadata)


def ads_of(kind: type[WireAd]) -> st.SearchStrategy[WireAd]:
    """Ads of a kind with anything in every field."""
    hints = get_type_hints(kind)
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for f in dataclasses.fields(kind):
        if f.metadata.get("rest"):
            taken = attribute_names(kind) | STRIPPED
            free = NAME.filter(lambda n: n not in taken and not n.startswith(prefixes(kind)))  # noqa: B023
            fields[f.name] = st.dictionaries(free, VALUE, max_size=5)
        elif "prefix" in f.metadata:
            clash = [
                p
                for p in prefixes(kind)
                if p != f.metadata["prefix"] and p.startswith(f.metadata["prefix"])
            ]
            assert not clash, f"{kind.__name__}: {clash}"
            fields[f.name] = st.dictionaries(
                NAME, TEXT if f.name == "enc_params" else VALUE, max_size=5
            )
        else:
            fields[f.name] = (
                PEM
                if f.metadata.get("pem")
                else OF_TYPE["count" if "count" in f.metadata else hints[f.name]]
            )
    return st.builds(kind, **fields)


@pytest.mark.parametrize("kind", ALL, ids=lambda k: k.KIND.my_type)
def test_what_is_written_is_read_back(kind: type[WireAd]) -> None:
    @settings(max_examples=EACH)
    @given(ads_of(kind))
    def check(ad: WireAd) -> None:
        sent = ad.to_ad()
        assert sent["MyType"] == sent["GlideinMyType"] == kind.KIND.my_type
        assert kind.from_ad(sent) == ad
        assert kind.from_ad(sent).to_ad() == sent

    check()


@pytest.mark.parametrize("kind", ALL, ids=lambda k: k.KIND.my_type)
def test_an_ad_survives_long_form_and_the_collectors_stamps(kind: type[WireAd]) -> None:
    @settings(max_examples=EACH)
    @given(ads_of(kind))
    def check(ad: WireAd) -> None:
        text = long_form([ad.to_ad()])
        assert text.count("\n") == len(ad.to_ad()), "one line an attribute, whatever stands in it"
        stamped = {
            **parse_long_form(text)[0],
            "LastHeardFrom": 17,
            "MyAddress": "<127.0.0.1:0>",
            "UpdatesTotal": 3,
        }
        assert parse_long_form(text) == [ad.to_ad()]
        assert kind.from_ad(stamped) == ad

    check()


# what HTCondor's parser reads as a plain name, each in one case only
PLAIN = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True).map(lambda n: f"x{n}")
WITHOUT_BACKSLASH = VALUE.filter(lambda v: not (isinstance(v, str) and "\\" in v))


@given(
    st.lists(
        st.dictionaries(PLAIN, WITHOUT_BACKSLASH, min_size=1, max_size=6), min_size=1, max_size=4
    )
)
def test_long_form_is_read_by_htcondor_as_by_us(ads: list[dict[str, Any]]) -> None:
    for ad in ads:
        assert parse_long_form(long_form([ad])) == [ad]
        theirs = classad2.parseOne(
            long_form([ad]).replace("= True\n", "= true\n").replace("= False\n", "= false\n")
        )
        for name, value in ad.items():
            got = plain(theirs.lookup(name).eval(), classad2)
            assert got == value or got == pytest.approx(value), name


@pytest.mark.parametrize("file", FILES)
def test_a_deployed_file_is_parsed_and_written_again_byte_for_byte(file: str) -> None:
    text = golden.text(f"ads/{file}")
    expected = next(f for f in golden.data("ads/expected.json")["files"] if f["file"] == file)
    ads = parse_long_form(text)
    assert ads == [ad["attributes"] for ad in expected["ads"]]
    assert long_form(ads).strip("\n") == text.strip("\n")


@pytest.mark.parametrize(
    ("file", "expected"), ADS, ids=lambda v: v if isinstance(v, str) else v["Name"]
)
def test_a_deployed_ad_is_understood_and_nothing_of_it_is_lost(
    file: str, expected: dict[str, Any]
) -> None:
    attributes = expected["attributes"]
    kind = BY_TYPE[attributes["MyType"]]
    ad = kind.from_ad(attributes)
    again = ad.to_ad()
    for name, value in attributes.items():
        if isinstance(value, str) and "PubKeyValue" in name:
            value = re.sub(r"\\+n", r"\\n", value)
        assert str(again.get(name)) == str(value), name
    added = set(again) - set(attributes)
    assert all(again[name] == _default(kind, name) for name in added), added


def _default(kind: type[WireAd], attribute: str) -> Any:
    return next(f.default for f in dataclasses.fields(kind) if f.metadata.get("attr") == attribute)


@pytest.mark.parametrize("kind", ALL, ids=lambda k: k.KIND.my_type)
def test_nonsense_is_a_wire_error_that_names_ad_and_attribute(kind: type[WireAd]) -> None:
    anything = st.one_of(
        VALUE,
        st.none(),
        st.lists(VALUE),
        st.dictionaries(NAME, VALUE),
        st.floats(),
        st.builds(Expr, TEXT),
    )
    names = st.one_of(st.sampled_from(sorted(attribute_names(kind))), NAME)

    @given(st.dictionaries(names, anything, max_size=40))
    def check(ad: dict[str, Any]) -> None:
        try:
            found = kind.from_ad(ad)
        except WireError as error:
            assert kind.KIND.my_type in str(error) and any(
                n in str(error) for n in attribute_names(kind)
            )
        else:
            assert isinstance(found, kind)

    check()


def test_what_is_missing_is_named() -> None:
    with pytest.raises(WireError, match=r"glideclient x@y: ReqIdleGlideins is missing"):
        GlideClient.from_ad(
            {
                "Name": "x@y",
                "ClientName": "c",
                "ReqName": "r",
                "ReqGlidein": "r",
                "ReqMaxGlideins": 1,
            }
        )


@pytest.mark.parametrize("value", [float("inf"), float("nan"), "many", None, [1], {"a": 1}])
def test_a_number_that_is_none_is_named(value: Any) -> None:
    ad = {"Name": "x", "ClientName": "c", "ReqName": "r", "ReqGlidein": "r", "ReqMaxGlideins": 1}
    with pytest.raises(
        WireError, match=r"glideclient x: ReqIdleGlideins: .* is not a whole number"
    ):
        GlideClient.from_ad({**ad, "ReqIdleGlideins": value})


@pytest.mark.parametrize("missing", [Missing.UNDEFINED, Missing.ERROR])
@pytest.mark.parametrize("kind", ALL)
def test_what_has_no_value_fits_no_attribute(kind: type[WireAd], missing: Missing) -> None:
    names = {f.metadata["attr"] for f in dataclasses.fields(kind) if "attr" in f.metadata}
    values = {name: 1 for name in names}
    good = {**values, "Name": "a@b@c"}
    kind.from_ad(good)
    for name in sorted(names - {"Name"}):
        with pytest.raises(WireError, match=f"{re.escape(name)}: {missing.value}"):
            kind.from_ad({**good, name: missing})
    assert kind.from_ad({**good, "GlideinParamX": missing}) == kind.from_ad(good)


@pytest.mark.parametrize("value", [5, "5", 5.0])
def test_numbers_come_in_any_type(value: Any) -> None:
    ad = {
        "Name": "x",
        "ClientName": "c",
        "ReqName": "r",
        "ReqGlidein": "r",
        "ReqMaxGlideins": value,
    }
    assert GlideClient.from_ad({**ad, "ReqIdleGlideins": value}).idle == 5


@pytest.mark.parametrize(
    ("value", "down"), [(True, True), ("True", True), ("true", True), ("False", False), (0, False)]
)
def test_downtime_comes_as_bool_or_text(value: Any, down: bool) -> None:
    ad = {
        "Name": "x",
        "FactoryName": "f",
        "GlideinName": "g",
        "EntryName": "e",
        "GLIDEIN_In_Downtime": value,
    }
    assert GlideFactory.from_ad(ad).in_downtime is down


@pytest.mark.parametrize("text", ["A\\nB\\n", "A\\\\nB\\\\\\n", "A\nB\n"])
def test_a_key_is_read_whatever_its_newlines_look_like(text: str) -> None:
    ad = {"Name": "x", "FactoryName": "f", "GlideinName": "g", "PubKeyValue": text}
    assert GlideFactoryGlobal.from_ad(ad).key_pem == "A\nB\n"


def test_a_key_of_backslashes_is_read_at_once() -> None:
    began = time.process_time()
    ad = {"Name": "x", "FactoryName": "f", "GlideinName": "g", "PubKeyValue": "\\" * 60_000}
    assert len(GlideFactoryGlobal.from_ad(ad).key_pem) == 60_000
    assert time.process_time() - began < 2


def test_plus_in_submit_attributes_travels_as_a_word() -> None:
    ad = GlideFactory(
        name="n", factory_name="f", glidein_name="g", entry_name="e", submit={"+JobQueue": "x"}
    )
    assert ad.to_ad()["GlideinSubmit_PLUS_JobQueue"] == "x"


def test_the_values_no_one_expects() -> None:
    """golden-wire's odd values, as the deployed writer of requests put them down."""
    ad = parse_long_form(golden.text("ads/values/glideclient.values.single.ad_1"))[0]
    inputs = golden.data("ads/values/expected.json")["input_values"]
    read = GlideClient.from_ad(ad).params
    shown = {
        k: v
        for k, v in inputs.items()
        if k in read and isinstance(v, str) and "\n" not in v and "\\" not in v
    }
    assert len(shown) >= 8, json.dumps(read)
    assert {k: str(read[k]) for k in shown} == shown
