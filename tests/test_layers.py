"""Imports point down only, and files stay short enough to read."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
LAYERS = [  # each may import what stands before it, and its own group
    {
        "rag.errors",
        "rag.types",
        "rag.documents",
        "rag.chosen",
        "rag.display",
        "rag.bars",
        "rag.doctree",
        "rag.notes",
        "rag.picture",
        "rag.trace",
        "rag.optional",
        "rag.pool",
        "rag.sentences",
        "rag.units",
        "rag.lexical",
        "rag.discourse",
    },
    {"rag.stage"},
    {"rag.models", "rag.store", "rag.loaders"},
    {"rag.trees", "rag.readers", "chunkers", "retrievers", "rerankers", "compressors"},
    {"rag.registry"},
    {"rag.pipeline", "rag.sources", "rag.cutting", "rag.changes", "rag.indexing"},
    {"rag.located", "rag.overrides", "rag.config", "rag.schema", "rag.requirements", "rag.index"},
    {"rag.bridge", "rag.testing", "evals"},
    {"rag.serving", "rag.site"},
    {"rag.cli"},
]
STAGES = ("chunkers", "retrievers", "rerankers", "compressors")
PACKAGES = ("rag", *STAGES, "evals")
UPWARD = {("rag.pipeline", "rag.index")}  # `Pipeline.index` gives an Index, imported when it is called


def modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[dotted.removesuffix(".__init__")] = path
    return found


def layer(module: str) -> int | None:
    for height, names in enumerate(LAYERS):
        if any(module == name or module.startswith(f"{name}.") for name in names):
            return height
    return None


def imports(path: Path) -> set[str]:
    """Modules of ours that a file imports anywhere, those for type checking only left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    known = modules()
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {
                f"{node.module}.{a.name}" if f"{node.module}.{a.name}" in known else node.module for a in node.names
            }
    return {name for name in found if name.partition(".")[0] in PACKAGES}


def test_every_module_has_a_layer() -> None:
    homeless = [name for name in modules() if name != "rag" and layer(name) is None]
    assert not homeless, f"give these a layer: {homeless}"


def test_imports_point_down_only() -> None:
    offenders = []
    for name, path in modules().items():
        if name == "rag":
            continue
        for used in imports(path):
            if used == "rag" or (name, used) in UPWARD:
                continue
            if (layer(used) or 0) > (layer(name) or 0):
                offenders.append(f"{name} imports {used}")
    assert not offenders, offenders


def test_stage_packages_do_not_import_each_other() -> None:
    offenders = [
        f"{name} imports {used}"
        for name, path in modules().items()
        for used in imports(path)
        if name.partition(".")[0] in STAGES
        and used.partition(".")[0] in STAGES
        and name.partition(".")[0] != used.partition(".")[0]
    ]
    assert not offenders, offenders


def test_stage_packages_hold_only_a_docstring() -> None:
    for package in STAGES:
        body = ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8")).body
        assert len(body) == 1, f"{package}/__init__.py holds more than a docstring"


def test_files_stay_below_three_hundred_lines() -> None:
    long = {str(p.relative_to(ROOT)): n for p in modules().values() if (n := len(p.read_text().splitlines())) > 300}
    assert not long, f"split by idea: {long}"


def test_the_root_holds_what_the_layout_says() -> None:
    allowed = {
        *("pyproject.toml", "README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "Makefile"),
        *("rag", "chunkers", "retrievers", "rerankers", "compressors", "evals", "notebooks", "tests"),
    }
    made = {"build", "dist", "demo", "index", "runs"}  # git does not track these
    there = {
        path.name for path in ROOT.iterdir() if not path.name.startswith(".") and not path.name.endswith(".egg-info")
    }
    assert there - made == allowed & there, f"not in the layout: {sorted(there - made - allowed)}"


def test_test_files_have_names_of_their_own() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(set(names)) == sorted(names), "pytest finds a module by its name alone: rename one of each pair"
