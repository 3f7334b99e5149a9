"""Copy configurations of tests/data/config, with the files they name, into a directory."""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "data" / "config"
# an unsigned token without an end
TOKEN = b"eyJhbGciOiAibm9uZSJ9.eyJzdWIiOiAicGlsb3QifQ."
FILES = {
    "condor.tgz": b"tarball",
    "tools.tgz": b"tools",
    "script.sh": b"#!/bin/sh\nexit 0\n",
    "wrap.sh": b"#!/bin/sh\n",
    "plain.txt": b"text\n",
    "ce.scitoken": TOKEN,
}


def place(directory: Path, name: str, change: tuple[str, str] | None = None) -> Path:
    """`tests/data/config/<name>` written into `directory`, @DIR@ filled in; `change` replaces a
    text that is there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for file, content in FILES.items():
        (directory / file).write_bytes(content)
    text = (DATA / name).read_text()
    if change:
        assert change[0] in text, f"{name} does not contain {change[0]!r}"
        text = text.replace(*change)
    path = directory / Path(name).name
    path.write_text(text.replace("@DIR@", str(directory)))
    return path
