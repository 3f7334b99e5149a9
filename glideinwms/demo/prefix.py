"""Build a relocatable HTCondor tree from packages and all libraries that they need.

`relocate` in the tree writes the tree's path into its programs as the ELF interpreter, so that any
user can unpack it anywhere.
"""

from __future__ import annotations

import concurrent.futures
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from glideinwms.demo import debs, elf

# HTCondor dlopen()s these by name, so no NEEDED entry tells of them
DLOPENED = [
    "libSciTokens.so.0",
    "libcom_err.so.2",
    "libgssapi_krb5.so.2",
    "libk5crypto.so.3",
    "libkrb5.so.3",
    "libkrb5support.so.0",
    "libmunge.so.2",
    "libssl.so.3",
    "libcrypto.so.3",
    "libvomsapi.so.1",
    "libsystemd.so.0",
    "libgcc_s.so.1",
    "libgomp.so.1",
    "libnss_files.so.2",
    "libnss_dns.so.2",
    "libnss_compat.so.2",
    "libresolv.so.2",
]
LEFT_OUT = re.compile(
    r"usr/libexec/condor/(annex|adstash|credmon)/|libclassad_python|usr/lib/libpyclassad|usr/lib/python"
    r"|usr/share/(doc|man|lintian|bash-completion|condor)/|htcondor_docker_test|usr/lib/(systemd|tmpfiles)"
    r"|ec2_gahp|gce_gahp|AzureGAHP|classad_functional_tester|blahpd_daemon|condor_annex"
)
WORKER = re.compile(
    r"usr/sbin/(condor_(master|startd|starter|procd|advertise|fetchlog|preen|on|off|restart|reconfig|set_shutdown|drain)|procd_ctl)$"
    r"|usr/bin/condor_(version|status|who|config_val|drain|q|ping|token_list|token_create|token_fetch|ssh_start|nsenter|update_machine_ad)$"
    r"|usr/libexec/condor/(condor_(shared_port|chirp|gpu_discovery|gpu_utilization|kflops|mips|pid_ns_init|power_state|ssh_to_job_.*|ssh"
    r"|limits_wrapper.sh|urlfetch)|curl_plugin|data_plugin|sshd.sh|singularity_test_sandbox/.*|libgetpwnam.*)$"
    r"|usr/lib/(x86_64-linux-gnu/(condor/)?)?(libchirp_client|libclassad|libcondor_utils|libgetpwnam).*\.so.*$|usr/lib/condor/.*"
    r"|etc/condor/condor_config$"
)
LIBRARY_PLACES = (
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/x86_64-linux-gnu/condor",
    "usr/lib",
    "lib/x86_64-linux-gnu",
    "lib",
    "usr/lib/condor",
)
NO_LIBRARIES = re.compile(r"lib(python|perl|js-|date-manip|boost)")
SANDBOX = "singularity_test_sandbox"

RELOCATE = """#!/bin/sh
# Write this tree's path into its programs as the ELF interpreter. Run it once after unpacking
# or moving.
set -e
here=$(cd "$(dirname "$0")" && pwd -P)
ld=$here/lib/ld-linux-x86-64.so.2
n=@LEN@
if [ ${#ld} -ge $n ]; then echo "relocate: path too long: $here" >&2; exit 1; fi
t=$(mktemp "${TMPDIR:-/tmp}/reloc.XXXXXX"); trap 'rm -f "$t"' EXIT
{ printf '%s' "$ld"; dd if=/dev/zero bs=1 count=$((n - ${#ld})) 2>/dev/null; } > "$t"
while read -r off f; do
  [ -f "$here/$f" ] || continue
  dd if="$t" of="$here/$f" bs=1 seek="$off" conv=notrunc 2>/dev/null
done < "$here/etc/portable.manifest"
"""


@dataclass
class _Tree:
    source: Path
    out: Path
    elves: set[str] = field(default_factory=set)

    def put(self, source: Path, place: str) -> None:
        target = self.out / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.unlink(missing_ok=True)
            target.symlink_to(source.readlink())
            return
        shutil.copy2(source, target)
        target.chmod(0o755 if source.stat().st_mode & 0o111 else 0o644)
        if elf.read_elf(target):
            self.elves.add(place)


