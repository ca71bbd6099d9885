"""Public names of our packages, read from their source: nothing is imported, so nothing has to be installed."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["PACKAGES", "Module", "Name", "modules"]

PACKAGES = ("rag", "chunkers", "retrievers", "rerankers", "compressors", "evals")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Name:
    """One public name.

    Args:
        name: as it is imported.
        kind: `class`, `function`, `property` or `value`.
        signature: as written, without the body.
        doc: its docstring, cleaned.
        fields: of a class: (name, type and default, description).
        members: methods and properties that are public.
    """

    name: str
    kind: str
    signature: str = ""
    doc: str = ""
    fields: tuple[tuple[str, str, str], ...] = ()
    members: tuple[Name, ...] = ()


@dataclass(frozen=True)
class Module:
    """One module with its public names, in the order of its source; `homes` says where re-exported ones live."""

    name: str
    doc: str
    names: tuple[Name, ...]
    homes: dict[str, tuple[str, str]] = field(default_factory=dict)


def modules() -> Iterator[Module]:
    """Every module of our packages with an `__all__`, in alphabetical order of packages and paths."""
    root = Path(__file__).parents[2]
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            dotted = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            if not dotted.endswith("__main__") and "samples" not in path.parts:
                yield _module(dotted, ast.parse(path.read_text(encoding="utf-8")))


def _module(dotted: str, tree: ast.Module) -> Module:
    listed = _listed(tree)
    found: dict[str, Name] = {}
    homes: dict[str, tuple[str, str]] = {}
    for node in tree.body:
        for one in _defined(node):
            found[one.name] = one
        if isinstance(node, ast.ImportFrom) and node.module:
            homes |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
        if isinstance(node, ast.If):  # names for type checkers, resolved on first use
            for inner in ast.walk(node):
                if isinstance(inner, ast.ImportFrom) and inner.module:
                    homes |= {alias.asname or alias.name: (inner.module, alias.name) for alias in inner.names}
    names = tuple(found.get(name, Name(name, "value")) for name in listed)
    kept = {name: home for name, home in homes.items() if name in listed and name not in found}
    return Module(dotted, ast.get_docstring(tree) or "", names, kept)


def _listed(tree: ast.Module) -> list[str]:
    """What `__all__` names."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


def _defined(node: ast.stmt) -> Iterator[Name]:
    if isinstance(node, Function):
        yield _function(node)
    elif isinstance(node, ast.ClassDef):
        yield _class(node)
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield Name(target.id, "value", _short(ast.unparse(node)))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield Name(node.target.id, "value", _short(ast.unparse(node)))


def _short(text: str, most: int = 100) -> str:
    return text if len(text) <= most else text[: most - 2] + " …"


def _function(node: Function, *, inside: bool = False) -> Name:
    marks = {ast.unparse(mark) for mark in node.decorator_list}
    prop = bool(marks & {"property", "cached_property", "functools.cached_property"})
    given = ast.unparse(node.args)
    given = given.removeprefix("self").removeprefix("cls").removeprefix(", ").removeprefix("/, ") if inside else given
    back = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    signature = f"{node.name}{back}" if prop else f"{node.name}({given}){back}"
    return Name(node.name, "property" if prop else "function", signature, _doc(node))


def _class(node: ast.ClassDef) -> Name:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    fields, members = [], []
    for one in node.body:
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and not one.target.id.startswith("_"):
            fields.append(_field(one, one.target.id))
        elif isinstance(one, Function) and (not one.name.startswith("_") or one.name == "__call__"):
            members.append(_function(one, inside=True))
    signature = f"class {node.name}" + (f"({bases})" if bases else "")
    return Name(node.name, "class", signature, _doc(node), tuple(fields), tuple(members))


def _field(node: ast.AnnAssign, name: str) -> tuple[str, str, str]:
    """A field's type with its default, and what its `Field` says of it."""
    typed, said, value = ast.unparse(node.annotation), "", node.value
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "Field":
        given = {key.arg: key.value for key in value.keywords}
        told = given.get("description")
        said = str(told.value) if isinstance(told, ast.Constant) else ""
        value = given.get("default")
    return name, typed + (f" = {ast.unparse(value)}" if value is not None else ""), said


def _doc(node: Function | ast.ClassDef) -> str:
    return inspect.cleandoc(ast.get_docstring(node, clean=False) or "")
