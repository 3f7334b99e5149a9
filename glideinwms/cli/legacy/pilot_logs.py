"""Commands that print the logs in a pilot's stderr, under their GlideinWMS 3.10 names: cat_*.

Exit code 1: the file has no such log.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from glideinwms.cli import output
from glideinwms.cli.main import one_line_errors
from glideinwms.cli.packed_logs import sections_of, text_of

XML_ROOT = "<OSGTestResult "
MONITOR_SUFFIXES = (".monitor", ".vm1")


def _cat(prog: str, argv: Sequence[str] | None, name: str = "") -> None:
    parser = argparse.ArgumentParser(
        prog=prog, description="Print a log packed into a pilot's stderr (see gwms pilot log)."
    )
    parser.add_argument("-monitor", action="store_true", help="the log of the monitoring slot")
    if not name:
        parser.add_argument("name", help="name of the log")
    parser.add_argument("file", nargs="+")
    options = parser.parse_args(argv)
    wanted = name or options.name
    missing = False
    for file in options.file:
        chosen = [
            text
            for log, text in sections_of(Path(file)).items()
            if _is_wanted(log, wanted, monitor=options.monitor)
        ]
        missing = missing or not chosen
        output.raw("".join(chosen))
    if missing:
        sys.exit(1)


def _is_wanted(log: str, wanted: str, *, monitor: bool) -> bool:
    if monitor or log.endswith(MONITOR_SUFFIXES):
        return monitor and log in [wanted + suffix for suffix in MONITOR_SUFFIXES]
    return log == wanted or log.startswith(f"{wanted}.")


@one_line_errors()
def cat_master_log(argv: Sequence[str] | None = None) -> None:
    """cat_MasterLog [-monitor] FILE.err"""
    _cat("cat_MasterLog", argv, "MasterLog")


@one_line_errors()
def cat_startd_log(argv: Sequence[str] | None = None) -> None:
    """cat_StartdLog [-monitor] FILE.err"""
    _cat("cat_StartdLog", argv, "StartdLog")


@one_line_errors()
def cat_starter_log(argv: Sequence[str] | None = None) -> None:
    """cat_StarterLog [-monitor] FILE.err: of all slots"""
    _cat("cat_StarterLog", argv, "StarterLog")


@one_line_errors()
def cat_history_log(argv: Sequence[str] | None = None) -> None:
    """cat_StartdHistoryLog FILE.err"""
    _cat("cat_StartdHistoryLog", argv, "StartdHistoryLog")


@one_line_errors()
def cat_named_log(argv: Sequence[str] | None = None) -> None:
    """cat_named_log NAME FILE.err"""
    _cat("cat_named_log", argv)


@one_line_errors()
def cat_logs(argv: Sequence[str] | None = None) -> None:
    """cat_logs FILE.err: print every packed log below its name."""
    parser = argparse.ArgumentParser(
        prog="cat_logs", description="Print all logs packed into a pilot's stderr."
    )
    parser.add_argument("file", nargs="+")
    for file in parser.parse_args(argv).file:
        for name, text in sections_of(Path(file)).items():
            output.raw(f"======== {name} ========\n{text}")


@one_line_errors()
def cat_xml_result(argv: Sequence[str] | None = None) -> None:
    """cat_XMLResult FILE.err: print the XML result, with the file's name in it."""
    from glideinwms.factory.pilot_history.pilot_log import xml_result

    parser = argparse.ArgumentParser(
        prog="cat_XMLResult", description="Print the XML result in a pilot's output."
    )
    parser.add_argument("file", nargs="+")
    for file in parser.parse_args(argv).file:
        xml = xml_result(text_of(Path(file)))
        if not xml:
            output.fail(f"{file} has no XML result")
        output.raw(xml.replace(XML_ROOT, f'{XML_ROOT}logname="{Path(file).name}" ', 1) + "\n")
