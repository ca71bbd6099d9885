"""`python -m evals.reproduce NAME`: one study, as a table; `--json FILE` pins it. Without a name, the list.

A study is a module of this package with `reproduce(given, tell)`, which returns JSON values and the table to print
under `table`. `given.data` is a dataset folder or, for studies over several sets, the folder that holds them.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from pathlib import Path
from types import ModuleType

import evals.reproduce
from rag.errors import RagError


def studies() -> dict[str, ModuleType]:
    """Name -> module, in alphabetical order."""
    found = {}
    for one in pkgutil.iter_modules(evals.reproduce.__path__):
        module = importlib.import_module(f"evals.reproduce.{one.name}")
        if hasattr(module, "reproduce"):
            found[one.name.replace("_", "-")] = module
    return found


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    known = studies()
    listed = "\n".join(f"  {name:20} {(m.__doc__ or '').strip().splitlines()[0]}" for name, m in known.items())
    parser = argparse.ArgumentParser(
        prog="python -m evals.reproduce",
        description=f"{(__doc__ or '').splitlines()[0]}\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", type=lambda name: name.replace("_", "-"), choices=list(known), metavar="NAME")
    parser.add_argument("--data", type=Path, help="a dataset folder, or the folder that holds the study's sets")
    parser.add_argument("--vectors", type=Path, help="an .npz file that keeps vectors for the next time")
    parser.add_argument("--limit", type=int, help="at most this many questions a set")
    parser.add_argument("--seed", type=int, default=0, help="of the resampling")
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args(arguments)
    try:
        result = known[given.what].reproduce(given, sys.stderr.write)
    except RagError as error:
        raise SystemExit(f"reproduce: {error}") from error
    sys.stdout.write(result.pop("table"))
    if given.json:
        flags = " --data FOLDER" * bool(given.data) + (f" --limit {given.limit}" if given.limit else "")
        body = {"command": f"python -m evals.reproduce {given.what}{flags}", **result}
        given.json.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
