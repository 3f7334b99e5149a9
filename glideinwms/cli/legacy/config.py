"""Commands for configuration under their GlideinWMS 3.10 names: gwms-factory, gwms-frontend,
reconfig_glidein, reconfig_frontend.

They take the options of GlideinWMS 3.10. `gwms factory|frontend reconfig` does the work.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from glideinwms.cli import output
from glideinwms.cli.main import main as gwms
from glideinwms.cli.main import one_line_errors
from glideinwms.cli.sides import SIDES

# exit codes of a start-up script (LSB)
BAD_ARGUMENTS, UNIMPLEMENTED = 2, 3
UNITS = {
    "start": "start",
    "stop": "stop",
    "restart": "restart",
    "force-reload": "restart",
    "condrestart": "try-restart",
    "try-restart": "try-restart",
    "reload": "reload",
    "status": "status",
}
VERBS = {
    "factory": "start stop restart force-reload reload status reconfig upgrade down up statusdown "
    "info",
    "frontend": "start stop restart force-reload reload status reconfig upgrade down up statusdown",
}


@one_line_errors()
def gwms_factory(argv: Sequence[str] | None = None) -> None:
    """gwms-factory start|stop|restart|reload|status|reconfig|upgrade|down|up|statusdown|info [XML]
    [OPTIONS].
    """
    _service("factory", sys.argv[1:] if argv is None else argv)


@one_line_errors()
def gwms_frontend(argv: Sequence[str] | None = None) -> None:
    """gwms-frontend start|stop|restart|reload|status|reconfig|upgrade|down|up|statusdown [XML]
    [OPTIONS].
    """
    _service("frontend", sys.argv[1:] if argv is None else argv)


def reconfig_glidein(argv: Sequence[str] | None = None) -> None:
    """reconfig_glidein -xml FILE [OPTIONS]: gwms factory reconfig."""
    _reconfig("reconfig_glidein", "factory", argv)


def reconfig_frontend(argv: Sequence[str] | None = None) -> None:
    """reconfig_frontend -xml FILE [OPTIONS]: gwms frontend reconfig."""
    _reconfig("reconfig_frontend", "frontend", argv)


def _reconfig(prog: str, side: str, argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(prog=prog, description=f"See gwms {side} reconfig.")
    parser.add_argument("-xml", required=True, help="the configuration file")
    for name in (
        "-update_scripts",
        "-writeback",
        "-update_def_cfg",
        "-comment",
        "-xslt_plugin_dir",
    ):
        parser.add_argument(name, default="", help="ignored")
    for name in ("-fix_rrd", "-sighupreload"):
        parser.add_argument(name, action="store_true", help="ignored")
    parser.add_argument(
        "-force_name", default="", metavar="NAME", help="refuse the file of another instance"
    )
    parser.add_argument(
        "-force_delete", action="store_true", help="allow the removal of active entries or groups"
    )
    options = parser.parse_args(argv)
    _guard(Path(options.xml), side, options.force_name)
    gwms([side, "reconfig", options.xml, *["--force-delete"] * options.force_delete])


@one_line_errors()
def _guard(xml: Path, side: str, name: str) -> None:
    """Refuse the configuration file of another instance than `name`."""
    if not name:
        return
    from glideinwms.creation.xml.factory_model import Factory
    from glideinwms.creation.xml.source import parse

    key, default = (
        ("glidein_name", Factory.model_fields["glidein_name"].default)
        if side == "factory"
        else ("frontend_name", "")
    )
    name_in_file = parse(xml).attrs.get(key, default)
    if name_in_file != name:
        output.fail(
            f"{xml}: this is not a {name!r} configuration ({key} is {name_in_file!r}); "
            "correct -xml or -force_name"
        )


def _service(side: str, words: Sequence[str]) -> None:
    """Run one verb of the start-up script. systemd starts and stops the daemons."""
    prog, verb, rest = f"gwms-{side}", words[0] if words else "", list(words[1:])
    if verb in UNITS:
        sys.exit(subprocess.run(["systemctl", UNITS[verb], prog]).returncode)
    if verb in ("reconfig", "upgrade"):
        force = (
            ["--force-delete"]
            if {"-force_delete", "--force_delete", "--force-delete"} & set(rest)
            else []
        )
        xml = next((w for w in rest if w.endswith(".xml")), str(SIDES[side].xml))
        gwms([side, "reconfig", xml, *force])
    elif verb in ("down", "up", "statusdown"):
        from glideinwms.cli.legacy.common import manage_factory_downtimes
        from glideinwms.cli.legacy.frontend import manage_frontend_downtimes

        manage = manage_factory_downtimes if side == "factory" else manage_frontend_downtimes
        manage(["-cmd", "check" if verb == "statusdown" else verb, *rest])
    elif verb == "info" and side == "factory":
        gwms(["entry", "list"])
    elif verb in ("-h", "-help", "--help", "help"):
        print(f"{prog} VERB [OPTIONS]: {VERBS[side]}; see gwms {side} --help")
    else:
        print(
            f"{prog}: {verb or 'no verb'} is not one of {VERBS[side]}; see gwms {side} --help",
            file=sys.stderr,
        )
        sys.exit(BAD_ARGUMENTS if not verb else UNIMPLEMENTED)
