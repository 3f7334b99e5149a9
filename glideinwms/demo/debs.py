"""Download packages of another Debian suite in a private apt directory, without root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from glideinwms.lib.errors import DemoError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Check-Valid-Until off: this machine's clock may be ahead of the mirror
APT_CONF = """
Dir::State "{d}"; Dir::State::lists "{d}/lists"; Dir::State::status "{d}/status";
Dir::State::extended_states "{d}/extended_states";
Dir::Cache "{d}"; Dir::Cache::archives "{d}/archives";
Dir::Etc::sourcelist "{d}/sources.list"; Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null"; Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::main "/dev/null"; Dir::Etc::parts "{d}/parts"; Dir::Log "{d}";
APT::Architecture "amd64"; APT::Architectures {{ "amd64"; }};
APT::Install-Recommends "false"; APT::Sandbox::User ""; Debug::NoLocking "true";
Acquire::Languages "none"; Acquire::Check-Valid-Until "false"; Acquire::Retries "3";
{proxy}
"""


def _need_tools() -> None:
    missing = [t for t in ("apt-get", "apt-config", "dpkg-deb", "tar") if shutil.which(t) is None]
    if missing or not KEYRING.exists():
        raise DemoError(
            f"a portable HTCondor cannot be built here: no {', '.join(missing) or KEYRING}",
            where="demo",
            hint="use a Debian or Ubuntu host, or install HTCondor 23 or newer so that "
            "condor_master is on PATH",
        )


def host_mirror() -> str:
    """Return the archive that the host's apt uses (not the security archive)."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
        text=True,
        capture_output=True,
    )
    uris = [u for u in dict.fromkeys(done.stdout.split()) if "/debian" in u and "security" not in u]
    if not uris:
        raise DemoError(
            "apt knows no Debian mirror",
            where="/etc/apt/sources.list",
            hint="add one, or install HTCondor 23 or newer",
        )
    return uris[0]


def host_acquire() -> str:
    """Return the host's proxy settings for apt, as configuration lines."""
    done = subprocess.run(
        ["apt-config", "dump", "--format", '%F "%v";%n', "Acquire::http", "Acquire::https"],
        text=True,
        capture_output=True,
    )
    return "\n".join(
        line for line in done.stdout.splitlines() if "Proxy" in line and '""' not in line
    )


def download(
    work: Path, suite: str, packages: Sequence[str], mirror: str | None = None
) -> list[Path]:
    """Download packages with everything that they need, and return their .deb files.

    Raise DemoError with apt's message.
    """
    _need_tools()
    home = (work / f"apt-{suite}").resolve()
    for name in ("lists/partial", "archives/partial", "parts"):
        (home / name).mkdir(parents=True, exist_ok=True)
    # an empty status makes apt resolve the whole closure
    (home / "status").write_text("")
    (home / "sources.list").write_text(
        f"deb [signed-by={KEYRING}] {mirror or host_mirror()} {suite} main\n"
    )
    (home / "apt.conf").write_text(APT_CONF.format(d=home, proxy=host_acquire()))
    env = {
        **os.environ,
        "APT_CONFIG": str(home / "apt.conf"),
        "LC_ALL": "C",
        "DEBIAN_FRONTEND": "noninteractive",
    }
    for words in (["update", "--error-on=any"], ["-y", "--download-only", "install", *packages]):
        done = subprocess.run(["apt-get", "-qq", *words], env=env, text=True, capture_output=True)
        if done.returncode:
            raise DemoError(
                f"apt-get {words[0]} failed: {done.stderr.strip()[-600:]}",
                where=(home / "sources.list").read_text().strip(),
                hint="is the network or the mirror down? an HTCondor >= 23 on PATH is used instead",
            )
    return sorted((home / "archives").glob("*.deb"))


def name_of(deb: Path) -> str:
    """Return the package name of a .deb file."""
    return deb.name.split("_")[0]


def unpack(deb: Path, tree: Path) -> None:
    """Unpack a .deb below `tree`, as any user."""
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE
    ) as source:
        argv = ["tar", "x", "--keep-directory-symlink", "--no-same-owner", "-C", str(tree)]
        done = subprocess.run(argv, stdin=source.stdout, capture_output=True, text=True)
    if done.returncode or source.returncode:
        raise DemoError(
            f"cannot unpack: {done.stderr.strip()[-300:]}", where=deb.name, hint="is the disk full?"
        )


def listing(deb: Path) -> list[str]:
    """Return the relative paths in a .deb. Directories end with a slash."""
    source = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE, check=True
    )
    names = subprocess.run(
        ["tar", "t"], input=source.stdout, stdout=subprocess.PIPE, check=True
    ).stdout.decode()
    return [n.strip().removeprefix("./") for n in names.splitlines() if n.strip("./ ")]
