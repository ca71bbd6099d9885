"""(question, text) -> how well the text answers it: the protocol of every pair scorer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from rag.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Scorer", "checked_scorer", "logits"]


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
