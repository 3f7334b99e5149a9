"""Commands about finished pilots under their GlideinWMS 3.10 names: entry_ls, find_logs,
find_StartdLogs, gwms-logcat, analyze_entries, analyze_frontends, analyze_queues.

`gwms pilot` and `gwms entry stats` do the work. They read logs and recorded statistics instead of
RRD files.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glideinwms.cli import output
from glideinwms.cli.legacy.common import old_parser
from glideinwms.cli.main import main as gwms
from glideinwms.cli.main import one_line_errors
from glideinwms.cli.packed_logs import sections_of
from glideinwms.lib.files import write_atomic
from glideinwms.lib.wire.names import file_safe

RRD_OPTIONS = ("-p", "-z", "-m", "--ms", "--mh", "--msort", "--source")


class Gone(argparse.Action):
    """An option of GlideinWMS 3.10 that is not supported here; `help` says why."""

    def __call__(self, parser: argparse.ArgumentParser, *rest: Any) -> None:
        parser.error(f"{'/'.join(self.option_strings)}: {self.help}")


def _of_rrds(parser: argparse.ArgumentParser) -> None:
    """Refuse the options about RRD files."""
    for name in RRD_OPTIONS:
        parser.add_argument(
            name,
            action=Gone,
            nargs="?",
            help="there are no RRD files here; the numbers come with -json",
        )


def _given(**options: str | float | None) -> list[str]:
    """Return `--name value` for the options that have a value."""
    return [
        word
        for name, value in options.items()
        if value not in (None, "")
        for word in (f"--{name}", str(value))
    ]


class Last(argparse.Action):
    """Among options that exclude each other, the last one counts."""

    def __call__(
        self, parser: argparse.ArgumentParser, space: argparse.Namespace, value: Any, *rest: Any
    ) -> None:
        setattr(space, self.dest, (str(rest[0]), value))


def entry_ls(argv: Sequence[str] | None = None) -> None:
    """entry_ls [-o] [-l] [-t | -f] [-e HOUR | -E HOUR] [-d SECONDS | -D SECONDS] ENTRY [USER
    [DATE]].
    """
    parser = old_parser("entry_ls", "Logs of an entry's finished pilots (see gwms pilot list).")
    parser.add_argument("entry")
    parser.add_argument(
        "user", nargs="?", default="", help="user name of the Factory; all by default"
    )
    parser.add_argument("date", nargs="?", default="", help="YYYYMMDD; today by default")
    parser.add_argument("-o", action="store_true", help="names of stdout files, not of stderr")
    parser.add_argument("-l", action="store_true", help="with time, size and mode of each file")
    for name, text in (
        ("-t", "in which HTCondor started"),
        ("-f", "in which HTCondor never started"),
    ):
        parser.add_argument(name, dest="kind", action=Last, nargs=0, help=f"only those {text}")
    for name, text in (
        ("-e", "before this hour of the day"),
        ("-E", "at this hour of the day or after it"),
    ):
        parser.add_argument(
            name, dest="hour", action=Last, type=float, metavar="HOUR", help=f"ended {text}"
        )
    for name, text in (("-d", "at most"), ("-D", "at least")):
        help_text = f"lived {text} this long"
        parser.add_argument(
            name, dest="life", action=Last, type=float, metavar="SECONDS", help=help_text
        )
    parser.add_argument("-json", action="store_true")
    options = parser.parse_args(argv)
    words = [options.entry, *_given(user=options.user, date=options.date)]
    names = {"-e": "--before", "-E": "--after", "-d": "--shorter", "-D": "--longer"}
    for option, value in filter(None, (options.hour, options.life)):
        words += [names[option], str(value)]
    if options.kind:
        words.append("--started" if options.kind[0] == "-t" else "--failed")
    words += (
        ["--json"]
        if options.json
        else ["--files", "out" if options.o else "err", *["--long"] * options.l]
    )
    gwms(["pilot", "list", *words, "--work-dir", options.dir])


def find_logs(argv: Sequence[str] | None = None) -> None:
    """find_logs [-log NAME] ENTRY [DATE]: stderr files of pilots that left such a log."""
    _find("find_logs", argv, "")


def find_startd_logs(argv: Sequence[str] | None = None) -> None:
    """find_StartdLogs ENTRY [DATE]: stderr files that hold a StartdLog."""
    _find("find_StartdLogs", argv, "StartdLog")


def _find(prog: str, argv: Sequence[str] | None, log: str) -> None:
    parser = old_parser(prog, "Stderr files of an entry's finished pilots (see gwms pilot list).")
    parser.add_argument("entry")
    parser.add_argument("date", nargs="?", default="", help="YYYYMMDD; today by default")
    parser.add_argument(
        "-days", type=int, metavar="N", help="number of days, of which DATE is the last"
    )
    if not log:
        parser.add_argument(
            "-log", default="", metavar="NAME", help="only those that hold this log"
        )
    parser.add_argument("-json", action="store_true")
    options = parser.parse_args(argv)
    words = [options.entry, *_given(date=options.date, days=options.days, log=log or options.log)]
    gwms(
        [
            "pilot",
            "list",
            *words,
            *(["--json"] if options.json else ["--files", "err"]),
            "--work-dir",
            options.dir,
        ]
    )


@one_line_errors()
def gwms_logcat(argv: Sequence[str] | None = None) -> None:
    """gwms-logcat [-l | -a] [-i ID | -f FILE] [-c DIR] [-json] ENTRY [LOG...]: logs packed into a
    pilot's stderr.
    """
    parser = old_parser("gwms-logcat", "Logs packed into a pilot's stderr (see gwms pilot log).")
    parser.add_argument("-l", action="store_true", help="only the names of the logs")
    parser.add_argument("-a", action="store_true", help="every log")
    parser.add_argument(
        "-i",
        default="",
        metavar="ID",
        help="of this pilot, CLUSTER.PROC; the last that ended by default",
    )
    parser.add_argument("-f", type=Path, metavar="FILE", help="of this stderr file")
    parser.add_argument("-c", type=Path, metavar="DIR", help="write each log to a file there")
    parser.add_argument("-json", action="store_true")
    parser.add_argument("entry", nargs="?", default="")
    parser.add_argument("log", nargs="*", help="StartdLog by default")
    options = parser.parse_args(argv)
    if options.f is None and not options.entry:
        parser.error("give an entry, or -f FILE")
    if options.f is not None:
        options.log = [options.entry, *options.log] if options.entry else options.log
    file = options.f or _stderr_of(Path(options.dir), options.entry, options.i)
    found = sections_of(file)
    names = [
        n
        for n in found
        if options.a
        or options.l
        or any(n == w or n.startswith(f"{w}.") for w in options.log or ["StartdLog"])
    ]
    if not names:
        output.fail(
            f"{file} has no {' or '.join(options.log or ['StartdLog'])}; "
            f"it has {', '.join(found) or 'no logs'}"
        )
    if options.json:
        output.print_json(
            {"file": str(file), "logs": names if options.l else {n: found[n] for n in names}}
        )
        return
    for name in names:
        if options.c is not None:
            options.c.mkdir(parents=True, exist_ok=True)
            target = options.c / f"{file.stem}.{file_safe(name)}"
            write_atomic(target, found[name], 0o600)
            print(target)
        else:
            text = (
                name if options.l else f"======== {name} ========\n{found[name]}".removesuffix("\n")
            )
            output.raw(f"{text}\n")


def _stderr_of(work_dir: Path, entry: str, pilot: str) -> Path:
    """Return the stderr file of a pilot of an entry, by default of the one that changed last."""
    from glideinwms.factory.daemon import load_policy
    from glideinwms.factory.inspect.listing import entry_of, log_files

    policy = load_policy(work_dir)
    files = [
        p
        for p in log_files(policy, entry_of(policy, entry))
        if p.suffix == ".err" and p.stat().st_size
    ]
    found = next((p for p in files if pilot in ("", p.stem.removeprefix("job."))), None)
    if found is None:
        output.fail(f"no pilot {pilot} of {entry} has left a stderr file".replace("  ", " "))
    return found


def analyze_entries(argv: Sequence[str] | None = None) -> None:
    """analyze_entries [-x HOURS] [-f FRONTEND] [-s COLUMN] [-json]: what finished pilots did, by
    entry.
    """
    _analyze("analyze_entries", argv, "entry")


def analyze_frontends(argv: Sequence[str] | None = None) -> None:
    """analyze_frontends [-x HOURS] [-f FRONTEND] [-s COLUMN] [-json]: the same by Frontend."""
    _analyze("analyze_frontends", argv, "client")


def _analyze(prog: str, argv: Sequence[str] | None, by: str) -> None:
    parser = old_parser(prog, "What finished pilots did (see gwms pilot report).")
    parser.add_argument(
        "-x",
        type=float,
        default=24.0,
        metavar="HOURS",
        help="pilots that ended in the last hours; at most 168",
    )
    parser.add_argument(
        "-f", default="", metavar="FRONTEND", help="only of this Frontend, or ClientName"
    )
    parser.add_argument(
        "-s", default="", metavar="COLUMN", help="sort by pilots, removed, failed, jobs or lifetime"
    )
    _of_rrds(parser)
    parser.add_argument("-json", action="store_true")
    options = parser.parse_args(argv)
    words = [
        "--by",
        by,
        *_given(hours=options.x, client=options.f, sort=options.s),
        *["--json"] * options.json,
    ]
    gwms(["pilot", "report", *words, "--work-dir", options.dir])


def analyze_queues(argv: Sequence[str] | None = None) -> None:
    """analyze_queues [-x HOURS] [-s COLUMN] [-json]: what was asked of entries, waited and ran, by
    cycle.
    """
    parser = old_parser(
        "analyze_queues", "Averages over the recorded cycles (see gwms entry stats)."
    )
    parser.add_argument(
        "-x", type=float, default=2.0, metavar="HOURS", help="kept cycles of the last hours"
    )
    parser.add_argument(
        "-s",
        default="",
        metavar="COLUMN",
        help="sort by asked, wait, idle, running, held, submitted",
    )
    _of_rrds(parser)
    parser.add_argument("-json", action="store_true")
    options = parser.parse_args(argv)
    gwms(
        [
            "entry",
            "stats",
            *_given(hours=options.x, sort=options.s),
            *["--json"] * options.json,
            "--work-dir",
            options.dir,
        ]
    )
