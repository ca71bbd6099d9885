"""How far each passage meets each rationale, by words: one pass over the passages, then matrices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.lexical import STOP, WORD, stem, terms
from rag.models.score import logits
from rerankers.rationales import KINDS, Need

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.models.embed import Embedder
    from rag.models.score import Scorer

__all__ = ["Passages", "by_embedder", "by_scorer", "paired", "stretched", "support"]

HALF = 0.5  # tf / (tf + HALF): a word that stands there once is met by two thirds
MET = 0.8  # of what the best passage holds of a rationale: as good as it
TITLED = frozenset({"named", "linked"})  # sources that ask for a document
ABOVE = 0.5  # tf of a word that stands in the headings only


@dataclass(frozen=True, eq=False)
class Passages:
    """The words of n passages, counted once.

    Args:
        texts: n passages.
        heads: n headings above them.
        titles: n titles of their documents.
    """

    texts: Sequence[str]
    heads: Sequence[str]
    titles: Sequence[str]

    @cached_property
    def lower(self) -> list[str]:
        """The passages in small letters."""
        return [text.lower() for text in self.texts]

    @cached_property
    def bags(self) -> list[Mapping[str, float]]:
        """For each passage stem -> how often it stands there, a word of the headings alone counting `ABOVE`."""
        above: dict[str, list[str]] = {}
        found: list[Mapping[str, float]] = []
        for text, head in zip(self.lower, self.heads, strict=True):
            bag: dict[str, float] = {}
            for word, times in Counter(WORD.findall(text)).items():
                if word not in STOP:
                    root = stem(word)
                    bag[root] = bag.get(root, 0.0) + times
            if head not in above:
                above[head] = terms(head)
            for root in above[head]:
                bag.setdefault(root, ABOVE)
            found.append(bag)
        return found

    def counts(self, words: Sequence[str]) -> NDArray[np.float64]:
        """float64 (w, n), how often each word stands in each passage."""
        return np.array([[bag.get(word, 0.0) for bag in self.bags] for word in words]).reshape(len(words), len(self))

    def shows(self, kind: str) -> NDArray[np.float64]:
        """float64 (n,), 1 where a passage shows a kind of thing that a question can ask for, else 0."""
        form = KINDS[kind][1]
        return np.array([1.0 if form.search(text) else 0.0 for text in self.lower])

    def first(self, size: int) -> Passages:
        """The first of them, counted no second time."""
        made = Passages(self.texts[:size], self.heads[:size], self.titles[:size])
        made.__dict__.update(lower=self.lower[:size], bags=self.bags[:size])
        return made

    def __len__(self) -> int:
        return len(self.texts)


MODELLED = frozenset({"clause", "name", "phrase", "heading", "model"})  # sources whose words a model may read


def by_embedder(needs: Sequence[Need], texts: Sequence[str], embedder: Embedder) -> dict[int, NDArray[np.float64]]:
    """Cosines of passages to the rationales that have words: number of the rationale -> float64 (n,), stretched."""
    rows = [i for i, need in enumerate(needs) if need.source in MODELLED]
    if not rows or not texts:
        return {}
    asked = embedder.embed([needs[i].text for i in rows], query=True).astype(np.float64)
    given = embedder.embed(list(texts)).astype(np.float64)
    alike = np.round(np.einsum("rd,nd->rn", asked, given), 6)
    return {i: stretched(row) for i, row in zip(rows, alike, strict=True)}


def by_scorer(needs: Sequence[Need], texts: Sequence[str], scorer: Scorer) -> dict[int, NDArray[np.float64]]:
    """A pair scorer's reading of passages for each clause of the question and each rationale of a model, stretched.

    Raises:
        ModelError: the scorer gave another number of scores than it got passages, or not-a-numbers.
    """
    rows = [i for i, need in enumerate(needs) if need.source in ("clause", "model")]
    return {
        i: stretched(logits(np.asarray(scorer.score(needs[i].text, list(texts))), len(texts), scorer.name))
        for i in (rows if texts else ())
    }


def stretched(values: NDArray[Any]) -> NDArray[np.float64]:
    """From the median (and all below) to the best on [0, 1]: a vague rationale must not win by its level."""
    middle, best = float(np.median(values)), float(values.max())
    if best <= middle:
        return np.zeros(len(values))
    share: NDArray[np.float64] = (values.astype(np.float64) - middle) / (best - middle)
    return np.clip(share, 0.0, 1.0).round(9)


def support(needs: Sequence[Need], passages: Passages) -> NDArray[np.float64]:
    """How much of each rationale each passage holds.

    A rationale's words weigh by their rarity among the passages that have any word of any rationale: a passage that
    has none changes no weight. A word met tf times counts tf / (tf + 1/2). A rationale that asks for a kind of thing
    is met or not; one that asks for a document is met by all passages of it.

    Returns:
        float64 (r, n), in [0, 1]; 0 where no word is met.
    """
    bags = [[] if need.source in TITLED else list(dict.fromkeys(terms(need.text))) for need in needs]
    words = list(dict.fromkeys(word for bag in bags for word in bag))
    found = np.zeros((len(needs), len(passages)))
    if words and len(passages):
        times = passages.counts(words)
        spread = (times > 0).sum(axis=1)
        size = int((times > 0).any(axis=0).sum())
        weight = np.log1p((size + 1) / (spread + 0.5))
        has = np.zeros((len(needs), len(words)))
        place = {word: i for i, word in enumerate(words)}
        for row, bag in enumerate(bags):
            has[row, [place[word] for word in bag]] = 1.0
        has *= weight
        whole = has.sum(axis=1, keepdims=True)
        # einsum, not BLAS: its last digits would depend on how many passages stand beside one
        found = np.einsum("rw,wn->rn", has / np.where(whole > 0, whole, 1.0), times / (times + HALF))
    for row, need in enumerate(needs):
        if need.kind:
            found[row] = passages.shows(need.kind)
        elif need.source in TITLED:
            found[row] = [need.weight if title == need.text else 0.0 for title in passages.titles]
    return np.round(found, 9)


def paired(
    needs: Sequence[Need],
    held: NDArray[np.float64],
    chosen: Sequence[int],
    chance: NDArray[np.float64],
    *,
    least: float,
    floor: float,
) -> tuple[dict[int, list[int]], list[int]]:
    """Passages that the rationales still ask for, and rationales that no passage meets.

    A rationale is met where a chosen passage holds `MET` of what the best one does. Else its best passage is taken if
    it stands out, `floor` median absolute deviations above the median of the row, and has at least a chance of `least`.

    Args:
        needs: r rationales.
        held: float64 (r, n).
        chosen: indices of the passages chosen so far.
        chance: float64 (n,).
        least: chance that a passage needs to be added.
        floor: deviations above the median.

    Returns:
        Index of each passage to add -> the rationales it is added for; and the numbers of the rationales that no
        passage stands out for.
    """
    more: dict[int, list[int]] = {}
    unmet: list[int] = []
    for row, need in enumerate(needs):
        if need.source in ("question", "kind", "heading", "feedback"):
            continue
        values = held[row]
        best = int(np.lexsort((-chance, -values))[0]) if len(values) else -1
        middle = float(np.median(values)) if len(values) else 0.0
        spread = float(np.median(np.abs(values - middle))) if len(values) else 0.0
        if best < 0 or values[best] <= 0 or values[best] < middle + floor * spread:
            unmet.append(row)
        elif not any(values[i] >= MET * values[best] for i in (*chosen, *more)) and chance[best] >= least:
            more.setdefault(best, []).append(row)
    return more, unmet
