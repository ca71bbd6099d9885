"""From scores to a set of units: relevance, bridge, near duplicates, then the greedy choice with its bound."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from compressors.aspects import facet_table, facets, term_table
from compressors.bridge import anchors, bridged
from compressors.duplicates import covered
from compressors.greedy import Chosen, Costs, choose
from compressors.objective import Objective
from compressors.relevance import relevance
from rag.lexical import terms
from rag.readers.render import heading
from rag.types import GAP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.models.tokens import Tokenizer
    from rag.types import Hit
    from rag.units import Unit

__all__ = ["Made", "Pool", "Prices", "Weights", "made", "prices"]

HEADINGS = re.compile(r"\s*(?:#{1,6}[^\S\n][^\n]*(?:\n\s*|$))+")
MOST_ALIKE = 512  # units whose likeness is computed, best first


class Weights(NamedTuple):
    """What `compressors.bubble` says of each field."""

    prior: float = 0.4
    lead: float = 0.25
    bridge: float = 0.6
    anchored: float = 0.6
    focus: float = 4.0
    terms: float = 0.5
    facets: float = 0.0
    like: float = 0.0
    spread: float = 0.0
    cap: float | None = None
    distinct: bool = True
    again: float = 0.0


class Prices(NamedTuple):
    """Tokens.

    Args:
        unit: of each unit with the mark of a gap in front of it; one more where a mark may need a backslash.
        head: of each hit's mark, title and headings.
    """

    unit: list[int]
    head: list[int]


@dataclass(frozen=True)
class Pool:
    """The candidates of one question.

    Args:
        question: any text.
        hits: the evidence, best first.
        units: n units of these hits, those of a hit together.
        price: what they cost.
        needs: for each unit those that must come with it; () for none at all.
        above: title and headings above each hit, where they are known already.
    """

    question: str
    hits: Sequence[Hit]
    units: Sequence[Unit]
    price: Prices
    needs: Sequence[tuple[int, ...]] = ()
    above: Sequence[str] = ()

    @cached_property
    def texts(self) -> list[str]:
        """Of the units."""
        return [self.hits[unit.hit].document.text[unit.start : unit.end] for unit in self.units]

    @cached_property
    def heads(self) -> Sequence[str]:
        """Title and headings above each hit."""
        return self.above or [heading(hit) for hit in self.hits]

    @cached_property
    def paths(self) -> list[tuple[str, ...]]:
        """Headings above each hit."""
        return [hit.path for hit in self.hits]

    @cached_property
    def bags(self) -> list[list[str]]:
        """Terms of the units, in order."""
        return [terms(text) for text in self.texts]

    @cached_property
    def words(self) -> list[frozenset[str]]:
        """Terms of the units."""
        return [frozenset(bag) for bag in self.bags]

    @cached_property
    def bare(self) -> frozenset[int]:
        """Units that are headings and nothing else: what stands below shows them anyway."""
        known = [
            {" ".join(head.split()) for head in (hit.document.title, *path)}
            for hit, path in zip(self.hits, self.paths, strict=True)
        ]
        return frozenset(
            k
            for k, (unit, text) in enumerate(zip(self.units, self.texts, strict=True))
            if " ".join(text.split()) in known[unit.hit] or HEADINGS.fullmatch(text)
        )

    @cached_property
    def titled(self) -> list[frozenset[str]]:
        """Terms of the units and of title and headings above them."""
        heads = [frozenset(terms(head)) for head in self.heads]
        return [words | heads[unit.hit] for words, unit in zip(self.words, self.units, strict=True)]

    def order(self, values: NDArray[np.float64]) -> list[int]:
        """Units by value, of equals by place."""
        keys = np.round(-values, 9).tolist()
        return sorted(
            range(len(self.units)), key=lambda i: (keys[i], self.hits[self.units[i].hit].doc, self.units[i].start)
        )


class Made(NamedTuple):
    """What was chosen and why.

    Args:
        order: units, what is kept first; then what was not chosen, best first.
        kept: how many of them were chosen.
        set: the choice with its bound.
        twins: unit -> the unit that covers it.
        relevance: float64 (n,), with the bridge.
        bridge: float64 (n,), the share of each unit's title that anchors name.
        gains: unit -> what it added, or would still add to the chosen; none of units that another covers.
    """

    order: list[int]
    kept: int
    set: Chosen
    twins: dict[int, int]
    relevance: NDArray[np.float64]
    bridge: NDArray[np.float64]
    gains: dict[int, float]


def prices(
    hits: Sequence[Hit], pool: Sequence[Unit], tokenizer: Tokenizer, heads: Sequence[str] | None = None
) -> Prices:
    """What units and hits cost in the rendering, at most but for effects of joining.

    Args:
        hits: the evidence.
        pool: units of these hits.
        tokenizer: the reader's.
        heads: title and headings above each hit, where they are known already.
    """
    texts = [hits[u.hit].document.text for u in pool]
    rows = ["\n" + t[u.needs[0] : u.needs[1]] if u.needs else "" for t, u in zip(texts, pool, strict=True)]
    own = tokenizer.counts([GAP + t[u.start : u.end].strip() for t, u in zip(texts, pool, strict=True)])
    extra = [tokenizer.count(row) if row else 0 for row in rows]
    above = [heading(hit) for hit in hits] if heads is None else heads
    head = {one: tokenizer.count(f"\n\n[{len(hits)}] {one}\n") for one in sorted(set(above))}
    return Prices([max(1, a + b) for a, b in zip(own, extra, strict=True)], [head[one] for one in above])


def made(pool: Pool, own: NDArray[np.float64], budget: int, weights: Weights) -> Made:
    """Choose units.

    Args:
        pool: n candidates.
        own: float64 (n,), what each scores by itself.
        budget: tokens of the rendered context.
        weights: of the parts.
    """
    nothing = np.zeros(len(pool.units))
    if not pool.units:
        return Made([], 0, Chosen((), (), 0.0, 0.0, "gain"), {}, nothing, nothing, {})
    found = relevance(own, pool.hits, pool.units, prior=weights.prior, lead=weights.lead)
    shares = nothing
    if weights.bridge:
        wordy = [unit for unit in pool.order(found) if unit not in pool.bare]
        first = anchors(wordy, pool.price.unit, int(budget * weights.anchored))
        shares = bridged(pool.question, pool.hits, pool.units, pool.words, first)
        found = found + weights.bridge * shares
    order = pool.order(found)
    twins = covered(pool.texts, order) if weights.distinct else {}
    worth = found
    if weights.again and twins:  # said already, but this may be the place to cite
        worth = found.copy()
        worth[list(twins)] *= weights.again
    free = [u for u in range(len(pool.units)) if (weights.again or u not in twins) and u not in pool.bare]
    chosen = _choice(pool, worth, free, budget, weights)
    best = [free[unit] for unit in chosen.order]
    kept = set(best)
    twins = {unit: by for unit, by in twins.items() if unit not in kept}
    rest = [unit for unit in order if unit not in kept and unit not in twins and unit not in pool.bare]
    rest += [unit for unit in order if unit in pool.bare and unit not in twins]
    gains = dict(zip(free, chosen.after, strict=False)) | dict(zip(best, chosen.gain, strict=True))
    chosen = chosen._replace(capped=frozenset(free[unit] for unit in chosen.capped))
    return Made([*best, *rest], len(best), chosen, twins, found, shares, gains)


def _choice(pool: Pool, found: NDArray[np.float64], free: list[int], budget: int, weights: Weights) -> Chosen:
    """The greedy choice among the units that are no duplicates; its numbers are places in `free`."""
    hits = pool.hits
    group = np.array([pool.units[i].hit for i in free], dtype=np.int64)
    names: dict[tuple[str, tuple[str, ...]], int] = {}
    number = [names.setdefault((hit.doc, path), len(names)) for hit, path in zip(hits, pool.paths, strict=True)]
    section = np.array(number, dtype=np.int64)[group]
    titled = [pool.titled[i] for i in free]
    worth = found[free]
    objective = Objective(
        np.round((worth / max(float(worth.max(initial=0.0)), 1e-12)) ** weights.focus, 9),
        term_table(pool.question, titled),
        facet_table(facets(pool.question) if weights.facets else (), titled),
        _likeness([pool.words[i] for i in free]) if weights.like else np.zeros((len(free), 0)),
        section,
        (1.0, weights.terms, weights.facets, weights.like, weights.spread),
    )
    place = {unit: k for k, unit in enumerate(free)}
    costs = Costs(
        np.array([pool.price.unit[i] for i in free], dtype=np.int64),
        np.array(pool.price.head, dtype=np.int64),
        group,
        section,
        None if weights.cap is None else int(weights.cap * budget),
        [tuple(place[one] for one in pool.needs[i] if one in place) for i in free] if any(pool.needs) else (),
    )
    return choose(objective, costs, budget)


def _likeness(words: Sequence[frozenset[str]]) -> NDArray[np.float64]:
    """Cosine of sets of terms, float64 (n, n); 0 beyond the first `MOST_ALIKE` units."""
    near = words[:MOST_ALIKE]
    index = {word: k for k, word in enumerate(sorted({word for one in near for word in one}))}
    there = np.zeros((len(words), len(index)))
    for row, one in enumerate(near):
        there[row, [index[word] for word in one]] = 1.0
    there /= np.sqrt(np.maximum(there.sum(axis=1, keepdims=True), 1.0))
    found: NDArray[np.float64] = np.round(there @ there.T, 6)
    return found
