"""Read the requests and credentials of Frontends from the WMS collector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from glideinwms.factory.collect import queries
from glideinwms.factory.collect.collector_clock import collector_time, difference
from glideinwms.factory.collect.credential_store import CredentialStore, packed
from glideinwms.factory.collect.queries import Ad
from glideinwms.factory.collect.request_validation import (
    RequestRefused,
    RequestValidator,
    StoredCredential,
    bare_request,
)
from glideinwms.factory.policy import FactoryPolicy
from glideinwms.factory.snapshot import Request
from glideinwms.lib.condor.calls import Workers, call
from glideinwms.lib.daemon import log
from glideinwms.lib.daemon.reading import Reading
from glideinwms.lib.errors import (
    CredentialError,
    GwmsError,
    TimedOut,
    Unreachable,
    place_of,
)
from glideinwms.lib.reasons import Reason, Refusal
from glideinwms.lib.wire import Opener
from glideinwms.lib.wire.crypto import FactoryKey
from glideinwms.lib.wire.names import label

# Of one Frontend in a cycle; each is written twice.
MAX_NEW_CREDENTIALS = 500
MAX_CREDENTIAL_BYTES = 1024 * 1024


class RequestReader:
    """Reads request ads, and stores the credentials that come with them.

    After each call of `read_requests`: `refusals` are ads that could not be used, `stored` the
    credential files that were written, `named` all that credential ads brought, `silent` whether
    the collector did not answer, `clock_difference` a text if its clock differs from this host's.
    """

    def __init__(self, workers: Workers, keys: Mapping[str, FactoryKey]) -> None:
        self.workers = workers
        self.keys = keys
        self.requests: Reading[tuple[Request, ...]] = Reading("requests", 0.0)
        self.refusals: list[Refusal] = []
        self.stored: list[Path] = []
        self.named: set[str] = set()
        # Credentials that were written in this cycle, by Frontend.
        self.written: Counter[str] = Counter()
        self.store: CredentialStore | None = None
        self.opener = Opener(keys, ())
        self.silent = False
        self.clock_difference = ""
        self.log = log.get("collect")

    def read_requests(self, policy: FactoryPolicy, now: float) -> Reading[tuple[Request, ...]]:
        """Return this cycle's requests. A failed query keeps none: a request that vanished means no
        change (decision 26).
        """
        answer = self.workers.one(
            call(
                policy.collector or "collector",
                queries.read_requests,
                collector=policy.collector,
                glidein=policy.glidein_name,
                factory=policy.factory_name,
                identities=sorted({frontend.identity for frontend in policy.frontends}),
            )
        )
        self.refusals, self.stored, self.named = [], [], set()
        blank: Reading[tuple[Request, ...]] = Reading("requests", 0.0)
        self.silent = isinstance(answer.error, TimedOut | Unreachable)
        if answer.error is not None:
            self.requests = blank.failed(str(answer.error))
            return self.requests
        if self.store is None or self.store.base != Path(policy.client_proxies_dir):
            self.store = CredentialStore(Path(policy.client_proxies_dir), policy.glidein_name)
        ads = answer.value
        clock = collector_time(ads.times, now)
        self.clock_difference = difference(now, clock)
        if self.clock_difference:
            self.log.warning("clocks differ", why=self.clock_difference)
        validator = RequestValidator(policy, self.keys, clock, self.store, self.opener)
        text = "GlideinMyType is neither glideclient nor glideclientglobal"
        self.refusals += [Refusal(Reason.MALFORMED_AD, label(name), text) for name in ads.malformed]
        nameless = "the name of one of its attributes is not UTF-8"
        self.refusals += [
            Refusal(Reason.MALFORMED_AD, label(name), nameless) for name in ads.unreadable
        ]
        if ads.strangers > queries.MAX_STRANGERS:
            more = ads.strangers - queries.MAX_STRANGERS
            text = f"{more} more ads come from identities that are not configured here"
            self.refusals.append(Refusal(Reason.BAD_ENVELOPE, "requests", text))
        self.written.clear()
        for raw in ads.credentials:
            self._store(validator, raw)
        requests = [self._request(validator, raw) for raw in ads.requests]
        self.stored += validator.written
        by_name = tuple(sorted(requests, key=lambda request: request.name))
        self.requests = blank.fresh(by_name, answer.began)
        return self.requests

    def _request(self, validator: RequestValidator, raw: Ad) -> Request:
        try:
            return validator.request(raw)
        except Exception as error:  # noqa: BLE001 - the boundary of one ad
            bare, text = bare_request(raw), place_of(error)
            self.log.error("request not understood", request=bare.name, error=text)
            return replace(bare, refusal=Refusal(Reason.MALFORMED_AD, bare.name, text))

    def _store(self, validator: RequestValidator, raw: Ad) -> None:
        name = label(raw.get("Name", "?"))
        try:
            credentials = validator.credentials(raw)
            late = sum(not self._store_one(validator, item, name) for item in credentials)
            if late:
                text = f"{late} new credentials wait for the next cycle"
                self.refusals.append(Refusal(Reason.CREDENTIAL_MISSING, name, text))
        except RequestRefused as error:
            self.refusals.append(Refusal(error.reason, name, error.text))
        except GwmsError as error:
            reason = getattr(error, "reason", Reason.MALFORMED_AD)
            self.refusals.append(Refusal(reason, name, error.message))
        except Exception as error:  # noqa: BLE001 - the boundary of one ad
            self.refusals.append(Refusal(Reason.MALFORMED_AD, name, place_of(error)))

    def _store_one(self, validator: RequestValidator, item: StoredCredential, name: str) -> bool:
        """Store one credential of the ad `name`; return False if its Frontend has sent too many new
        ones in this cycle.
        """
        store, frontend = validator.store, item.owner.frontend
        try:
            path = store.credential(item.owner, item.client, item.cred_id)
            self.named |= {str(path), str(packed(path))}
            if len(item.data) > MAX_CREDENTIAL_BYTES:
                size = f"{len(item.data)} bytes, at most {MAX_CREDENTIAL_BYTES} are allowed"
                raise CredentialError(f"a credential has {size}")
            if self.written[frontend] >= MAX_NEW_CREDENTIALS and not path.exists():
                return False
            if store.store_credential(item.owner, item.client, item.cred_id, item.data):
                self.stored.append(path)
                self.written[frontend] += 1
        except CredentialError as error:
            # A file that cannot be written is not the ad's fault.
            lost = error.__cause__ is not None
            reason = Reason.CREDENTIAL_MISSING if lost else Reason.MALFORMED_AD
            self.refusals.append(Refusal(reason, name, str(error) if lost else error.message))
        return True
