"""Passages that connect what a question names: the shortest chains of passages that share rare words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rag.stage import Field, stage
from rag.store.parts import bound_to, store_of
from rag.store.terms import ENGLISH, Analyzer
from rag.types import Hits, Query
from retrievers.bm25 import BM25, idf
from retrievers.names import names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.store.corpus import Corpus, Part, Store

__all__ = ["Bridge", "concepts"]

NAME = "retrievers/bridge"
CONCEPTS = 4  # of a question that are joined, two by two
DIGITS = 6


@stage
class Bridge:
    """Rank what lies on the shortest chains between the things a question names.

    In a hypergraph of knowledge (Buehler, 2026, https://arxiv.org/abs/2601.04878) an edge holds all that one statement
    speaks of, and paths go between edges that share members. Here a leaf is such an edge over its terms, so none is
    extracted: chains of one to three leaves between a leaf that touches one thing and a leaf that touches another, each
    two neighbours sharing at least `shared` telling terms, those in 2 to `most` leaves that the question does not say.
    A chain is worth the idf of what its neighbours share, of the best step 1, less `price` a step; a leaf is worth its
    best chain, beside its share of the best lexical score. The index is BM25's own.

    It is for questions about what connects two things. On questions of several hops it finds no more than BM25:
    R@5 68.8, 70.0 and 49.4 against 69.4, 70.0 and 47.9, 40 questions each; `retrievers/graph` finds more there.

    Args:
        query: scope and filters are honoured: no chain goes through another leaf.

    Returns:
        At most k leaves, best first, ties in index order; `why` names the terms that hold its chain together.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ()

    inner: BM25 = Field(default_factory=BM25, description="whose postings are walked")
    k: int = Field(default=100, ge=1, description="hits returned")
    touch: int = Field(default=10, ge=1, description="leaves of each thing that chains begin and end at")
    most: int = Field(default=20, ge=2, description="leaves that hold a term, beyond which it joins none")
    shared: int = Field(default=1, ge=1, le=10, description="telling terms that neighbours must share")
    price: float = Field(default=0.3, ge=0, description="what each step costs")
    weight: float = Field(default=0.5, ge=0, description="of chains beside the lexical score")

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Nothing of its own: the nested retriever has a part."""

    def bind(self, store: Store, /) -> Bridge:
        """This retriever and the one inside it, reading from an opened store."""
        return bound_to(replace(self, inner=self.inner.bind(store)), store)

    @cached_property
    def _edges(self) -> _Edges:
        matrix = self.inner._matrix
        stems = Analyzer(self.inner.language).terms(" ".join(sorted(ENGLISH)))
        common = np.array(sorted({matrix.vocabulary.find(one) for one in stems} - {-1}), dtype=np.int64)
        return _Edges.of(matrix.indptr, matrix.leaves, len(matrix.corpus), most=self.most, common=common)

    def __call__(self, query: Query, /) -> Hits:
        """Find the things, the leaves that touch them, the chains; rank."""
        corpus = store_of(self, NAME).corpus
        matrix, mask = self.inner._matrix, corpus.mask(query)
        found, scores = matrix.best(Counter(self.inner.terms(query.text)), max(self.k, self.touch), mask)
        worth = {int(leaf): float(one) / float(scores[0]) for leaf, one in zip(found, scores, strict=True)}
        things = concepts(query.text, self.inner)
        ends = [matrix.best(Counter(terms), self.touch, mask)[0].tolist() for terms in things]
        asked = {matrix.vocabulary.find(one) for one in self.inner.terms(query.text)}
        best: dict[int, tuple[float, tuple[int, ...]]] = {}
        for one, other in combinations(ends, 2):
            for score, leaves, terms in self._edges.chains(
                one, other, asked, shared=self.shared, price=self.price, mask=mask
            ):
                for leaf in leaves:
                    if leaf not in best or best[leaf][0] < score:
                        best[leaf] = (score, terms)
        total = {leaf: worth.get(leaf, 0.0) for leaf in {*worth, *best}}
        for leaf, (score, _) in best.items():
            total[leaf] += self.weight * max(score, 0.0)
        ranked = sorted(total, key=lambda leaf: (-round(total[leaf], DIGITS), leaf))[: self.k]
        ranked = [leaf for leaf in ranked if total[leaf] > 0]
        points = np.array([round(total[leaf], DIGITS) for leaf in ranked])
        hits = corpus.hits(np.array(ranked, dtype=np.int64), points, NAME)
        told = [
            replace(hit, why="joined by " + ", ".join(self._word(term) for term in best[leaf][1]))
            if leaf in best and best[leaf][1]
            else hit
            for hit, leaf in zip(hits, ranked, strict=True)
        ]
        return Hits(query, tuple(told), notes={NAME: {"things": len(things), "chained": len(best)}})

    def _word(self, term: int) -> str:
        return self.inner._matrix.vocabulary[term].decode("utf-8", "surrogatepass")


def concepts(question: str, inner: BM25) -> list[list[str]]:
    """The things a question speaks of, as terms: its names, and what it says besides; four at most.

    Without two names the rest of the question's words is one more thing.
    """
    keys = [one for one in dict.fromkeys(names(question)) if " and " not in one]
    whole = [one for one in keys if not any(one != other and f" {one} " in f" {other} " for other in keys)]
    found = [terms for one in whole[:CONCEPTS] if (terms := inner.terms(one))]
    said = {term for terms in found for term in terms}
    rest = [term for term in inner.terms(question) if term not in said]
    return [*found, rest] if rest and len(found) < 2 else found


@dataclass(frozen=True, eq=False)
class _Edges:
    """Leaves by telling term and telling terms by leaf."""

    indptr: NDArray[np.int64]
    leaves: NDArray[np.int32]
    weight: NDArray[np.float64]
    leaf_ptr: NDArray[np.int64]
    term: NDArray[np.int64]

    @classmethod
    def of(
        cls, indptr: NDArray[np.int64], leaves: NDArray[np.int32], n: int, *, most: int, common: NDArray[np.int64]
    ) -> _Edges:
        """From postings; terms in one leaf or in more than `most` join nothing, nor do stop words."""
        df = np.diff(indptr)
        row = np.repeat(np.arange(len(df)), df)
        telling = (df >= 2) & (df <= most)
        telling[common] = False
        kept = telling[row]
        order = np.argsort(leaves[kept], kind="stable")
        weight = idf(np.maximum(df, 1), n, "lucene") if len(df) else np.zeros(0)
        by_leaf = np.bincount(leaves[kept], minlength=n)
        leaf_ptr = np.concatenate(([0], np.cumsum(by_leaf))).astype(np.int64)
        return cls(indptr, leaves, weight, leaf_ptr, row[kept][order].astype(np.int64))

    def terms(self, leaf: int, asked: set[int]) -> list[int]:
        """Telling terms of a leaf that the question does not say."""
        rows: list[int] = self.term[self.leaf_ptr[leaf] : self.leaf_ptr[leaf + 1]].tolist()
        return [term for term in rows if term not in asked]

    def beside(self, leaf: int, asked: set[int], shared: int) -> dict[int, tuple[float, tuple[int, ...]]]:
        """Leaves that share enough with one, with the idf and the terms they share."""
        joined: dict[int, list[int]] = {}
        for term in self.terms(leaf, asked):
            for other in self.leaves[self.indptr[term] : self.indptr[term + 1]].tolist():
                if other != leaf:
                    joined.setdefault(other, []).append(term)
        return {
            other: (float(sum(self.weight[terms])), tuple(sorted(terms, key=lambda t: (-self.weight[t], t))[:3]))
            for other, terms in joined.items()
            if len(terms) >= shared
        }

    def chains(
        self, one: Sequence[int], other: Sequence[int], asked: set[int], *, shared: int, price: float, mask: Any
    ) -> list[tuple[float, tuple[int, ...], tuple[int, ...]]]:
        """(worth, leaves, terms) of the chains between two rows of leaves; the best step of all is worth 1."""
        steps = {leaf: self.beside(leaf, asked, shared) for leaf in sorted({*one, *other})}
        highest = max((score for row in steps.values() for score, _ in row.values()), default=0.0)
        found: list[tuple[float, tuple[int, ...], tuple[int, ...]]] = [
            (1.0, (leaf,), ()) for leaf in one if leaf in other
        ]
        if not highest:
            return found
        for a in one:
            for b in other:
                if a == b:
                    continue
                if b in steps[a]:
                    score, terms = steps[a][b]
                    found.append((score / highest - price, (a, b), terms))
                    continue
                for middle in sorted(steps[a].keys() & steps[b].keys()):
                    if mask is None or mask[middle]:
                        (left, by), (right, on) = steps[a][middle], steps[b][middle]
                        found.append((min(left, right) / highest - 2 * price, (a, middle, b), (*by[:2], *on[:2])))
        return found
