"""Settings of intent-driven chunking, chosen on the document's own intents: one half divides, the other scores."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from chunkers.objectives import Plan, divide
from chunkers.vectors import batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from chunkers.intents import Intent
    from chunkers.scaffold import Scaffold
    from rag.models.embed import Embedder

__all__ = ["tuned"]

LEAST = 8  # intents with a place; fewer say nothing
BUDGET = 3  # chunks' worth of tokens that are looked at


def tuned(
    scaffold: Scaffold, plan: Plan, embedder: Embedder, intents: Sequence[Intent], vectors: NDArray[np.float64]
) -> tuple[Plan, list[str]]:
    """The plan that serves intents best that it was not made with.

    Intents are dealt out in turn. With each half in its turn as the one that divides, the chunks are ranked for each
    intent of the other by the cosine of their mean vector, and an intent scores 1 where its place lies within one of
    the chunks that fit in a budget of tokens, half the share that they cover otherwise. Equal scores keep the earlier
    plan, the one that was given first of all.

    Args:
        scaffold: the document.
        plan: the settings that were given.
        embedder: of the units.
        intents: with places, where they are known.
        vectors: float64 (M, d).

    Returns:
        The plan, and a line where nothing could be chosen.
    """
    placed = [k for k, one in enumerate(intents) if one.span is not None]
    if len(placed) < LEAST:
        return plan, [f"not tuned: {len(placed)} intents have a place, {LEAST} are needed"]
    known = _KnownVectors(scaffold, embedder)
    best, top = plan, -1.0
    for one in _grid(plan):
        score = 0.0
        for half in (0, 1):
            use, test = placed[half::2], placed[1 - half :: 2]
            made = divide(scaffold, one, known, [intents[k] for k in use], vectors[use])
            score += known.score(made.chosen, [intents[k] for k in test], vectors[test], BUDGET * plan.size)
        if score > top + 1e-9:
            best, top = one, score
    return best, []


def _grid(plan: Plan) -> Iterator[Plan]:
    yield plan
    if plan.paper:
        for length, beta in product((0.0005, 0.002, 0.008), (0.4, 0.5, 0.6, 0.7)):
            yield replace(plan, length=length, beta=beta)
        return
    for share, integrity in product((1.0, 0.75, 0.5), (0.5, 1.0, 0.0)):
        size = max(16, int(plan.size * share))
        yield replace(plan, size=size, least=min(plan.least, size), integrity=integrity)


class _KnownVectors:
    """An embedder that gives the vectors of a scaffold's units, made once, and ranks chunks by their means."""

    def __init__(self, scaffold: Scaffold, embedder: Embedder) -> None:
        self.scaffold = scaffold
        text = scaffold.document.text
        self.known: dict[str, NDArray[np.float64]] = {}
        for batch in batches(scaffold, embedder):
            spans = [span for _, low, high, units in batch.parts for span in units.spans()[low:high]]
            texts = [text[a:b].strip() for a, b in spans]
            self.known.update(zip(texts, batch.vectors, strict=True))
        self.dim, self.name, self.fingerprint, self.max_tokens = embedder.dim, "known", "known", 1 << 30

    def embed(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        """The vectors of units, by their text."""
        rows = [np.zeros(self.dim) if query else self.known[text] for text in texts]
        return np.stack(rows).astype(np.float32)

    def score(
        self, chosen: Sequence[Sequence[int]], intents: Sequence[Intent], vectors: NDArray[np.float64], budget: int
    ) -> float:
        """Mean score of the intents over the chunks that were chosen."""
        text, columns = self.scaffold.document.text, self.scaffold.columns
        spans, tokens, means = [], [], []
        for starts, (marks, _) in zip(chosen, self.scaffold.stretches, strict=True):
            for i, j in zip(starts, [*starts[1:], len(marks) - 1], strict=True):
                spans.append((columns.at[marks[i]], columns.at[marks[j]]))
                tokens.append(columns.left[marks[i]] + columns.right[marks[j]])
                units = [
                    text[columns.at[a] : columns.at[b]].strip()
                    for a, b in zip(marks[i:j], marks[i + 1 : j + 1], strict=True)
                ]
                rows = [self.known[unit] for unit in units if unit in self.known]
                means.append(np.sum(rows, axis=0) if rows else np.zeros(vectors.shape[1]))
        table = np.stack(means)
        table /= np.maximum(np.sqrt(np.einsum("ij,ij->i", table, table)), 1e-9)[:, None]
        total = 0.0
        for one, vector in zip(intents, vectors, strict=True):
            room, shown = budget, []
            for k in np.argsort(-(table @ vector).round(6), kind="stable").tolist():
                room -= tokens[k]
                if room < 0:
                    break
                shown.append(spans[k])
            start, end = one.span or (0, 0)
            if any(a <= start and end <= b for a, b in shown):
                total += 1.0
            else:
                held = sum(max(0, min(b, end) - max(a, start)) for a, b in shown)
                total += 0.5 * held / max(end - start, 1)
        return total / max(len(intents), 1)
