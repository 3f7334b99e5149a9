"""Build the submit description of one request's pilots, for every grid type (protocol 4.10)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from glideinwms.factory.collect import count_key
from glideinwms.factory.policy import EntryPolicy, FactoryPolicy, SubEntry
from glideinwms.factory.snapshot import Request
from glideinwms.factory.submit import cloud
from glideinwms.factory.submit.arguments import arguments, merged_params
from glideinwms.factory.submit.environment import filled
from glideinwms.lib.bounded import count_or
from glideinwms.lib.condor.htc import quoted
from glideinwms.lib.credentials import methods
from glideinwms.lib.errors import ConfigError

Description = dict[str, str]
SUBMIT_ATTR_TYPES = ("condor", "gce", "ec2", "arc")
GRACE_AFTER_WALLTIME = 12 * 3600
LONGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class SubmitSpec:
    """What one submission is: who, where, through which CE of the entry. `lognr` is the log's day,
    YYYYMMDD.
    """

    policy: FactoryPolicy
    entry: EntryPolicy
    sub: SubEntry
    request: Request
    submit_id: str
    lognr: str

    @property
    def log_dir(self) -> str:
        """Where the event log and the pilots' output go."""
        p = self.policy
        return f"{p.client_log_dir}/user_{self.request.username}/glidein_{p.glidein_name}/entry_{self.entry.name}"

    @property
    def gridtype(self) -> str:
        """`condor`, `batch slurm`, `ec2` ..."""
        return self.sub.gridtype or self.entry.gridtype


def sub_entries(entry: EntryPolicy) -> tuple[SubEntry, ...]:
    """The CEs of an entry: a plain entry is its own only one."""
    if entry.sub_entries:
        return entry.sub_entries
    return (
        SubEntry(
            name=entry.name,
            gatekeeper=entry.gatekeeper,
            gridtype=entry.gridtype,
            submit_file="job.condor",
            rsl=entry.rsl,
            bosco_dir=entry.bosco_dir,
            vm_id=entry.vm_id,
            vm_type=entry.vm_type,
            work_dir=entry.work_dir,
            proxy_url=entry.proxy_url,
        ),
    )


def describe(order: SubmitSpec) -> Description:
    """The whole description; a ConfigError for a grid type nobody can submit to."""
    kind = order.gridtype.split()[0] if order.gridtype else ""
    maker = {
        "condor": _condor,
        "batch": _batch,
        "arc": _arc,
        "ec2": cloud.ec2,
        "gce": cloud.gce,
    }.get(kind)
    if maker is None:
        raise ConfigError(
            f"gridtype {order.gridtype!r} cannot be submitted",
            where=f"entry {order.entry.name}",
            hint="HTCondor knows condor, batch, arc, ec2 and gce",
        )
    own: Description = maker(order)
    return {
        **_common(order),
        **_transfer(order, kind),
        **own,
        **_attributes(order),
        **_submit_attrs(order),
    }


def _common(order: SubmitSpec) -> Description:
    base = f"{order.log_dir}/job.$(Cluster).$(Process)"
    out = {
        "universe": "grid",
        "executable": str(Path(order.policy.work_dir, order.policy.startup_script)),
        "transfer_executable": "True",
        "notification": "Never",
        "log": f"{order.log_dir}/condor_activity_{order.lognr}_{order.request.client}.log",
        "output": f"{base}.out",
        "error": f"{base}.err",
        "stream_output": "False",
        "stream_error": "False",
    }
    if order.policy.pilot_accounting:
        out["leave_in_queue"] = "((JobStatus == 4) && ((time() - CompletionDate) < 12 * 60 * 60))"
    removal = periodic_remove(order)
    return {**out, "periodic_remove": removal} if removal else out


def _transfer(order: SubmitSpec, kind: str) -> Description:
    """Arguments, files and environment of pilots that HTCondor hands to a batch system: not for
    clouds.
    """
    if kind in cloud.KINDS:
        return {}
    line = arguments(order.policy, order.entry, order.sub, order.request)
    extra = order.request.extra
    logs = (extra.get("LogTokens", ""), extra.get("LogUrlDirs", ""))
    files = [
        f for f in (order.request.files.get("idtoken", ""), *logs, *_more_files(order, kind)) if f
    ]
    out = {
        "arguments": line if kind in ("condor", "batch") else f'"{line}"',
        "transfer_output_files": "",
        "when_to_transfer_output": "ON_EXIT",
    }
    if files:
        out["transfer_input_files"] = out["encrypt_input_files"] = ",".join(files)
    environment = []
    if token := order.request.files.get("idtoken"):
        environment.append(f"IDTOKENS_FILE={token}")
    if kind == "batch" and (proxy := order.request.files.get("x509_proxy")):
        environment.append(f"X509_USER_PROXY={proxy.rsplit('/', 1)[-1]}")
    if tokens := extra.get("LogTokens"):
        environment += [
            f"JOB_TOKENS={tokens}",
            f"LOG_RECIPIENTS='{extra.get('LogRecipients', '')}'",
        ]
    if environment:
        out["environment"] = f'"{" ".join(environment)}"'
    return out


