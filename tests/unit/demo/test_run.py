"""What the demo says to people."""

from __future__ import annotations

import shutil
from pathlib import Path

from glideinwms.demo.run import KeptDemo, how_to_look


def test_the_commands_to_look_around_are_found_by_the_path_that_is_printed() -> None:
    """A newcomer's shell knows neither the demo's HTCondor nor the virtual environment."""
    path, *commands = how_to_look(KeptDemo(Path("/base"), Path("/condor")))
    places = path.removeprefix("  export PATH=").removesuffix(":$PATH")
    assert places.startswith("/condor/bin:") and shutil.which("gwms", path=places)
    assert any(line.startswith("  gwms why") for line in commands)
