"""A chunker, a grower and a retriever small enough to check by eye, and an index as plain values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from rag.doctree import DocTree, flat
from rag.indexing import index
from rag.stage import stage
from rag.store.parts import bound_to, part_key
from rag.types import Document, Hits, Query


@stage
class Pieces:
    """Leaves of `size` characters; refuses a text that says so."""

    size: int = 8

    def __call__(self, document: Document, /) -> DocTree:
        if "refuse" in document.text:
            raise ValueError("this text is refused")
        end = len(document.text)
        return flat(document, [(i, min(i + self.size, end)) for i in range(0, end, self.size)])


@stage
class Shout:
    """Notes the upper-case text of every leaf."""

    def __call__(self, tree: DocTree, /) -> DocTree:
        return replace(tree, notes={**tree.notes, "shout": {n.index: n.text.upper() for n in tree.leaves()}})


@stage
class Lengths:
    """Keeps the scaled length of every leaf's text, and how many it had to work out."""

    shapes_index: ClassVar[tuple[str, ...]] = ("scale",)
    scale: int = 1
    fail: bool = False

    def build(self, corpus: Any, part: Any, /) -> None:
        if self.fail:
            raise RuntimeError("cannot build")
        lengths = np.full(len(corpus), -1, dtype=np.int64)
        if part.old is not None:
            known = corpus.reuse >= 0
            lengths[known] = part.old.load("lengths")[corpus.reuse[known]]
        todo = np.flatnonzero(lengths < 0)
        lengths[todo] = [self.scale * len(text) for text in corpus.texts(todo)]
        part.save("lengths", lengths)
        part.save_json("computed", len(todo))

    def bind(self, store: Any, /) -> Lengths:
        return bound_to(self, store)

    def __call__(self, query: Query, /) -> Hits:
        return Hits(query)


def doc(id_: str, text: str, **more: Any) -> Document:
    return Document(id_, text, **more)


def build(sources: Any, out: Path | None = None, **more: Any) -> tuple[Any, Any]:
    settings = {"chunker": Pieces(), "growers": (), "retrievers": (Lengths(),)} | more
    return index(
        settings.pop("chunker"), settings.pop("growers"), settings.pop("retrievers"), sources, out=out, **settings
    )


def computed(store: Any, retriever: Any = None) -> int:
    return int(store.part(part_key(retriever or Lengths())).load_json("computed"))


def snapshot(store: Any) -> dict[str, Any]:
    """Everything an index says, as values that compare; nothing of how it came to be."""
    corpus = store.corpus
    trees = [corpus.tree(i) for i in range(len(corpus.doc_ids))]
    parts = {key: store.part(key) for key in store.manifest.parts}
    return {
        "documents": store.documents(),
        "config": store.manifest.config,
        "counts": dict(store.manifest.counts),
        "metadata": [dict(m) for m in corpus.metadata],
        "trees": [tree.digest() for tree in trees],
        "doc": corpus.doc.tolist(),
        "node": corpus.node.tolist(),
        "texts": list(corpus.texts()),
        "parts": {key: part.load("lengths").tolist() for key, part in parts.items()},
    }
