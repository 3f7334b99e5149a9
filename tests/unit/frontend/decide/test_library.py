"""The example of docs/explanation/matching.md, run as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[4] / "docs/explanation/matching.md"


def test_the_example_prints_what_the_page_says(tmp_path: Path) -> None:
    _, _, rest = PAGE.read_text().partition("<!-- example -->\n```python\n")
    code, _, after = rest.partition("```")
    wanted = after.split("```")[1].strip()
    watched = (
        code + "\nimport sys\nassert not {'htcondor2', 'pydantic', 'lxml'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", watched], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == wanted
