"""The Factory and the Frontend as the command line knows them: names, usual paths, variables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import typer


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSide:
    """One kind of daemon.

    `name` is the noun of its commands, `title` its name in messages, and `variable` the environment
    variable that names its work directory.
    """

    name: str
    title: str
    xml: Path
    work_dir: Path
    variable: str

    def given_work_dir(self, option: Path | None) -> Path | None:
        """The work directory of the option, else of the environment variable, else None."""
        if option is not None:
            return option
        named = os.environ.get(self.variable)
        return Path(named) if named else None


FACTORY = DaemonSide(
    name="factory",
    title="Factory",
    xml=Path("/etc/gwms-factory/glideinWMS.xml"),
    work_dir=Path("/var/lib/gwms-factory/work-dir"),
    variable="GWMS_FACTORY_DIR",
)
FRONTEND = DaemonSide(
    name="frontend",
    title="Frontend",
    xml=Path("/etc/gwms-frontend/frontend.xml"),
    work_dir=Path("/var/lib/gwms-frontend/vofrontend"),
    variable="GWMS_FRONTEND_DIR",
)
SIDES = {side.name: side for side in (FACTORY, FRONTEND)}


def side_of(context: typer.Context) -> DaemonSide:
    """Return the side whose noun a command was called under, as in `gwms factory validate`."""
    noun = context.parent.info_name if context.parent else None
    return SIDES[noun or ""]
