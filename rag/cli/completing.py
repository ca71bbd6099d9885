"""What a shell offers after Tab: recipes, index folders, datasets, runs, pages, stages, models.

Where nothing of ours fits, the shell offers its own file names. Folders are looked for a few levels below what is
typed, and looking ends after a bounded number of entries, so that Tab answers at once in a large tree as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["configs", "datasets", "indexes", "models", "pages", "runs", "stages"]

DEEP = 3  # levels below the folder that is typed
LOOKED = 3000  # entries
KINDS = ("chunkers", "trees", "retrievers", "rerankers", "compressors", "readers", "llms", "embedders", "scorers")


def configs(incomplete: str) -> list[str]:
    """Recipes, and YAML files at hand."""
    recipes = sorted(path.stem for path in (Path(__file__).parents[1] / "recipes").glob("*.yaml"))
    files = [name for name, folder in _near(incomplete, 1) if not folder and name.endswith((".yaml", ".yml"))]
    return [name for name in (*recipes, *sorted(files)) if name.startswith(incomplete)]


def indexes(incomplete: str) -> list[str]:
    """Index folders."""
    return _holding(incomplete, "documents.sqlite")


def datasets(incomplete: str) -> list[str]:
    """Dataset folders."""
    return _holding(incomplete, "queries.jsonl")


def runs(incomplete: str) -> list[str]:
    """Folders of runs."""
    return _holding(incomplete, "perquery.jsonl")


def pages(incomplete: str) -> list[str]:
    """Pages of the manual."""
    found = sorted(path.stem for path in (Path(__file__).parents[1] / "docs").glob("*.md"))
    return [name for name in found if name.startswith(incomplete)]


def stages(incomplete: str) -> list[str]:
    """Installed stages."""
    from importlib.metadata import entry_points

    found = {f"{kind}/{entry.name}" for kind in KINDS for entry in entry_points(group=f"rag.{kind}")}
    return sorted(name for name in found if name.startswith(incomplete))


def models(incomplete: str) -> list[str]:
    """Embedded models."""
    from rag.models.weights import table

    return [one.name for one in table() if one.name.startswith(incomplete)]


def _holding(incomplete: str, file: str) -> list[str]:
    """Folders near what is typed that hold a file."""
    found = [name for name, folder in _near(incomplete, DEEP) if folder and os.path.isfile(os.path.join(name, file))]  # noqa: PTH113, PTH118 - names stay as typed
    return sorted(found)


def _near(incomplete: str, deep: int) -> Iterator[tuple[str, bool]]:
    """Names that go on from what is typed, and whether each is a folder; hidden ones only where a dot is typed."""
    head, _, last = incomplete.rpartition("/")
    start = f"{head}/" if "/" in incomplete else ""
    todo, looked = [(start, last, deep)], 0
    while todo:
        base, begun, left = todo.pop(0)
        try:
            entries = sorted(os.scandir(os.path.expanduser(base) or "."), key=lambda entry: entry.name)  # noqa: PTH111
        except OSError:
            continue
        for entry in entries:
            looked += 1
            if looked > LOOKED:
                return
            if not entry.name.startswith(begun) or (entry.name.startswith(".") and not begun.startswith(".")):
                continue
            folder = entry.is_dir()
            yield base + entry.name, folder
            if folder and left > 1 and not entry.is_symlink():
                todo.append((f"{base}{entry.name}/", "", left - 1))
