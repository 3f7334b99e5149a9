"""Hostile values, by the kind of field that they are put into.

A test gives each of them to one item among good ones: the good ones must be served as if it were not there. `params`
makes pytest parameters of a list, with short names. Values are those that arrive: what an ad holds after HTCondor's
bindings read it, the text of a JSON file, the bytes of a log.
"""

from __future__ import annotations

import base64
import datetime
import functools
import gzip
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from glideinwms.lib.bounded import Expr, Missing

LONG = "x" * 100_000

# For an attribute that should be a whole number.
NUMBERS: dict[str, Any] = {
    "20-digits": 10**20,
    "text-20-digits": "9" * 20,
    "text-5000-digits": "9" * 5000,
    "2^31": 2**31,
    "2^63": 2**63,
    "negative": -1,
    "very-negative": -(2**63),
    "infinite": float("inf"),
    "nan": float("nan"),
    "1e308": 1e308,
    "text-nan": "nan",
    "text": "many",
    "empty": "",
    "list": [1],
    "ad": {"A": 1},
    "none": None,
    "expression": Expr("(time() - 9999)"),
    "division": Expr("1/0"),
    "undefined": Missing.UNDEFINED,
    "error": Missing.ERROR,
}

# For an attribute that should be a time in epoch seconds.
TIMES: dict[str, Any] = {
    **NUMBERS,
    "year-9999": 253_402_300_799,
    "10^400": 10**400,
    "microseconds": 1_800_000_000e6,
}

# For an attribute that should be a text: a URL, a reason, a value that is shown.
TEXTS: dict[str, Any] = {
    "long": LONG,
    "1MB": "y" * 1_000_000,
    "newlines": 'a\nqueue 1000\nexecutable = /bin/sh\n"',
    "escapes": "\x1b]0;PWNED\x07\x1b[2J",
    "bidi": "abc\u202edef\u2028",
    "nul": "a\x00b",
    "surrogate": "caf\udce9",
    "quotes": "\"'`$(id)${IFS}\\",
    "number": 5,
    "nan": float("nan"),
    "bool": True,
    "list": ["a"],
    "ad": {"A": "b"},
    "none": None,
    "expression": Expr("strcat(A, B)"),
    "undefined": Missing.UNDEFINED,
    "error": Missing.ERROR,
}

# For a text that becomes part of a path, of a job's name or of a key.
NAMES: dict[str, Any] = {
    **TEXTS,
    "empty": "",
    "dot": ".",
    "dotdot": "..",
    "slash": "a/b",
    "up": "../../etc/passwd",
    "option": "-rf",
    "colon": "a:b",
    "equals": "a=b",
    "blank": "a b",
    "300": "n" * 300,
    "bytes": "é" * 150,
}


def _token(claims: Any) -> str:
    """An unsigned JSON web token whose claims may be any JSON text."""
    body = claims if isinstance(claims, str) else json.dumps(claims)
    parts = (
        base64.urlsafe_b64encode(p.encode()).rstrip(b"=").decode() for p in ('{"alg":"none"}', body)
    )
    return ".".join((*parts, "c2ln"))


# For a JSON web token.
TOKENS: dict[str, str] = {
    "exp-10^400": _token('{"exp": 1' + "0" * 400 + "}"),
    "exp-5000-digits": _token('{"exp": ' + "9" * 5000 + "}"),
    "exp-1e999": _token('{"exp": 1e999}'),
    "exp-nan": _token('{"exp": NaN}'),
    "exp-text": _token({"exp": "soon"}),
    "exp-list": _token({"exp": [1]}),
    "exp-none": _token({"exp": None}),
    "exp-negative": _token({"exp": -1e300}),
    "nbf-10^400": _token('{"nbf": 1' + "0" * 400 + "}"),
    "nested": _token("[" * 30_000),
    "list": _token([1]),
    "not-json": _token("{"),
    "parts": "a.b",
    "dots": "." * 100_000,
    "binary": "\udcff\x00.\x01.\x02",
    "empty": "",
    "long": LONG,
}


