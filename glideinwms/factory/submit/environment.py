"""Fill in `$ENV(NAME)` in submit_attrs (protocol 4.10).

GlideinWMS 3.10 sets these names in the environment of condor_submit. Here no process is started for
a submission, so they are filled in before HTCondor reads the line. HTCondor takes other names from
the daemon's own environment.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from glideinwms.factory.submit.arguments import merged_params
from glideinwms.lib.errors import ConfigError

if TYPE_CHECKING:
    from glideinwms.factory.submit.description import SubmitSpec

PARAM = "GLIDEIN_PARAM_"
_NAMED = re.compile(r"\$ENV\(\s*([A-Za-z0-9_]+)\s*(?::[^()]*)?\)")
_SAFE = re.compile(r"[A-Za-z0-9_.,:;@/+=~%^# -]*")


def filled(text: str, order: SubmitSpec) -> str:
    """The text with the names that are known; a ConfigError where a request's value would break the
    line.
    """
    if "$ENV(" not in text:
        return text
    known = variables(order)

    def value(match: re.Match[str]) -> str:
        found = known.get(match[1])
        if found is not None and not _SAFE.fullmatch(found):
            raise ConfigError(
                f"the value of {match[1]} cannot be part of a submit_attr", where=order.entry.name
            )
        return match[0] if found is None else found

    return _NAMED.sub(value, text)


def variables(order: SubmitSpec) -> dict[str, str]:
    """Names and values; those that a submission has not are not in it."""
    p, e, s, r = order.policy, order.entry, order.sub, order.request
    params = merged_params(e, r)
    optional = {
        "GLIDEIN_MAX_WALLTIME": str(e.attrs.get("GLIDEIN_Max_Walltime", "")),
        "SCITOKENS_FILE": r.files.get("scitoken", ""),
        "X509_USER_PROXY": r.files.get("x509_proxy", ""),
        "GLIDEIN_REMOTE_USERNAME": r.extra.get("RemoteUsername", ""),
        "GLIDEIN_PROJECT_ID": r.extra.get("ProjectId", ""),
        "IMAGE_ID": r.extra.get("VMId", ""),
        "INSTANCE_TYPE": r.extra.get("VMType", ""),
        "GCE_AUTH_FILE": r.files.get("auth_file", ""),
    }
    return {
        "GLIDEIN_ENTRY_NAME": e.name,
        "IDTOKENS_FILE": r.files.get("idtoken", "/dev/null"),
        "GLIDEIN_OVERLOAD_ENABLED": str(params.get("GLIDEIN_OVERLOAD_ENABLED", "False")),
        "GLIDEIN_CLIENT": r.client,
        "GLIDEIN_SEC_CLASS": r.security_class,
        "GLIDEIN_USER": r.username,
        "GLIDEIN_CREDENTIAL_ID": r.credential,
        "GLIDEIN_SCHEDD": e.schedd_name,
        "GLIDEIN_VERBOSITY": e.verbosity,
        "GLIDEIN_STARTUP_DIR": s.work_dir,
        "GLIDEIN_SLOTS_LAYOUT": e.slots_layout,
        "GLIDEIN_LOGNR": order.lognr,
        "GLIDEIN_NAME": p.glidein_name,
        "FACTORY_NAME": p.factory_name,
        "GLIDEIN_WEB_URL": p.stage.url,
        "GLIDEIN_IDLE_LIFETIME": r.idle_lifetime,
        "SIGN_TYPE": p.sign_type,
        "MAIN_DESCRIPT": p.stage.descript,
        "MAIN_SIGN": p.stage.sign,
        "ENTRY_DESCRIPT": e.stage.descript,
        "ENTRY_SIGN": e.stage.sign,
        "GLIDEIN_FRONTEND_NAME": r.security_key,
        "GLIDEIN_ENTRY_SUBMIT_FILE": f"entry_{e.name}/{s.submit_file}",
        **{k: v for k, v in optional.items() if v},
        **{f"{PARAM}{k}": str(v) for k, v in params.items()},
    }