def build_prefix(
    packages: Sequence[Path], source: Path, out: Path, profile: str, version: str
) -> None:
    """Build the tree `out` from downloaded packages, not yet relocated.

    `source` is a scratch directory; the profile is "full" or "worker".
    """
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    wanted = [d for d in packages if _has_libraries(debs.name_of(d))]
    for deb in wanted:
        debs.unpack(deb, source)
    tree = _Tree(source, out)
    (out / "lib").mkdir(parents=True)
    for deb in (d for d in wanted if debs.name_of(d) == "condor"):
        _copy_package(deb, tree, profile)
    program = elf.patchelf()
    _copy_libraries(tree, program)
    _patch_all(tree, program, _glibc(packages))
    _portable_shebangs(out)
    (out / "etc").mkdir(exist_ok=True)
    manifest = out / "relocate"
    manifest.write_text(RELOCATE.replace("@LEN@", str(len(elf.PLACEHOLDER) + 1)))
    manifest.chmod(0o755)
    (out / "etc/portable.version").write_text(f"condor {version}\n")


def _has_libraries(package: str) -> bool:
    return package in ("condor", "zlib1g") or (
        package.startswith("lib") and not NO_LIBRARIES.match(package)
    )


def _copy_package(deb: Path, tree: _Tree, profile: str) -> None:
    for name in debs.listing(deb):
        if name.endswith("/"):
            # empty, and needed by the starter's container test
            if re.search(rf"{SANDBOX}/(dev|proc)/$", name):
                (tree.out / name.removeprefix("usr/")).mkdir(parents=True, exist_ok=True)
            continue
        if LEFT_OUT.search(name) or (profile == "worker" and not WORKER.match(name)):
            continue
        place = name.removeprefix("usr/")
        flat = re.match(r"lib/x86_64-linux-gnu/(?:condor/)?([^/]+\.so[^/]*)$", place)
        tree.put(tree.source / name, f"lib/{flat[1]}" if flat else place)


def _library_index(source: Path) -> dict[str, Path]:
    index: dict[str, Path] = {}
    for place in LIBRARY_PLACES:
        for path in (source / place).glob("*.so*"):
            if path.exists():
                index.setdefault(path.name, path)
    return index


def _copy_libraries(tree: _Tree, program: str) -> None:
    index = _library_index(tree.source)
    have: set[str] = set()
    todo = {n for n in DLOPENED if n in index}
    for place in tree.elves:
        todo |= set(elf.needed(program, tree.out / place))
    while todo - have:
        name = min(todo - have)
        have.add(name)
        if name not in index:
            continue
        real = index[name].resolve()
        target = tree.out / "lib" / name
        if target.is_symlink():
            target = tree.out / "lib" / target.readlink()
        if not target.exists():
            shutil.copy2(real, target)
            target.chmod(0o755)
            tree.elves.add(f"lib/{target.name}")
        todo |= set(elf.needed(program, real))


def _glibc(packages: Sequence[Path]) -> set[str]:
    libc = next(d for d in packages if debs.name_of(d) == "libc6")
    return {Path(n).name for n in debs.listing(libc) if ".so" in n}


def _patch_all(tree: _Tree, program: str, glibc: set[str]) -> None:
    def one(place: str) -> str | None:
        path = tree.out / place
        found = elf.read_elf(path)
        static = found is None or (found.offset is None and found.kind == elf.ET_EXEC)
        if path.name in glibc or static or SANDBOX in place:
            return None
        up = os.path.relpath(tree.out / "lib", path.parent)
        rpath = "$ORIGIN" if up == "." else f"$ORIGIN/{up}"
        is_program = (
            found is not None and found.offset is not None and not path.name.startswith("lib")
        )
        offset = elf.patch(program, path, rpath, is_program)
        return None if offset is None else f"{offset} {place}"

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        lines = [line for line in pool.map(one, sorted(tree.elves)) if line]
    (tree.out / "etc").mkdir(exist_ok=True)
    (tree.out / "etc/portable.manifest").write_text("\n".join(lines) + "\n")


def _portable_shebangs(out: Path) -> None:
    for path in out.rglob("*"):
        if path.is_symlink() or not path.is_file() or not os.access(path, os.X_OK):
            continue
        with path.open("rb") as f:
            first = f.readline(200)
        found = re.match(rb"#! ?/usr/bin/(python3|perl)( -\w+)?\s*$", first)
        if found:
            body = path.read_bytes()[len(first) :]
            path.write_bytes(b"#!/usr/bin/env " + found[1] + b"\n" + body)
