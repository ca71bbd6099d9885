"""How far each passage meets each rationale, by words: one pass over the passages, then matrices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.lexical import STOP, WORD, stem, terms
from rag.models.score import logits
from rerankers.rationales import KINDS, Need, roots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.models.embed import Embedder
    from rag.models.score import Scorer

__all__ = ["Passages", "by_embedder", "by_scorer", "forget", "paired", "stretched", "support"]

HALF = 0.5  # tf / (tf + HALF): a word that stands there once is met by two thirds
MET = 0.8  # of what the best passage holds of a rationale: as good as it
BLANKED = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "'")}
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
        found: list[Mapping[str, float]] = []
        for text, head in zip(self.lower, self.heads, strict=True):
            bag = dict(_bag(text))
            for root in roots(head):
                bag.setdefault(root, ABOVE)
            found.append(bag)
        return found

    @cached_property
    def _rows(self) -> dict[str, list[float]]:
        return {}

    def counts(self, words: Sequence[str]) -> NDArray[np.float64]:
        """float64 (w, n), how often each word stands in each passage."""
        for word in words:
            if word not in self._rows:
                self._rows[word] = [bag.get(word, 0.0) for bag in self.bags]
        return np.array([self._rows[word] for word in words], dtype=np.float64).reshape(len(words), len(self))

    def shows(self, kind: str) -> NDArray[np.float64]:
        """float64 (n,), 1 where a passage shows a kind of thing that a question can ask for, else 0."""
        form = KINDS[kind][1]
        return np.array([1.0 if form.search(text) else 0.0 for text in self.lower])

    def __len__(self) -> int:
        return len(self.texts)


def _words(text: str) -> list[str]:
    """What `rag.lexical.WORD` finds in a text in small letters; ASCII is cut by a table, which is much faster."""
    if not text.isascii():
        return WORD.findall(text)
    found = text.translate(BLANKED).split()
    if "'" not in text:
        return found
    return [word for one in found for word in (WORD.findall(one) if "'" in one else (one,))]


@lru_cache(maxsize=1 << 11)
def _bag(text: str) -> Mapping[str, float]:
    """Stem -> how often it stands in a text in small letters. A chunk comes back with many questions."""
    bag = Counter(map(_root, _words(text)))
    bag.pop("", None)
    return dict(bag)


def forget() -> None:
    """Forget the passages counted so far, for timings."""
    _bag.cache_clear()


@lru_cache(maxsize=1 << 16)
def _root(word: str) -> str:
    """The stem of a word, "" for one that carries no meaning."""
    return "" if word in STOP else stem(word)


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


def support(needs: Sequence[Need], passages: Passages, size: int | None = None) -> NDArray[np.float64]:
    """How much of each rationale each passage holds.

    A rationale's words weigh by their rarity among the passages that have any word of any rationale: a passage that
    has none changes no weight. A word met tf times counts tf / (tf + 1/2). A rationale that asks for a kind of thing
    is met or not; one that asks for a document is met by all passages of it.

    Args:
        needs: r rationales.
        passages: to look into.
        size: only the first n of them; None: all.

    Returns:
        float64 (r, n), in [0, 1]; 0 where no word is met.
    """
    size = len(passages) if size is None else size
    bags = [[] if need.source in TITLED else list(dict.fromkeys(terms(need.text))) for need in needs]
    words = list(dict.fromkeys(word for bag in bags for word in bag))
    found = np.zeros((len(needs), size))
    if words and size:
        times = passages.counts(words)[:, :size]
        spread = (times > 0).sum(axis=1)
        bearing = int((times > 0).any(axis=0).sum())
        weight = np.log1p((bearing + 1) / (spread + 0.5))
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
            found[row] = passages.shows(need.kind)[:size]
        elif need.source in TITLED:
            found[row] = [need.weight if title == need.text else 0.0 for title in passages.titles[:size]]
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
