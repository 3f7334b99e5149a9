"""Who changes an installation (decision 36): root goes on as the owner of what it changes.

A daemon's directory belongs to the daemon's account, which can put links and process ids into it.
So a command of root does there only what that account could do itself: the kernel then refuses to
write through a link to a file of somebody else, and to signal a process of somebody else.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from glideinwms.lib.errors import ConfigError, StateError

_started_as: list[int] = []


def become_owner(path: Path) -> None:
    """As root, go on as the owner of the file (user, groups, umask 027); as somebody else, refuse."""
    try:
        owner = path.stat().st_uid
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    os.umask(0o027)
    if owner == os.geteuid():
        return
    if os.geteuid() != 0:
        name = name_of(owner)
        raise StateError(
            f"belongs to {name}",
            where=str(path),
            hint=f"run this as {name}" + ("" if owner == 0 else " or as root"),
        )
    _become(owner, path)


def work_as_owner(work_dir: Path) -> None:
    """As root, go on as the account whose directory this is; as somebody else, do nothing.

    Where root owns the work directory itself, its `state` decides: the daemon writes there.
    """
    if os.geteuid() != 0:
        return
    for path in (work_dir, work_dir / "state"):
        try:
            # the directory is what root named; what is in it may be a link that its owner made
            owner = path.stat().st_uid if path == work_dir else path.lstat().st_uid
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StateError(f"cannot be read: {error.strerror}", where=str(path)) from error
        if owner != 0:
            _become(owner, path)
            return


def who_started() -> str:
    """The name of the user who started this program, whoever it has become."""
    return name_of(_started_as[0] if _started_as else os.getuid())


def caller() -> str:
    """Name the account that started this program, and the user behind it if root came by sudo.

    Only root's SUDO_USER is believed: anybody else can write anything there.
    """
    name, behind = who_started(), os.environ.get("SUDO_USER", "")
    if name == name_of(0) and behind and behind.isprintable():
        return f"{name} (sudo by {behind})"
    return name


def _become(owner: int, path: Path) -> None:
    try:
        entry = pwd.getpwuid(owner)
    except KeyError as error:
        raise StateError(
            f"belongs to {name_of(owner)}, who has no account", where=str(path), hint="chown it"
        ) from error
    _started_as.append(os.getuid())
    os.initgroups(entry.pw_name, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(owner)
    os.umask(0o027)
    os.environ["HOME"] = entry.pw_dir


def name_of(uid: int) -> str:
    """The name of a user of this machine."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
