"""Commands about finished pilots under the names that Factory operators know: entry_ls, find_logs, find_StartdLogs,
gwms-logcat, analyze_entries, analyze_frontends, analyze_queues.

The work is done by `gwms pilot` and `gwms entry stats`. Files of logs and what was learned take the place of RRDs.
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


class Gone(argparse.Action):
    """An option of the deployed command that has no meaning here; `help` says why."""

    def __call__(self, parser: argparse.ArgumentParser, *rest: Any) -> None:
        parser.error(f"{'/'.join(self.option_strings)}: {self.help}")


def _of_rrds(parser: argparse.ArgumentParser, *names: str) -> None:
    for name in names:
        parser.add_argument(
            name,
            action=Gone,
            nargs="?",
            help="there are no RRD files here; the numbers come with -json",
        )


def _given(**options: str | float | None) -> list[str]:
    """`--name value` of those that were given."""
    return [
        word
        for name, value in options.items()
        if value not in (None, "")
        for word in (f"--{name}", str(value))
    ]


class Last(argparse.Action):
    """Of options that exclude each other, the last that is given counts."""

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
        help_text = f"lived {text} so long"
        parser.add_argument(
            name, dest="life", action=Last, type=float, metavar="SECONDS", help=help_text
        )
    parser.add_argument("-json", action="store_true")
    a = parser.parse_args(argv)
    words = [a.entry, *_given(user=a.user, date=a.date)]
    options = {"-e": "--before", "-E": "--after", "-d": "--shorter", "-D": "--longer"}
    for option, value in filter(None, (a.hour, a.life)):
        words += [options[option], str(value)]
    if a.kind:
        words.append("--started" if a.kind[0] == "-t" else "--failed")
    words += ["--json"] if a.json else ["--files", "out" if a.o else "err", *["--long"] * a.l]
    gwms(["pilot", "list", *words, "--work-dir", a.dir])


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
        "-days", type=int, metavar="N", help="so many days, the last of which is DATE"
    )
    if not log:
        parser.add_argument(
            "-log", default="", metavar="NAME", help="only those that hold this log"
        )
    parser.add_argument("-json", action="store_true")
    a = parser.parse_args(argv)
    words = [a.entry, *_given(date=a.date, days=a.days, log=log or a.log)]
    gwms(
        [
            "pilot",
            "list",
            *words,
            *(["--json"] if a.json else ["--files", "err"]),
            "--work-dir",
            a.dir,
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
    a = parser.parse_args(argv)
    if a.f is None and not a.entry:
        parser.error("which entry? or -f FILE")
    if a.f is not None:
        a.log = [a.entry, *a.log] if a.entry else a.log
    file = a.f or _stderr_of(Path(a.dir), a.entry, a.i)
    found = sections_of(file)
    names = [
        n
        for n in found
        if a.a or a.l or any(n == w or n.startswith(f"{w}.") for w in a.log or ["StartdLog"])
    ]
    if not names:
        output.fail(
            f"{file} has no {' or '.join(a.log or ['StartdLog'])}; it has: {', '.join(found) or 'nothing'}"
        )
    if a.json:
        output.print_json(
            {"file": str(file), "logs": names if a.l else {n: found[n] for n in names}}
        )
        return
    for name in names:
        if a.c is not None:
            a.c.mkdir(parents=True, exist_ok=True)
            target = a.c / f"{file.stem}.{file_safe(name)}"
            write_atomic(target, found[name], 0o600)
            print(target)
        else:
            text = name if a.l else f"======== {name} ========\n{found[name]}".removesuffix("\n")
            output.raw(f"{text}\n")


def _stderr_of(work_dir: Path, entry: str, pilot: str) -> Path:
    """The stderr file of a pilot of an entry, or of the one whose file changed last."""
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
    assert found is not None
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
        "-x", type=float, default=24.0, metavar="HOURS", help="ended so lately; at most 168"
    )
    parser.add_argument(
        "-f", default="", metavar="FRONTEND", help="only of this Frontend, or ClientName"
    )
    parser.add_argument(
        "-s", default="", metavar="COLUMN", help="sort by pilots, removed, failed, jobs or lifetime"
    )
    _of_rrds(parser, "-p", "-z", "-m", "--ms", "--mh", "--msort", "--source")
    parser.add_argument("-json", action="store_true")
    a = parser.parse_args(argv)
    words = ["--by", by, *_given(hours=a.x, client=a.f, sort=a.s), *["--json"] * a.json]
    gwms(["pilot", "report", *words, "--work-dir", a.dir])


def analyze_queues(argv: Sequence[str] | None = None) -> None:
    """analyze_queues [-x HOURS] [-s COLUMN] [-json]: what was asked of entries, waited and ran, by
    cycle.
    """
    parser = old_parser(
        "analyze_queues", "Averages over the recorded cycles (see gwms entry stats)."
    )
    parser.add_argument(
        "-x", type=float, default=2.0, metavar="HOURS", help="cycles of so lately, as far as kept"
    )
    parser.add_argument(
        "-s",
        default="",
        metavar="COLUMN",
        help="sort by asked, wait, idle, running, held, submitted",
    )
    _of_rrds(parser, "-p", "-z", "-m", "--ms", "--mh", "--msort", "--source")
    parser.add_argument("-json", action="store_true")
    a = parser.parse_args(argv)
    gwms(
        ["entry", "stats", *_given(hours=a.x, sort=a.s), *["--json"] * a.json, "--work-dir", a.dir]
    )
