"""HTCondor for worker nodes: which platforms are offered, and the tarballs (config 2.9)."""

from __future__ import annotations

import hashlib
import itertools
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glideinwms.creation.build.stage_files import Tables, pack
from glideinwms.creation.xml.factory_model import CondorTarball
from glideinwms.creation.xml.problems import Problems
from glideinwms.lib.errors import StageError
from glideinwms.lib.stage.blobs import Blob, of_bytes, of_file
from glideinwms.lib.stage.tree import Item

NEEDED = ("sbin/condor_master", "sbin/condor_startd", "sbin/condor_starter")
LIBRARIES = ("lib", "lib64")
FOLDERS = ("bin", "sbin", *LIBRARIES, "libexec")
# HTCondor's own programs and libraries, by their names
OWN = re.compile(r"condor|classad|htcondor|libcondor|libclassad|libgetpwnam")
C_LIBRARY = re.compile(
    r"(ld-linux|libc|libm|libpthread|libdl|librt|libresolv|libnsl|libutil|libstdc\+\+|libgcc_s)\b"
)
LDD_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Platform:
    """One (version, os, arch) that a tarball serves."""

    version: str
    os: str
    arch: str

    @property
    def name(self) -> str:
        """As in CONDOR_PLATFORM_<name> and condor_bin_<name>.tgz."""
        return f"{self.version}-{self.os}-{self.arch}"


def words(text: str) -> list[str]:
    """The parts of a comma separated list."""
    return [w.strip() for w in text.split(",") if w.strip()]


def platforms(tarball: CondorTarball) -> list[Platform]:
    """Every combination the tarball names."""
    axes = (words(tarball.version), words(tarball.os), words(tarball.arch))
    return [Platform(v, o, a) for v, o, a in itertools.product(*axes)]


def check(tarballs: Sequence[CondorTarball], problems: Problems) -> list[Platform]:
    """All platforms; says what is missing on disk."""
    found: list[Platform] = []
    for tarball in tarballs:
        subject = f"condor_tarball[{tarball.version}-{tarball.os}-{tarball.arch}]"
        if not tarball.tar_file and not tarball.base_dir:
            problems.error(tarball.where, subject, "needs tar_file or base_dir")
        elif tarball.tar_file and not Path(tarball.tar_file).is_file():
            problems.error(
                tarball.where, f"{subject}@tar_file", f"{tarball.tar_file} is not a file"
            )
        elif not tarball.tar_file:
            lacking = [n for n in NEEDED if not (Path(tarball.base_dir) / n).is_file()]
            if lacking:
                problems.error(
                    tarball.where,
                    f"{subject}@base_dir",
                    f"{tarball.base_dir} lacks {', '.join(lacking)}",
                )
        for platform in platforms(tarball):
            if re.search(r"[\s/]", platform.name):
                problems.error(
                    tarball.where, subject, f"{platform.name!r} may not contain blanks or slashes"
                )
            elif re.search(r"[;:|]", platform.name):
                problems.warn(
                    tarball.where,
                    subject,
                    f"{platform.name!r} is one platform",
                    "separate several by commas",
                )
            if platform in found:
                problems.error(
                    tarball.where,
                    subject,
                    f"{platform.name} is offered by a tarball before this one",
                )
            found.append(platform)
    return found


def resolves(wanted: Mapping[str, str], offered: Iterable[Platform]) -> bool:
    """Whether CONDOR_VERSION/OS/ARCH of an entry find a tarball; `auto` is a wildcard for os and
    arch.
    """
    version, os, arch = (
        wanted.get(k, "default") for k in ("CONDOR_VERSION", "CONDOR_OS", "CONDOR_ARCH")
    )

    def fits(one: str, other: str) -> bool:
        return any(w in ("auto", other) for w in words(one) or ["default"])

    return any(fits(version, p.version) and fits(os, p.os) and fits(arch, p.arch) for p in offered)


