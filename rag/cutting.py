"""Documents -> packed trees: chunk and grow, in this process or in several, always in order."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import numpy as np

from rag.errors import ConfigError, MissingExtra, MissingWeights, RagError, StageError
from rag.registry import name_of
from rag.stage import Chunker, Grower, apply
from rag.store.codec import leaf_keys, pack_tree, unpack_document
from rag.types import Document, Failed

__all__ = ["Cut", "Job", "cut_all"]

GROUP, GROUP_CHARACTERS = 64, 500_000  # documents and bytes handed to a process at once
FATAL = (ConfigError, MissingExtra, MissingWeights)  # would repeat itself on every document


@dataclass(frozen=True, slots=True)
class Job:
    """A document to cut: its id and what `pack_document` made of it; the rest is for the caller."""

    id: str
    packed: bytes
    root: str = ""
    source: str = ""
    digest: str = ""


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


def cut_all(
    chunker: Chunker, growers: Sequence[Grower], jobs: Iterable[Job], *, workers: int = 1
) -> Iterator[tuple[Job, Cut | Failed]]:
    """Cut every document, in the order given; one that cannot be cut is `Failed`.

    Args:
        chunker: cuts; its `batch` is used where it has one.
        growers: applied to each tree, in order.
        jobs: read lazily, a few groups ahead.
        workers: processes; 1 works in this one. More pays only where chunking is slow.

    Raises:
        RagError: a model or an extra that the stages need is missing; a process died.
    """
    groups = _groups(jobs)
    if workers <= 1:
        for group in groups:
            yield from zip(group, _cut(chunker, growers, [(j.id, j.packed) for j in group]), strict=True)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy locks that model threads hold
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare, initargs=(chunker, tuple(growers)))
    flying: deque[tuple[list[Job], Future[list[Cut | Failed]]]] = deque()
    try:
        for group in groups:
            flying.append((group, pool.submit(_work, [(j.id, j.packed) for j in group])))
            if len(flying) >= workers * 2:
                yield from _land(*flying.popleft())
        while flying:
            yield from _land(*flying.popleft())
    except BrokenProcessPool as error:
        raise RagError(
            "a process that chunks documents died, from too little memory or from a script without"
            " `if __name__ == '__main__':`. Start again with workers=1."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _land(group: list[Job], future: Future[list[Cut | Failed]]) -> Iterator[tuple[Job, Cut | Failed]]:
    yield from zip(group, future.result(), strict=True)


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
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(packed: Sequence[tuple[str, bytes]]) -> list[Cut | Failed]:
    return _cut(*_STAGES[-1], packed)


def _cut(chunker: Chunker, growers: Sequence[Grower], packed: Sequence[tuple[str, bytes]]) -> list[Cut | Failed]:
    documents = [unpack_document(*one) for one in packed]
    if len(documents) > 1 and hasattr(chunker, "batch"):
        try:
            return _cut_group(chunker, growers, documents)
        except FATAL:
            raise
        except Exception:  # one by one, the documents that it is about get their own message
            return [_cut_one(chunker, growers, document) for document in documents]
    return [_cut_one(chunker, growers, document) for document in documents]


def _cut_one(chunker: Chunker, growers: Sequence[Grower], document: Document) -> Cut | Failed:
    try:
        return _cut_group(chunker, growers, [document])[0]
    except FATAL:
        raise
    except Exception as error:  # a bad document must not end the good ones
        reason = str(error) if isinstance(error, RagError) else f"{type(error).__name__}: {error}"
        place = error.place if isinstance(error, StageError) else "chunker"
        stage, told = (error.stage, error.reason) if isinstance(error, StageError) else (name_of(type(chunker)), reason)
        return Failed(document.id, StageError(stage, place, document.id, told.partition("\n")[0]))


def _cut_group(chunker: Chunker, growers: Sequence[Grower], documents: list[Document]) -> list[Cut | Failed]:
    trees: list[Any] = apply(chunker, documents)
    for i, grower in enumerate(growers):
        try:
            trees = apply(grower, trees)
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
