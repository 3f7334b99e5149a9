"""`gwms pilot ...`: what finished pilots left, decoded; and the same under the cat_* names operators know.

Exit codes beside the common ones: 1 where the file holds no such part.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glideinwms.cli import output
from glideinwms.cli.commands.factory import DEFAULT, WorkDir
from glideinwms.cli.main import one_line
from glideinwms.cli.output import Json

if TYPE_CHECKING:
    from glideinwms.factory.pilot_history.pilot_log import PilotFacts

ROOT = "<OSGTestResult "
MONITOR = (".monitor", ".vm1")


def log(
    pilot: Annotated[
        str, typer.Argument(metavar="ID", help="CLUSTER.PROC, or one of its .out or .err files.")
    ],
    work_dir: WorkDir = DEFAULT,
    part: Annotated[
        list[str] | None,
        typer.Option("--part", help="Only this log: MasterLog, StartdLog, StarterLog, ... or xml."),
    ] = None,
    entry: Annotated[
        str, typer.Option("--entry", help="Where the id is not unique (several schedds).")
    ] = "",
    as_json: Json = False,
) -> None:
    """How a pilot ended, its time line, and the logs packed into its output."""
    from glideinwms.factory.pilot_history.pilot import cause_of
    from glideinwms.factory.pilot_history.pilot_log import facts, sections, xml_result

    out, err = _texts(pilot, work_dir, entry)
    found, logs = facts(out), sections(err)
    if xml := xml_result(err) or xml_result(out):
        logs["xml"] = xml
    if part:
        chosen = {
            n: t for n, t in logs.items() if any(n == p or n.startswith(f"{p}.") for p in part)
        }
        if not chosen:
            output.fail(
                f"{pilot} left no {' or '.join(part)}; it has: {', '.join(logs) or 'nothing'}"
            )
        logs = chosen
    if as_json:
        output.print_json({"pilot": pilot, "cause": cause_of(found), "facts": found, "logs": logs})
        return
    if not part:
        if re.fullmatch(r"\d+\.\d+", pilot):
            print(
                f"pilot {pilot}, a job of the Factory's schedd; of a user's job {pilot} see gwms job explain {pilot}"
            )
        _tell(found, cause_of(found))
    for name, text in logs.items():
        output.raw(
            f"{'' if part and len(logs) == 1 else f'======== {name} ========' + chr(10)}{text}"
        )


def _tell(found: PilotFacts, cause: str) -> None:
    rows: list[list[Any]] = [
        ["result", cause or ("worked" if found.condor is not None else "no end in its output")],
        ["exit code", found.code],
        ["lifetime s", found.lifetime],
        ["validation s", found.validation],
        ["HTCondor s", found.condor],
        ["claims", found.claims],
        *([f"{kind} jobs", f"{n} in {s} s"] for kind, (n, s) in found.stats.items()),
    ]
    for name, value in rows:
        if value is not None:
            output.say(f"{name + ':':14} {value}")


def _texts(pilot: str, work_dir: Path, entry: str) -> tuple[str, str]:
    """Stdout and stderr of a pilot; one of the two that is not there is empty."""
    from glideinwms.factory.pilot_history.pilot_log import MOST, tail
    from glideinwms.lib.errors import StateError

    base = Path(pilot) if "/" in pilot or Path(pilot).is_file() else _find(pilot, work_dir, entry)
    paths = (
        [base.with_suffix(s) for s in (".out", ".err")]
        if base.suffix in (".out", ".err")
        else [base, base]
    )
    out, err = (tail(p, MOST) for p in paths)
    if out is None and err is None:
        raise StateError(
            "there is no such file", where=str(base), hint="gwms entry log ENTRY lists them"
        )
    return out or "", err or ""


def _find(pilot: str, work_dir: Path, entry: str) -> Path:
    from glideinwms.factory.daemon import load_policy
    from glideinwms.lib.errors import StateError

    if not re.fullmatch(r"\d+\.\d+", pilot) or not re.fullmatch(r"[\w.-]*", entry):
        raise StateError(
            f"{pilot} is neither CLUSTER.PROC nor a file", hint="gwms entry log ENTRY lists them"
        )
    policy = load_policy(work_dir)
    folder = f"user_*/glidein_{policy.glidein_name}/entry_{entry or '*'}"
    found = sorted(Path(policy.client_log_dir).glob(f"{folder}/job.{pilot}.out"))
    if not found:
        raise StateError(
            f"pilot {pilot} left no output",
            where=f"{policy.client_log_dir}/{folder}",
            hint="it may run still, or its files were cleaned up",
        )
    if len(found) > 1:
        names = ", ".join(p.parent.name.removeprefix("entry_") for p in found)
        raise StateError(f"several pilots are {pilot}", where=names, hint="say which: --entry NAME")
    return found[0]


def report(
    entry: Annotated[str, typer.Argument(metavar="[ENTRY]")] = "",
    work_dir: WorkDir = DEFAULT,
    hours: Annotated[float, typer.Option("--hours", help="Pilots that ended so lately.")] = 24.0,
    client: Annotated[
        str, typer.Option("--client", help="Only of this Frontend, or ClientName.")
    ] = "",
    by: Annotated[
        str, typer.Option("--by", help="entry, client, or both: what a row is.")
    ] = "both",
    sort: Annotated[
        str, typer.Option("--sort", help="By this column, the largest first; by name by default.")
    ] = "",
    as_json: Json = False,
) -> None:
    """What finished pilots did, by entry and Frontend: failures and their causes, jobs, where the
    time went.
    """
    from glideinwms.factory.daemon import load_policy
    from glideinwms.factory.pilot_history import report as reports
    from glideinwms.lib.run_as_owner import work_as_owner

    # SQLite may write beside the file that it reads
    work_as_owner(work_dir)
    if by not in reports.BY:
        output.fail(f"--by {by}: one of {', '.join(reports.BY)}")
    pilots = reports.read(work_dir / "state", time.time() - 3600 * hours, entry)
    frontends = load_policy(work_dir).frontends_by_username()
    mine = [
        p
        for p in pilots
        if client in ("", p.client, p.client.partition(".")[0])
        or client in reports.frontend_of(p, frontends).split(",")
    ]
    rows = output.sorted_by(reports.table(mine, by, frontends), sort, reports.SORTABLE)
    if as_json:
        output.print_json(rows)
        return
    headers = [
        "ENTRY",
        "FRONTEND",
        "CLIENT",
        "PILOTS",
        "REMOVED",
        "FAILED",
        "JOBS",
        "VALID %",
        "IDLE %",
        "BADPUT %",
        "MOST FAILED",
    ]
    output.table(
        headers,
        [
            [
                r.entry,
                r.frontend,
                r.client,
                r.pilots,
                r.removed,
                r.failed,
                r.jobs,
                *(f"{r.waste[k] / 10:.1f}" for k in ("validation", "idle", "badput")),
                next(iter(r.causes), ""),
            ]
            for r in rows
        ],
    )


def _cat(prog: str, argv: Sequence[str] | None, name: str = "") -> None:
    parser = argparse.ArgumentParser(
        prog=prog, description="A log packed into a pilot's stderr (see gwms pilot log)."
    )
    parser.add_argument("-monitor", action="store_true", help="of the monitoring slot")
    if not name:
        parser.add_argument("name", help="of the log")
    parser.add_argument("file", nargs="+")
    a = parser.parse_args(argv)
    missing = False
    for file in a.file:
        found = sections_of(Path(file))
        wanted = name or a.name
        chosen = [t for n, t in found.items() if _is(n, wanted, monitor=a.monitor)]
        missing |= not chosen
        output.raw("".join(chosen))
    if missing:
        sys.exit(1)


def _is(name: str, wanted: str, *, monitor: bool) -> bool:
    if name.endswith(MONITOR) or monitor:
        return monitor and name in [wanted + end for end in MONITOR]
    return name == wanted or name.startswith(f"{wanted}.")


def sections_of(path: Path) -> dict[str, str]:
    """The logs packed into a file, by name; ends the program if there is no such file."""
    from glideinwms.factory.pilot_history.pilot_log import MOST, sections, tail

    text = tail(path, MOST)
    if text is None:
        output.fail(f"{path}: no such file")
    return sections(text or "")


@one_line()
def cat_master_log(argv: Sequence[str] | None = None) -> None:
    """cat_MasterLog [-monitor] FILE.err"""
    _cat("cat_MasterLog", argv, "MasterLog")


@one_line()
def cat_startd_log(argv: Sequence[str] | None = None) -> None:
    """cat_StartdLog [-monitor] FILE.err"""
    _cat("cat_StartdLog", argv, "StartdLog")


@one_line()
def cat_starter_log(argv: Sequence[str] | None = None) -> None:
    """cat_StarterLog [-monitor] FILE.err: of all slots"""
    _cat("cat_StarterLog", argv, "StarterLog")


@one_line()
def cat_history_log(argv: Sequence[str] | None = None) -> None:
    """cat_StartdHistoryLog FILE.err"""
    _cat("cat_StartdHistoryLog", argv, "StartdHistoryLog")


@one_line()
def cat_named_log(argv: Sequence[str] | None = None) -> None:
    """cat_named_log NAME FILE.err"""
    _cat("cat_named_log", argv)


@one_line()
def cat_logs(argv: Sequence[str] | None = None) -> None:
    """cat_logs FILE.err: every packed log, each below its name"""
    parser = argparse.ArgumentParser(
        prog="cat_logs", description="All logs packed into a pilot's stderr."
    )
    parser.add_argument("file", nargs="+")
    for file in parser.parse_args(argv).file:
        for name, text in sections_of(Path(file)).items():
            output.raw(f"======== {name} ========\n{text}")


@one_line()
def cat_xml_result(argv: Sequence[str] | None = None) -> None:
    """cat_XMLResult FILE.err: the XML result, with the file's name in it"""
    from glideinwms.factory.pilot_history.pilot_log import MOST, tail, xml_result

    parser = argparse.ArgumentParser(
        prog="cat_XMLResult", description="The XML result in a pilot's output."
    )
    parser.add_argument("file", nargs="+")
    for file in parser.parse_args(argv).file:
        whole = tail(Path(file), MOST)
        if whole is None:
            output.fail(f"{file}: no such file")
        text = xml_result(whole or "")
        if not text:
            output.fail(f"{file} holds no XML result")
        output.raw(text.replace(ROOT, f'{ROOT}logname="{Path(file).name}" ', 1) + "\n")
