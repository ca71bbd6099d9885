"""Leaves that stand together become the section they stand in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from rag.doctree import DocTree
from rag.models.tokens import counter
from rag.stage import Field, Reranker, Retriever, stage
from rag.store.parts import bound_to
from rag.types import Hit, Hits, Query

if TYPE_CHECKING:
    from rag.store.corpus import Corpus, Part, Store

__all__ = ["Merge", "merge", "widened"]

NAME = "retrievers/merge"


def _default() -> Retriever:
    from retrievers.hybrid import Hybrid

    return Hybrid(k=40)


@stage
class Merge:
    """Replace hits by the section above them where enough of it is hit, and fill single gaps between hits.

    A section takes the place of the hits below it when at least two of its children are held and

    - `ratio`: held children are at least `ratio` of its children (llama-index's auto-merging retriever, where the
      share must exceed 0.5 and every level must be in the store);
    - `adaptive`: what is held of it is at least a third of its tokens times (1 + used / budget), so the bar rises from
      1/3 to 2/3 as the budget fills (HiChunk, https://arxiv.org/abs/2509.11552, its section on auto-merging).

    Its score is its best child's plus 0.1 of the spread of all scores, times the share that is held: where
    llama-index takes the mean, a weak sibling sinks the parent. A leaf between two held siblings is filled in with the
    lower score of the two (llama-index: their mean, which may outrank the weaker one). Both repeat to a fixed point,
    so merging what was merged changes nothing. A parent is in the tree by construction and always covers its children.

    `around` takes the leaves before and behind the first hits too, each `below` its hit in the list: evidence runs on
    over the edge of a leaf.

    It is a retriever around a retriever, since it gives nodes that were not found: a reranker may not. `rerankers` run
    in between, so that what a cross-encoder ranked is merged, and sections are never cut to what a model reads.

    Args:
        query: given to `inner`; its own budget goes before the setting.

    Returns:
        Hits, best first; none inside another; at most k, and at most `budget` tokens together where one is set.
        Hits that are no whole nodes pass unchanged.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ()

    inner: Retriever = Field(default_factory=_default, description="whose hits are merged")
    rerankers: tuple[Reranker, ...] = Field(default=(), description="run on the hits before they are merged, in order")
    rule: Literal["ratio", "adaptive"] = Field(default="ratio", description="when a section takes the place of hits")
    ratio: float = Field(default=0.5, gt=0, le=1, description="ratio: share of the children that must be held")
    gaps: bool = Field(default=True, description="fill a single leaf between two held siblings")
    sections: int = Field(default=480, ge=0, description="tokens of the largest section that is made")
    budget: int | None = Field(default=None, ge=0, description="tokens of all hits; a query's own budget goes first")
    around: int = Field(default=0, ge=0, description="first hits whose neighbours in the source are taken too")
    below: float = Field(
        default=0.2, ge=0, description="how far below its hit a neighbour stands, in shares of the range"
    )
    k: int = Field(default=40, ge=1, description="hits returned")
    tokenizer: str = Field(default="cl100k", description="counts sections and the budget")

    @property
    def budgeted(self) -> bool:
        """Whether another budget gives other hits."""
        return self.budget is not None

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Nothing of its own: the inner retriever has its part."""

    def bind(self, store: Store, /) -> Merge:
        """This stage with the inner retriever reading from an opened store."""
        return bound_to(replace(self, inner=self.inner.bind(store)), store)

    def __call__(self, query: Query, /) -> Hits:
        """Search, rerank, merge."""
        hits = self.inner(query)
        for one in self.rerankers:
            hits = one(hits)
        budget = None
        if self.budget is not None:
            budget = self.budget if query.budget is None else query.budget
        merged = merge(
            widened(hits.items, self.around, self.below),
            rule=self.rule,
            ratio=self.ratio,
            gaps=self.gaps,
            sections=self.sections,
            budget=budget,
            tokenizer=self.tokenizer,
        )
        made = sum(hit.why.startswith("merged") for hit in merged)
        notes = {**hits.notes, NAME: {"found": len(hits), "sections": made, "hits": len(merged)}}
        return replace(hits, items=merged[: self.k], notes=notes)


def widened(hits: Sequence[Hit], around: int, below: float) -> tuple[Hit, ...]:
    """The hits and the leaves beside the first `around` of them, best first.

    Args:
        hits: best first.
        around: how many of them.
        below: subtracted from a neighbour's score, in shares of the range of all scores. A neighbour that is a hit
            already keeps the higher of the two scores.
    """
    if not around or not hits:
        return tuple(hits)
    step = below * (hits[0].score - hits[-1].score)
    found = {(hit.doc, hit.node): hit for hit in hits}
    for hit in hits[:around]:
        ids = hit.tree.leaf_ids
        at = int(ids.searchsorted(hit.node))
        if at == len(ids) or int(ids[at]) != hit.node:
            continue
        for place in (at - 1, at + 1):
            if not 0 <= place < len(ids):
                continue
            node, score = int(ids[place]), hit.score - step
            known = found.get((hit.doc, node))
            if known is None:
                span = (int(hit.tree.start[node]), int(hit.tree.end[node]))
                found[hit.doc, node] = Hit(hit.tree, node, (span,), score, {NAME: score}, f"beside {hit.start}")
            elif known.score < score:
                found[hit.doc, node] = replace(known, score=score, scores={**known.scores, NAME: score})
    return tuple(sorted(found.values(), key=_order))


class _Held:
    """The nodes of one tree that are held, with their hits."""

    def __init__(self, tree: DocTree, tokenizer: str) -> None:
        self.tree = tree
        self.hits: dict[int, Hit] = {}
        self._count = counter(tokenizer).count
        self._counted = tree.tokenizer == tokenizer
        self._sizes: dict[int, int] = {}

    def size(self, node: int) -> int:
        """Tokens of a node's slice, each counted once."""
        if node not in self._sizes:
            own = int(self.tree.tokens[node]) if self._counted else -1
            self._sizes[node] = own if own >= 0 else self._count(self.tree[node].text)
        return self._sizes[node]

    def small(self, node: int, most: int) -> bool:
        """Whether a node has at most so many tokens; a glance at its length saves counting long ones."""
        return int(self.tree.end[node] - self.tree.start[node]) <= 16 * most and self.size(node) <= most

    def hit(self, node: int, like: Hit, score: float, why: str) -> Hit:
        """A node as a hit, with the scores that earlier stages gave to another."""
        span = (int(self.tree.start[node]), int(self.tree.end[node]))
        return Hit(self.tree, node, (span,), score, {**like.scores, NAME: score}, why)


def merge(
    hits: Sequence[Hit],
    *,
    rule: str = "ratio",
    ratio: float = 0.5,
    gaps: bool = True,
    sections: int = 480,
    budget: int | None = None,
    tokenizer: str = "cl100k",
) -> tuple[Hit, ...]:
    """Merge hits into their parents; see `Merge`.

    Args:
        hits: in any order.
        rule: `ratio` or `adaptive`.
        ratio: share of the children.
        gaps: whether single gaps are filled.
        sections: tokens of the largest section made.
        budget: tokens of all hits; whole hits are taken best first while they fit. None for no limit.
        tokenizer: counts.

    Returns:
        Best first, ties by document and place.
    """
    held: dict[str, _Held] = {}
    others: list[Hit] = []
    used = 0
    for hit in sorted(hits, key=_order):
        mine = held.setdefault(hit.doc, _Held(hit.tree, tokenizer))
        tree, node = hit.tree, hit.node
        whole = hit.spans == ((int(tree.start[node]), int(tree.end[node])),)
        cost = mine.size(node) if whole else counter(tokenizer).count(hit.text)
        if budget is not None and used + cost > budget:
            continue
        if not whole:
            others.append(hit)
        elif node not in mine.hits and not any(up in mine.hits for up in _above(tree, node)):
            mine.hits[node] = hit
        else:
            continue
        used += cost
    scores = [hit.score for mine in held.values() for hit in mine.hits.values()]
    bonus = 0.1 * (max(scores) - min(scores)) if scores else 0.0
    share = ratio if rule == "ratio" else None
    changed = True
    while changed:
        changed = False
        for mine in held.values():
            used, filled = _fill(mine, sections, used, budget) if gaps else (used, False)
            used, grown = _grow(mine, sections, used, budget, ratio=share, bonus=bonus)
            changed = changed or filled or grown
    items = [*others, *(hit for mine in held.values() for hit in mine.hits.values())]
    return tuple(sorted(items, key=_order))


def _order(hit: Hit) -> tuple[float, tuple[str, int, int], tuple[tuple[int, int], ...]]:
    return -round(hit.score, 9), hit.key, hit.spans


def _above(tree: DocTree, node: int) -> Iterable[int]:
    node = int(tree.parent[node])
    while node >= 0:
        yield node
        node = int(tree.parent[node])


def _fill(mine: _Held, sections: int, used: int, budget: int | None) -> tuple[int, bool]:
    """Take in what stands alone between two held siblings."""
    tree, changed = mine.tree, False
    for parent in sorted({int(tree.parent[node]) for node in mine.hits if node}):
        kids = tree.child_ids[parent]
        for a, b, c in zip(kids, kids[1:], kids[2:], strict=False):
            if b in mine.hits or a not in mine.hits or c not in mine.hits:
                continue
            inside = [node for node in mine.hits if _inside(tree, node, b)]
            more = mine.size(b) - sum(mine.size(node) for node in inside)
            if not mine.small(b, sections) or (budget is not None and used + more > budget):
                continue
            weaker = min(mine.hits[a], mine.hits[c], key=lambda hit: hit.score)
            best = max((mine.hits[n] for n in inside), key=lambda hit: hit.score, default=weaker)
            for node in inside:
                del mine.hits[node]
            mine.hits[b] = mine.hit(b, best, best.score, "fills a gap")
            used, changed = used + more, True
    return used, changed


def _grow(
    mine: _Held, sections: int, used: int, budget: int | None, *, ratio: float | None, bonus: float
) -> tuple[int, bool]:
    """Put parents in the place of their children, deepest first."""
    tree, changed = mine.tree, False
    for parent in sorted({int(tree.parent[node]) for node in mine.hits if node}, reverse=True):
        kids = tree.child_ids[parent]
        have = [node for node in kids if node in mine.hits]
        if len(have) < 2 or not mine.small(parent, sections):
            continue
        inside = [node for node in mine.hits if _inside(tree, node, parent)]
        size, freed = mine.size(parent), sum(mine.size(node) for node in inside)
        if ratio is not None:
            if len(have) < ratio * len(kids):
                continue
        elif freed < size / 3 * (1 + (used / budget if budget else 0.0)):
            continue
        if budget is not None and used - freed + size > budget:
            continue
        best = max((mine.hits[node] for node in inside), key=lambda hit: hit.score)
        for node in inside:
            del mine.hits[node]
        score = best.score + bonus * len(have) / len(kids)
        mine.hits[parent] = mine.hit(parent, best, score, f"merged {len(have)} of {len(kids)}")
        used, changed = used - freed + size, True
    return used, changed


def _inside(tree: DocTree, node: int, parent: int) -> bool:
    return node > parent and int(tree.end[node]) <= int(tree.end[parent])
