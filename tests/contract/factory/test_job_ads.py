"""What HTCondor makes of our submit descriptions: each grid type's job ad, attribute by attribute (protocol 4.10).

`condor_submit -dry-run` accepts nearly everything (decision 32), so nothing here relies on its complaints.
"""

from __future__ import annotations

import base64
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from glideinwms.demo.pki import Authority
from glideinwms.demo.portable import Condor
from glideinwms.factory.policy import EntryPolicy, FactoryPolicy, SubmitAttribute
from glideinwms.factory.snapshot import Request
from glideinwms.factory.submit.description import SubmitSpec, describe, sub_entries
from glideinwms.lib.errors import ConfigError
from tests.unit.factory.builders import entry, policy, request

pytestmark = pytest.mark.condor
# what HTCondor puts into every job by itself, whatever it is
OWN = """
ClusterId ProcId Iwd Rank QDate MyType JobPrio KillSig MaxHosts MinHosts NumCkpts DiskUsage ImageSize
ExitStatus TargetType TransferIn NumRestarts RequestCpus RequestDisk CurrentHosts ExitBySignal NumJobStarts
RemoteSysCpu Requirements CommittedTime CondorVersion JobSubmitFile RemoteUserCpu RequestMemory CondorPlatform
ExecutableSize NumSystemHolds JobSubmitMethod FileSystemDomain TotalSuspensions CommittedSlotTime
NumJobCompletions CumulativeSlotTime LastSuspensionTime RemoteWallClockTime TransferInputSizeMB
EnteredCurrentStatus CommittedSuspensionTime CumulativeRemoteUserCpu CumulativeRemoteSysCpu
CumulativeSuspensionTime JobStatus CloudLabelName EC2TagName
"""
SECRETS = ("t.scitoken", "t.idtoken", "proxy", "priv", "pub", "auth", "gp")
LINE = (
    "-v std -name inst -entry A -clientname fe.main -schedd schedd@factory -proxy None -factory fact"
    " -web http://f/stage -sign {m} -signentry {e} -signtype sha1 -descript description.m.cfg"
    " -descriptentry description.e.cfg -dir . -param_GLIDEIN_Client fe.main -submitcredid TOKENIDX -slotslayout fixed"
    " -clientweb http://v/stage -clientsign {v} -clientsigntype sha1 -clientdescript description.v.cfg"
    " -clientgroup main -clientwebgroup http://v/stage/group_main -clientsigngroup {g}"
    " -clientdescriptgroup description.g.cfg -param_GLIDEIN_Collector c.colon,9618 -param_CONDOR_VERSION default"
).format(m="m" * 40, e="e" * 40, v="v" * 40, g="g" * 40)
NUMBERED = f"{LINE} -cluster 1 -subcluster 0"
REMOVE = (
    "((GlideinSkipIdleRemoval =!= true) && (JobStatus == 1) && ((time() - QDate) > 864000)) || "
    "((JobStatus == 2) && ((time() - EnteredCurrentStatus) > (GlideinMaxWalltime + 43200)))"
)


def common(base: Path) -> dict[str, str]:
    """Attributes of every pilot, as literals."""
    logs = f"{base}/client/user_feuser/glidein_inst/entry_A"
    text = {
        "Cmd": f"{base}/work/glidein_startup.0.sh",
        "In": "/dev/null",
        "Out": f"{logs}/job.1.0.out",
        "Err": f"{logs}/job.1.0.err",
        "UserLog": f"{logs}/condor_activity_20261124_fe.main.log",
        "GlideinFactory": "fact",
        "GlideinName": "inst",
        "GlideinEntryName": "A",
        "GlideinEntrySubmitFile": "entry_A/job.condor",
        "GlideinClient": "fe.main",
        "GlideinFrontendName": "fe:frontend",
        "GlideinCredentialIdentifier": "TOKENIDX",
        "GlideinSecurityClass": "frontend",
        "GlideinWebBase": "http://f/stage",
        "GlideinLogNr": "20261124",
        "GlideinWorkDir": ".",
        "GlideinSlotsLayout": "fixed",
        "GlideinSubmitId": "uuid",
        "GlideinStageGeneration": "g1",
        "fename": "feuser",
        "WhenToTransferOutput": "ON_EXIT",
        "GlideinCountKey": "fact|inst|A|fe.main|fe:frontend|frontend|TOKENIDX|entry_A/job.condor",
    }
    bare = {
        "JobUniverse": "9",
        "JobNotification": "0",
        "StreamOut": "false",
        "StreamErr": "false",
        "Owner": "undefined",
        "LeaveJobInQueue": "false",
        "GlideinMaxWalltime": "172800",
        "GlideinOverloadEnabled": "false",
        "PeriodicRemove": REMOVE,
    }
    return {**{k: f'"{v}"' for k, v in text.items()}, **bare}


def secret(base: Path, name: str) -> str:
    return str(base / "secrets" / name)


def handed_over(env: str, args: str = "Args") -> dict[str, str]:
    """Attributes of pilots that go with files and arguments: in the old syntax (Args) or the new
    one (Arguments).
    """
    return {"ShouldTransferFiles": '"IF_NEEDED"', "Environment": f'"{env}"', args: f'"{NUMBERED}"'}


