"""The pilot's command line and the escaping of its parameters (protocol 4.8)."""

from __future__ import annotations

from glideinwms.factory.policy import EntryPolicy, FactoryPolicy, SubEntry
from glideinwms.factory.snapshot import Request, Value

WORDS = {
    ".": "dot",
    ",": "comma",
    "&": "amp",
    "\\": "backslash",
    "|": "pipe",
    "`": "fork",
    '"': "quot",
    "'": "singquot",
    "=": "eq",
    "+": "plus",
    "-": "minus",
    "<": "lt",
    ">": "gt",
    "(": "open",
    ")": "close",
    "{": "gopen",
    "}": "gclose",
    "[": "sopen",
    "]": "sclose",
    "#": "comment",
    "$": "dollar",
    "*": "star",
    "?": "question",
    "!": "not",
    "~": "tilde",
    ":": "colon",
    ";": "semicolon",
    " ": "nbsp",
}
_TABLE = str.maketrans({char: f".{word}," for char, word in WORDS.items()})


def escape(text: str) -> str:
    """Each listed character as `.word,`; the rest unchanged."""
    return text.translate(_TABLE)


def merged_params(entry: EntryPolicy, request: Request) -> dict[str, Value]:
    """The request's parameters, then the entry's defaults for names it does not give (protocol
    4.3/2).
    """
    return {**request.params, **{k: v for k, v in entry.params.items() if k not in request.params}}


def arguments(
    policy: FactoryPolicy,
    entry: EntryPolicy,
    sub: SubEntry,
    request: Request,
    *,
    numbered: bool = True,
) -> str:
    """The whole line, fields separated by one blank. `numbered` adds -cluster and -subcluster (not
    for clouds).
    """
    words = [
        *_factory(policy, entry, sub, request),
        *_client(request),
        *_sums256(policy, entry, request),
    ]
    for name, value in merged_params(entry, request).items():
        if str(value) != "":
            words += [f"-param_{name}", escape(str(value))]
    if numbered:
        words += ["-cluster", "$(Cluster)", "-subcluster", "$(Process)"]
    return " ".join(words).replace('"', '\\"')


def _factory(
    policy: FactoryPolicy, entry: EntryPolicy, sub: SubEntry, request: Request
) -> list[str]:
    return [
        "-v",
        entry.verbosity,
        "-name",
        policy.glidein_name,
        "-entry",
        entry.name,
        "-clientname",
        request.client,
        "-schedd",
        entry.schedd_name,
        "-proxy",
        sub.proxy_url or entry.proxy_url or "None",
        "-factory",
        policy.factory_name,
        "-web",
        policy.stage.url,
        "-sign",
        policy.stage.sign,
        "-signentry",
        entry.stage.sign,
        "-signtype",
        policy.sign_type,
        "-descript",
        policy.stage.descript,
        "-descriptentry",
        entry.stage.descript,
        "-dir",
        sub.work_dir,
        "-param_GLIDEIN_Client",
        request.client,
        "-submitcredid",
        request.credential,
        "-slotslayout",
        entry.slots_layout,
    ]


def _client(request: Request) -> list[str]:
    web = request.web
    return [
        "-clientweb",
        web.url,
        "-clientsign",
        web.sign,
        "-clientsigntype",
        web.sign_type,
        "-clientdescript",
        web.descript,
        "-clientgroup",
        request.group_name,
        "-clientwebgroup",
        web.group_url,
        "-clientsigngroup",
        web.group_sign,
        "-clientdescriptgroup",
        web.group_descript,
    ]


def _sums256(policy: FactoryPolicy, entry: EntryPolicy, request: Request) -> list[str]:
    """Roots of the SHA-256 chain, each only where it is known (decision 11)."""
    roots = {
        "-sign256": policy.stage.sign256,
        "-signentry256": entry.stage.sign256,
        "-clientsign256": request.web.sign256,
        "-clientsigngroup256": request.web.group_sign256,
    }
    return [word for option, value in roots.items() if value for word in (option, value)]
