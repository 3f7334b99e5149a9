"""Every error this program raises on purpose.

GwmsError
├── ConfigError        a configuration file or option is wrong (file:line)
├── StateError         our own files on disk cannot be read or written
├── StageError         the stage area is missing, changed or not writable
├── WireError          an ad from a peer is malformed
│   ├── BadValue       a foreign value does not fit its bounds (in bounded.py)
│   └── CryptoError    an envelope cannot be opened, or a key loaded
├── CredentialError    a credential is missing, unreadable or expired
├── CondorError        HTCondor said no
│   ├── Unreachable    no answer: refused, reset, unknown host
│   ├── TimedOut       no answer within the wall deadline
│   └── OutcomeUnknown a submit or act whose effect cannot be known yet
└── DemoError          the demonstration grid cannot be built or run
"""

from __future__ import annotations

import traceback

MAX_TRACE_LINES = 100


class GwmsError(Exception):
    """What is wrong (`message`), where (`where`: file:line, ad, entry, endpoint) and what to do
    (`hint`).
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}; {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.where, self.hint)


def _rebuild(kind: type[GwmsError], message: str, where: str, hint: str) -> GwmsError:
    return kind(message, where=where, hint=hint)


def place_of(error: BaseException) -> str:
    """The kind and the place of an error that nobody expected, without its message: that could
    contain a secret.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"unexpected {type(error).__name__}{place}"


def trace_of(error: BaseException) -> str:
    """The kind of an unexpected error and its causes with their places in the code, one a line.

    Unlike a traceback it has no message: that could contain a secret.
    """
    lines: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(lines) < MAX_TRACE_LINES:
        lines.append(type(cause).__name__)
        for frame in traceback.extract_tb(cause.__traceback__):
            lines.append(f"  {frame.filename}:{frame.lineno} {frame.name}")
        cause = cause.__cause__ or cause.__context__
    return "\n".join(lines[:MAX_TRACE_LINES])


class ConfigError(GwmsError):
    """A configuration file or option is wrong."""


class StateError(GwmsError):
    """Our own files on disk cannot be read or written."""


class StageError(GwmsError):
    """The stage area is missing, changed or not writable."""


class WireError(GwmsError):
    """An ad from a peer is malformed."""


class CryptoError(WireError):
    """An envelope cannot be opened, or a key loaded."""


class CredentialError(GwmsError):
    """A credential is missing, unreadable or expired."""


class CondorError(GwmsError):
    """HTCondor said no."""


class Unreachable(CondorError):
    """No answer: refused, reset, unknown host."""


class TimedOut(CondorError):
    """No answer within the wall deadline; the reader process was killed."""


class OutcomeUnknown(CondorError):
    """A submit or act whose effect cannot be known yet (decision: freeze that schedd until its id
    is found or not).
    """


class DemoError(GwmsError):
    """The demonstration grid cannot be built or run."""
