"""`gwms pilot log`: how a pilot ended, and the logs in its output.

Exit codes beside the common ones: 1 if the file has no such log.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glideinwms.cli import output
from glideinwms.cli.options import ExistingFactory
from glideinwms.cli.output import Json
from glideinwms.cli.sides import FACTORY

if TYPE_CHECKING:
    from glideinwms.factory.pilot_history.pilot_log import PilotFacts

OUTPUTS = (".out", ".err")
PILOT_ID = r"\d+\.\d+"


def log(
    pilot: Annotated[
        str, typer.Argument(metavar="ID", help="CLUSTER.PROC, or a .out or .err file.")
    ],
    work_dir: ExistingFactory = FACTORY.work_dir,
    part: Annotated[
        list[str] | None,
        typer.Option(
            "--part",
            help="Print only this log: MasterLog, StartdLog, StarterLog, ... or xml. Repeatable.",
        ),
    ] = None,
    entry: Annotated[
        str, typer.Option("--entry", help="Entry, if several pilots have the id.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Show how a pilot ended, where its time went, and the logs in its output."""
    from glideinwms.factory.pilot_history.pilot import cause_of
    from glideinwms.factory.pilot_history.pilot_log import facts, sections, xml_result

    out, err = _texts(pilot, work_dir, entry)
    pilot_facts, logs = facts(out), sections(err)
    if xml := xml_result(err) or xml_result(out):
        logs["xml"] = xml
    if part:
        logs = _chosen(pilot, logs, part)
    if as_json:
        cause = cause_of(pilot_facts)
        output.print_json({"pilot": pilot, "cause": cause, "facts": pilot_facts, "logs": logs})
        return
    if not part:
        if re.fullmatch(PILOT_ID, pilot):
            print(
                f"pilot {pilot}, a job of the Factory's schedd; "
                f"for a user's job {pilot} see gwms job explain {pilot}"
            )
        _print_facts(pilot_facts, cause_of(pilot_facts))
    for name, text in logs.items():
        title = "" if part and len(logs) == 1 else f"======== {name} ========\n"
        output.raw(f"{title}{text}")


def _chosen(pilot: str, logs: dict[str, str], parts: list[str]) -> dict[str, str]:
    chosen = {
        name: text
        for name, text in logs.items()
        if any(name == part or name.startswith(f"{part}.") for part in parts)
    }
    if not chosen:
        present = ", ".join(logs) or "no logs"
        output.fail(f"{pilot} left no {' or '.join(parts)}; it left {present}")
    return chosen


def _print_facts(pilot: PilotFacts, cause: str) -> None:
    ended = "worked" if pilot.condor is not None else "no end in its output"
    facts: dict[str, object] = {
        "result": cause or ended,
        "exit code": pilot.code,
        "lifetime s": pilot.lifetime,
        "validation s": pilot.validation,
        "HTCondor s": pilot.condor,
        "claims": pilot.claims,
    }
    for kind, (count, seconds) in pilot.stats.items():
        facts[f"{kind} jobs"] = f"{count} in {seconds} s"
    for name, value in facts.items():
        if value is not None:
            output.say(f"{name + ':':14} {value}")


def _texts(pilot: str, work_dir: Path, entry: str) -> tuple[str, str]:
    """Return stdout and stderr of a pilot; one of the two may be missing and then is empty."""
    from glideinwms.factory.pilot_history.pilot_log import MOST, tail
    from glideinwms.lib.errors import StateError

    is_file = "/" in pilot or Path(pilot).is_file()
    base = Path(pilot) if is_file else _find(pilot, work_dir, entry)
    paths = [base, base]
    if base.suffix in OUTPUTS:
        paths = [base.with_suffix(suffix) for suffix in OUTPUTS]
    out, err = (tail(path, MOST) for path in paths)
    if out is None and err is None:
        raise StateError(
            "there is no such file", where=str(base), hint="gwms entry log ENTRY lists them"
        )
    return out or "", err or ""


def _find(pilot: str, work_dir: Path, entry: str) -> Path:
    from glideinwms.factory.daemon import load_policy
    from glideinwms.lib.errors import StateError

    if not re.fullmatch(PILOT_ID, pilot) or not re.fullmatch(r"[\w.-]*", entry):
        raise StateError(
            f"{pilot} is neither CLUSTER.PROC nor a file", hint="gwms entry log ENTRY lists them"
        )
    policy = load_policy(work_dir)
    folder = f"user_*/glidein_{policy.glidein_name}/entry_{entry or '*'}"
    files = sorted(Path(policy.client_log_dir).glob(f"{folder}/job.{pilot}.out"))
    if not files:
        raise StateError(
            f"pilot {pilot} left no output",
            where=f"{policy.client_log_dir}/{folder}",
            hint="it may still run, or its files were cleaned up",
        )
    if len(files) > 1:
        names = ", ".join(path.parent.name.removeprefix("entry_") for path in files)
        raise StateError(
            f"several pilots have the id {pilot}", where=names, hint="choose one: --entry NAME"
        )
    return files[0]
