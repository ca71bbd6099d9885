"""`rag doctor`: what is installed, what is missing, what is in the way, and what to do next."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rag.cli.common import Json, emit
from rag.cli.completing import indexes

QUICKSTART = ("bge-small-en-v1.5", "ms-marco-MiniLM-L12-v2")
OURS = ("rag", "chunkers", "retrievers", "rerankers", "compressors", "evals")


Indexes = Annotated[
    list[Path] | None,
    typer.Argument(help="index folders to read whole and hold against their digests", autocompletion=indexes),
]


def command(folders: Indexes = None, json: Json = False) -> None:
    """Report versions, extras, model files, what is in the way, and what to do next; or whether indexes are sound."""
    if folders:
        _sound(folders, json=json)
        return
    facts: dict[str, Any] = {
        "python": sys.version.split()[0],
        "machine": f"{platform.system()} {platform.machine()}",
        "packages": _packages(),
        "extras": _extras(),
        "models": _models(),
        "shadowed": _shadowed(),
        "broken": _broken(),
    }
    facts["next"] = _next(facts)
    if json:
        emit(facts)
    else:
        _print(facts)
    if facts["shadowed"] or facts["broken"] or None in facts["packages"].values():
        raise typer.Exit(1)


def _sound(folders: list[Path], *, json: bool) -> None:
    """Read every byte of index folders; a bit that has changed on the disk is found and named."""
    from rag.errors import StoreError
    from rag.store.folder import open_store

    found = []
    for folder in folders:
        row: dict[str, Any] = {"index": str(folder), "sound": True, "problem": ""}
        try:
            with open_store(folder) as store:
                store.verify()
                row |= {name: store.manifest.counts[name] for name in ("documents", "leaves")}
        except StoreError as error:
            row |= {"sound": False, "problem": str(error)}
        found.append(row)
    if json:
        emit(found)
    else:
        for row in found:
            told = (
                f"sound, documents: {row['documents']:,}, chunks: {row['leaves']:,}" if row["sound"] else row["problem"]
            )
            print(f"{row['index']}: {told}" if row["sound"] else told)
    if not all(row["sound"] for row in found):
        raise typer.Exit(1)


def _packages() -> dict[str, str | None]:
    from importlib.metadata import requires

    core = [need for need in requires("ragtree") or [] if "extra ==" not in need]
    return {name: _version(name) for name in ("ragtree", *map(_named, core))}


def _extras() -> dict[str, list[str]]:
    """Extra -> packages of it that are not installed, as the distribution's metadata has them."""
    import re
    from importlib.metadata import metadata, requires

    found: dict[str, list[str]] = {extra: [] for extra in metadata("ragtree").get_all("Provides-Extra") or ()}
    for need in requires("ragtree") or []:
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", need)
        if extra and _named(need) != "ragtree" and _version(_named(need)) is None:
            found.setdefault(extra[1], []).append(_named(need))
    found.pop("all", None)
    return found


def _named(need: str) -> str:
    """The package of a requirement such as `numpy>=1.26`."""
    import re

    match = re.match(r"[A-Za-z0-9._-]+", need)
    return match[0] if match else need


def _version(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _models() -> dict[str, str]:
    from rag.models import weights

    return {one.name: one.status for one in weights.table()}


def _shadowed() -> list[str]:
    """Import names of ours that lead to another package's files."""
    from importlib.util import find_spec

    home = Path(__file__).parents[2]
    found = []
    for name in OURS:
        spec = find_spec(name)
        where = Path(spec.origin).parent if spec and spec.origin else None
        if where is None:
            found.append(f"{name}: cannot be imported")
        elif where.parent != home:
            found.append(f"{name}: {where} stands before {home / name}")
    return found


def _broken() -> list[str]:
    """Installed stages that cannot be imported."""
    from rag import registry

    found = []
    for kind in registry.KINDS:
        for name in registry.names(kind):
            try:
                registry.find(f"{kind}/{name}")
            except Exception as error:  # whatever a package does when it is imported, this is where it is told
                cause = error.__cause__ or error
                found.append(f"{kind}/{name}: {type(cause).__name__}: {str(cause).partition(chr(10))[0]}")
    return found


def _next(facts: dict[str, Any]) -> list[str]:
    """What to do, most pressing first: commands, each with its reason behind a `#`."""
    missing = [name for name, version in facts["packages"].items() if version is None]
    steps = [f"pip install {' '.join(missing)}  # needed by everything"] if missing else []
    if facts["shadowed"]:
        steps.append("pip list  # find the package or file that takes one of our import names, and remove or rename it")
    if facts["broken"]:
        steps.append("pip install --force-reinstall ragtree  # stages are listed that cannot be imported")
    if steps:
        return steps
    needed = [name for name in QUICKSTART if facts["models"].get(name) != "present"]
    if needed:
        steps.append(
            f"rag models pull  # {', '.join(needed)}: the recipe `quickstart` needs them; `lexical` needs none"
        )
    return [*steps, *_onward()]


def _onward() -> list[str]:
    """The next step of a person in this folder."""
    allow = " --allow my_stages" if Path("my_stages.py").is_file() else ""
    if Path("index/manifest.json").is_file():
        return [f'rag ask index "your question"{allow}  # there is an index in this folder']
    if Path("pipeline.yaml").is_file():
        return [f"rag index pipeline.yaml docs --out index{allow}  # there is a pipeline in this folder"]
    return ["rag init start  # a project that runs at once", "rag docs tutorial  # ten minutes"]


def _print(facts: dict[str, Any]) -> None:
    print(f"python {facts['python']} on {facts['machine']}")
    for name, version in facts["packages"].items():
        print(f"  {name:<26} {version or 'MISSING'}")
    for extra, missing in facts["extras"].items():
        hint = f"missing {', '.join(missing)}: pip install 'ragtree[{extra}]'" if missing else "installed"
        print(f"  extra {extra:<20} {hint}")
    for name, status in facts["models"].items():
        print(f"  model {name:<26} {status}")
    for problem in facts["shadowed"]:
        print(f"  SHADOWED {problem}")
    for problem in facts["broken"]:
        print(f"  BROKEN {problem}")
    if not facts["shadowed"] and not facts["broken"] and None not in facts["packages"].values():
        print("No problem found.")
    print("Next:")
    for step in facts["next"]:
        print(f"  {step}")
