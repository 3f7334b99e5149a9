"""`gwms`: one command, noun then verb. Only the module of the requested verb is imported.

Exit codes: 0 success; 1 failure, or a negative answer (`why`, `status`, `check`, `replay`: see the
module of each verb); 2 wrong command line; 3 the daemon is not running; 4 the daemon did not load
the new configuration in time; 130 interrupted.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import typer

from glideinwms.cli.tree import DEFAULT, TREE, Verb
from glideinwms.lib.errors import GwmsError

FAILED = 1
INTERRUPTED = 130
ABOUT = "GlideinWMS: one HTCondor pool out of many grid sites."


def load(target: str) -> Callable[..., None]:
    """Import and return the function that `package.module:name` names."""
    module, _, name = target.partition(":")
    function: Callable[..., None] = getattr(importlib.import_module(module), name)
    return function


def placeholder(verb: Verb) -> Callable[[], None]:
    """Return a command that only provides the help of a verb that was not requested."""

    def command() -> None:
        raise AssertionError(f"{verb.target} was not loaded")

    command.__doc__ = verb.help
    return command


def build(chosen: Sequence[str], everything: bool = False) -> typer.Typer:
    """Build the command tree with the function of the chosen noun and verb.

    With `everything`, which shell completion needs, load the functions of all verbs.
    """
    # plain help: importing rich takes longer than everything else together
    plain: dict[str, Any] = {
        "no_args_is_help": True,
        "rich_markup_mode": None,
        "pretty_exceptions_enable": False,
    }
    app = typer.Typer(help=ABOUT, **plain)
    for noun, (about, verbs) in TREE.items():
        if isinstance(verbs, Verb):
            wanted = everything or chosen[:1] == [noun]
            app.command(noun, help=about)(load(verbs.target) if wanted else placeholder(verbs))
            continue
        sub = typer.Typer(help=about, **plain)
        for name, verb in verbs.items():
            wanted = everything or list(chosen[:2]) == [noun, name]
            sub.command(name, help=verb.help)(load(verb.target) if wanted else placeholder(verb))
        app.add_typer(sub, name=noun)
    return app


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line. Errors become one line on stderr and an exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    noun_alone = len(args) == 1 or (args[1:] and args[1].startswith("-") and args[1] != "--help")
    if args and args[0] in DEFAULT and noun_alone:
        args.insert(1, DEFAULT[args[0]])
    chosen = [arg for arg in args if not arg.startswith("-")]
    with one_line_errors():
        build(chosen, everything="_GWMS_COMPLETE" in os.environ)(args=args, prog_name="gwms")


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Report errors as one stderr line and an exit code. A closed pipe is not an error."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # show characters that the terminal lacks by their code
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            yield
        finally:
            _flush()
    except GwmsError as error:
        _exit(f"gwms: {error}")
    except BrokenPipeError:
        sys.exit(FAILED)
    except PermissionError as error:
        _exit(f"gwms: {_describe(error)}; run as root or as a member of the daemon's group")
    except OSError as error:
        _exit(f"gwms: {_describe(error)}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _flush() -> None:
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        # otherwise the interpreter flushes again at exit and prints a traceback
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _describe(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)


def _exit(text: str) -> NoReturn:
    print(text, file=sys.stderr)
    sys.exit(FAILED)