def _more_files(order: SubmitSpec, kind: str) -> list[str]:
    return [order.request.files.get("x509_proxy", "")] if kind == "batch" else []


def _condor(order: SubmitSpec) -> Description:
    out = {
        "grid_resource": f"condor {order.sub.gatekeeper}",
        "My.TransferOutput": '""',
        **_proxy(order),
        **_scitoken(order),
    }
    if project := order.request.extra.get("ProjectId"):
        out["My.ProjectName"] = quoted(project)
    return out


def _arc(order: SubmitSpec) -> Description:
    out = {"grid_resource": f"arc {order.sub.gatekeeper}", **_proxy(order)}
    return out | _scitoken(order) | ({"arc_rsl": order.sub.rsl} if order.sub.rsl else {})


def _batch(order: SubmitSpec) -> Description:
    user = order.request.extra.get("RemoteUsername", "")
    host = order.sub.gatekeeper.rsplit("@", 1)[-1]
    words = [order.gridtype]
    if key := order.request.files.get("private_key"):
        words += ["--rgahp-key", key, "--rgahp-nopass"]
        if order.sub.bosco_dir != "bosco":
            words += ["--rgahp-glite", f"~/{order.sub.bosco_dir}/glite"]
        words.append(f"{user}@{host}" if user else host)
    return {"grid_resource": " ".join(words), **_scitoken(order)}


def _proxy(order: SubmitSpec) -> Description:
    proxy = order.request.files.get("x509_proxy", "")
    return {"x509userproxy": proxy} if proxy else {}


def _token(order: SubmitSpec) -> str:
    """The SciToken that opens the CE; "" where another credential does."""
    proxy_only = methods.groups(order.entry.auth_method) == [["grid_proxy"]]
    if order.gridtype in cloud.KINDS or (order.gridtype == "arc" and proxy_only):
        return ""
    return order.request.files.get("scitoken", "")


def _scitoken(order: SubmitSpec) -> Description:
    token = _token(order)
    return {"scitokens_file": token} if token else {}


def periodic_remove(order: SubmitSpec) -> str:
    """Idle longer than the request's lifetime, or running 12 h past the entry's wall time (protocol
    4.10).
    """
    terms = []
    if lifetime := idle_lifetime(order.request.idle_lifetime):
        terms.append(
            f"((GlideinSkipIdleRemoval =!= True) && (JobStatus == 1) && ((time() - QDate) > {lifetime}))"
        )
    if "GLIDEIN_Max_Walltime" in order.entry.attrs:
        terms.append(
            f"((JobStatus == 2) && ((time() - EnteredCurrentStatus) > (GlideinMaxWalltime + {GRACE_AFTER_WALLTIME})))"
        )
    return " || ".join(terms)


def idle_lifetime(text: str) -> int:
    """ReqIdleLifetime in seconds, at most LONGEST; 0, never, where it is no positive whole number
    (protocol 9.1/15).
    """
    return min(max(count_or(text, 0, low=-(10**32), high=10**32), 0), LONGEST)


def _attributes(order: SubmitSpec) -> Description:
    """Job attributes: what our own queue query, operators' tools and the next cycle rely on
    (protocol 4.2, 4.10).
    """
    p, e, r = order.policy, order.entry, order.request
    text = {
        "GlideinFactory": p.factory_name,
        "GlideinName": p.glidein_name,
        "GlideinEntryName": e.name,
        "GlideinEntrySubmitFile": f"entry_{e.name}/{order.sub.submit_file}",
        "GlideinClient": r.client,
        "GlideinFrontendName": r.security_key,
        "GlideinCredentialIdentifier": r.credential,
        "GlideinSecurityClass": r.security_class,
        "GlideinWebBase": p.stage.url,
        "GlideinLogNr": order.lognr,
        "GlideinWorkDir": order.sub.work_dir,
        "GlideinSlotsLayout": e.slots_layout,
        "GlideinSubmitId": order.submit_id,
        "GlideinStageGeneration": p.generation,
        "fename": r.username,
    }
    text[count_key.NAME] = count_key.key_of(text)
    if proxy_url := order.sub.proxy_url or e.proxy_url:
        text["GlideinProxyURL"] = proxy_url
    if token := _token(order):
        text["SciTokensFile"] = token
    out = {f"My.{name}": quoted(value) for name, value in text.items()}
    out["My.GlideinMaxWalltime"] = str(e.attrs.get("GLIDEIN_Max_Walltime", "UNDEFINED"))
    overload = str(merged_params(e, r).get("GLIDEIN_OVERLOAD_ENABLED", "False"))
    out["My.GlideinOverloadEnabled"] = overload if overload in ("True", "False") else "False"
    return out


def _submit_attrs(order: SubmitSpec) -> Description:
    kind = order.gridtype.split()[0]
    out = {}
    for attr in order.entry.submit_attrs:
        if attr.all_grid_types or kind in SUBMIT_ATTR_TYPES or kind == "batch":
            out[f"My.{attr.name[1:]}" if attr.name.startswith("+") else attr.name] = filled(
                attr.value, order
            )
    return out
