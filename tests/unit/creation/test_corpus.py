"""What configuration files are taken, and what is said of those that are not (config 13, 15)."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from glideinwms.creation.reconfig.run import build
from glideinwms.creation.xml.problems import InvalidConfig, Problems
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.frontend.policy import FrontendPolicy
from glideinwms.lib.stage.formats import read_pairs
from tests.support.configs import DATA, place


def cases(table: str) -> list[Any]:
    found = []
    for side in ("factory", "frontend"):
        data = tomllib.loads((DATA / f"{table}.{side}.toml").read_text())
        found += [pytest.param(side, case, id=f"{side}-{name}") for name, case in data.items()]
    return found


def changed(directory: Path, side: str, case: dict[str, Any]) -> Path:
    path = place(directory, f"{side}.minimal.xml", tuple(case["change"]))
    if "add" in case:
        old, new = (t.replace("@DIR@", str(directory)) for t in case["add"])
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    return path


def told(found: Any, directory: Path) -> list[str]:
    """Problems as `line: text`, the directory as @DIR@."""
    return [
        str(p).replace(f"{p.where.file}:", "", 1).replace(str(directory), "@DIR@") for p in found
    ]


def compare(got: list[str], says: list[str]) -> None:
    """Equal; words that end in ... need only begin so (the rest is another part's)."""
    cut = [
        g[: len(s) - 3] + "..." if s.endswith("...") else g for g, s in zip(got, says, strict=False)
    ]
    assert cut + got[len(cut) :] == says


@pytest.mark.parametrize(("side", "case"), cases("refused"))
def test_what_is_refused(side: str, case: dict[str, Any], tmp_path: Path) -> None:
    path = changed(tmp_path, side, case)
    with pytest.raises(InvalidConfig) as caught:
        build(path, side, Problems())
    compare(told(caught.value.problems, tmp_path), case["says"])


@pytest.mark.parametrize(("side", "case"), cases("noticed"))
def test_what_is_noticed(side: str, case: dict[str, Any], tmp_path: Path) -> None:
    problems = Problems()
    build(changed(tmp_path, side, case), side, problems)
    compare(told(problems.warnings, tmp_path), case["says"])


def certificate(end: float) -> bytes:
    """A self-signed certificate that is over at `end` (epoch seconds)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pilot")])
    until = datetime.fromtimestamp(end, UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
    )
    made = made.not_valid_before(until - timedelta(days=1)).not_valid_after(until)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def token(end: float) -> bytes:
    return jwt.encode({"exp": int(end), "sub": "pilot"}, "k" * 32).encode()


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        ("scitoken", token, "the token is expired, or is none; renew it"),
        ("scitoken", lambda end: b"", "the token is expired, or is none; renew it"),
        ("grid_proxy", certificate, "the certificate ended 2024-05-13 16:53:20 UTC; renew it"),
        (
            "grid_proxy",
            lambda end: b"-----BEGIN CERTIFICATE-----\nAAAA",
            "is no certificate; renew it",
        ),
    ],
)
def test_a_credential_that_is_over(
    kind: str, content: Callable[[float], bytes], says: str, tmp_path: Path
) -> None:
    path = place(tmp_path, "frontend.minimal.xml", ('type="scitoken"', f'type="{kind}"'))
    for end, expected in ((time.time() + 3600, []), (1715619200, [says])):
        (tmp_path / "ce.scitoken").write_bytes(content(end))
        problems = Problems()
        build(path, "frontend", problems)
        if expected or content in (token, certificate):
            compare(
                told(problems.warnings, tmp_path),
                [
                    f"warning: 18: security/credential[@DIR@/ce.scitoken]@absfname: {s}"
                    for s in expected
                ],
            )


@pytest.mark.parametrize("size", ["minimal", "maximal"])
@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_a_good_file_gives_no_word(side: str, size: str, tmp_path: Path) -> None:
    problems = Problems()
    built = build(place(tmp_path, f"{side}.{size}.xml"), side, problems)
    assert [str(p) for p in problems.found] == []
    assert built.trees[0].subdir == ""


LEGACY = {
    "factory": [
        "warning: 1: glidein@allowed_job_proxy_source: unknown name, ignored; every credential comes with its "
        "request: remove it",
        "warning: 1: glidein@use_condor_g: unknown name, ignored; pilots always go through it: remove it",
        "notice: 29: entry[Condor]@schedd_name: is ignored: entries are spread over the Factory's schedd_name",
        "notice: 19: entries: 3 warnings of disabled entries not shown, from here on; validate --disabled shows them",
    ],
    "frontend": [
        "warning: 25: attr[GLIDECLIENT_Start]: is added to match@start_expr; write it there"
    ],
}


@pytest.mark.parametrize("side", ["factory", "frontend"])
def test_a_legacy_file_loads_and_says_what_to_do(side: str, tmp_path: Path) -> None:
    problems = Problems()
    policy = build(place(tmp_path, f"{side}.legacy.xml"), side, problems).policy
    assert told(problems.warnings, tmp_path) == LEGACY[side]
    if isinstance(policy, FactoryPolicy):
        assert {e.name: e.enabled for e in policy.entries} == {
            "Cream": False,
            "Gt5": False,
            "Condor": True,
        }
        assert policy.collector == ""
    else:
        assert policy.groups[0].start_expr == "TARGET.Old =!= True"


@pytest.mark.parametrize("expression", ["True", "MINE.New"])
def test_start_expressions_of_attrs_are_anded_to_the_others(
    expression: str, tmp_path: Path
) -> None:
    path = place(
        tmp_path, "frontend.legacy.xml", ('start_expr="True"', f'start_expr="{expression}"')
    )
    mine = '<group name="main"><attrs><attr name="GLIDECLIENT_Group_Start" value="G" type="expr"/></attrs></group>'
    path.write_text(
        path.read_text().replace('<group name="main" enabled="True" comment="all"/>', mine)
    )
    found = build(path, "frontend", Problems())
    old = "TARGET.Old =!= True"
    whole = old if expression == "True" else f"({expression}) && ({old})"
    assert isinstance(found.policy, FrontendPolicy)
    assert found.policy.groups[0].start_expr == f"({whole}) && (G)" and not found.policy.groups[
        0
    ].params.keys() & {
        "GLIDECLIENT_Start",
        "GLIDECLIENT_Group_Start",
    }
    wanted = {"GLIDECLIENT_Start": whole, "GLIDECLIENT_Group_Start": "G"}
    for tree, (name, value) in zip(found.trees, wanted.items(), strict=True):
        constants = next(
            b.read().decode() for n, b in tree.files.items() if n.startswith("constants.")
        )
        assert read_pairs(constants)[name] == value
