"""Assemble a pilot that is started by hand: its command line, stage areas and token."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from glideinwms.lib.errors import CredentialError, StateError

if TYPE_CHECKING:
    from glideinwms.factory.policy import EntryPolicy, FactoryPolicy
    from glideinwms.factory.snapshot import Request
    from glideinwms.frontend.policy import FrontendPolicy, GroupPolicy

CREDENTIAL = "by-hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualPilot:
    """A pilot ready to start.

    `words` are its arguments, `stage` the URLs of its four descriptions, `client` the ClientName
    that it runs for, and `token` the IDTOKEN that it brings.
    """

    words: Sequence[str]
    stage: Sequence[str]
    startup: Path
    startup_url: str
    client: str
    token: str = field(default="", repr=False)
    startup_sha256: str = ""

    @property
    def token_file(self) -> str:
        """The name of the token's file in the pilot's directory."""
        return f"credential_{self.client}.idtoken"


def parameters(words: Iterable[str]) -> dict[str, str]:
    """Parse NAME=VALUE words."""
    pairs = dict(word.partition("=")[::2] for word in words)
    for name, value in pairs.items():
        if not name or not value:
            raise StateError("a parameter is NAME=VALUE", where=f"--param {name}")
    return pairs


def pilot_of(
    policy: FactoryPolicy, entry: EntryPolicy, request: Request, verbosity: str, token: str
) -> ManualPilot:
    """Assemble the pilot of an entry for a request. It runs in the directory of its start."""
    from glideinwms.factory.submit.arguments import arguments
    from glideinwms.factory.submit.description import sub_entries

    entry = replace(entry, work_dir=".", verbosity=verbosity or entry.verbosity)
    line = arguments(policy, entry, sub_entries(entry)[0], request, numbered=False)
    web = request.web
    places = [
        (policy.stage.url, policy.stage.descript),
        (f"{policy.stage.url}/entry_{entry.name}", entry.stage.descript),
        (web.url, web.descript),
        (web.group_url, web.group_descript),
    ]
    return ManualPilot(
        words=[*line.split(" "), "-cluster", "0", "-subcluster", "0"],
        stage=[f"{url}/{name}" for url, name in places if url],
        startup=Path(policy.startup_script),
        startup_url=f"{policy.stage.url}/glidein_startup.sh",
        client=request.client,
        token=token,
        startup_sha256=policy.startup_sha256,
    )


def request_of_frontend(
    work_dir: Path, name: str, policy: FactoryPolicy, entry: EntryPolicy, *, make_token: bool
) -> tuple[Request, str]:
    """Return what the group would ask of the entry, and the token that its pilots get there."""
    from glideinwms.factory.snapshot import Request, Web
    from glideinwms.frontend.apply.request_ads import SIGN_TYPE, pilot_params
    from glideinwms.frontend.daemon import load_policy
    from glideinwms.lib.wire.names import client_name

    frontend = load_policy(work_dir)
    group = _group(frontend, name)
    web = Web(
        url=frontend.stage.url,
        sign_type=SIGN_TYPE,
        descript=frontend.stage.descript,
        sign=frontend.stage.sign,
        sign256=frontend.stage.sign256,
        group_url=group.stage.url,
        group_descript=group.stage.descript,
        group_sign=group.stage.sign,
        group_sign256=group.stage.sign256,
    )
    request = Request(
        name=CREDENTIAL,
        entry=entry.name,
        client=client_name(frontend.frontend_name, group.name),
        frontend_name=frontend.frontend_name,
        group_name=group.name,
        credential=CREDENTIAL,
        web=web,
        params=pilot_params(frontend, group, policy.collector),
    )
    return request, _make_token(frontend, group, policy, entry) if make_token else ""


def _group(frontend: FrontendPolicy, name: str) -> GroupPolicy:
    groups = {group.name: group for group in frontend.groups}
    where = f"Frontend {frontend.frontend_name}"
    names = ", ".join(groups) or "no groups"
    if not name and len(groups) != 1:
        raise StateError(
            f"the group must be named; there are {names}", where=where, hint="--group NAME"
        )
    chosen = name or next(iter(groups))
    if chosen not in groups:
        raise StateError(f"there is no group {chosen}; there are {names}", where=where)
    return groups[chosen]


def _make_token(
    frontend: FrontendPolicy, group: GroupPolicy, policy: FactoryPolicy, entry: EntryPolicy
) -> str:
    from glideinwms.frontend.credentials.pilot_tokens import TokenMaker, first_word
    from glideinwms.frontend.snapshot import EntryState
    from glideinwms.lib.condor import htc
    from glideinwms.lib.wire.names import RequestName

    maker = TokenMaker(
        Path(frontend.passwords_dir),
        Path(frontend.tokens_dir),
        first_word(htc.param("TRUST_DOMAIN")),
    )
    name = str(RequestName(entry.name, policy.glidein_name, policy.factory_name))
    state = EntryState(name=name, pool="", attrs=dict(entry.attrs), params=dict(entry.params))
    try:
        return maker.token(group, state, time.time())
    except OSError as error:
        raise CredentialError(
            f"cannot make a token: {error}",
            where=f"Frontend {frontend.frontend_name}",
            hint="run as the Frontend's account, or give --token FILE",
        ) from error


def recorded_request(work_dir: Path, entry: EntryPolicy, client: str) -> tuple[Request, str]:
    """Return the newest request that the Factory recorded for the entry, and its token."""
    from glideinwms.factory.inspect import replay
    from glideinwms.factory.inspect.listing import requests_of

    record = replay.read(work_dir / "state")
    requests = requests_of(record.snapshot.requests.value or (), entry.name)
    chosen = [request for request in requests if client in ("", request.client)]
    if not chosen:
        known = ", ".join(sorted({request.client for request in requests}))
        of_client = f" of {client}" if client else ""
        recorded = f"; recorded are {known}" if known else ""
        raise StateError(
            f"there is no recorded request{of_client}{recorded}",
            where=f"entry {entry.name}",
            hint="give the Frontend's work directory: --frontend DIR",
        )
    path = chosen[0].files.get("idtoken", "")
    try:
        return chosen[0], Path(path).read_text() if path else ""
    except OSError as error:
        raise CredentialError(
            f"cannot read the token: {error.strerror}",
            where=path,
            hint="run as the Factory's account, or give --token FILE",
        ) from error
