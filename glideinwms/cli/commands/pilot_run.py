"""`gwms pilot run ENTRY`: one pilot by hand, as the Factory would submit it, without CE and batch system.

The Frontend's half of its command line comes from a Frontend's work directory (`--frontend`), else from the newest
request that the Factory recorded. Exit code: the pilot's; 1 if it cannot be started. Here are the old names, too:
local_start, manual_glidein_startup.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glideinwms.cli.commands.factory import DEFAULT, WorkDir
from glideinwms.lib.errors import CredentialError, StageError, StateError

if TYPE_CHECKING:
    from glideinwms.factory.policy import EntryPolicy, FactoryPolicy
    from glideinwms.factory.snapshot import Request
    from glideinwms.frontend.policy import FrontendPolicy, GroupPolicy

CREDENTIAL = "by-hand"
STAGE_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class ByHand:
    """A pilot that can be started: its words, the places of its four descriptions, who asks, what
    token it brings.
    """

    words: list[str]
    stage: list[str]
    startup: Path
    startup_url: str
    client: str
    token: str = field(default="", repr=False)
    startup_sha256: str = ""

    @property
    def token_file(self) -> str:
        return f"credential_{self.client}.idtoken"


def run(
    entry: Annotated[str, typer.Argument(metavar="ENTRY")],
    work_dir: WorkDir = DEFAULT,
    frontend: Annotated[
        Path | None,
        typer.Option(
            "--frontend", exists=True, file_okay=False, help="A Frontend's work directory."
        ),
    ] = None,
    group: Annotated[
        str, typer.Option("--group", help="Of the Frontend; its only one by default.")
    ] = "",
    client: Annotated[
        str, typer.Option("--client", help="Without --frontend: the ClientName of a request.")
    ] = "",
    token: Annotated[
        Path | None,
        typer.Option("--token", exists=True, dir_okay=False, help="IDTOKEN for the user pool."),
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", help="NAME=VALUE, instead of what is asked.")
    ] = None,
    verbosity: Annotated[
        str, typer.Option("--verbosity", help="std, nodebug, fast or check: no jobs.")
    ] = "",
    where: Annotated[
        Path, typer.Option("--dir", file_okay=False, help="Its directory is made here.")
    ] = Path(),
    keep: Annotated[bool, typer.Option("--keep", help="Keep its directories.")] = False,
    show: Annotated[
        bool, typer.Option("--print", help="Print a script that does it on any machine.")
    ] = False,
) -> None:
    """Start one pilot on this machine, to see what happens: in a fresh directory, without hold-down
    after a failure.
    """
    from glideinwms.factory.daemon import load_policy
    from glideinwms.factory.inspect.listing import entry_of

    policy = load_policy(work_dir)
    chosen = entry_of(policy, entry)
    if frontend is not None:
        request, text = of_frontend(
            frontend, group, policy, chosen, make_token=not token and not show
        )
    else:
        request, text = _recorded(work_dir, chosen, client)
    request = replace(request, params={**request.params, **_pairs(param or ())})
    pilot = pilot_of(policy, chosen, request, verbosity, token.read_text() if token else text)
    if show:
        print(script(pilot), end="")
        return
    check(pilot, os.environ)
    sys.exit(start(pilot, where, keep=keep))


def _pairs(words: Iterable[str]) -> dict[str, str]:
    found = dict(word.partition("=")[::2] for word in words)
    if wrong := [name for name, value in found.items() if not name or not value]:
        raise StateError("a parameter is NAME=VALUE", where=f"--param {wrong[0]}")
    return found


def pilot_of(
    policy: FactoryPolicy, entry: EntryPolicy, request: Request, verbosity: str, token: str
) -> ByHand:
    """The pilot of an entry for a request, in the directory where it is started."""
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
    return ByHand(
        [*line.split(" "), "-cluster", "0", "-subcluster", "0"],
        [f"{url}/{name}" for url, name in places if url],
        Path(policy.startup_script),
        f"{policy.stage.url}/glidein_startup.sh",
        request.client,
        token,
        startup_sha256=policy.startup_sha256,
    )


def of_frontend(
    work_dir: Path, name: str, policy: FactoryPolicy, entry: EntryPolicy, *, make_token: bool
) -> tuple[Request, str]:
    """What the group would ask of the entry, and the token that its pilots get there."""
    from glideinwms.factory.snapshot import Request, Web
    from glideinwms.frontend.apply.request_ads import SIGN_TYPE, pilot_params
    from glideinwms.frontend.daemon import load_policy
    from glideinwms.lib.wire.names import client_name

    own = load_policy(work_dir)
    group = _group(own, name)
    web = Web(
        own.stage.url,
        SIGN_TYPE,
        own.stage.descript,
        own.stage.sign,
        own.stage.sign256,
        group.stage.url,
        group.stage.descript,
        group.stage.sign,
        group.stage.sign256,
    )
    params = pilot_params(own, group, policy.collector)
    client = client_name(own.frontend_name, group.name)
    request = Request(
        CREDENTIAL,
        entry.name,
        client,
        own.frontend_name,
        group.name,
        credential=CREDENTIAL,
        web=web,
        params=params,
    )
    return request, _made_token(own, group, policy, entry) if make_token else ""


def _group(own: FrontendPolicy, name: str) -> GroupPolicy:
    names = [g.name for g in own.groups]
    if not name and len(names) != 1:
        raise StateError(
            f"which group? It has {', '.join(names) or 'none'}",
            where=f"Frontend {own.frontend_name}",
            hint="--group NAME",
        )
    found = next((g for g in own.groups if g.name == (name or names[0])), None)
    if found is None:
        raise StateError(
            f"there is no group {name}; it has {', '.join(names)}",
            where=f"Frontend {own.frontend_name}",
        )
    return found


def _made_token(
    own: FrontendPolicy, group: GroupPolicy, policy: FactoryPolicy, entry: EntryPolicy
) -> str:
    from glideinwms.frontend.credentials.pilot_tokens import TokenMaker, first_word
    from glideinwms.frontend.snapshot import EntryState
    from glideinwms.lib.condor import htc
    from glideinwms.lib.wire.names import RequestName

    maker = TokenMaker(
        Path(own.passwords_dir), Path(own.tokens_dir), first_word(htc.param("TRUST_DOMAIN"))
    )
    name = str(RequestName(entry.name, policy.glidein_name, policy.factory_name))
    try:
        return maker.token(
            group, EntryState(name, "", dict(entry.attrs), dict(entry.params)), time.time()
        )
    except OSError as error:
        raise CredentialError(
            f"no token can be made: {error}",
            where=f"Frontend {own.frontend_name}",
            hint="run it as the Frontend's account, or give --token FILE",
        ) from error


def _recorded(work_dir: Path, entry: EntryPolicy, client: str) -> tuple[Request, str]:
    """The newest request that the Factory recorded for the entry, and its pilots' token."""
    from glideinwms.factory.inspect import replay
    from glideinwms.factory.inspect.listing import requests_of

    rows = requests_of(replay.read(work_dir / "state").snapshot.requests.value or (), entry.name)
    found = [row for row in rows if client in ("", row.client)]
    if not found:
        known = ", ".join(sorted({row.client for row in rows})) or "nobody"
        what = f"there is no recorded request of {client or 'anybody'}; {known} asks for it"
        raise StateError(
            what,
            where=f"entry {entry.name}",
            hint="give the Frontend's work directory: --frontend DIR",
        )
    path = found[0].files.get("idtoken", "")
    try:
        return found[0], Path(path).read_text() if path else ""
    except OSError as error:
        raise CredentialError(
            f"the token cannot be read: {error.strerror}",
            where=path,
            hint="run it as the Factory's account, or give --token FILE",
        ) from error