def items(
    tarballs: Sequence[CondorTarball],
    cache: Path,
    blobs: dict[str, Blob],
    tables: Tables,
    made: dict[Path, Blob],
) -> list[Item]:
    """Rows of the main list; a base_dir is packed once per content: `made` is what `cache` does not
    have yet.
    """
    rows = []
    for index, tarball in enumerate(tarballs):
        if tarball.tar_file:
            blob = blobs.get(tarball.tar_file) or blobs.setdefault(
                tarball.tar_file, of_file(Path(tarball.tar_file))
            )
        else:
            blob = packed(Path(tarball.base_dir), cache, made)
        for platform in platforms(tarball):
            name, condition = f"condor_bin_{platform.name}.tgz", f"CONDOR_PLATFORM_{platform.name}"
            tables.untar[name] = "condor"
            stem = f"condor_bin_{index}.tgz"
            rows.append(
                Item(
                    name,
                    blob,
                    "untar",
                    condition=condition,
                    config_out="CONDOR_DIR",
                    stage_stem=stem,
                )
            )
    return rows


def sources(tarballs: Sequence[CondorTarball]) -> list[Path]:
    """The files of all base_dirs: what `packed` looks at."""
    return [p for t in tarballs if not t.tar_file and t.base_dir for p in _within(Path(t.base_dir))]


def _within(base: Path) -> list[Path]:
    """HTCondor's files in an installation: all of one that is alone in its directory, and of /usr
    only its own.
    """
    found = {
        p for f in FOLDERS for p in (base / f).glob("*" if _shared(base) else "**/*") if p.is_file()
    }
    if _shared(base):
        found = {
            p for p in found if OWN.match(p.name) and p.parent.name in ("bin", "sbin", *LIBRARIES)
        }
        own = [
            d
            for f in (*LIBRARIES, "libexec")
            for d in ((base / f / "condor"), *(base / f).glob("*/condor"))
        ]
        found |= {p for d in own for p in d.rglob("*") if p.is_file()}
        found |= {p for f in LIBRARIES for p in (base / f).glob("*/lib*") if OWN.match(p.name)}
        found |= _libraries(base, [base / n for n in NEEDED])
    return sorted(found)


def _shared(base: Path) -> bool:
    """Whether other software is installed in the same directories."""
    names = [p.name for f in ("bin", "sbin") for p in (base / f).glob("*")]
    return sum(bool(OWN.match(n)) for n in names) * 2 < len(names)


def _libraries(base: Path, programs: Sequence[Path]) -> set[Path]:
    """The shared libraries below `base` that the programs load, without those of the C library."""
    try:
        text = subprocess.run(
            ["ldd", *map(str, programs)],
            capture_output=True,
            text=True,
            timeout=LDD_SECONDS,
            check=False,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return set()
    # under the name that is asked for, which is often a link
    paths = [
        p.parent.resolve() / p.name for p in (Path(m[1]) for m in re.finditer(r"=> (/\S+)", text))
    ]
    top = base.resolve()
    return {
        base / p.relative_to(top)
        for p in paths
        if p.is_relative_to(top) and not C_LIBRARY.match(p.name)
    }


def packed(base: Path, cache: Path, made: dict[Path, Blob]) -> Blob:
    """The tarball of an unpacked installation, made when a file's path, size or time changed."""
    files = _within(base)
    stats = [
        (str(p.relative_to(base)), s.st_size, s.st_mtime_ns) for p in files for s in [p.stat()]
    ]
    target = cache / f"{hashlib.sha256(repr(stats).encode()).hexdigest()[:12]}.tgz"
    if target.exists():
        return of_file(target)
    if target not in made:
        try:
            members = [
                (_inside(p.relative_to(base)), p.read_bytes(), p.stat().st_mode & 0o755)
                for p in files
            ]
        except OSError as error:
            raise StageError(f"cannot be packed: {error}", where=str(base)) from error
        made[target] = of_bytes(pack(members))
    return made[target]


def _inside(path: Path) -> str:
    """libexec/condor of the RPM layout becomes libexec."""
    parts = path.parts
    return "/".join((parts[0], *parts[2:]) if parts[:2] == ("libexec", "condor") else parts)
