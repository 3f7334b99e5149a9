"""cvmfsexec distributions for worker nodes (config 2.10): staged from `<work>/cvmfsexec/tarballs`, where the deployed
program keeps those it built. Reconfig itself asks no network: who makes them is the operator.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from glideinwms.creation.build.stage_files import Tables
from glideinwms.creation.build.tarballs import words
from glideinwms.creation.xml.factory_model import Entry, EntrySet, Factory
from glideinwms.creation.xml.problems import Problems, did_you_mean
from glideinwms.lib.stage.blobs import Blob, of_file
from glideinwms.lib.stage.tree import Item

SOURCES = ("osg", "egi", "default")
PLATFORMS = (
    "rhel9-x86_64",
    "rhel8-x86_64",
    "rhel7-x86_64",
    "suse15-x86_64",
    "rhel8-aarch64",
    "rhel8-ppc64le",
)
USE = "GLIDEIN_USE_CVMFSEXEC"


@dataclass(frozen=True, slots=True)
class Distribution:
    """One (source, platform) and the tarball that serves it: its top has the program `cvmfsexec`."""

    source: str
    platform: str
    path: Path

    @property
    def name(self) -> str:
        """As cvmfs_platform_select.sh names it on the node."""
        return f"{self.source}-{self.platform}"

    @property
    def made_by(self) -> str:
        """How to make it; needs the network."""
        make = f"./makedist -m {self.platform} {self.source} && tar -C dist -czf {self.path} ."
        return f"in a clone of cvmfs/cvmfsexec: {make}"


def wanted(factory: Factory) -> list[Distribution]:
    """Every combination that is named; all platforms if only sources are."""
    sub = f"/glidein_{factory.glidein_name}" if factory.factory_versioning else ""
    folder = Path(factory.submit.base_dir + sub) / "cvmfsexec" / "tarballs"
    distro = factory.cvmfsexec_distro
    platforms = words(distro.platforms) or list(PLATFORMS)
    return [
        Distribution(s, p, folder / f"cvmfsexec_{s}_{p.replace('-', '_', 1)}.tar.gz")
        for s in words(distro.sources)
        for p in platforms
    ]


def check(factory: Factory, problems: Problems) -> None:
    """Names, what is not there, and entries that want a distribution where there is none."""
    distro = factory.cvmfsexec_distro
    if distro.platforms and not distro.sources:
        problems.error(distro.where, "cvmfsexec_distro@platforms", "needs sources")
    for name, text, known in (
        ("sources", distro.sources, SOURCES),
        ("platforms", distro.platforms, PLATFORMS),
    ):
        for word in words(text):
            if word not in known:
                hint = did_you_mean(word, known) or f"one of {', '.join(known)}"
                problems.error(
                    distro.where, f"cvmfsexec_distro@{name}", f"there is no {word!r}", hint
                )
    found = wanted(factory) if distro.sources else []
    lacking = [d for d in found if not d.path.is_file()]
    for one in lacking:
        what = f"{one.path} is not there; no node of {one.platform} gets it"
        problems.warn(distro.where, "cvmfsexec_distro", what, one.made_by)
    for one in found:
        if one not in lacking and not _whole(one.path):
            what = f"{one.path} is no gzip tar with the program cvmfsexec at its top"
            problems.error(distro.where, "cvmfsexec_distro", what, one.made_by)
    if len(lacking) == len(found):
        _used(
            factory,
            "put one into its place" if found else "name sources in cvmfsexec_distro",
            problems,
        )


def _used(factory: Factory, hint: str, problems: Problems) -> None:
    """Where there is no distribution: a published constant that asks for one cannot work
    (GlideinWMS 3.10 refuses it, too); with a parameter the requests decide.
    """
    what = "there is no cvmfsexec distribution to use"
    holders: list[Factory | Entry | EntrySet] = [factory, *factory.entries, *factory.entry_sets]
    for holder in holders:
        off = not isinstance(holder, Factory) and not holder.enabled
        for attr in holder.attrs:
            if attr.name != USE or attr.value in ("", "0"):
                continue
            if attr.const and attr.publish and not off:
                problems.error(attr.where, f"attr[{USE}]@value", what, hint)
            else:
                with problems.about(disabled=off):
                    problems.warn(attr.where, f"attr[{USE}]@value", what, hint)


def _whole(path: Path) -> bool:
    try:
        with tarfile.open(path, "r:gz") as tar:
            return any(m.name.removeprefix("./") == "cvmfsexec" and m.isfile() for m in tar)
    except (OSError, tarfile.TarError, EOFError):
        return False


def items(found: Iterable[Distribution], blobs: dict[str, Blob], tables: Tables) -> list[Item]:
    """Rows of the main list: unpacked where the platform of the node is this one."""
    rows = []
    for one in found:
        if one.path.is_file():
            name = f"cvmfsexec_dist_{one.name}.tgz"
            blob = blobs.setdefault(str(one.path), of_file(one.path))
            tables.untar[name] = "cvmfsexec"
            condition = f"CVMFSEXEC_PLATFORM_{one.name}"
            rows.append(Item(name, blob, "untar", condition=condition, config_out="CVMFSEXEC_DIR"))
    return rows