def check(pilot: ByHand, env: Mapping[str, str]) -> None:
    """Whether the stage areas answer and there is a credential: an error says what is missing."""
    if os.geteuid() == 0:
        what, hint = (
            "a pilot is not for root: HTCondor would look for other accounts",
            "sudo -u ACCOUNT, or --print",
        )
        raise StateError(what, where="gwms pilot run", hint=hint)
    if not pilot.token and not env.get("X509_USER_PROXY"):
        raise CredentialError(
            "there is no token for the user pool",
            where=f"pilot for {pilot.client}",
            hint="give --token FILE, or a proxy in X509_USER_PROXY",
        )
    proxy = pilot.words[pilot.words.index("-proxy") + 1]
    ways = [
        urllib.request.ProxyHandler({"http": f"http://{p.removeprefix('http://')}"})
        for p in proxy.split(",")
        if p not in ("", "None", "OSG")
    ]
    for url in pilot.stage:
        why = _unreachable(url, [*ways, urllib.request.ProxyHandler({})])
        if why:
            raise StageError(
                f"the stage area does not answer: {why}", where=url, hint="is its web server up?"
            )


def _unreachable(url: str, ways: Iterable[urllib.request.ProxyHandler]) -> str:
    why = ""
    for way in ways:
        try:
            with urllib.request.build_opener(way).open(url, timeout=STAGE_PATIENCE) as answer:
                answer.read(1)
                return ""
        except (OSError, ValueError) as error:
            why = why or str(error.reason if isinstance(error, urllib.error.URLError) else error)
    return why


