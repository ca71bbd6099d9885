"""The nodes of every tree as arrays, and what their sections are searched by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.notes import note_text
from rag.store import postings
from rag.store.postings import Vocabulary
from rag.store.terms import Analyzer, Language
from rag.store.top import top
from retrievers.bm25 import idf, saturation

if TYPE_CHECKING:
    from collections import Counter

    from numpy.typing import NDArray

    from rag.doctree import DocTree
    from rag.store.corpus import Corpus, Part

__all__ = ["NodeIndex", "build_nodes", "open_nodes", "views"]

LEAD = 400  # characters of a section's own text in its view
TITLES = 24  # headings of the sections below that a view lists
NOTES = ("summary", "keywords", "card")
K1, B = 0.9, 0.4  # as in retrievers/bm25


def inner_ids(tree: DocTree) -> NDArray[np.int64]:
    """int64 (m,), indices of the nodes that are no leaves: the root and the sections, in preorder."""
    leaf = np.zeros(len(tree), dtype=bool)
    leaf[tree.leaf_ids] = True
    return np.flatnonzero(~leaf)


def views(tree: DocTree) -> Iterator[str]:
    """What each inner node is searched by, in preorder.

    The headings on the way down to it, those of the sections directly below (at most 24), the first 400 characters of
    its own text, and what growers noted: `summary`, `keywords` and the root's `card`. Nothing of it is ever shown as
    evidence: it is for scoring alone.
    """
    if not len(tree.leaf_ids):  # an empty document cannot be evidence, whatever its title
        yield ""
        return
    text, leaf = tree.document.text, np.ones(len(tree), dtype=bool)
    leaf[inner_ids(tree)] = False
    title = [text[a:b] for a, b in tree.titles.tolist()]
    lead: dict[int, str] = {}
    below: dict[int, list[str]] = {}
    above: dict[int, tuple[str, ...]] = {0: tuple(t for t in (tree.document.title, title[0]) if t)}
    start, end, is_leaf = tree.start.tolist(), tree.end.tolist(), leaf.tolist()
    for node, parent in enumerate(tree.parent.tolist()):
        if parent < 0:
            continue
        if is_leaf[node]:
            if parent not in lead:
                lead[parent] = text[start[node] : min(end[node], start[node] + LEAD)]
            continue
        heads = above[parent]
        above[node] = (*heads[-7:], title[node]) if title[node] else heads
        listed = below.setdefault(parent, [])
        if title[node] and len(listed) < TITLES:
            listed.append(title[node])
    noted = [name for name in NOTES if name in tree.notes]
    for node, heads in above.items():
        said = (note_text(tree, name, node) for name in noted)
        yield "\n".join(part for part in (*heads, *below.get(node, ()), lead.get(node, ""), *said) if part)


def build_nodes(corpus: Corpus, part: Part, language: Language) -> None:
    """Write the shape of every tree and the BM25 scores of its inner nodes' views.

    Rows are nodes: document by document, each tree in preorder. Linear in nodes and text; one tree is held at a time.
    A million nodes take 20 seconds of processor time and 86 MB (`evals.bench.nodes`). All trees are read again when an
    index is brought up to date, since headings above a leaf may change where no leaf does.
    """
    sizes, parents, inners, spreads = [], [], [], []
    row = 0

    def texts() -> Iterator[str]:
        nonlocal row
        for ordinal in range(len(corpus.doc_ids)):
            tree = corpus.tree(ordinal)
            parent = tree.parent.astype(np.int32)
            parents.append(np.where(parent >= 0, parent + row, -1).astype(np.int32))
            inners.append((inner_ids(tree) + row).astype(np.int32))
            spreads.append(_spread(tree.parent))
            sizes.append(len(tree))
            row += len(tree)
            yield from views(tree)

    counts = Analyzer(language).count(texts())
    postings.save(part, counts)
    found = np.diff(counts.indptr)
    weight = np.repeat(idf(found, len(counts.length), "lucene"), found)
    average = max(float(counts.length.mean()), 1e-9) if len(counts.length) else 1.0
    share = counts.length[counts.text] / average
    gain = saturation(counts.count.astype(np.float64), share, k1=K1, b=B, delta=0.0, method="lucene")
    part.save("scores", (weight * gain).astype(np.float32))
    part.save("first", np.concatenate(([0], np.cumsum(sizes))).astype(np.int64))
    part.save("parent", _joined(parents, np.int32))
    part.save("spread", _joined(spreads, np.int32))
    part.save("inner", _joined(inners, np.int32))


def _joined(arrays: Sequence[NDArray[Any]], kind: Any) -> NDArray[Any]:
    return np.concatenate(arrays).astype(kind) if arrays else np.zeros(0, dtype=kind)


def _spread(parent: NDArray[np.int64]) -> NDArray[np.int32]:
    """How many nodes each subtree of one tree holds, itself included; a parent stands before its children."""
    size = [1] * len(parent)
    up = parent.tolist()
    for node in range(len(up) - 1, 0, -1):
        size[up[node]] += size[node]
    return np.array(size, dtype=np.int32)


@dataclass(frozen=True, eq=False)
class NodeIndex:
    """The opened arrays.

    Args:
        corpus: the leaves and the trees.
        first: int64 (d + 1,), row of each document's root, and the number of rows last.
        parent: int32 (n,), row of the parent, -1 for a root.
        spread: int32 (n,), nodes in the subtree of each node, itself included.
        inner: int32 (m,), rows of the inner nodes, ascending.
        vocabulary: terms of the views.
        indptr: int64 (v + 1,), where each term's entries begin.
        places: int32 (e,), index into `inner` of each entry.
        scores: float32 (e,), BM25 of each entry.
    """

    corpus: Corpus
    first: NDArray[np.int64]
    parent: NDArray[np.int32]
    spread: NDArray[np.int32]
    inner: NDArray[np.int32]
    vocabulary: Vocabulary
    indptr: NDArray[np.int64]
    places: NDArray[np.int32]
    scores: NDArray[np.float32]

    def doc_of(self, row: int) -> int:
        """Ordinal of the document a row belongs to."""
        return int(np.searchsorted(self.first, row, side="right")) - 1

    def best(
        self, terms: Counter[str], k: int, docs: NDArray[np.bool_] | None = None, *, roots: bool = False
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """The inner nodes whose views match best.

        Args:
            terms: index terms of the question and how often each counts.
            k: how many at most.
            docs: bool (d,), the documents that count; None for all.
            roots: only roots, for choosing documents.

        Returns:
            Rows and BM25 scores above 0, best first, ties in index order.
        """
        sums = np.zeros(len(self.inner), dtype=np.float32)
        found = [(self.vocabulary.find(term), times) for term, times in terms.items()]
        for term, times in sorted(pair for pair in found if pair[0] >= 0):
            begin, end = self.indptr[term], self.indptr[term + 1]
            column = self.scores[begin:end]
            sums[self.places[begin:end]] += column if times == 1 else column * np.float32(times)
        if docs is not None:
            sums *= np.repeat(docs, self._inner_sizes)
        if roots:
            at = self._roots
            chosen, scores = top(sums[at], k, above=0.0)
            return self.inner[at[chosen]], scores
        chosen, scores = top(sums, k, above=0.0)
        return self.inner[chosen], scores

    @cached_property
    def _roots(self) -> NDArray[np.int64]:
        return np.searchsorted(self.inner, self.first[:-1])

    @cached_property
    def _inner_sizes(self) -> NDArray[np.int64]:
        return np.diff(np.searchsorted(self.inner, self.first))

    def children(self, row: int) -> Iterator[int]:
        """Rows directly below a node, in source order; each step skips one subtree."""
        end = row + int(self.spread[row])
        child = row + 1
        while child < end:
            yield child
            child += int(self.spread[child])

    def above(self, row: int) -> list[int]:
        """Rows above a node, the direct parent first, the root last."""
        found = []
        up = int(self.parent[row])
        while up >= 0:
            found.append(up)
            up = int(self.parent[up])
        return found

    def place(self, row: int) -> tuple[int, int]:
        """Document ordinal and index in its tree."""
        doc = self.doc_of(row)
        return doc, row - int(self.first[doc])

    def row(self, doc: str, node: int) -> int:
        """Row of a node of a document."""
        return int(self.first[self.corpus.ordinals[doc]]) + node


def open_nodes(corpus: Corpus, part: Part) -> NodeIndex:
    """The arrays as `build_nodes` wrote them; mapped where the index is a folder."""
    load = part.load
    return NodeIndex(
        corpus,
        np.asarray(load("first")),
        np.asarray(load("parent")),
        np.asarray(load("spread")),
        np.asarray(load("inner")),
        Vocabulary(load("terms"), load("term-ends")),
        np.asarray(load("indptr")),
        np.asarray(load("leaves")),
        np.asarray(load("scores")),
    )
