"""The pilot's files as they lie on a worker node, in one directory: `python -m tests.support.pilot_files DIRECTORY`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from glideinwms.creation.build.stage_files import GLIDEIN, load_pilot


def write(directory: Path) -> Path:
    """Copy them there; what is put together of parts is whole."""
    shutil.copytree(GLIDEIN, directory, dirs_exist_ok=True)
    for file in load_pilot().files:
        if file.item is not None and not (directory / file.item.outfile).exists():
            (directory / file.item.outfile).write_bytes(file.item.blob.read())
    return directory


if __name__ == "__main__":
    write(Path(sys.argv[1]))
