"""Fuzz targets of lib: ads, keys, names, downtimes, credentials, stage files."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

from glideinwms.lib import bounded
from glideinwms.lib.credentials import certificates, ids, methods, tokens
from glideinwms.lib.downtimes import downtime_file
from glideinwms.lib.errors import (
    ConfigError,
    CredentialError,
    CryptoError,
    StageError,
    WireError,
)
from glideinwms.lib.stage import formats
from glideinwms.lib.wire import (
    GlideClient,
    GlideClientGlobal,
    GlideFactory,
    GlideFactoryClient,
    GlideFactoryGlobal,
    base,
    names,
)
from glideinwms.lib.wire.crypto import PublicKey, SymmetricKey
from tests.fuzz.mutate import changed_ad, changed_text, value
from tests.fuzz.tape import Choices
from tests.fuzz.target import target
from tests.support import hostile_values
from tests.unit.factory import builders
from tests.unit.frontend import build_frontend

NOW = 1_800_000_000.0
FOLDER = Path(tempfile.mkdtemp(prefix="gwms-fuzz-"))
KINDS = {
    k.KIND.my_type: k
    for k in (GlideClient, GlideClientGlobal, GlideFactory, GlideFactoryClient, GlideFactoryGlobal)
}
FACTORY_ADS: tuple[dict[str, Any], ...] = (
    GlideFactory(
        name="A@i@f",
        factory_name="f",
        glidein_name="i",
        entry_name="A",
        params={"P": "x"},
        monitor={"Idle": 1},
    ).to_ad(),
    GlideFactoryGlobal(
        name="i@f",
        factory_name="f",
        glidein_name="i",
        key_id="k",
        key_pem=build_frontend.KEY.public.pem,
    ).to_ad(),
    GlideFactoryClient(
        name="n",
        req_glidein="A@i@f",
        factory_name="f",
        glidein_name="i",
        entry_name="A",
        client_name="fe.main",
    ).to_ad(),
)
GLOBAL_AD = GlideClientGlobal(
    name="i@f@fe.main",
    frontend_name="fe",
    group_name="main",
    client_name="fe.main",
    enc_params={"X": "00"},
).to_ad()
ADS = (*FACTORY_ADS, GLOBAL_AD, builders.request_ad())


def texts(*seeds: str) -> Any:
    """Inputs that are changes of these texts."""
    return lambda choices: changed_text(choices, seeds)


def octets(*seeds: bytes) -> Any:
    """Inputs that are changes of these bytes."""
    given = [seed.decode("latin-1") for seed in seeds]
    return lambda choices: changed_text(choices, given).encode("latin-1", "replace")


@target(make=lambda c: changed_ad(c, ADS), allowed=(WireError,))
def wire_ad(ad: Any) -> None:
    kind = KINDS.get(ad.get("MyType") if isinstance(ad.get("MyType"), str) else "", GlideClient)
    made = kind.from_ad(ad)
    assert kind.from_ad(made.to_ad()).to_ad() == made.to_ad() or any(
        isinstance(v, float) and math.isnan(v) for v in made.to_ad().values()
    )


@target(
    make=texts(base.long_form(FACTORY_ADS[:2]), 'A = 1\nB = "x\\"y"\n\nC = true\n'),
    units=("\n", "\n ", "A = 1\n", '\\"', "\\", "9"),
)
def long_form(text: Any) -> None:
    for ad in base.parse_long_form(text):
        [again] = base.parse_long_form(base.long_form([ad])) if "".join(ad).strip() else [ad]
        assert len(again) <= len(ad)


@target(
    make=texts(
        "cypher:aes_256_cbc,key:" + "0a" * 32 + ",iv:" + "0b" * 16,
        "cipher:aes_128_cbc,key:" + "0a" * 16 + ",iv:" + "0b" * 16,
    ),
    allowed=(CryptoError,),
    units=("cypher:", "a", "0", ",key:0"),
    max_message=200,
)
def key_code(text: Any) -> None:
    key = SymmetricKey.from_code(text)
    assert SymmetricKey.from_code(key.code()) == key


_KEY = SymmetricKey("aes_256_cbc", b"k" * 32, b"i" * 16)


@target(
    make=texts(_KEY.encrypt_hex("secret"), _KEY.encrypt_hex("x" * 300)),
    allowed=(CryptoError,),
    units=("00", "\ud800", " "),
    max_message=200,
)
def sealed_value(text: Any) -> None:
    assert _KEY.decrypt_hex(text)


@target(
    make=texts(builders.seal().key_code),
    allowed=(CryptoError,),
    units=("00",),
    short=30,
    million=20_000,
    max_message=200,
)
def wrapped_key(text: Any) -> None:
    builders.key().unwrap(text)


@target(
    make=texts(build_frontend.KEY.public.pem),
    allowed=(CryptoError,),
    units=("-----BEGIN PUBLIC KEY-----\n", "A", "\n"),
)
def public_key(text: Any) -> None:
    assert PublicKey.from_pem(text).key_id


@target(
    make=texts("entry@inst@fact", "fe.main", "a_b-c.d"),
    allowed=(WireError,),
    units=("@", "a", "a@"),
    max_message=400,
)
def peer_name(text: Any) -> None:
    assert len(names.label(text)) <= 200
    assert names.file_safe(text).isascii()
    if names.is_safe(text):
        assert bounded.file_name(text) == text
    assert str(names.RequestName.parse(text)) == text


@target(make=lambda c: value(c), max_message=400)
def bounded_value(item: Any) -> None:
    for convert in (bounded.count, bounded.number, bounded.moment, bounded.text, bounded.file_name):
        try:
            convert(item, "here")
        except bounded.BadValue as error:
            assert len(str(error)) < 300
    for default in (bounded.count_or, bounded.number_or, bounded.moment_or, bounded.text_or):
        default(item, None)
    line = bounded.reason(item)
    assert len(line) <= bounded.MAX_REASON
    assert line.isprintable()
    assert len(bounded.shown(item)) <= 200


_LINE = "2026-01-31T08:00:00+00:00  None  All  All  All # down for repair\n"


@target(
    make=texts(
        downtime_file.HEADER + _LINE,
        _LINE + "2026-01-31T08:00:00+01:00 2026-02-01T08:00:00-09:30 A fe:x\n",
    ),
    units=(" ", "\n", _LINE, "2", "#", "2026-01-31T"),
)
def downtimes(text: Any) -> None:
    lines, wrong = downtime_file.parse(text)
    assert all(len(str(error)) < 300 for error in wrong)
    again, broken = downtime_file.parse(downtime_file.render(lines))
    assert not broken
    assert [(d.start // 1, d.entry, d.frontend) for d in again] == [
        (d.start // 1, d.entry, d.frontend) for d in lines
    ]
    short, broken = downtime_file.parse(downtime_file.render_frontend(lines))
    assert not broken
    assert len(short) == len(lines)


@target(
    make=texts("now", "+2h", "+15m", "1800000000", "2026-01-31T08:00", "none"),
    allowed=(ConfigError,),
    units=("9", "+", "2026-"),
    max_message=300,
)
def downtime_moment(text: Any) -> None:
    end = downtime_file.until(text, NOW)
    assert end is None or downtime_file.iso(end)


@target(
    make=texts(
        *hostile_values.TOKENS.values(), tokens.Signer(b"k" * 32, "POOL", "u").sign("a@b", 60, NOW)
    ),
    allowed=(CredentialError,),
    units=(".", "e", "a.", "eyJ"),
)
def web_token(text: Any) -> None:
    assert tokens.remaining(text, NOW) >= 0.0
    tokens.claims_of(text)


@target(
    make=octets(
        *hostile_values.certificates().values(),
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    ),
    allowed=(CredentialError,),
    short=100,
    million=100_000,
    units=(b"-----BEGIN CERTIFICATE-----\n", b"A", b"\n"),
)
def certificate(data: Any) -> None:
    end = certificates.ends(data)
    assert end is None or end >= 0.0 or end < 0.0
    ids.subject(data, "here")


@target(
    make=texts("grid_proxy+project_id", "scitoken,grid_proxy;project_id", "x509_cert+VMId"),
    units=("a+", ";", ",", " "),
)
def auth_method(text: Any) -> None:
    for group in methods.groups(text):
        assert all(group)
    methods.settled(text, {"grid_proxy", "scitoken"})


_ROWS = formats.write_list(
    [formats.FileListRow("a", "a.1"), formats.FileListRow("b", "b.1", "exec", 60, points="cleanup")]
)


@target(make=texts(_ROWS), allowed=(StageError,), units=("a ", "a\t", "\n", "0 "))
def stage_list(text: Any) -> None:
    rows = formats.read_list(text)
    for row in rows:
        if row.kind in formats.KINDS:
            assert formats.read_list(formats.write_list([row])) == [row]


@target(
    make=texts("# File: x\n#\nA \tvalue with blanks\nB \t\n"),
    allowed=(StageError,),
    units=("a\t", "\n", " "),
)
def stage_pairs(text: Any) -> None:
    pairs = formats.read_pairs(text)
    assert formats.read_pairs(formats.write_pairs(pairs, "x")) == pairs


@target(
    make=texts(formats.write_vars([formats.VariableRow("A"), formats.VariableRow("B", "I", "3")])),
    allowed=(StageError,),
    units=("a ", "\n"),
)
def stage_vars(text: Any) -> None:
    rows = formats.read_vars(text)
    assert formats.read_vars(formats.write_vars(rows)) == rows


@target(
    make=texts("a" * 40 + "  x.lst\n" + "b" * 64 + "  y\n"),
    allowed=(StageError,),
    units=("a", "  ", "\n"),
)
def stage_sums(text: Any) -> None:
    sums = formats.read_sums(text)
    assert formats.read_sums(formats.write_sums(((n, s) for n, s in sums.items()), "x")) == sums


def printed(choices: Choices) -> str:
    """A text for a terminal."""
    return changed_text(choices, ("a log line\n\tmore\n\x1b[2J",))


@target(make=printed, units=("\x1b", "a", "\u202e"))
def terminal_text(text: Any) -> None:
    shown = bounded.printable(text)
    assert not bounded.CONTROL.search(shown.replace("\n", "").replace("\t", ""))
