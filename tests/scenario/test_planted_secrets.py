"""A marker in every secret of a Frontend and its Factory: it is found in credential files alone, whatever fails.

Entries take each kind of credential, and each step of a credential's way is made to fail: reading, sealing, opening,
storing, submitting.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from glideinwms.factory.policy import FactoryPolicy
from glideinwms.frontend.policy import CredentialPolicy, FrontendPolicy
from glideinwms.lib.daemon import log
from glideinwms.lib.errors import CryptoError
from glideinwms.lib.files import write_atomic
from tests.scenario.coupled_daemons import FRONTEND, CoupledDaemons
from tests.support import secret_scan
from tests.unit.factory import builders

# kind of credential -> what its entry is like; `batch` entries take keys, `ec2` entries the clouds'
# pairs
KINDS = {
    "grid_proxy": {},
    "scitoken": {},
    "auth_file": {"gridtype": "gce", "gatekeeper": "gce", "vm_id": "v", "vm_type": "t"},
    "username_password": {"gridtype": "ec2", "gatekeeper": "ec2", "vm_id": "v", "vm_type": "t"},
    "cert_pair": {"gridtype": "ec2", "gatekeeper": "ec2", "vm_id": "v", "vm_type": "t"},
    "key_pair": {"gridtype": "batch slurm", "gatekeeper": "joe@hpc"},
}
WITH_KEY = ("username_password", "cert_pair", "key_pair")
FILES = ("main", "key", "pilot")


def marker(kind: str, file: str) -> str:
    """A secret of its own for each file of each credential."""
    return f"planted0{hashlib.sha256(f'{kind} {file}'.encode()).hexdigest()[:24]}"


def content(kind: str, file: str) -> str:
    """The text of a credential file: whole where programs look into it."""
    planted = marker(kind, file)
    if kind == "scitoken":
        return jwt.encode({"sub": planted, "exp": 4_000_000_000}, planted * 2, "HS256")
    if kind == "grid_proxy" or file == "pilot":
        return f"{certificate()}-----BEGIN PRIVATE KEY-----\n{planted}\n-----END PRIVATE KEY-----\n"
    return f"{planted}\n"


@functools.cache
def certificate() -> str:
    """A certificate of a proxy, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pilot")])
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


class Planted(CoupledDaemons):
    """Both daemons, with one entry and one credential of each kind."""

    def factory_policy(self) -> FactoryPolicy:
        """One entry for each kind."""
        made = super().factory_policy()
        [first] = made.entries
        entries = []
        for kind, changes in KINDS.items():
            attrs = {
                **first.attrs,
                "GLIDEIN_TrustDomain": kind,
                "GLIDEIN_SupportedAuthenticationMethod": kind,
            }
            entries.append(
                replace(
                    first, name=kind, attrs=attrs, trust_domain=kind, auth_method=kind, **changes
                )
            )
        return replace(made, entries=tuple(entries))

    def frontend_policy(self) -> FrontendPolicy:
        """One credential for each kind."""
        made = super().frontend_policy()
        [group] = made.groups
        credentials = []
        for kind in KINDS:
            main, key, pilot = (str(self.secret(kind, file)) for file in FILES)
            credentials.append(
                CredentialPolicy(
                    main,
                    kind,
                    kind,
                    "frontend",
                    absfname=main,
                    keyabsfname=key if kind in WITH_KEY else "",
                    pilotabsfname=pilot if kind not in ("scitoken", "grid_proxy") else "",
                    remote_username="joe",
                )
            )
        return replace(made, groups=(replace(group, credentials=tuple(credentials)),))

    def secret(self, kind: str, file: str) -> Path:
        """Where a credential file of the Frontend is."""
        return self.base / "secrets" / f"{kind}.{file}"

    def _files(self) -> None:
        super()._files()
        (self.base / "secrets").mkdir(mode=0o700)
        for kind in KINDS:
            for file in FILES:
                write_atomic(self.secret(kind, file), content(kind, file), 0o600)


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Planted]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    log.setup("both", tmp_path / "logs", level="DEBUG", console=False)
    made = Planted(tmp_path)
    made.jobs.add(60, Wants="x")
    yield made
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.level = handlers, level


def known_secrets(daemons: Planted) -> dict[str, str | bytes]:
    """All of them by name, with those that the daemons made."""
    known: dict[str, str | bytes] = {}
    for kind in KINDS:
        for file in FILES:
            known[f"{file} of {kind}"] = marker(kind, file)
            known[f"text of {file} of {kind}"] = content(kind, file)
    frontend, factory = daemons.base / "frontend", daemons.base / "factory"
    for path in (*frontend.glob("passwords.d/*"), factory / "rsa.key"):
        if path.is_file():
            known[path.name] = path.read_bytes()
    for number, path in enumerate((factory / "proxies").rglob("*.idtoken")):
        if path.is_file():
            known[f"idtoken {number}"] = path.read_bytes()
    for number, ad in enumerate(daemons.wms.ads()):
        try:
            key = daemons.factory.daemon.keys[0].unwrap(str(ad.get("ReqEncKeyCode", "")))
        except CryptoError:
            continue
        known[f"symmetric key {number}"] = key.key
    return known


