#!/usr/bin/env python3
"""Reading and writing glidein_config from Python: `KEY value` lines, the last of a key counts
(contract 1.7, 1.11).

For Python 2.7 and 3, as nodes have them. A module with gconfig_get, gconfig_add, gconfig_add_safe,
status_report and add_condor_config_var, and a command: gconfig.py [-f FILE] COMMAND, by default for
the file in the environment variable glidein_config. Commands: get KEY [FILE [DEFAULT]], add KEY
VALUE, add_safe KEY VALUE, add_config_line KEY VALUE, add_condor_config_var NAME VALUE [KIND
[PUBLISH [CONDOR_NAME]]].
"""

import errno
import io
import os
import re
import sys
import time

MYPY = False
if MYPY:  # types are for the checker only: old nodes lack the module
    from typing import Dict, Iterable, List, Optional, Tuple, Union

LOCK_PATIENCE = 300
STALE_AFTER = 60


def _file(config=None):
    # type: (Optional[str]) -> str
    found = config or os.environ.get("glidein_config", "")
    if not found:
        raise ValueError(
            "there is no glidein_config: give the file, or set the environment variable"
        )
    return found


def _read(path):
    # type: (str) -> List[str]
    with io.open(
        path, encoding="utf-8", errors="surrogateescape" if sys.version_info[0] > 2 else "replace"
    ) as f:
        return f.read().split("\n")


def _is(line, key):
    # type: (str, str) -> bool
    return line == key or line.startswith((key + " ", key + "\t"))


def gconfig_reload(fname=None):
    # type: (Optional[str]) -> Dict[str, str]
    """All keys with their last values."""
    pairs = [
        line.partition(" ")
        for line in _read(_file(fname))
        if line.strip() and not line.startswith("#")
    ]
    return dict((key, value) for key, _, value in pairs)


def gconfig_get(key, fname=None, default=None):
    # type: (str, Optional[str], Optional[str]) -> Optional[str]
    """The last value of a key; `default` where there is none, or where the file may not be read."""
    try:
        lines = _read(_file(fname))
    except IOError as error:
        if error.errno == errno.EACCES:
            return default
        raise
    for line in reversed(lines):
        if _is(line, key):
            return line[len(key) + 1 :]
    return default


def gconfig_get_bool(key, fname=None):
    # type: (str, Optional[str]) -> bool
    """True for TRUE, T, YES, Y in any case and for positive integers."""
    value = (gconfig_get(key, fname) or "").strip().upper()
    return value in ("TRUE", "T", "YES", "Y") or (
        not value.strip("0123456789") and value.strip("0") != ""
    )


def _replace(path, key, line):
    # type: (str, str, str) -> None
    """One line for the key: written beside the file and renamed, or appended where the key is new."""
    lines = [old for old in _read(path) if old] if os.path.exists(path) else []
    kept = [old for old in lines if not _is(old, key)]
    temporary = "%s.%d.tmp" % (path, os.getpid())
    data = "\n".join(kept + [line, ""])
    with io.open(temporary, "wb") as f:
        f.write(
            data.encode("utf-8", "surrogateescape")
            if sys.version_info[0] > 2
            else data.encode("utf-8")
        )
    os.rename(temporary, path)


def _log(path, word, key, value):
    # type: (str, str, str, str) -> None
    with io.open(path + ".history", "ab") as f:
        f.write(
            ("%s%d %s %s" % (word, os.getpid(), key, value))[:4096].encode("utf-8", "replace")
            + b"\n"
        )


def _one_line(*words):
    # type: (str) -> None
    for word in words:
        if "\n" in word or "\r" in word:
            raise ValueError(
                "%r may not contain a newline: glidein_config holds one value a line" % word
            )


def gconfig_add(key, value, fname=None):
    # type: (str, str, Optional[str]) -> None
    """Set a key."""
    path = _file(fname)
    _one_line(key, value)
    _log(path, "REG", key, value)
    _replace(path, key, "%s %s" % (key, value))


def gconfig_add_safe(key, value, fname=None):
    # type: (str, str, Optional[str]) -> None
    """Set a key under the lock that the shell functions use, for scripts that run beside others."""
    path = _file(fname)
    locked = _lock(path)
    try:
        _one_line(key, value)
        _log(path, "DUPSAF", key, value)
        _log(path, "REG", key, value)
        _replace(path, key, "%s %s" % (key, value))
    finally:
        if locked:
            _unlock(path)


add_config_line = gconfig_add
add_config_line_safe = gconfig_add_safe


class GlideinConfigException(Exception):
    """The configuration is not there."""


class GlideinConfig(object):
    """The functions of this module for one file; without it the script ends, or gets a
    GlideinConfigException.
    """

    def __init__(self, file_name=None, cached=True, exit_on_exception=True, verbose=True):
        # type: (Optional[str], bool, bool, bool) -> None
        self.file_name = file_name or os.environ.get("glidein_config") or "glidein_config"
        if not os.path.exists(self.file_name):
            what = "there is no glidein_config at %s" % self.file_name
            if verbose:
                sys.stderr.write(what + "\n")
            if exit_on_exception:
                sys.exit(1)
            raise GlideinConfigException(what)

    @staticmethod
    def get_config(file_name=None, cached=True):
        # type: (Optional[str], bool) -> GlideinConfig
        """The configuration of a file."""
        return GlideinConfig(file_name, cached)

    def load(self):
        # type: () -> Dict[str, str]
        """All keys with their last values."""
        return gconfig_reload(self.file_name)

    def get(self, key, default=None):
        # type: (str, Optional[str]) -> Optional[str]
        """The last value of a key."""
        return gconfig_get(key, self.file_name, default)

    def add(self, key, value):
        # type: (str, str) -> None
        """Set a key."""
        gconfig_add(key, value, self.file_name)

    def add_safe(self, key, value):
        # type: (str, str) -> None
        """Set a key under the lock."""
        gconfig_add_safe(key, value, self.file_name)


