"""Programs that run before and after a reconfig: `hooks.reconfig.pre/` and `.post/` beside the XML (config 11).

None runs that somebody else than root or the one who reconfigures may have written.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from glideinwms.lib import file_ownership
from glideinwms.lib.errors import ConfigError

SECONDS = 600.0


def run(xml: Path, when: str, seconds: float = SECONDS) -> int:
    """Run the executables of `hooks.reconfig.<when>` by name, without arguments; the number that
    ran.

    ConfigError names the first that fails or is not ours; its output has gone where ours goes.
    """
    done = 0
    for path in programs(xml, when):
        file_ownership.check(path)
        try:
            code = subprocess.run(
                [path], cwd=path.parent, stdin=subprocess.DEVNULL, timeout=seconds
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise ConfigError(f"did not end within {seconds:.0f} s", where=str(path)) from error
        except OSError as error:
            raise ConfigError(f"cannot be run: {error.strerror}", where=str(path)) from error
        if code:
            raise ConfigError(f"ended with {code}", where=str(path), hint="see its output")
        done += 1
    return done


def programs(xml: Path, when: str) -> list[Path]:
    """The hooks there are, in the order in which they run."""
    folder = xml.parent / f"hooks.reconfig.{when}"
    return sorted(p for p in folder.glob("*") if p.is_file() and os.access(p, os.X_OK))