def start(pilot: ByHand, where: Path, *, keep: bool) -> int:
    """Run it to its end; its exit code. It hears signals that are for us."""
    home = Path(tempfile.mkdtemp(prefix="gwms-pilot-", dir=where.resolve()))
    env = {**os.environ, "GLIDEIN_HOLD_DOWN": os.environ.get("GLIDEIN_HOLD_DOWN", "0")}
    if pilot.token:
        path = home / pilot.token_file
        path.touch(0o600)
        path.write_text(pilot.token)
        env["IDTOKENS_FILE"] = path.name
    if keep:
        env["GLIDEIN_DEBUG_OPTIONS"] = ",".join(
            filter(None, [env.get("GLIDEIN_DEBUG_OPTIONS"), "nocleanup"])
        )
    try:
        argv = ["/bin/bash", str(_startup(pilot, home)), *pilot.words]
        print(f"# in {home}\n{shlex.join(argv)}", flush=True)
        with subprocess.Popen(argv, cwd=home, env=env, stdin=subprocess.DEVNULL) as child:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
                signal.signal(number, lambda n, _: child.send_signal(n))
            code = child.wait()
    finally:
        if not keep:
            subprocess.run(["rm", "-rf", str(home)], check=False)
    return code if code >= 0 else 128 - code


def _startup(pilot: ByHand, home: Path) -> Path:
    """A verified copy of the start-up script: the Factory's own, else that of the stage area."""
    wanted, where = _startup_sum(pilot), str(pilot.startup)
    if os.access(pilot.startup, os.R_OK):
        content = pilot.startup.read_bytes()
    else:
        where = pilot.startup_url
        try:
            with urllib.request.urlopen(where, timeout=STAGE_PATIENCE) as answer:
                content = answer.read()
        except OSError as error:
            raise StageError(
                f"the start-up script cannot be downloaded: {error}", where=where
            ) from error
    if hashlib.sha256(content).hexdigest() != wanted:
        raise StageError(
            "the start-up script does not have the checksum that the Factory's policy has",
            where=where,
            hint="run gwms factory reconfig; does a proxy alter downloads?",
        )
    path = home / "glidein_startup.sh"
    path.write_bytes(content)
    return path


def _startup_sum(pilot: ByHand) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", pilot.startup_sha256):
        raise StateError(
            "the Factory's policy has no checksum of the start-up script",
            where=str(pilot.startup),
            hint="it was written by an older release: run gwms factory reconfig",
        )
    return pilot.startup_sha256


def script(pilot: ByHand) -> str:
    """A bash script that starts it where there is neither Factory nor Frontend; the token is not in
    it.
    """
    url, token = shlex.quote(pilot.startup_url), shlex.quote(pilot.token_file)
    return f"""#!/bin/bash
# A pilot for {pilot.client}, by hand. GWMS_TOKEN is the file with an IDTOKEN for the user pool.
set -e
home=$(mktemp -d "$PWD/gwms-pilot-XXXXXX")
[ -n "$X509_USER_PROXY" ] || cp "${{GWMS_TOKEN:?the file with the IDTOKEN}}" "$home"/{token}
cd "$home"
curl -fsS -o glidein_startup.sh {url} || wget -q -O glidein_startup.sh {url}
echo "{_startup_sum(pilot)}  glidein_startup.sh" | sha256sum -c - >&2
export GLIDEIN_HOLD_DOWN=${{GLIDEIN_HOLD_DOWN:-0}} IDTOKENS_FILE={token}
exec bash glidein_startup.sh {shlex.join(pilot.words)} < /dev/null
"""


def _old_parser(prog: str, about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=about)
    default = os.environ.get("GWMS_FACTORY_DIR", str(DEFAULT))
    parser.add_argument("-dir", dest="dir", default=default, help="the Factory's work directory")
    return parser


def _gwms(words: Sequence[str]) -> None:
    from glideinwms.cli.main import main

    main(words)


def local_start(argv: Sequence[str] | None = None) -> None:
    """local_start ENTRY: a pilot of the entry on this machine, for whoever asked for one last."""
    parser = _old_parser("local_start", "Start a pilot without its CE (see gwms pilot run).")
    parser.add_argument("entry")
    parser.add_argument("client", nargs="?", default="", help="FRONTEND.GROUP")
    a = parser.parse_args(argv)
    _gwms(
        [
            "pilot",
            "run",
            a.entry,
            *(["--client", a.client] if a.client else []),
            "--work-dir",
            a.dir,
        ]
    )


def manual_glidein_startup(argv: Sequence[str] | None = None) -> None:
    """manual_glidein_startup --entry-name E --fe-name F --group-name G: a script that starts such a
    pilot anywhere.
    """
    parser = _old_parser(
        "manual_glidein_startup",
        "A script that starts a pilot anywhere (see gwms pilot run --print).",
    )
    parser.add_argument("--entry-name", required=True)
    parser.add_argument("--fe-name", required=True, help="the Frontend's name, or FRONTEND.GROUP")
    parser.add_argument("--group-name", default="")
    parser.add_argument(
        "--wms-collector", default="", help="not needed: the Factory has recorded the request"
    )
    a = parser.parse_args(argv)
    client = f"{a.fe_name}.{a.group_name}" if a.group_name else a.fe_name
    _gwms(["pilot", "run", a.entry_name, "--client", client, "--print", "--work-dir", a.dir])
