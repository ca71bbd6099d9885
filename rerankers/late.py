"""Order hits by how well every word of the question finds its like in the passage: late interaction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from pydantic import SkipValidation

from rag.errors import ConfigError, ModelError
from rag.models.late import TokenEmbedder
from rag.models.onnx import OnnxEmbedder
from rag.readers.render import heading
from rag.stage import Field, stage
from rag.types import Drop, Hit, Hits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.models.late import TokenVectors

__all__ = ["Late", "maxsim"]

NAME = "rerankers/late"
DIGITS = 6  # of a score; a dot product's last digits depend on the machine


def _default() -> TokenEmbedder:
    return OnnxEmbedder(model="answerai-colbert-small-v1", pooling="mean")


def maxsim(question: NDArray[np.float32], passage: NDArray[np.float32]) -> NDArray[np.float32]:
    """For each word piece of the question its greatest cosine with one of the passage.

    Args:
        question: float32 (q, d), rows of length 1.
        passage: float32 (t, d), rows of length 1, t >= 1.

    Returns:
        float32 (q,).
    """
    best: NDArray[np.float32] = (question @ passage.T).max(axis=1)
    return best


@stage
class Late:
    """Score every hit by the mean, over the question's word pieces, of the best cosine with one of the passage's.

    ColBERT: Khattab and Zaharia, SIGIR 2020, https://arxiv.org/abs/2004.12832, section 3: question and passage are read
    apart, and every piece of the question counts by its most similar piece of the passage (MaxSim); punctuation of a
    passage does not count. Departures: the mean in place of the sum, which orders alike and lies in [-1, 1]; title and
    headings are read in front of a passage, since it may name its subject there only; a passage longer than the model
    reads goes through it in windows; marks do not count, and none are put in.

    The default model is answerai-colbert-small-v1 without its last layer, a projection to 96 numbers, which its
    ONNX file does not hold: cosines are of the 384 numbers before it, so this is not the published model, and it is
    the default of no recipe. Over BM25's order of 12 leaves, 20 questions of the bundled sample (`python -m
    evals.reproduce late-words`), it changes nDCG@10 by -0.1 (-10.2 to +9.3) points, which is no gain that so few
    questions could show; with the question filled up with [MASK] to 32 pieces, as ColBERT does, by -3.7 (-13.1 to
    +4.0), so nothing is put in; with bge-small's states by -2.5 (-13.7 to +8.2).

    Args:
        hits: n >= 0, in any order.

    Returns:
        min(n, k) of the same hits, best first, ties by document and place; `score` is rounded to 6 digits. A passage
        without word pieces scores -1.

    Raises:
        MissingWeights: the model's files are not here.
        ModelError: a state is not finite.
    """

    embedder: SkipValidation[TokenEmbedder] = Field(default_factory=_default, description="gives the states of words")
    k: int = Field(default=10, ge=1, description="hits kept")
    path: bool = Field(default=True, description="read title and headings in front of the passage")

    def __post_init__(self) -> None:
        """Look at the embedder's type alone, so that no weights open."""
        if not callable(getattr(type(self.embedder), "token_vectors", None)):
            raise ConfigError(
                f"{NAME}: embedder: needs one with token vectors, such as {{use: embedders/onnx, pooling: mean}}, got"
                f" {type(self.embedder).__name__}. Drop it to use the default."
            )

    def __call__(self, hits: Hits, /) -> Hits:
        """Compare, order, cut."""
        if not hits.items or not hits.query.text.strip():
            return hits
        asked = self._states(hits.query.text)
        if not len(asked):
            return hits
        best = np.full((len(hits), len(asked)), -1.0, dtype=np.float32)
        texts = [self._text(hit) for hit in hits]
        for index, part in self.embedder.token_vectors(texts):
            rows = self._rows(part, texts[index])
            best[index] = np.maximum(best[index], maxsim(asked, rows))
        scores = np.round(best.mean(axis=1, dtype=np.float64), DIGITS).tolist()
        ranked = [
            replace(hit, score=score, scores={**hit.scores, NAME: score})
            for hit, score in zip(hits.items, scores, strict=True)
        ]
        ranked.sort(key=lambda hit: (-hit.score, hit.key, hit.spans))
        drops = tuple(Drop(hit, NAME, f"rank {r} > k={self.k}") for r, hit in enumerate(ranked[self.k :], self.k + 1))
        return replace(hits, items=tuple(ranked[: self.k]), drops=hits.drops + drops)

    def _text(self, hit: Hit) -> str:
        head = heading(hit) if self.path else ""
        return f"{head}\n{hit.text}" if head else hit.text

    def _states(self, text: str) -> NDArray[np.float32]:
        """float32 (q, d), rows of length 1: the question's pieces."""
        parts = [part.rows for _, part in self.embedder.token_vectors([text])]
        return _unit(np.concatenate(parts)) if parts else np.zeros((0, 1), dtype=np.float32)

    def _rows(self, part: TokenVectors, text: str) -> NDArray[np.float32]:
        """The states that count, as rows of length 1: not those of punctuation, unless there is nothing else."""
        words = np.array([text[at].isalnum() for at in part.at.tolist()], dtype=bool)
        return _unit(part.rows[words] if words.any() else part.rows)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length 1; a row of zeros stays.

    Raises:
        ModelError: a number is not finite.
    """
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if not np.isfinite(length).all():
        raise ModelError(f"{NAME}: {int((~np.isfinite(length)).sum())} of {len(rows)} states are not finite.")
    found: NDArray[np.float32] = (rows / np.where(length > 0, length, 1)[:, None]).astype(np.float32)
    return found
