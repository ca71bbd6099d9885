"""An index in memory: the same rows, leaves and parts as a folder, and gone with the process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from rag.errors import StoreError, StoreMismatch
from rag.store.cache import TreeCache
from rag.store.corpus import Corpus, MemoryPart
from rag.store.database import Known, Live, Row
from rag.store.folder import mismatch
from rag.store.leaves import Leaves, gather, reused
from rag.store.manifest import Manifest, summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.doctree import DocTree
    from rag.types import Document

__all__ = ["HeldStore", "MemoryWriter"]


@dataclass(frozen=True, eq=False)
class HeldStore:
    """One generation of an index in memory; a `Store`. Never changes: an update makes another.

    Args:
        manifest: what it was built with.
        rows: its documents by row number, in order of document id.
        leaves: its leaves.
        corpus: the same, as retrievers read them.
        parts: what each retriever built.
    """

    manifest: Manifest
    rows: Mapping[int, Row]
    leaves: Leaves
    corpus: Corpus
    parts: Mapping[str, MemoryPart] = field(default_factory=dict)

    @property
    def config(self) -> str:
        """The resolved pipeline file the index was built with."""
        return self.manifest.config

    def part(self, key: str) -> MemoryPart:
        """The arrays kept under a key; StoreMismatch when there are none."""
        if key not in self.parts:
            raise StoreMismatch(mismatch("index in memory", key, tuple(self.parts)))
        return self.parts[key]

    def documents(self) -> list[tuple[str, str]]:
        """Id and hex sha256 of the text of every document, in order of id."""
        return [(row.id, row.sha256) for row in self.rows.values()]

    def document(self, doc: str) -> Document:
        """One document by its id."""
        return self.tree(doc).document

    def tree(self, doc: str) -> DocTree:
        """The outline of one document by its id; StoreError when there is none."""
        at = self.corpus.ordinals.get(doc)
        if at is None:
            raise StoreError(f"index in memory: no document {doc!r} among {len(self.rows)}. Check the id.")
        return self.corpus.tree(at)

    def close(self) -> None:
        """Nothing to close; here so that both kinds of store are used alike."""


class MemoryWriter:
    """Makes the next generation of an index in memory; see `rag.store.writer.Writer`."""

    def __init__(self, base: HeldStore | None = None) -> None:
        self.base = base
        self.manifest = base.manifest if base else None
        self._rows: dict[int, Row] = dict(base.rows) if base else {}
        self._next = max(self._rows, default=0) + 1
        self._parts: dict[str, MemoryPart] = {}

    def __enter__(self) -> MemoryWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing to undo: the base was never touched."""

    @cached_property
    def known(self) -> Mapping[str, Known]:
        """What is indexed already, by id."""
        return {row.id: Known(at, row.root, row.source, row.digest) for at, row in self._rows.items()}

    def body(self, row: int) -> tuple[str, bytes, bytes]:
        """Id, packed document and packed tree of a row."""
        one = self._rows[row]
        return one.id, one.document, one.tree

    def add(self, row: Row) -> None:
        """Add one version of a document."""
        self._rows[self._next] = row
        self._next += 1

    def retire(self, row: int) -> None:
        """Leave a version out."""
        del self._rows[row]

    def move(self, row: int, root: str, source: str) -> None:
        """Say where an unchanged document comes from now."""
        self._rows[row] = replace(self._rows[row], root=root, source=source)

    @cached_property
    def _order(self) -> list[int]:
        return sorted(self._rows, key=lambda at: self._rows[at].id)

    def live(self) -> list[Live]:
        """Every document of the generation to come, in order of id."""
        kept = ((at, self._rows[at]) for at in self._order)
        return [
            Live(at, r.id, r.sha256, r.characters, r.tokens, r.tokenizer, r.metadata, r.leaves, r.keys)
            for at, r in kept
        ]

    def assemble(self, *, reuse: bool) -> Corpus:
        """The corpus of the generation to come; no document may be added afterwards."""
        order = self._order
        rows = [self._rows[at] for at in order]
        self._leaves = gather(order, [r.leaves for r in rows], [r.keys for r in rows])
        old = self.base.leaves if self.base and reuse else None
        self._corpus = Corpus(
            doc_ids=[r.id for r in rows],
            metadata=[json.loads(r.metadata) for r in rows],
            doc=self._leaves.doc,
            node=self._leaves.node,
            reuse=reused(self._leaves, old) if old else np.full(len(self._leaves.doc), -1, dtype=np.int64),
            tree=TreeCache(lambda ordinal: self.body(order[ordinal])),
        )
        return self._corpus

    def part(self, key: str, *, reuse: bool) -> MemoryPart:
        """An empty part for a retriever to build into."""
        old = self.base.parts.get(key) if self.base and reuse else None
        return self._parts.setdefault(key, MemoryPart(old=old))

    def carry(self, key: str) -> bool:
        """Take a part over as it is; False when the base has none."""
        if self.base is None or key not in self.base.parts:
            return False
        self._parts[key] = self.base.parts[key]
        return True

    def publish(self, *, config: str, config_digest: str, cut_digest: str, fingerprint: Mapping[str, str]) -> HeldStore:
        """The new generation, ready to be read."""
        for part in self._parts.values():
            part.old = None  # or every generation would hold on to all before it
        manifest = Manifest(
            generation=self.manifest.generation + 1 if self.manifest else 1,
            previous=0,
            config=config,
            config_digest=config_digest,
            cut_digest=cut_digest,
            fingerprint=fingerprint,
            parts=tuple(self._parts),
            **summary(self.live()),
        )
        rows = {at: self._rows[at] for at in self._order}
        return HeldStore(manifest, rows, self._leaves, self._corpus, self._parts)

    def restate(self, *, config: str, config_digest: str) -> HeldStore:
        """The same generation under a new configuration text."""
        assert self.base is not None
        return replace(self.base, manifest=replace(self.base.manifest, config=config, config_digest=config_digest))

    def reopen(self) -> HeldStore:
        """The base, unchanged."""
        assert self.base is not None
        return self.base

    def report(self, lines: Sequence[str]) -> None:
        """Failures are in the report alone; there is no folder to leave a file in."""
