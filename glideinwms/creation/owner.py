"""Who may change an installation: root, who then goes on as the owner of the XML, or that owner (decision 36)."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from glideinwms.lib.errors import ConfigError, StateError


def become_owner(path: Path) -> None:
    """As root, go on as the owner of the file (user, groups, umask 027); as somebody else, refuse."""
    try:
        owner = path.stat().st_uid
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    os.umask(0o027)
    if owner == os.geteuid():
        return
    name = _name(owner)
    if os.geteuid() != 0:
        raise StateError(
            f"belongs to {name}", where=str(path), hint=f"run this as {name}" + ("" if owner == 0 else " or as root")
        )
    try:
        entry = pwd.getpwuid(owner)
    except KeyError as error:
        raise StateError(f"belongs to {name}, who has no account", where=str(path), hint="chown it") from error
    os.initgroups(entry.pw_name, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(owner)
    os.environ["HOME"] = entry.pw_dir


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