CONDOR_C = {"TransferOutput": '""'}


def test_condor_with_tokens(base: Path, ad_of: Any) -> None:
    idtoken, token = secret(base, "t.idtoken"), secret(base, "t.scitoken")
    e = entry(
        submit_attrs=(
            SubmitAttribute("+maxMemory", "16000"),
            SubmitAttribute("request_disk", "2 GB"),
        )
    )
    ad = ad_of(e, {"scitoken": token, "idtoken": idtoken})
    assert ad == {
        **common(base),
        **handed_over(f"IDTOKENS_FILE={idtoken}"),
        **CONDOR_C,
        "GridResource": '"condor ce.example.org ce.example.org:9619"',
        "ScitokensFile": f'"{token}"',
        "TransferInput": f'"{idtoken}"',
        "EncryptInputFiles": f'"{idtoken}"',
        "maxMemory": "16000",
        "RequestDisk": "2097152",
    }


def test_condor_with_a_proxy_and_a_project(base: Path, ad_of: Any) -> None:
    ad = ad_of(entry(auth_method="grid_proxy+project_id"), {}, {"ProjectId": "TG-1"})
    assert ad == {
        **common(base),
        **handed_over(""),
        **CONDOR_C,
        "GridResource": '"condor ce.example.org ce.example.org:9619"',
        "ProjectName": '"TG-1"',
    }


@pytest.mark.parametrize(
    ("gridtype", "gatekeeper"), [("condor", "ce ce:9619"), ("arc", "https://arc/")]
)
def test_with_a_proxy(gridtype: str, gatekeeper: str, base: Path, ad_of: Any) -> None:
    path, now = secret(base, "proxy"), datetime.now(UTC)
    Path(path).write_bytes(b"".join(Authority.make(now).host("pilot", [], now)))
    ad = ad_of(
        entry(gridtype=gridtype, gatekeeper=gatekeeper, auth_method="grid_proxy"),
        {"x509_proxy": path},
    )
    assert ad == {
        **common(base),
        **(handed_over("") | CONDOR_C if gridtype == "condor" else handed_over("", "Arguments")),
        "GridResource": f'"{gridtype} {gatekeeper}"',
        "x509userproxy": f'"{path}"',
    }


@pytest.mark.parametrize("lrms", ["pbs", "lsf", "sge", "slurm", "condor"])
def test_batch(lrms: str, base: Path, ad_of: Any) -> None:
    proxy, key, idtoken = secret(base, "proxy"), secret(base, "priv"), secret(base, "t.idtoken")
    e = entry(
        gridtype=f"batch {lrms}",
        gatekeeper="ann@hpc.example.org:22",
        bosco_dir="b",
        auth_method="key_pair",
    )
    files = {
        "private_key": key,
        "public_key": secret(base, "pub"),
        "x509_proxy": proxy,
        "idtoken": idtoken,
    }
    ad = ad_of(e, files, {"RemoteUsername": "joe"})
    assert ad == {
        **common(base),
        **handed_over(f"IDTOKENS_FILE={idtoken} X509_USER_PROXY=proxy"),
        "GridResource": f'"batch {lrms} --rgahp-key {key} --rgahp-nopass --rgahp-glite ~/b/glite '
        'joe@hpc.example.org:22"',
        "TransferInput": f'"{idtoken},{proxy}"',
        "EncryptInputFiles": f'"{idtoken},{proxy}"',
    }


def test_batch_on_this_host(base: Path, ad_of: Any) -> None:
    ad = ad_of(entry(gridtype="batch slurm", gatekeeper=""), {"idtoken": secret(base, "t.idtoken")})
    assert ad["GridResource"] == '"batch slurm"'


def test_arc(base: Path, ad_of: Any) -> None:
    token = secret(base, "t.scitoken")
    ad = ad_of(entry(gridtype="arc", gatekeeper="https://arc/"), {"scitoken": token})
    assert ad == {
        **common(base),
        **handed_over("", "Arguments"),
        "GridResource": '"arc https://arc/"',
        "ScitokensFile": f'"{token}"',
    }
    no_token = ad_of(
        entry(gridtype="arc", gatekeeper="https://arc/", auth_method="grid_proxy"),
        {"scitoken": token},
    )
    assert "scitokensfile" not in {k.lower() for k in no_token}


def metadata(kind: str) -> str:
    text = (
        f"[glidein_startup]\nargs = {LINE}\nidtoken_file_name = credential_frontend.idtoken\n"
        "proxy_file_name = pilot_proxy\nwebbase= http://f/stage\n\n[vm_properties]\nmax_lifetime = 43200\n"
        f"contextualization_type = {kind}\ndisable_shutdown = False\nadmin_email = UNSUPPORTED\nemail_logs = False\n"
    )
    code = base64.b64encode(text.encode()).decode()
    return f'"glideinwms_metadata={code}#### -cluster 1 -subcluster 0####"'


CLOUD = {
    "Arguments": '""',
    "Environment": '""',
    "ShouldTransferFiles": '"IF_NEEDED"',
    "TransferExecutable": "false",
}