@functools.cache
def certificates() -> dict[str, bytes]:
    """For an X.509 proxy, as PEM. The version 66 is what cryptography's InvalidVersion is about."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "p")])
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    good = made.public_bytes(serialization.Encoding.DER)
    changed = {
        "version-66": good.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x42", 1),
        "half": good[:100],
        "zeros": bytes(500),
        "year-99": good.replace(b"260101000000Z", b"999999999999Z", 1),
    }
    return {
        label: b"-----BEGIN CERTIFICATE-----\n"
        + base64.encodebytes(der)
        + b"-----END CERTIFICATE-----\n"
        for label, der in changed.items()
    } | {"no-base64": b"-----BEGIN CERTIFICATE-----\n\xff\n-----END CERTIFICATE-----\n"}


# For the text of a JSON file that another program writes.
JSON: dict[str, bytes] = {
    "nested": b"[" * 100_000,
    "nested-objects": b'{"a":' * 50_000,
    "5000-digits": b'{"id": ' + b"9" * 5000 + b"}",
    "nan": b'{"id": NaN}',
    "not-utf8": b'{"id": "caf\xe9"}',
    "surrogate": b'{"id": "\\udce9"}',
    "half": b'{"id": "a',
    "empty": b"",
    "list": b"[]",
    "number": b"5",
    "null": b"null",
    "nul": b"\x00" * 100,
    "large": b'{"id": "' + b"a" * 200_000 + b'"}',
}

_BOMB = base64.encodebytes(gzip.compress(b"\0" * 20_000_000)).decode()

# For a pilot's stdout. None of them is the output of a pilot that worked.
STDOUT: dict[str, str] = {
    "20-digits": "=== Glidein ending x with code 0 after 99999999999999999999 ===\n",
    "5000-digits": f"=== Glidein ending x with code 0 after {'9' * 5000} ===\n",
    "validated": f"=== Last script starting x after validating for {'9' * 30} ===\n",
    "condor-ended": f"=== Condor starting x ===\n=== Condor ended x after {'9' * 30} ===\n",
    "claims": f"Total number of activations/claims: {'9' * 30}\n",
    "stats": "=== Stats of main ===\nTotal jobs 99999999999999999999 utilization 99999999999999999999\n"
    "=== End Stats of main ===\n",
    "open-blocks": "=== Stats of a ===\n" * 14_000,
    "blocks-in-blocks": "".join(f"=== Stats of {n} ===\n" for n in range(5000))
    + "".join(f"=== End Stats of {n} ===\n" for n in range(5000)),
    "open-xml": "=== XML description of glidein activity ===\n" * 6000,
    "open-metrics": "=== Glidein ending x with code 1 after 5 ===\n=== XML description of glidein activity ===\n"
    + '<metric name="TestID"' * 10_000
    + "\n=== End XML description of glidein activity ===\n",
    "escapes": "=== Glidein ending x with code 1 after 5 ===\n=== XML description of glidein activity ===\n"
    '<metric name="TestID">\x1b]0;PWNED\x07</metric>\n=== End XML description of glidein activity ===\n',
    "nul": "\0" * 1000,
    "one-line": "=" * 250_000,
}

# For a pilot's stderr, where its logs are packed.
STDERR: dict[str, str] = {
    "many-sections": "".join(
        f"Log{n}\n======== gzip | uuencode =============\nbegin-base64 644 -\n{_BOMB}\n====\n"
        for n in range(30)
    ),
    "no-base64": "Log\n======== gzip | uuencode =============\nbegin-base64 644 -\n=A=\n====\n",
    "open": "Log\n==== gzip | uuencode ====\nbegin-base64 644 -\n" * 5000,
    "equals": "=" * 250_000 + "\n",
}

# For an event log, between good events.
EVENTS: dict[str, bytes] = {
    "month-13": b"005 (7.0.0) 2026-13-40 10:00:00Z Job terminated.\n...\n",
    "year-0": b"005 (7.0.0) 0000-00-00 00:00:00 Job terminated.\n...\n",
    "year-9999": b"005 (7.0.0) 9999-12-31 23:59:59Z Job terminated.\n...\n",
    "legacy-month-99": b"005 (7.0.0) 99/99 99:99:99 Job terminated.\n...\n",
    "cluster-4300-digits": b"005 ("
    + b"9" * 5000
    + b".0.0) 2026-11-30 10:00:00 Job terminated.\n...\n",
    "cluster-20-digits": b"005 (" + b"9" * 20 + b".0.0) 2026-11-30 10:00:00 Job terminated.\n...\n",
    "proc-20-digits": b"005 (7." + b"9" * 20 + b".0) 2026-11-30 10:00:00 Job terminated.\n...\n",
    "second-99": b"005 (7.0.0) 2026-11-30 10:00:99 Job terminated.\n...\n",
    "event-999": b"999 (7.0.0) 2026-11-30 10:00:00 ?\n...\n",
    "binary": bytes(range(256)) * 100 + b"\n...\n",
    "long-line": b"x" * 300_000 + b"\n...\n",
}


def params(cases: Mapping[str, Any], only: Iterable[str] = ()) -> list[Any]:
    """The cases (or only some of them) as parameters of a test, named by their keys."""
    chosen = list(only) or list(cases)
    return [pytest.param(cases[name], id=name) for name in chosen]
