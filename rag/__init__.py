"""ragtree: retrieval-augmented generation in which every quoted character is a slice of its source.

    import rag

    pipe = rag.load("quickstart")                     # a recipe, a YAML file, or rag.Pipeline(...)
    index = pipe.index(["docs/"], out="index")        # incremental; in memory without `out`
    answer = index.ask("Who signs the lease?")
    answer.text, answer.citations[0].quote

Names are imported on first use, so `import rag` stays quick and loads no model library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.bars import progress
    from rag.config import dump, load
    from rag.doctree import DocTree, Node
    from rag.errors import RagError
    from rag.index import Index
    from rag.index import open_index as open  # noqa: A004 - `rag.open(folder)` reads well
    from rag.pipeline import Pipeline
    from rag.stage import Field, apply
    from rag.trace import record
    from rag.types import Answer, Block, Citation, Document, Drop, Failed, Hit, Hits, Query, Span

__version__ = "0.1.0"

_HOME = {
    "Answer": "rag.types",
    "Block": "rag.types",
    "Citation": "rag.types",
    "DocTree": "rag.doctree",
    "Document": "rag.types",
    "Drop": "rag.types",
    "Failed": "rag.types",
    "Field": "rag.stage",
    "Hit": "rag.types",
    "Hits": "rag.types",
    "Index": "rag.index",
    "Node": "rag.doctree",
    "Pipeline": "rag.pipeline",
    "Query": "rag.types",
    "RagError": "rag.errors",
    "Span": "rag.types",
    "apply": "rag.stage",
    "dump": "rag.config",
    "load": "rag.config",
    "open": "rag.index",
    "progress": "rag.bars",
    "record": "rag.trace",
}

__all__ = [
    "Answer",
    "Block",
    "Citation",
    "DocTree",
    "Document",
    "Drop",
    "Failed",
    "Field",
    "Hit",
    "Hits",
    "Index",
    "Node",
    "Pipeline",
    "Query",
    "RagError",
    "Span",
    "apply",
    "dump",
    "load",
    "open",
    "progress",
    "record",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), "open_index" if name == "open" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted((*globals(), *_HOME))
