"""(question, text) -> how well the text answers it: the protocol of every pair scorer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from rag.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Kept", "Scorer", "checked_scorer", "keeping", "kept", "logits"]


@runtime_checkable
class Scorer(Protocol):
    """Reads a question and a text together and gives one number."""

    @property
    def name(self) -> str:
        """What a person calls it, such as `onnx/ms-marco-MiniLM-L12-v2`."""

    @property
    def fingerprint(self) -> str:
        """Identity of its scores: equal fingerprints, equal scores."""

    def score(self, query: str, texts: Sequence[str], /) -> NDArray[np.float32]:
        """float32 (n,), logits, higher is better, in the order of the texts.

        A text's score does not depend on the texts beside it.
        """


@dataclass
class Kept:
    """Scores of one question at hand.

    Args:
        scores: by scorer, question and text.
        read: whether they are given back; until then they are only kept, so that times stay those of the work.
    """

    scores: dict[tuple[str, str, str], float] = field(default_factory=dict)
    read: bool = False


_kept: ContextVar[Kept | None] = ContextVar("rag_kept_scores", default=None)


@contextmanager
def keeping() -> Iterator[Kept]:
    """Inside, what a scorer gives is kept, and given back in place of another look once `read` is set.

    For whoever runs the stages of one question again and again, such as once for every budget.
    """
    found = Kept()
    token = _kept.set(found)
    try:
        yield found
    finally:
        _kept.reset(token)


def kept(score: Callable[[Any, str, Sequence[str]], NDArray[np.float32]]) -> Callable[..., NDArray[np.float32]]:
    """Let a scorer's `score` take part in `keeping`; a text's score must not depend on the texts beside it."""

    @wraps(score)
    def once(self: Any, query: str, texts: Sequence[str], /) -> NDArray[np.float32]:
        memo = _kept.get()
        if memo is None:
            return score(self, query, texts)
        keys = [(self.fingerprint, query, text) for text in texts]
        new = {key: key[2] for key in keys if not memo.read or key not in memo.scores}
        if new:
            found = logits(np.asarray(score(self, query, list(new.values()))), len(new), self.name)
            memo.scores.update(zip(new, found.tolist(), strict=True))
        return np.array([memo.scores[key] for key in keys], dtype=np.float32)

    return once


def checked_scorer(model: Any, by: str) -> None:
    """Raise ConfigError unless this is a scorer; only its type is looked at, so that no weights open."""
    if not callable(getattr(type(model), "score", None)):
        raise ConfigError(
            f"{by}: must be a scorer such as {{use: scorers/onnx}}, got {type(model).__name__}."
            " Drop it to use the default."
        )


def logits(values: NDArray[np.float32], rows: int, name: str) -> NDArray[np.float32]:
    """The scores as (rows,), checked.

    Raises:
        ModelError: not one number a text, or one that is not finite.
    """
    if values.size != rows:
        raise ModelError(f"{name}: must give one score for each of {rows} texts, got shape {values.shape}.")
    values = values.reshape(rows).astype(np.float32, copy=False)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ModelError(f"{name}: score {bad[0]} of {rows} is {values[bad[0]]}; must be finite.")
    return values
