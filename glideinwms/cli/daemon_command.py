"""Send an operator's command to a daemon and wait for its answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from glideinwms.cli import output

FIRST_CYCLE_SECONDS = 300.0


def send(
    work_dir: Path, verb: str, args: dict[str, str], *, daemon: str, as_json: bool
) -> NoReturn:
    """Send a command, wait up to two cycles for the answer, print it and exit.

    Exit code 0: done; 1: refused; 3: the daemon does not run or did not answer.
    """
    from glideinwms.lib.daemon import operator_commands
    from glideinwms.lib.daemon import status as status_file
    from glideinwms.lib.errors import StateError
    from glideinwms.lib.run_as_owner import work_as_owner

    work_as_owner(work_dir)
    path = work_dir / "state/status.json"
    if not status_file.running(path):
        output.fail(f"no daemon runs in {work_dir}", output.NOT_RUNNING)
    # there is no status until the first cycle ends
    delay = status_file.read(path, daemon).loop_delay if path.exists() else FIRST_CYCLE_SECONDS
    folder = work_dir / "state/requests"
    command = operator_commands.put(folder, verb, args)
    try:
        answer = operator_commands.wait_answer(folder, command, 2 * delay + 60)
    except (StateError, KeyboardInterrupt) as error:
        # a daemon that starts tomorrow must not do what was wanted today
        withdrawn = operator_commands.withdraw(folder, command)
        if isinstance(error, StateError):
            note = "; the command was withdrawn" if withdrawn else ""
            output.fail(f"{error}{note}", output.NOT_RUNNING)
        raise
    if as_json:
        output.print_json(answer)
    else:
        print(output.visible(answer.text), file=sys.stdout if answer.ok else sys.stderr)
    sys.exit(0 if answer.ok else 1)
