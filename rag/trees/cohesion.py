"""How much neighbouring passages have in common: the signal that upper levels are cut along.

The lexical cohesion of TextTiling (Hearst, Computational Linguistics 23(1), 1997): the cosine between what stands on
the two sides of a gap. Words weigh `ln(1 + count)`, and nothing depends on the rest of the document, so an edit moves
the signal at the gaps around it and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from rag.store.corpus import indexed_text
from rag.store.terms import Analyzer
from rag.trees.salient import stopped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.doctree import DocTree
    from rag.models.embed import Embedder

__all__ = ["dense", "depths", "lexical", "signal"]


def signal(tree: DocTree, width: int, embedder: Embedder | None = None) -> NDArray[np.float64]:
    """Cohesion at each gap between neighbouring leaves of a tree: by their vectors, or else by the words they share."""
    leaves = tree.leaf_ids.tolist()
    if embedder is not None:
        return dense(embedder.embed([indexed_text(tree, leaf) for leaf in leaves]), width)
    text, start, end = tree.document.text, tree.start.tolist(), tree.end.tolist()
    return lexical((text[start[leaf] : end[leaf]] for leaf in leaves), len(leaves), width)


def lexical(texts: Iterable[str], size: int, width: int) -> NDArray[np.float64]:
    """Cohesion at each gap between neighbouring texts, by the words they share.

    Args:
        texts: n passages in order.
        size: n.
        width: passages compared on each side.

    Returns:
        float64 (n - 1,), in [0, 1]: the mean cosine between passages on the two sides.
    """
    if size < 2:
        return np.zeros(0)
    counted = Analyzer().count(texts)
    keep = np.array([term not in stopped() for term in counted.terms], dtype=bool)
    term = np.repeat(np.arange(len(counted.terms)), np.diff(counted.indptr))
    mask = keep[term] if len(term) else np.zeros(0, dtype=bool)
    term, where = term[mask], counted.text[mask].astype(np.int64)
    value = np.log1p(counted.count[mask].astype(np.float64))
    norm = np.sqrt(np.bincount(where, weights=value * value, minlength=size))
    value /= norm[where]
    key = term * (size + 2 * width) + where  # ascending, and a step in place never reaches the next word

    def lag(step: int) -> NDArray[np.float64]:
        place = np.searchsorted(key, key + step)
        place_ok = np.minimum(place, max(len(key) - 1, 0))
        same = key[place_ok] == key + step if len(key) else np.zeros(0, dtype=bool)
        both = value[same] * value[place_ok[same]]
        sums: NDArray[np.float64] = np.bincount(where[same], weights=both, minlength=size).astype(np.float64)
        return sums[: size - step]

    return _across(size, width, lag)


def dense(vectors: NDArray[np.float32], width: int) -> NDArray[np.float64]:
    """As `lexical`, by the cosines of vectors: float32 (n, d), rows of length 1."""

    def lag(step: int) -> NDArray[np.float64]:
        alike: NDArray[np.float64] = np.einsum("ij,ij->i", vectors[:-step], vectors[step:], dtype=np.float64)
        return alike

    return _across(len(vectors), width, lag) if len(vectors) > 1 else np.zeros(0)


def _across(size: int, width: int, lag: Callable[[int], NDArray[np.float64]]) -> NDArray[np.float64]:
    """The mean over all pairs with one passage on each side of a gap, at most `width` from it."""
    sums, pairs = np.zeros(size - 1), np.zeros(size - 1)
    for step in range(1, min(2 * width, size)):
        alike = lag(step)
        for left in range(max(0, step - width), min(step, width)):  # passages between the left one and the gap
            right = len(alike)
            sums[left : left + right] += alike
            pairs[left : left + right] += 1
    mean: NDArray[np.float64] = np.round(sums / pairs, 9)
    return mean


def depths(cohesion: NDArray[np.float64]) -> NDArray[np.float64]:
    """How deep the valley at each gap is: how far the signal climbs on both sides before it falls again.

    Args:
        cohesion: float64 (m,).

    Returns:
        float64 (m,), >= 0; the sum of both climbs (Hearst 1997, section 4.2).
    """
    values = cohesion.tolist()
    left = values[:]
    for i in range(1, len(values)):
        left[i] = left[i - 1] if values[i - 1] >= values[i] else values[i]
    right = values[:]
    for i in range(len(values) - 2, -1, -1):
        right[i] = right[i + 1] if values[i + 1] >= values[i] else values[i]
    found: NDArray[np.float64] = np.round(np.array(left) + np.array(right) - 2 * np.array(values), 9)
    return found
