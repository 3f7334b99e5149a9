"""Fuzz one target under atheris, guided by coverage: `python -m tests.fuzz.guided TARGET [libFuzzer options]`."""

from __future__ import annotations

import sys


def main() -> None:
    """Instrument the package, then hand over to atheris, which ends the program."""
    import atheris

    with atheris.instrument_imports(include=["glideinwms"]):
        from tests.fuzz.tape import TapeChoices
        from tests.fuzz.target import load_all

        target = load_all()[sys.argv.pop(1)]
    atheris.Setup(sys.argv, lambda tape: target.run(target.make(TapeChoices(tape))))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
