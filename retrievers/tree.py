"""Search the trees: leaves by a ranking of leaves, sections by their views, both by where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import SkipValidation

from rag.models.llm import LLM, checked_llm
from rag.models.tokens import counter
from rag.stage import Field, Retriever, stage
from rag.store.parts import bound_to, part_key, store_of
from rag.store.terms import Analyzer, Language
from rag.types import Hit, Hits, Query
from retrievers.beam import descend
from retrievers.bundle import governing
from retrievers.choose import choose
from retrievers.collapsed import fill
from retrievers.nodes import NodeIndex, build_nodes, open_nodes
from retrievers.standing import Standing, asked, standing

if TYPE_CHECKING:
    from rag.store.corpus import Corpus, Part, Store

__all__ = ["TreeRetriever"]

NAME = "retrievers/tree"


def _default() -> Retriever:
    from retrievers.hybrid import Hybrid

    return Hybrid()


@stage
class TreeRetriever:
    """Find evidence in the trees of a corpus: what matches, and what stands in sections that match.

    Leaves are ranked by `inner`, the same ranking and vectors that a flat pipeline uses; sections by BM25 over their
    views (headings, own opening text, notes of growers; `retrievers.nodes`). A node's score is `own` times its match
    plus the rest of its parent's score, so it passes down the levels.

    `collapsed` puts all levels into one list (RAPTOR: Sarthi et al., ICLR 2024, https://arxiv.org/abs/2401.18059).
    `beam` walks down and keeps `width` nodes a level, and takes the best leaves of the flat ranking with it. Many
    documents hang under one root: the `documents` whose cards (the root's view) match best are searched again by
    `inner` alone, so that a long document cannot crowd out a short one.

    Whatever the tree says, the first `rescue` hits of the flat ranking are among the hits, themselves or inside a
    section: routing and descent add, they never lose what flat search finds at the top.

    On TreeBench's closed pool (222 questions on regulations, `evals.reproduce.treebench`) evidence recall at 10 is 69.9
    for flat BM25, 73.5 for `collapsed`, 74.0 for `beam` (gain 4.0, 95 %: 2.5 to 5.9) and 74.0 with `bundle` 1; on
    questions that do not quote their evidence 45.3, 48.8, 48.8 and 50.3. Over a million nodes and BM25 a question takes
    14 ms (95th percentile 16), 23 (28) with routes to 16 documents (`evals.bench.nodes`, processor time).

    Where one passage answers and a cross-encoder reads 40, sections add nothing, over eight sets of long documents
    (`evals.reproduce.trees`): 0.1 points of recall at 512 tokens (95 %: -0.2 to 0.3), 0.0 (-0.1 to 0.1) at 1,024.

    Args:
        query: scope and filters are honoured.

    Returns:
        At most k hits, best first, ties in index order; none lies inside another. A hit is a leaf or a whole section,
        always a slice of the source; views and notes are for scoring. `scores` holds what `inner` gave; `why` says
        how a hit was reached: `flat`, `descent`, `section`, `governs`.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ("language",)

    inner: Retriever = Field(default_factory=_default, description="ranks leaves")
    strategy: Literal["collapsed", "beam"] = Field(default="collapsed", description="how the levels are searched")
    k: int = Field(default=40, ge=1, description="hits returned")
    own: float = Field(
        default=0.7, gt=0, le=1, description="share of a node's own match; the rest is its parent's score"
    )
    pool: int = Field(default=100, ge=1, description="sections looked at")
    width: int = Field(default=4, ge=1, description="beam: nodes kept a level")
    documents: int = Field(default=0, ge=0, description="documents searched again because their cards match; 0: none")
    rescue: int = Field(default=10, ge=0, description="first hits of the flat ranking that are never lost")
    sections: int = Field(default=0, ge=0, description="tokens of the largest section given as one hit; 0: leaves only")
    bundle: int = Field(default=0, ge=0, description="leaves of scope, exceptions and definitions added for a hit")
    budget: int | None = Field(default=None, ge=0, description="tokens of all hits; a query's own budget goes first")
    llm: SkipValidation[LLM | None] = Field(default=None, description="beam: picks the children to open, by number")
    language: Language = Field(default="english", description="stemmer of the sections' views")
    tokenizer: str = Field(default="cl100k", description="counts sections and the budget")

    def __post_init__(self) -> None:
        """Look at the model's type alone, so that no weights open."""
        if self.llm is not None:
            object.__setattr__(self, "llm", checked_llm(self.llm, f"{NAME}: llm"))

    @property
    def budgeted(self) -> bool:
        """Whether another budget gives other hits."""
        return self.budget is not None

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Write the shapes of the trees and the postings of the sections' views; no model is called."""
        build_nodes(corpus, part, self.language)

    def bind(self, store: Store, /) -> TreeRetriever:
        """This retriever and its inner one, reading from an opened store."""
        return bound_to(replace(self, inner=self.inner.bind(store)), store)

    @cached_property
    def _nodes(self) -> NodeIndex:
        store = store_of(self, NAME)
        return open_nodes(store.corpus, store.part(part_key(self)))

    @cached_property
    def _analyzer(self) -> Analyzer:
        return Analyzer(self.language)

    def __call__(self, query: Query, /) -> Hits:
        """Rank leaves, score sections, search the levels."""
        nodes = self._nodes
        flat = self.inner(query)
        terms = asked(query.text, self._analyzer)
        found, routed = self._routed(query, flat, terms)
        stand = standing(nodes, query, terms, found, pool=self.pool, own=self.own)
        facts: dict[str, Any] = {"strategy": self.strategy, "matched": len(stand.match), "routed": routed}
        reached: set[int] = set()
        if self.strategy == "beam":
            reached = set(self._descent(query, stand, facts))
            ranked = list(reached | set(stand.hits))
        else:
            ranked = [row for row in stand.match if int(nodes.spread[row]) == 1 or self._fits(row)]
        ranked.sort(key=lambda row: (-round(stand.score(row), 9), row))
        saved = [nodes.row(hit.doc, hit.node) for hit in flat.items[: min(self.rescue, self.k)]]
        budget = None
        if self.budget is not None:
            budget = self.budget if query.budget is None else query.budget
        chosen = self._kept(ranked, saved, budget)
        hits = [self._hit(stand, row, row in reached) for row in chosen]
        if self.bundle:
            hits = self._bundled(hits, budget)
            for hit in [one for one in reversed(hits) if nodes.row(one.doc, one.node) not in saved][
                : max(0, len(hits) - self.k)
            ]:
                hits.remove(hit)
        hits.sort(key=lambda hit: -round(hit.score, 9))
        return Hits(query, tuple(hits[: self.k]), drops=flat.drops, notes={**flat.notes, NAME: facts})

    def _routed(self, query: Query, flat: Hits, terms: Any) -> tuple[Sequence[Hit], int]:
        """The flat ranking and, behind it, what `inner` finds in the documents whose cards match best."""
        corpus = self._nodes.corpus
        if not self.documents or not len(corpus) or (query.scope is not None and len(query.scope) <= 1):
            return flat.items, 0
        allowed = None
        if query.restricted:
            import numpy as np

            pairs = zip(corpus.doc_ids, corpus.metadata, strict=True)
            allowed = np.array([query.allows(d, m) for d, m in pairs], dtype=bool)
        roots, _ = self._nodes.best(terms, self.documents, allowed, roots=True)
        docs = tuple(corpus.doc_ids[self._nodes.doc_of(int(row))] for row in roots)
        if not docs:
            return flat.items, 0
        again = self.inner(replace(query, scope=docs, filters={}))
        have = {hit.key for hit in flat}
        floor = flat.items[-1].score if flat.items else 0.0
        more = [replace(hit, score=min(hit.score, floor)) for hit in again if hit.key not in have]
        return (*flat.items, *more), len(docs)

    def _descent(self, query: Query, stand: Standing, facts: dict[str, Any]) -> list[int]:
        """Leaves the beam reaches, in every document that has a match."""
        roots = stand.live().get(-1, [])
        if self.llm is None:
            return descend(stand, roots, self.width)
        llm, ways = self.llm, []

        def opened(rows: Sequence[int]) -> list[int]:
            shown = list(rows[: 4 * self.width])
            picked = choose(llm, query.text, [self._line(row) for row in shown], self.width)
            ways.append(picked.way)
            return [shown[i] for i in picked.value]

        leaves = descend(stand, roots, self.width, opened)
        facts["chosen_by"] = llm.name
        facts["ways"] = {way: ways.count(way) for way in sorted(set(ways))}
        return leaves

    def _line(self, row: int) -> str:
        """What a section is shown with to the model that picks."""
        doc, node = self._nodes.place(row)
        tree = self._nodes.corpus.tree(doc)
        view = tree[node]
        path = " > ".join(view.path) or tree.document.title
        return f"{path}: {tree.document.text[view.start : view.start + 240]}"

    def _size(self, row: int) -> int:
        """Tokens of a node's slice."""
        doc, node = self._nodes.place(row)
        tree = self._nodes.corpus.tree(doc)
        if tree.tokenizer == self.tokenizer and int(tree.tokens[node]) >= 0:
            return int(tree.tokens[node])
        return counter(self.tokenizer).count(tree[node].text)

    def _fits(self, row: int) -> bool:
        """Whether a section may be a hit as a whole; a glance at its length saves counting long ones."""
        if not self.sections:
            return False
        doc, node = self._nodes.place(row)
        tree = self._nodes.corpus.tree(doc)
        length = int(tree.end[node] - tree.start[node])
        return 0 < length <= 16 * self.sections and self._size(row) <= self.sections

    def _kept(self, ranked: list[int], saved: list[int], budget: int | None) -> list[int]:
        """What fits, the saved rows first where room is short."""
        size = self._size if budget is not None else None
        chosen = fill(self._nodes, ranked, self.k, budget=budget, size=size)
        covered = set(chosen)
        lost = [r for r in saved if r not in covered and not covered.intersection(self._nodes.above(r))]
        if not lost:
            return chosen
        first = [*saved, *(row for row in ranked if row not in set(saved))]
        return fill(self._nodes, first, self.k, budget=budget, size=size)

    def _hit(self, stand: Standing, row: int, descended: bool) -> Hit:
        doc, node = self._nodes.place(row)
        score = stand.score(row)
        known = stand.hits.get(row)
        tree = self._nodes.corpus.tree(doc)
        if known is not None:
            return replace(known, score=score, scores={**known.scores, NAME: score}, why="flat")
        why = "section" if int(self._nodes.spread[row]) > 1 else "descent" if descended else "flat"
        span = (int(tree.start[node]), int(tree.end[node]))
        return Hit(tree, node, (span,), score, {NAME: score}, why)

    def _bundled(self, hits: list[Hit], budget: int | None) -> list[Hit]:
        """The hits, each followed by the leaves that govern it: none inside a hit, none over the budget."""
        nodes = self._nodes
        rows = {nodes.row(hit.doc, hit.node) for hit in hits}
        room = None if budget is None else budget - sum(map(self._size, rows))
        found: list[Hit] = []
        for hit in sorted(hits, key=lambda hit: -round(hit.score, 9)):
            found.append(hit)
            base = nodes.row(hit.doc, hit.node) - hit.node
            leaf = not hit.tree.child_ids[hit.node]
            for node in governing(hit.tree, hit.node, self.bundle) if leaf else ():
                row = base + node
                if row in rows or rows.intersection(nodes.above(row)):
                    continue
                if room is not None:
                    if self._size(row) > room:
                        continue
                    room -= self._size(row)
                rows.add(row)
                span = (int(hit.tree.start[node]), int(hit.tree.end[node]))
                found.append(Hit(hit.tree, node, (span,), hit.score, {NAME: hit.score}, f"governs {hit.start}"))
        return found
