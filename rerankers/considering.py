"""What is known of each passage before any is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag.types import Hit
from rerankers.choosing import features, feedback, unit
from rerankers.pairing import Passages, by_embedder, by_scorer, support
from rerankers.rationales import Need, from_headings, from_titles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.models.embed import Embedder
    from rag.models.score import Scorer

    Row = NDArray[np.float64]

__all__ = ["Considered", "considered"]

READ = 3  # best passages that are read for words and titles


@dataclass(frozen=True, eq=False)
class Considered:
    """The passages that can be chosen, and what is known of them.

    Args:
        ranked: n hits, best first by their scores.
        needs: r rationales, the question first.
        held: float64 (r, n), what each passage holds of each, in [0, 1].
        known: name -> float64 (n,), see `rerankers.choosing.features`.
    """

    ranked: tuple[Hit, ...]
    needs: Sequence[Need]
    held: Row
    known: Mapping[str, Row]


def considered(
    question: str,
    ranked: tuple[Hit, ...],
    own: Row,
    needs: Sequence[Need],
    *,
    embedder: Embedder | None = None,
    scorer: Scorer | None = None,
) -> Considered:
    """Weigh the passages down to the last that has to do with the question.

    A hit that holds no word of a rationale, is named nowhere and scores below all that are not so enters no statistic,
    so that it can change nothing.

    Args:
        question: its text.
        ranked: hits, best first; those whose scores are no numbers stand last and are left out.
        own: float64 (m,), scores of the first m.
        needs: the question and rationales from it or from a model. Those from the passages are added here.
        embedder: compares rationales and passages; None: words do.
        scorer: reads clauses with passages; None: words do.
    """
    ranked = ranked[: len(own)]
    paths = _paths(ranked)
    titles = [hit.document.title for hit in ranked]
    passages = Passages([hit.text for hit in ranked], [" > ".join(path) for path in paths], titles)
    asked = [*needs, *from_titles(question.lower(), passages.titles, "named")]
    held = support(asked, passages)
    size = _bearing(held)
    first, second = unit(own[:size]), unit(_earlier(ranked[:size], own[:size]))
    value = (first + second) / 2
    named = [held[i, :size] for i, need in enumerate(asked) if need.source == "named"]
    worth = value + held[0, :size] / 2 + np.max(named, axis=0, initial=0.0) / 2 if size else value
    best = np.argsort(-np.round(worth, 9), kind="stable")[:READ].tolist()
    told = feedback(question, passages, best, size)
    asked += from_headings(question, dict.fromkeys(paths[:size]))
    asked += [told] if told else []
    links = _links(passages, best, value)
    size = max(size, _bearing(support(links, passages)))
    asked += links
    held = support(asked, passages, size)
    bodies = zip(passages.heads[:size], passages.texts[:size], strict=True)
    texts = [f"{head}\n{text}" if head else text for head, text in bodies]
    if embedder is not None:
        for row, values in by_embedder(asked, texts, embedder).items():
            held[row] = values
    if scorer is not None:
        for row, values in by_scorer(asked, texts, scorer).items():
            held[row] = values
    earlier = _earlier(ranked[:size], own[:size])
    return Considered(ranked[:size], asked, held, features(asked, held, own[:size], earlier))


def _paths(ranked: Sequence[Hit]) -> list[tuple[str, ...]]:
    """Title and headings above each passage; those of one section are read once."""
    known: dict[tuple[str, int], tuple[str, ...]] = {}
    found = []
    for hit in ranked:
        parent = hit.view.parent
        key = hit.doc, -1 if parent is None else parent.index
        if key not in known:
            known[key] = (hit.document.title, *(parent.path if parent else ()))
        found.append(known[key])
    return found


def _bearing(held: Row) -> int:
    """One past the last passage that holds anything."""
    bears = np.flatnonzero(held.any(axis=0))
    return int(bears[-1]) + 1 if len(bears) else 0


def _links(passages: Passages, best: Sequence[int], value: Row) -> list[Need]:
    """Titles that the best passages name, those of their own documents left out, each at the best one's value."""
    found: dict[str, Need] = {}
    for index in sorted(best, key=lambda i: (-value[i], i)):
        others = (title for title in passages.titles if title != passages.titles[index])
        weight = round(float(value[index]), 9)
        for need in from_titles(passages.lower[index], others, "linked", weight) if weight > 0 else ():
            found.setdefault(need.text, need)
    return list(found.values())


def _earlier(ranked: Sequence[Hit], own: Row) -> Row:
    """The score of each before the last stage's; its own where there is no other, the lowest where that is no number.

    Returns:
        float64 (n,), finite.
    """
    given = [list(hit.scores.values()) for hit in ranked]
    made = np.array([one[-2] if len(one) > 1 else mine for one, mine in zip(given, own.tolist(), strict=True)])
    sound = np.isfinite(made)
    return np.where(sound, made, made[sound].min() if sound.any() else 0.0)
