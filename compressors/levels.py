"""Keep the best k nodes of each level of the outline: selection as the published EDU compressor does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import SkipValidation

from compressors.account import accounted, best_first, one_text, short_enough
from compressors.fit import fit
from compressors.relevance import scored
from rag.models.score import Scorer, checked_scorer
from rag.models.tokens import counter
from rag.stage import Field, stage
from rag.types import Hit, Hits
from rag.units import Unit, units

__all__ = ["Levels"]

NAME = "compressors/levels"
CAPTION = 1000  # characters of a node that are read


class Section(NamedTuple):
    """A node of the outline that hits stand under, or a hit's own.

    Args:
        level: how many nodes stand above it.
        doc: id of the document.
        node: its index in the document's tree.
        hits: numbers of the hits at or below it, in source order.
        title: its heading; "" without one.
    """

    level: int
    doc: str
    node: int
    hits: tuple[int, ...]
    title: str


@stage
class Levels:
    """Keep the best k nodes of each level of the outline, then fill the budget with their sentences.

    Selection as the repository of "From Context to EDUs" (arXiv 2512.14244) does it: on each level of the outline all
    nodes stay if they are at most k, else the k best by a reranker that reads their captions (title and first 1,000
    characters); what is chosen comes level by level, by rank within a level. It is here to be compared with. There it
    has no budget; here the hard one cuts it off: of a node the sentences are taken from its start. The outline is the
    `DocTree` above the hits, not a generated one, and what is kept stands in source order.

    Args:
        hits: n >= 0; their order has no effect, their scores only break no ties.

    Returns:
        The hits that keep something; `tokens` is the size of the rendered context.

    Raises:
        StoreMismatch: one document name stands for two texts, as in hits of two indexes.
        ModelError: the scorer gave another number of scores than it got nodes, or not-a-numbers.
    """

    budget: int = Field(default=1000, ge=0, description="tokens of rendered context; a query's own budget goes first")
    scorer: SkipValidation[Scorer | None] = Field(default=None, description="scores captions; None: by their words")
    k: int = Field(default=3, ge=1, description="nodes kept on a level")
    tokenizer: str = Field(default="cl100k", description="the reader's tokenizer, which counts the budget")

    def __post_init__(self) -> None:
        """Look at the scorer's type alone, so that no weights open."""
        if self.scorer is not None:
            checked_scorer(self.scorer, f"{NAME}: scorer")

    def __call__(self, hits: Hits, /) -> Hits:
        """Choose on each level, fill in that order."""
        budget = self.budget if hits.query.budget is None else hits.query.budget
        ranked, tokenizer = best_first(hits), counter(self.tokenizer)
        one_text(NAME, ranked)
        pool = short_enough(ranked, units(ranked), budget, tokenizer) if budget > 0 else []
        chosen = self._chosen(hits.query.text, ranked) if pool else []
        of = _by_hit(pool, len(ranked))
        tried = list(dict.fromkeys(unit for section in chosen for hit in section.hits for unit in of[hit]))
        reasons = dict.fromkeys(set(range(len(pool))) - set(tried), f"not among the best {self.k} of a level")
        notes = {"scorer": "words" if self.scorer is None else self.scorer.name, "nodes": len(chosen)}
        fitted = fit(ranked, pool, tried, budget, tokenizer)
        return accounted(NAME, hits, ranked, pool, fitted=fitted, budget=budget, reasons=reasons, notes=notes)

    def _chosen(self, question: str, hits: Sequence[Hit]) -> list[Section]:
        """The nodes that stay, level by level, best first."""
        found = _sections(hits)
        captions = [_caption(hits, section) for section in found]
        values = scored(NAME, question, captions, [section.title for section in found], self.scorer).tolist()
        kept: list[Section] = []
        for level in sorted({section.level for section in found}):
            here = [n for n, section in enumerate(found) if section.level == level]
            if len(here) > self.k:
                here = sorted(here, key=lambda n: (-round(values[n], 9), found[n].doc, found[n].node))[: self.k]
            kept += [found[n] for n in here]
        return kept


def _sections(hits: Sequence[Hit]) -> list[Section]:
    """Every node at or above a hit, outermost first; roots are left out, for they are whole documents."""
    below: dict[tuple[int, str, int], list[int]] = {}
    titles: dict[tuple[int, str, int], str] = {}
    for number in sorted(range(len(hits)), key=lambda n: (hits[n].doc, hits[n].spans, hits[n].key)):
        view = hits[number].view
        for level, node in enumerate((*view.ancestors, view)):
            if level:
                key = (level, hits[number].doc, node.index)
                below.setdefault(key, []).append(number)
                titles[key] = node.title
    return [Section(*key, tuple(found), titles[key]) for key, found in sorted(below.items())]


def _caption(hits: Sequence[Hit], section: Section) -> str:
    """The first characters of the hits under a node."""
    parts: list[str] = []
    left = CAPTION
    for number in section.hits:
        for piece in hits[number].pieces:
            if left > 0:
                parts.append(piece[:left])
                left -= len(piece)
    return "".join(parts).strip()


def _by_hit(pool: Sequence[Unit], count: int) -> list[list[int]]:
    """The units of each hit, in source order."""
    found: list[list[int]] = [[] for _ in range(count)]
    for number, unit in enumerate(pool):
        found[unit.hit].append(number)
    return found
