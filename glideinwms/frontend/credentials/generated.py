"""What generators have made, kept in memory for half its life, an hour at most (protocol 3.6, 3.7)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glideinwms.frontend.credentials.generators import generate, safe
from glideinwms.frontend.policy import CredentialPolicy, FrontendPolicy, GroupPolicy
from glideinwms.frontend.snapshot import EntryState
from glideinwms.lib.condor.calls import Call, CallResult, Workers, call
from glideinwms.lib.credentials.tokens import remaining
from glideinwms.lib.daemon import log
from glideinwms.lib.errors import CredentialError, TimedOut, place_of

DEADLINE = 30.0
# entries of one call: a generator that hangs costs the others of its call only
PART = 200
HOUR = 3600.0
# a generator that fails altogether is asked again after so many seconds
RETRY = 300.0


@dataclass(frozen=True, slots=True)
class CachedToken:
    """A text, when another is asked for, and when it is no good any more, in epoch seconds."""

    text: str = field(repr=False)
    until: float
    ends: float


@dataclass(slots=True)
class GeneratedCredentials:
    """Texts by (group, credential) and request name; why a credential has none."""

    texts: dict[tuple[str, str], dict[str, CachedToken]] = field(default_factory=dict, repr=False)
    wrong: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    broken: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)

    def text(self, group: str, credential: CredentialPolicy, request: str, now: float) -> str:
        """The text for an entry; a CredentialError says why there is none."""
        held = self.texts.get((group, credential.name), {}).get(request)
        if held is not None and now < held.ends:
            return held.text
        why = self.wrong.get((group, credential.name), {}).get(request, "") or self._failed(
            group, credential, now
        )
        what = f"generator {credential.generator} made nothing that is valid: {why or 'it was not asked yet'}"
        raise CredentialError(what, where=request)

    def any(self, group: str, credential: str, now: float) -> str:
        """The text that goes out under the credential's own id: one of those that are valid, or ""."""
        held = self.texts.get((group, credential), {}).values()
        return next((h.text for h in held if now < h.ends), "")

    def why_not(self, group: str, credential: CredentialPolicy, now: float) -> str:
        """Why a group's credential cannot be used now; "" if it can, or is to be tried again."""
        return "" if self.any(group, credential.name, now) else self._failed(group, credential, now)

    def _failed(self, group: str, credential: CredentialPolicy, now: float) -> str:
        """Why the generator is left alone now; "" if it is not."""
        why, until = self.broken.get((group, credential.name), ("", 0.0))
        return why if now < until else ""

    def refresh(
        self,
        pool: Workers,
        policy: FrontendPolicy,
        wanted: Iterable[tuple[GroupPolicy, Sequence[EntryState]]],
        now: float,
    ) -> None:
        """Ask the generators for what is lacking or half over, for the entries of each group."""
        asked = [
            item for group, entries in wanted for item in self._calls(policy, group, entries, now)
        ]
        answers = pool.run([call for _, _, call in asked]) if asked else []
        for (group, credential, _), answer in zip(asked, answers, strict=True):
            try:
                self._take(group.name, credential, answer, now)
            except Exception as error:  # noqa: BLE001 - the boundary of one generator, whose texts must not be told
                self.broken[group.name, credential.name] = (place_of(error), now + RETRY)
                log.get("generator").error(
                    "failed", generator=credential.generator, error=place_of(error)
                )

    def _calls(
        self, policy: FrontendPolicy, group: GroupPolicy, entries: Sequence[EntryState], now: float
    ) -> Iterator[tuple[GroupPolicy, CredentialPolicy, Call[dict[str, Any]]]]:
        for credential in group.credentials:
            if not credential.generator or self._failed(group.name, credential, now):
                continue
            key = (group.name, credential.name)
            held, wrong = self.texts.setdefault(key, {}), self.wrong.get(key, {})
            _forget(held, {e.name for e in entries}, now)
            due = [
                e
                for e in entries
                if domain_of(e) == credential.trust_domain
                and (e.name not in held or held[e.name].until <= now)
            ]
            due.sort(key=lambda e: e.name in wrong)  # one that hangs comes after the others
            for start in range(0, len(due), PART):
                asking = call(
                    f"generator {credential.generator}",
                    generate,
                    folder=policy.generators_dir,
                    name=credential.generator,
                    context=credential.context,
                    group=group.name,
                    trust_domain=credential.trust_domain,
                    tokens_dir=policy.tokens_dir,
                    entries=[described(e) for e in due[start : start + PART]],
                )
                yield group, credential, asking.within(DEADLINE)

    def _take(
        self,
        group: str,
        credential: CredentialPolicy,
        answer: CallResult[dict[str, Any]],
        now: float,
    ) -> None:
        if answer.error is not None:
            if isinstance(answer.error, TimedOut) and answer.began == answer.ended:
                return  # given up for another group's sake: its turn comes with the next cycle
            self.broken[group, credential.name] = (safe(str(answer.error)), now + RETRY)
            log.get("generator").error(
                "failed", generator=credential.generator, error=safe(str(answer.error))
            )
            return
        key, value = (group, credential.name), answer.value
        for line in value["said"]:
            log.get("generator").info(
                "said", generator=credential.generator, group=group, line=line
            )
        wrong = self.wrong.setdefault(key, {})
        wrong.update(value["wrong"])
        for request, (text, lifetime) in value["texts"].items():
            left = remaining(text, now) if "token" in credential.type else lifetime or float("inf")
            wrong.pop(request, None)
            if not left > 0:  # nor NaN
                wrong[request] = "the token is expired, not yet valid, or no token"
                continue
            self.texts[key][request] = CachedToken(
                text, now + min(HOUR, (lifetime or left) / 2), now + left
            )


def _forget(held: dict[str, CachedToken], present: Collection[str], now: float) -> None:
    """Drop what was made for entries that are gone, once it is half over."""
    for name in [n for n, h in held.items() if n not in present and h.until <= now]:
        del held[name]


def domain_of(entry: EntryState) -> str:
    """The trust domain of an entry (protocol 3.6)."""
    return str(entry.attrs.get("GLIDEIN_TrustDomain", "Grid"))


def described(entry: EntryState) -> Mapping[str, Any]:
    """What a generator is told of an entry (protocol 3.7)."""
    attrs = entry.attrs
    return {
        "request": entry.name,
        "name": str(attrs.get("EntryName", entry.name.split("@")[0])),
        "gatekeeper": str(attrs.get("GLIDEIN_Gatekeeper", "")),
        "factory": str(attrs.get("AuthenticatedIdentity", "")),
    }
