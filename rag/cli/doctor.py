"""`rag doctor`: what is installed, what is missing, what is in the way."""

from __future__ import annotations

import platform
import sys
from typing import Any

import typer

from rag.cli.common import Json, emit

OURS = ("rag", "chunkers", "retrievers", "rerankers", "compressors", "evals")
EXTRAS = {
    "llm": ("xllamacpp",),
    "sentence-transformers": ("sentence_transformers", "torch"),
    "pdf": ("pypdfium2",),
    "otel": ("opentelemetry",),
    "peers": ("chonkie", "semchunk", "semantic_text_splitter", "haystack"),
}


def command(json: Json = False) -> None:
    """Report versions, extras, model files, and packages that shadow one of our import names."""
    facts: dict[str, Any] = {
        "python": sys.version.split()[0],
        "machine": f"{platform.system()} {platform.machine()}",
        "packages": _packages(),
        "extras": {extra: _missing(modules) for extra, modules in EXTRAS.items()},
        "models": _models(),
        "shadowed": _shadowed(),
        "broken": _broken(),
    }
    if json:
        emit(facts)
    else:
        _print(facts)
    if facts["shadowed"] or facts["broken"] or None in facts["packages"].values():
        raise typer.Exit(1)


def _packages() -> dict[str, str | None]:
    import re
    from importlib.metadata import PackageNotFoundError, requires, version

    found: dict[str, str | None] = {}
    for need in ["ragtree", *(r for r in requires("ragtree") or [] if "extra ==" not in r)]:
        match = re.match(r"[A-Za-z0-9._-]+", need)
        name = match[0] if match else need
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _missing(modules: tuple[str, ...]) -> list[str]:
    from rag.optional import available

    return [name for name in modules if not available(name)]


def _models() -> dict[str, str]:
    from rag.models import weights

    return {one.name: one.status for one in weights.table()}


def _shadowed() -> list[str]:
    """Import names of ours that lead to another package's files."""
    from importlib.util import find_spec
    from pathlib import Path

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
            except (ImportError, AttributeError) as error:
                found.append(f"{kind}/{name}: {error}")
    return found


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
    if not facts["shadowed"] and not facts["broken"]:
        print("No problem found.")