def test_ec2(base: Path, ad_of: Any) -> None:
    e = entry(gridtype="ec2", gatekeeper="https://ec2", auth_method="key_pair+vm_id+vm_type")
    files = {
        "private_key": secret(base, "priv"),
        "public_key": secret(base, "pub"),
        "glidein_proxy": secret(base, "gp"),
    }
    ad = ad_of(e, files, {"VMId": "ami-1", "VMType": "big"})
    assert ad == {
        **common(base),
        **CLOUD,
        "GridResource": '"ec2 https://ec2"',
        "EC2AmiID": '"ami-1"',
        "EC2InstanceType": '"big"',
        "EC2AccessKeyId": f'"{files["public_key"]}"',
        "EC2SecretAccessKey": f'"{files["private_key"]}"',
        "EC2KeyPairFile": f'"{base}/secrets/ssh_key_pair.1.0.pem"',
        "EC2UserData": metadata("EC2"),
        "EC2UserDataFile": f'"{files["glidein_proxy"]}"',
    }


def test_gce(base: Path, ad_of: Any) -> None:
    macros = (
        SubmitAttribute("gce_project_name", "prj"),
        SubmitAttribute("gce_availability_zone", "us-1a"),
    )
    e = entry(
        gridtype="gce",
        gatekeeper="https://gce",
        auth_method="auth_file+vm_id+vm_type",
        submit_attrs=macros,
    )
    files = {"auth_file": secret(base, "auth"), "glidein_proxy": secret(base, "gp")}
    ad = ad_of(e, files, {"VMId": "img", "VMType": "n1"})
    assert ad == {
        **common(base),
        **CLOUD,
        "GridResource": '"gce https://gce prj us-1a"',
        "GceImage": '"img"',
        "GceMachineType": '"n1"',
        "GceAuthFile": f'"{files["auth_file"]}"',
        "GceMetadata": metadata("GCE"),
        "GceMetadataFile": f'"{files["glidein_proxy"]}"',
    }


@pytest.mark.parametrize("gridtype", ["cream", "nordugrid", "gt2", "gt5", ""])
def test_no_one_can_submit_these(gridtype: str, tmp_path: Path) -> None:
    e = entry(gridtype=gridtype)
    with pytest.raises(ConfigError, match="cannot be submitted"):
        describe(
            SubmitSpec(policy(tmp_path, e), e, sub_entries(e)[0], request(), "uuid", "20261124")
        )


def test_no_lifetime_and_no_walltime_remove_nothing(tmp_path: Path) -> None:
    e = entry()
    made = describe(
        SubmitSpec(
            policy(tmp_path, e),
            e,
            sub_entries(e)[0],
            request(idle_lifetime="0"),
            "uuid",
            "20261124",
        )
    )
    assert "periodic_remove" not in made
    assert made["My.GlideinMaxWalltime"] == "UNDEFINED"


def test_accounting_keeps_finished_pilots(tmp_path: Path) -> None:
    e = entry()
    order = SubmitSpec(
        policy(tmp_path, e, pilot_accounting=True),
        e,
        sub_entries(e)[0],
        request(),
        "uuid",
        "20261124",
    )
    assert "12 * 60 * 60" in describe(order)["leave_in_queue"]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A Factory's directories, with the files that condor_submit looks for."""
    for name in SECRETS:
        (tmp_path / "secrets").mkdir(exist_ok=True)
        (tmp_path / "secrets" / name).write_text("x")
    (tmp_path / "work").mkdir()
    (tmp_path / "work/glidein_startup.0.sh").write_text("#!/bin/sh\n")
    return tmp_path


@pytest.fixture
def ad_of(base: Path, condor: Condor) -> Any:
    """`ad_of(entry, files, extra)`: the job ad, attribute -> ClassAd text, without what HTCondor
    adds to any job.
    """

    def make(
        e: EntryPolicy, files: dict[str, str], extra: dict[str, str] | None = None
    ) -> dict[str, str]:
        e = replace(e, attrs={"GLIDEIN_Max_Walltime": 172800})
        row = request(files=files, extra=extra or {})
        return dry_run(policy(base, e), e, row, condor, base)

    return make


def dry_run(
    p: FactoryPolicy, e: EntryPolicy, row: Request, condor: Condor, base: Path
) -> dict[str, str]:
    description = describe(SubmitSpec(p, e, sub_entries(e)[0], row, "uuid", "20261124"))
    file = base / "pilot.sub"
    file.write_text("".join(f"{k} = {v}\n" for k, v in description.items()) + "queue 1\n")
    done = subprocess.run(
        [condor.prefix / "bin/condor_submit", "-dry-run", "-", file],
        env={"CONDOR_CONFIG": "/dev/null"},
        text=True,
        capture_output=True,
        cwd=base,
    )
    assert done.returncode == 0, done.stderr
    pairs = [line.partition("=") for line in done.stdout.splitlines() if "=" in line]
    return {
        k: v
        for k, _, v in pairs
        if k not in OWN.split() or (k == "RequestDisk" and v != "DiskUsage")
    }
