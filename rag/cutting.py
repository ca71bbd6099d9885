"""Documents -> packed trees: chunk and grow, in this process or in several, always in order."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rag.doctree import DocTree
from rag.errors import ConfigError, MissingExtra, MissingWeights, RagError, StageError
from rag.pool import Ordered, processes
from rag.registry import name_of
from rag.stage import Chunker, Grower, apply
from rag.store.codec import leaf_keys, pack_tree, unpack_document, unpack_tree
from rag.types import Document, Failed

__all__ = ["Cut", "Job", "crew", "cut_all"]

GROUP, GROUP_CHARACTERS = 64, 500_000  # documents and bytes handed to a process at once
FATAL = (ConfigError, MissingExtra, MissingWeights)  # would repeat itself on every document


@dataclass(frozen=True, slots=True)
class Job:
    """A document to cut: its id and what `pack_document` made of it; the rest is for the caller.

    `before` is the document and its tree in the generation before, packed, for growers that can `renew`.
    """

    id: str
    packed: bytes
    root: str = ""
    source: str = ""
    digest: str = ""
    before: tuple[bytes, bytes] | None = None


Packed = tuple[str, bytes, tuple[bytes, bytes] | None]


@dataclass(frozen=True, slots=True)
class Cut:
    """A tree as the index keeps it; see `rag.store.database.Row`."""

    tree: bytes
    leaves: bytes
    keys: bytes
    tokens: int
    tokenizer: str
    sha256: str
    characters: int
    metadata: str


@contextmanager
def crew(chunker: Chunker, growers: Sequence[Grower], workers: int) -> Iterator[Ordered | None]:
    """Processes that are ready to cut, for `cut_all`; None where one process is asked for."""
    if workers <= 1:
        yield None
        return
    with processes(workers, _prepare, (chunker, tuple(growers))) as ordered:
        yield ordered


def cut_all(
    chunker: Chunker, growers: Sequence[Grower], jobs: Iterable[Job], *, ordered: Ordered | None = None
) -> Iterator[tuple[Job, Cut | Failed]]:
    """Cut every document, in the order given; one that cannot be cut is `Failed`.

    Args:
        chunker: cuts; its `batch` is used where it has one.
        growers: applied to each tree, in order.
        jobs: read lazily, a few groups ahead.
        ordered: what `crew` made of the same stages; None cuts in this process.

    Raises:
        RagError: a model or an extra that the stages need is missing; a process died.
    """
    sent: deque[list[Job]] = deque()

    def groups() -> Iterator[list[Packed]]:
        for group in _groups(jobs):
            sent.append(group)
            yield [(job.id, job.packed, job.before) for job in group]

    found = map(partial(_cut, chunker, growers), groups()) if ordered is None else ordered(_work, groups())
    for cuts in found:
        yield from zip(sent.popleft(), cuts, strict=True)


def _groups(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    group: list[Job] = []
    size = 0
    for job in jobs:
        group.append(job)
        size += len(job.packed)
        if len(group) >= GROUP or size >= GROUP_CHARACTERS:
            yield group
            group, size = [], 0
    if group:
        yield group


_STAGES: list[tuple[Chunker, tuple[Grower, ...]]] = []  # of a worker process, set once by `_prepare`


def _prepare(chunker: Chunker, growers: tuple[Grower, ...]) -> None:
    _STAGES.append((chunker, growers))


def _work(packed: Sequence[Packed]) -> list[Cut | Failed]:
    return _cut(*_STAGES[-1], packed)


def _cut(chunker: Chunker, growers: Sequence[Grower], packed: Sequence[Packed]) -> list[Cut | Failed]:
    documents = [unpack_document(id_, one) for id_, one, _ in packed]
    olds = [None if old is None else unpack_tree(unpack_document(id_, old[0]), old[1]) for id_, _, old in packed]
    if len(documents) > 1 and hasattr(chunker, "batch"):
        try:
            return _cut_group(chunker, growers, documents, olds)
        except FATAL:
            raise
        except Exception:  # one by one, the documents that it is about get their own message
            return [_cut_one(chunker, growers, *one) for one in zip(documents, olds, strict=True)]
    return [_cut_one(chunker, growers, *one) for one in zip(documents, olds, strict=True)]


def _cut_one(chunker: Chunker, growers: Sequence[Grower], document: Document, old: DocTree | None) -> Cut | Failed:
    try:
        return _cut_group(chunker, growers, [document], [old])[0]
    except FATAL:
        raise
    except Exception as error:  # a bad document must not end the good ones
        reason = str(error) if isinstance(error, RagError) else f"{type(error).__name__}: {error}"
        place = error.place if isinstance(error, StageError) else "chunker"
        stage, told = (error.stage, error.reason) if isinstance(error, StageError) else (name_of(type(chunker)), reason)
        return Failed(document.id, StageError(stage, place, document.id, told.partition("\n")[0]))


def _cut_group(
    chunker: Chunker, growers: Sequence[Grower], documents: list[Document], olds: Sequence[DocTree | None]
) -> list[Cut | Failed]:
    trees: list[Any] = apply(chunker, documents)
    for i, grower in enumerate(growers):
        try:
            trees = _grown(grower, trees, olds)
        except FATAL:
            raise
        except Exception as error:
            reason = str(error) if isinstance(error, RagError) else f"{type(error).__name__}: {error}"
            raise StageError(name_of(type(grower)), f"growers[{i}]", documents[0].id, reason) from error
    found: list[Cut | Failed] = []
    for document, tree in zip(documents, trees, strict=True):
        tree.check(overlap=True)
        leaves = tree.leaf_ids
        counts = tree.tokens[leaves]
        found.append(
            Cut(
                tree=pack_tree(tree),
                leaves=leaves.astype("<i4").tobytes(),
                keys=leaf_keys(tree).tobytes(),
                tokens=-1 if np.any(counts < 0) else int(counts.sum()),
                tokenizer=tree.tokenizer,
                sha256=document.sha256,
                characters=len(document.text),
                metadata=json.dumps(document.metadata, sort_keys=True, separators=(",", ":")),
            )
        )
    return found


def _grown(grower: Any, trees: Sequence[DocTree], olds: Sequence[DocTree | None]) -> list[DocTree]:
    """Grow each tree; a grower with `renew` is given the tree that the document had before, where it had one."""
    if not hasattr(grower, "renew") or all(old is None for old in olds):
        return apply(grower, trees)
    return [grower(tree) if old is None else grower.renew(tree, old) for tree, old in zip(trees, olds, strict=True)]
