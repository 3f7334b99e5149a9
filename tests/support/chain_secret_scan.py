"""Search a whole chain on real HTCondor for tokens and keys outside their places."""

from __future__ import annotations

from pathlib import Path

from glideinwms.demo import process
from glideinwms.demo.full_stack import SIDES, Chain
from glideinwms.lib.condor import htc
from glideinwms.lib.condor.calls import call
from glideinwms.lib.condor.workers import ProcessWorkers
from tests.support import secret_scan

# directories made for secrets, and those in which HTCondor itself carries a pilot's input
OWN = {"passwords.d", "tokens.d", "credentials", "client-proxies", "scitokens"}
CARRIED = {"execute", "spool"}
OURS = {"rsa.key", "rsa.key.bak"}
KEYS = {*OURS, "host.key", "hostkey.pem", "trust_domain_ca_privkey.pem"}


def known_secrets(chain: Chain) -> dict[str, bytes]:
    """Every signing key, every token and the Factory's key of the run, by where they are kept.
    (Other private keys are known by their look; an elliptic one holds its public part, which is in
    the certificate too.)
    """
    found = {}
    for path in chain.grid.base.rglob("*"):
        inside = OWN & set(path.relative_to(chain.grid.base).parts[:-1])
        if (
            path.is_file()
            and (inside or path.name in OURS)
            and path.suffix not in (".sqllite", ".lock")
        ):
            data = path.read_bytes()
            if len(data.strip()) >= 16:
                found[str(path.relative_to(chain.grid.base))] = data
    return found


def ads(chain: Chain) -> list[tuple[str, object]]:
    """All ads of both pools, all jobs of both queues, as their own people see them."""
    seen: list[tuple[str, object]] = []
    for pool, who in (("wms", "factory@wms.demo"), ("user", "alice@user.demo")):
        with ProcessWorkers(env=chain.grid.client_env(who)) as readers:
            asking = call(pool, htc.query_ads, collector=chain.grid[pool].collector).within(60.0)
            got = readers.one(asking)
            assert got.error is None and len(got.value) > 3, got.error
            seen += [(f"ad {ad.get('MyType')} {ad.get('Name')}", ad) for ad in got.value]
        seen.append(
            (f"queue of {pool}", chain.grid[pool].tool("condor_q", "-all", "-long", "-global"))
        )
    return seen


def look(chain: Chain) -> list[str]:
    """What is where it may not be."""
    base = chain.grid.base
    known = known_secrets(chain)
    assert any(n.endswith("POOL") for n in known) and any("FRONTEND" in n for n in known), sorted(
        known
    )
    assert any(n.endswith(".scitoken") for n in known) and any(
        n.endswith(".idtoken") for n in known
    ), sorted(known)

    def may(path: Path) -> bool:
        return path.name in KEYS or bool((OWN | CARRIED) & set(path.relative_to(base).parts))

    files = secret_scan.in_files(base, known, may)
    # what HTCondor carries lies in directories of its own, whatever the file's mode
    problems = [
        f for f in files if not CARRIED & set(Path(f.partition(": ")[0]).relative_to(base).parts)
    ]
    for what, ad in ads(chain):
        problems += secret_scan.in_data(what, ad, known)
    for side in SIDES:
        assert (chain.work(side) / "state/status.json").exists()
    pids = list(process.belonging(base))
    assert len(pids) > 8
    return problems + secret_scan.in_processes(pids, known)
