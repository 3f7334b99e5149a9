"""Credentials that are made on the way open real CEs: one by a generator for its entry, one by a creation_script."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from glideinwms.demo import jobs
from glideinwms.demo.full_stack import Chain
from glideinwms.demo.grid import ISSUER, PILOT_SUBJECT
from glideinwms.demo.jobs import JobClass
from glideinwms.demo.pki import KID, write_private
from glideinwms.demo.progress import Watch
from tests.grid.conftest import MakeChain
from tests.grid.waiting import until
from tests.support import chain_secret_scan

pytestmark = [pytest.mark.condor, pytest.mark.grid]
ALPHA = JobClass(name="only SiteA", count=2, sites="SiteA", entries=("Alpha",))
BETA = JobClass(name="only SiteB", count=2, sites="SiteB", entries=("Beta",))
# the audience of a CE is the host in its schedd's name, the first word of the gatekeeper
MODULE = f"""
import json, time, jwt
print("nobody hears this")
def get_credential(logger, group, entry, trust_domain, key_file):
    now = int(time.time())
    host = entry["gatekeeper"].split()[0].partition("@")[2]
    claims = {{"ver": "scitoken:2.0", "iss": "{ISSUER}", "sub": "{PILOT_SUBJECT}", "aud": host,
              "scope": "condor:/READ condor:/WRITE", "iat": now, "nbf": now - 5, "exp": now + 900}}
    with open(key_file) as key:
        return jwt.encode(claims, key.read(), algorithm="ES256", headers={{"kid": "{KID}"}}), 900
"""


@pytest.mark.slow
def test_credentials_that_are_made_on_the_way_open_the_ces(make_chain: MakeChain) -> None:
    chain = make_chain()
    folder = chain.home("frontend") / "credentials"
    token_a, token_b = folder / "ce-a.demo.scitoken", folder / "ce-b.demo.scitoken"
    saved = token_b.rename(folder / "made_elsewhere")
    token_a.unlink()
    _configured(chain, saved)
    chain.reconfig("frontend")
    watch = Watch(chain, jobs.submit(chain.grid, 1, (ALPHA, BETA)), time.time(), (ALPHA, BETA))
    until(watch, watch.done, "the jobs of both CEs are done")
    assert {jobs.output_of(chain.grid, j.id)["site"] for j in watch.look(time.time()).jobs} == {
        "SiteA",
        "SiteB",
    }
    assert token_b.read_bytes() == saved.read_bytes() and not token_a.exists()
    shown = chain.gwms("frontend", "frontend", "status", "--work-dir", str(chain.work("frontend")))
    assert (
        "made by generator ce_tokens, held for 1 of its entries" in shown
        and "creation_script ran" in shown
    )
    assert not chain_secret_scan.look(chain)


def _configured(chain: Chain, saved: Path) -> None:
    """CE A's token comes from a module beside the XML, CE B's from a program."""
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key = saved.with_name("issuer.pem")
    write_private(
        key, chain.grid.issuer.key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    )
    plugins, xml = chain.etc / "plugin.d", chain.etc / "frontend.xml"
    plugins.mkdir()
    (plugins / "ce_tokens.py").write_text(MODULE)
    file_a, file_b = (f'absfname="{saved.with_name(f"ce-{x}.demo.scitoken")}"' for x in "ab")
    text = xml.read_text()
    assert file_a in text and file_b in text
    made = f"""generator="ce_tokens" context="{{'key_file': '{key}'}}\""""
    text = text.replace(file_a, made)
    xml.write_text(
        text.replace(
            file_b, f'{file_b} creation_script="cp {saved} {saved.with_name("ce-b.demo.scitoken")}"'
        )
    )
    chain.grid.who.own(plugins, key, xml)
