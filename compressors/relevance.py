"""How much each unit of the evidence bears on a question: by itself, through its hit, and by where it stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from compressors.masking import masked
from rag.errors import ModelError
from rag.lexical import match
from rag.models.keep import Keeper
from rag.readers.render import heading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.models.score import Scorer
    from rag.types import Hit
    from rag.units import Unit

__all__ = ["own_scores", "relevance", "scored", "stretched"]

SHORT = 10  # units of a document whose first one leads
BLANK = re.compile(r"[\s\ufeff]*")


def own_scores(
    name: str, question: str, hits: Sequence[Hit], pool: Sequence[Unit], scorer: Scorer | None
) -> NDArray[np.float64]:
    """What each unit scores by itself, with title and headings above it; a keep model reads it where it stands.

    Args:
        name: of the stage, for messages.
        question: any text.
        hits: the evidence.
        pool: n units of these hits.
        scorer: a model; None for words alone.

    Returns:
        float64 (n,), of any scale.

    Raises:
        ModelError: the scorer gave another number of scores, or not-a-numbers.
    """
    if isinstance(scorer, Keeper):
        return masked(name, question, hits, pool, scorer).mean
    heads = [heading(hit) for hit in hits]
    texts = [hits[u.hit].document.text[u.start : u.end].strip() for u in pool]
    return scored(name, question, texts, [heads[u.hit] for u in pool], scorer)


def scored(
    name: str, question: str, texts: Sequence[str], above: Sequence[str], scorer: Scorer | None
) -> NDArray[np.float64]:
    """What each text scores, with what stands above it.

    Args:
        name: of the stage, for messages.
        question: any text.
        texts: n texts.
        above: n lines such as title and headings; "" for none.
        scorer: a model; None for words alone.

    Returns:
        float64 (n,), of any scale.

    Raises:
        ModelError: the scorer gave another number of scores, or not-a-numbers.
    """
    if scorer is None:
        return match(question, texts, above)
    pairs = [f"{head}\n{text}" if head else text for head, text in zip(above, texts, strict=True)]
    found = np.asarray(scorer.score(question, pairs), dtype=np.float64)
    if found.shape != (len(texts),) or not np.isfinite(found).all():
        first = np.flatnonzero(~np.isfinite(found.ravel()))
        where = f", first at unit {first[0]}" if len(first) else ""
        raise ModelError(
            f"{name}: {scorer.name} must give {len(texts)} finite scores, got shape {found.shape} with {len(first)} not"
            f" finite{where}. Check the model's files."
        )
    return found


def relevance(
    own: NDArray[np.float64], hits: Sequence[Hit], pool: Sequence[Unit], *, prior: float, lead: float
) -> NDArray[np.float64]:
    """One value a unit: `1 - prior` of its own score, `prior` of its hit's, and `lead` for the first of a short text.

    Short is a document that is one hit of at most `SHORT` units, as a paragraph of an encyclopaedia is, whose first
    sentence says what it is about. In long documents the first words are a greeting or a title page.

    Own scores and those of hits are stretched to [0, 1] first, for a fused score must not be fed in raw.

    Returns:
        float64 (n,), in [0, 1 + lead].
    """
    if not pool:
        return np.zeros(0)
    of = np.array([unit.hit for unit in pool])
    given = stretched(tamed(np.array([hit.score for hit in hits])))
    ends = {doc: _ends(text) for doc, text in {hit.doc: hit.document.text for hit in hits}.items()}
    begin = [ends[hit.doc][0] for hit in hits]
    short = [
        hit.end >= ends[hit.doc][1] and n <= SHORT
        for hit, n in zip(hits, np.bincount(of, minlength=len(hits)).tolist(), strict=True)
    ]
    first = np.array([unit.start <= begin[unit.hit] and short[unit.hit] for unit in pool])
    found: NDArray[np.float64] = (1 - prior) * stretched(own) + prior * given[of] + lead * first
    return found


def tamed(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is no number as the lowest of those that are, what is endless as the outermost; 0 where none is finite."""
    known = scores[np.isfinite(scores)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 0.0)
    found: NDArray[np.float64] = np.nan_to_num(scores, nan=low, posinf=high, neginf=low)
    return found


def _ends(text: str) -> tuple[int, int]:
    """Where the first character of a text stands that is not white space, and the end of the last."""
    found = BLANK.match(text)
    return found.end() if found else 0, len(text.rstrip())


def stretched(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values moved and stretched to [0, 1]; all 1 where they are equal."""
    low, high = values.min(), values.max()
    return np.ones_like(values) if high <= low else (values - low) / (high - low)
