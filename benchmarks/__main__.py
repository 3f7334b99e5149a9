"""Runs one benchmark: `python -m benchmarks NAME [--json] [--full] [--minutes N]`.

A benchmark is a module here with `run(full: bool) -> Iterator[dict]`; each dict is one row: name, value, unit and the
parameters it was measured with. One whose `run` also takes `minutes` runs as long as it is told to.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import pkgutil
import sys

import benchmarks


def names() -> list[str]:
    """The benchmarks there are."""
    found = (m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.ispkg)
    return sorted(name for name in found if not name.startswith("_"))


def main() -> int:
    """Parse the command line, run one benchmark, print its rows as they come."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", choices=names())
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--full", action="store_true", help="the size that the figures are quoted for"
    )
    parser.add_argument("--minutes", type=float, help="how long to run; only for soak")
    args = parser.parse_args()
    if not args.name:
        print("\n".join(names()))
        return 0
    run = importlib.import_module(f"benchmarks.{args.name}").run
    options = {} if args.minutes is None else {"minutes": args.minutes}
    if options and "minutes" not in inspect.signature(run).parameters:
        parser.error(f"{args.name} takes no --minutes")
    for row in run(full=args.full, **options):
        if args.json:
            print(json.dumps(row), flush=True)
        else:
            rest = " ".join(
                f"{k}={v}" for k, v in row.items() if k not in ("name", "value", "unit")
            )
            value = f"{row['value']:.4g}" if isinstance(row["value"], float) else row["value"]
            print(f"{row['name']:24} {value:>12} {row.get('unit', ''):8} {rest}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