def leaks(daemons: Planted) -> list[str]:
    """Where a secret is that must not be there."""
    known = known_secrets(daemons)

    def may(path: Path) -> bool:
        own = {"secrets", "proxies", "passwords.d"}
        return path.name in ("rsa.key", "rsa.key.bak", "ce.scitoken") or bool(own & {*path.parts})

    found = secret_scan.in_files(daemons.base, known, may)
    found += secret_scan.in_data("ads", [*daemons.wms.ads(), *daemons.user.ads()], known)
    jobs = [dict(job.items()) for job in daemons.queue.jobs.values()]
    found += secret_scan.in_data("job ads", jobs, known)
    for who in ("factory", "frontend"):
        found += secret_scan.in_data(f"repr of the {who}", getattr(daemons, who).daemon, known)
    for pool in (daemons.factory_pool, daemons.frontend_pool):
        calls = [(c.endpoint, c.function, c.args) for c in pool.calls]
        found += secret_scan.in_data("calls", calls, known)
    return found


def spoil_reading(daemons: Planted) -> None:
    """Every credential file is of another kind than it should be, then a directory, then gone."""
    for kind in KINDS:
        for file in FILES:
            path = daemons.secret(kind, file)
            write_atomic(path, f"-----BEGIN CERTIFICATE-----\n{marker(kind, file)}\n", 0o600)
    daemons.turn(2)
    for kind in KINDS:
        for file in FILES:
            path = daemons.secret(kind, file)
            path.write_bytes(marker(kind, file).encode() + b"\xff\x00eyJ.")
    daemons.turn(2)
    for kind in KINDS:
        daemons.secret(kind, "main").unlink()
        daemons.secret(kind, "main").mkdir()


def spoil_keys(daemons: Planted) -> None:
    """The signing key is no file any more, and the Factory's key another one."""
    folder = daemons.base / "frontend/passwords.d"
    shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    (folder / "FRONTEND").mkdir()
    other = builders.other_key()
    daemons.factory.daemon.keys[:] = [other]
    daemons.factory.daemon.request_reader.keys = {other.public.key_id: other}


def spoil_opening(daemons: Planted) -> None:
    """Each sealed value of a request and of a global ad is cut, altered, or replaced by the next."""
    for kind in ("glideclient", "glideclientglobal"):
        ad = daemons.wms.ads(kind)[0]
        sealed = [name for name in ad if name.startswith(("GlideinEncParam", "ReqEnc"))]
        for place, name in enumerate(sealed):
            text = ad[name]
            for change, spoilt in enumerate((text[:-2], text[:-1] + "0", ad[sealed[place - 1]])):
                own = {**ad, name: spoilt, "Name": f"{ad['Name']}.{place}.{change}"}
                daemons.wms.put(own, "UPDATE_MASTER_AD", FRONTEND)


def spoil_storing(daemons: Planted) -> None:
    """What the Factory stored is gone, and cannot be written again."""
    shutil.rmtree(daemons.base / "factory/proxies", ignore_errors=True)
    (daemons.base / "factory/proxies").write_text("in the way")


def spoil_files_of_pilots(daemons: Planted) -> None:
    """Stored credentials become directories just before they are submitted."""
    for path in (daemons.base / "factory/proxies").rglob("credential_*"):
        path.unlink()
        path.mkdir()


def spoil_submitting(daemons: Planted) -> None:
    """The queue refuses, then answers too late, then is gone."""
    daemons.queue.hung_after = True
    daemons.turn()
    daemons.queue.hung_after, daemons.queue.down = False, True


def spoil_advertising(daemons: Planted) -> None:
    """No collector takes an ad."""
    daemons.wms.grants = daemons.user.grants = {}


def nothing(daemons: Planted) -> None:
    """All goes well."""


SPOILERS = (
    nothing,
    spoil_reading,
    spoil_keys,
    spoil_opening,
    spoil_storing,
    spoil_files_of_pilots,
    spoil_submitting,
    spoil_advertising,
)


@pytest.mark.parametrize("spoil", SPOILERS, ids=[s.__name__ for s in SPOILERS])
def test_secrets_are_in_credential_files_alone(
    daemons: Planted, spoil: Callable[[Planted], None]
) -> None:
    daemons.turn(3)
    served = {job["GlideinEntryName"] for job in daemons.queue.jobs.values()}
    assert served == set(KINDS), "each kind of credential travels to the pilots"
    spoil(daemons)
    daemons.turn(2)
    assert leaks(daemons) == []
