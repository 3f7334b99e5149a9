"""What a Factory's reconfig costs: first, unchanged, one entry attribute, one global attribute.

Rows: `first_cpu_s`, `first_rss_mb`, `unchanged_cpu_s`, `unchanged_files`, `one_attr_cpu_s`,
`one_attr_files`, `global_attr_cpu_s`, `global_attr_files`, each with `entries`; a new process each
time. Limits at 1000 entries: 2 s, 130 MB; 0.5 s, 0 files; 0.5 s, 8 files; 12 files. The first run
makes 6000 files: what the kernel spends on that is in its CPU time; TMPDIR says on which file
system. An ext4 without a journal looks twice at each inode that was freed within the last minutes:
let the disk rest before. Modules are compiled, as an installation has them: the first run of the
smallest size compiles them.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAKER = Path(__file__).parent / "inputs" / "mkfactory.py"
SIZES = (10, 100, 1000)
FRONTENDS = 2


def run(full: bool) -> Iterator[dict[str, Any]]:
    """10, 100 and 1000 entries; `full` is the same."""
    # nothing is removed before all is measured
    with tempfile.TemporaryDirectory(prefix="gwms-bench-") as top:
        env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        env["PYTHONPYCACHEPREFIX"] = f"{top}/compiled"
        for entries in SIZES:
            base = Path(top, str(entries))
            base.mkdir()
            yield from _one(base, entries, env)


def _one(base: Path, entries: int, env: dict[str, str]) -> Iterator[dict[str, Any]]:
    subprocess.run(
        [sys.executable, str(MAKER), str(base), str(entries), str(FRONTENDS)], check=True, stdout=-3
    )
    xml = base / "glideinWMS.xml"
    cpu, rss, _ = _reconfig(base, xml, env)
    yield _row("first_cpu_s", cpu, "s", entries)
    yield _row("first_rss_mb", rss, "MB", entries)
    cpu, _, files = _reconfig(base, xml, env)
    yield _row("unchanged_cpu_s", cpu, "s", entries)
    yield _row("unchanged_files", files, "files", entries)
    text = xml.read_text()
    xml.write_text(text.replace('value="v_3_3"', 'value="changed"', 1))
    cpu, _, files = _reconfig(base, xml, env)
    yield _row("one_attr_cpu_s", cpu, "s", entries)
    yield _row("one_attr_files", files, "files", entries)
    xml.write_text(xml.read_text().replace('name="USE_MATCH_AUTH"', 'name="USE_MATCH_OTHER"', 1))
    cpu, _, files = _reconfig(base, xml, env)
    yield _row("global_attr_cpu_s", cpu, "s", entries)
    yield _row("global_attr_files", files, "files", entries)


def _row(name: str, value: float, unit: str, entries: int) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "entries": entries, "frontends": FRONTENDS}


def _reconfig(base: Path, xml: Path, env: dict[str, str]) -> tuple[float, float, int]:
    """CPU seconds and peak MB of one reconfig, and how many files it wrote under the stage and work
    areas.
    """
    before = _files(base)
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "glideinwms.cli", "factory", "reconfig", str(xml)],
        env,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"reconfig of {xml} failed")
    after = _files(base)
    changed = sum(before.get(path) != seen for path, seen in after.items())
    return (
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * resource.getpagesize() / 4096 / 1024,
        changed,
    )


def _files(base: Path) -> dict[str, tuple[int, int]]:
    """path -> (inode, mtime_ns) of every file of the stage and work areas, locks left out."""
    found = {}
    for area in (base / "web" / "stage", base / "work-dir"):
        for folder, _, names in os.walk(area):
            for name in names:
                if not name.endswith(".lock"):
                    seen = os.stat(os.path.join(folder, name))
                    found[os.path.join(folder, name)] = (seen.st_ino, seen.st_mtime_ns)
    return found