def _alive(pid):
    # type: (str) -> bool
    try:
        os.kill(int(pid), 0)
    except ValueError:
        return False
    except OSError as error:
        return error.errno == errno.EPERM
    return True


def _lock(path):
    # type: (str) -> bool
    """A symbolic link is made atomically on NFS too; the lock of a process that has gone is broken
    after a minute.
    """
    began, seen = time.time(), ("", time.time())
    while time.time() < began + LOCK_PATIENCE:
        try:
            os.symlink(str(os.getpid()), path + ".lock")
        except OSError:
            try:
                owner = os.readlink(path + ".lock")
            except OSError:
                continue
            if owner != seen[0]:
                seen = (owner, time.time())
            if not _alive(owner) and time.time() > seen[1] + STALE_AFTER:
                _unlock(path)
            time.sleep(0.2)
            continue
        with io.open(path + ".pid", "wb") as f:
            f.write(b"%d\n" % os.getpid())
        return True
    return False


def _unlock(path):
    # type: (str) -> None
    # the link last: whoever makes it next writes a file of his own
    for name in (path + ".pid", path + ".lock"):
        try:
            os.remove(name)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise


def add_condor_config_var(
    name, value, kind="C", publish=True, condor_name=None, verbose=True, conf_fname=None
):
    # type: (str, object, str, bool, Optional[str], bool, Optional[str]) -> bool
    """A variable of HTCondor's configuration and, with `publish`, of the slots (contract 1.10);
    kind S, I or C.
    """
    path = gconfig_get("CONDOR_VARS_FILE", conf_fname)
    fields = (name, kind, str(value), condor_name or "+", "N", "Y" if publish else "N", "-")
    wrong = ""
    if not path:
        wrong = "glidein_config has no CONDOR_VARS_FILE"
    elif any(not re.match(r"^\S+$", field) for field in fields) or kind not in ("I", "S", "C"):
        wrong = "each of %s is one word, the kind I, S or C" % (fields,)
    if wrong:
        if verbose:
            sys.stderr.write("add_condor_config_var: %s\n" % wrong)
        return False
    _replace(str(path), name, "\t".join(fields))
    return True


def _escape(text):
    # type: (str) -> str
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def status_report(
    name, success=True, error_msg="", error_detail="", parameters=None, fname="otrb_output.xml"
):
    # type: (str, bool, str, str, Union[None, Dict[str, str], Iterable[Tuple[str, str]]], str) -> None
    """The script's result, in the current directory: what error_gen.sh writes. `error_msg` is its
    type, as Config.
    """
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    rows = [] if success else [("failure", error_msg or "Unknown")]  # type: List[Tuple[str, str]]
    rows += list(parameters.items() if isinstance(parameters, dict) else parameters or [])
    row = '    <metric name="%s" ts="%s" uri="local">%s</metric>'
    text = [
        '<?xml version="1.0"?>',
        '<OSGTestResult id="%s" version="4.3.1">' % _escape(name),
        "  <result>",
    ]
    text += ["    <status>%s</status>" % ("OK" if success else "ERROR")]
    text += [row % (_escape(key), now, _escape(value)) for key, value in rows] + ["  </result>"]
    if not success:
        text += ["  <detail>", "     " + _escape(error_detail), "  </detail>"]
    with io.open(fname, "wb") as f:
        f.write("\n".join(text + ["</OSGTestResult>", ""]).encode("utf-8"))


def main(words):
    # type: (List[str]) -> int
    config = None
    if len(words) > 1 and words[0] == "-f":
        config, words = words[1], words[2:]
    commands = {"add": gconfig_add, "add_safe": gconfig_add_safe, "add_config_line": gconfig_add}
    try:
        if len(words) == 1 and os.path.isfile(words[0]):
            # called as a set-up script
            status_report("gconfig.py")
        elif words[:1] == ["get"] and len(words) in (2, 3, 4):
            print(
                gconfig_get(
                    words[1],
                    words[2] if len(words) > 2 else config,
                    words[3] if len(words) == 4 else "",
                )
            )
        elif words[:1] == ["add_condor_config_var"] and len(words) > 2:
            kind, publish, condor_name = (words[3:6] + ["C", "Y", ""][len(words[3:6]) :])[:3]
            shown = publish.lower() in ("y", "yes", "true", "1")
            return (
                0
                if add_condor_config_var(
                    words[1], words[2], kind, shown, condor_name or None, True, config
                )
                else 1
            )
        elif words and words[0] in commands and len(words) > 2:
            commands[words[0]](words[1], " ".join(words[2:]), config)
        else:
            sys.stderr.write(__doc__)
            return 2
    except (ValueError, IOError, OSError) as error:
        sys.stderr.write("gconfig.py: %s\n" % error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
