"""`gwms`: one command, noun then verb. Only the module of the verb that is asked for is imported.

Exit codes: 0 done; 1 it failed, and says why, or the answer is no (`why`, `status`, `check`, `replay`, ...: see each
verb's module); 2 the command line is wrong; 3 the daemon is not running; 4 the daemon did not take the new
configuration in time; 130 interrupted.
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

FAILED, INTERRUPTED = 1, 130


def load(target: str) -> Any:
    """The object that `package.module:name` names."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def stub(verb: Verb) -> Callable[[], None]:
    """Stands for a verb that was not asked for: only its help is seen."""

    def command() -> None:
        raise AssertionError(f"{verb.target} was not loaded")

    command.__doc__ = verb.help
    return command


def build(chosen: Sequence[str], everything: bool = False) -> typer.Typer:
    """The command tree, with the real function of the chosen noun and verb (of all of them for
    shell completion).
    """
    about_all = "GlideinWMS: one HTCondor pool out of many grid sites."
    # plain help: rich alone would cost more than all else that is loaded for it
    plain: dict[str, Any] = {
        "no_args_is_help": True,
        "rich_markup_mode": None,
        "pretty_exceptions_enable": False,
    }
    app = typer.Typer(help=about_all, **plain)
    for noun, (about, verbs) in TREE.items():
        if isinstance(verbs, Verb):
            wanted = everything or chosen[:1] == [noun]
            app.command(noun, help=about)(load(verbs.target) if wanted else stub(verbs))
            continue
        sub = typer.Typer(help=about, **plain)
        for name, verb in verbs.items():
            wanted = everything or list(chosen[:2]) == [noun, name]
            sub.command(name, help=verb.help)(load(verb.target) if wanted else stub(verb))
        app.add_typer(sub, name=noun)
    return app


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point: errors of ours become one line on stderr and an exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    if (
        args
        and args[0] in DEFAULT
        and (len(args) == 1 or (args[1].startswith("-") and args[1] != "--help"))
    ):
        args.insert(1, DEFAULT[args[0]])
    words = [a for a in args if not a.startswith("-")]
    with one_line():
        build(words, everything="_GWMS_COMPLETE" in os.environ)(args=args, prog_name="gwms")


@contextlib.contextmanager
def one_line() -> Iterator[None]:
    """What fails inside is one line on stderr and an exit code; a reader that has seen enough is no
    fault.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # a terminal that lacks a letter shows its code
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            yield
        finally:
            _flush()
    except GwmsError as error:
        _end(f"gwms: {error}")
    except BrokenPipeError:
        sys.exit(FAILED)
    except PermissionError as error:
        _end(f"gwms: {_what(error)}; be root, or of the daemon's group")
    except OSError as error:
        _end(f"gwms: {_what(error)}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _flush() -> None:
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        # else the interpreter tries again at its end, and complains
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _what(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)


def _end(text: str) -> NoReturn:
    print(text, file=sys.stderr)
    sys.exit(FAILED)
