"""What a reader of (question, passage) would keep of the passage, word by word: a mask from a cross-encoder's states.

A token-level keep model gives each token of a passage, read whole and beside the question, the log-odds that it belongs
to what answers the question (Chirkova et al., ICLR 2025, https://arxiv.org/abs/2501.16214). Ours is a linear
reading of two inner layers of the embedded cross-encoder (`rag.models.states`), which has seen the question and all of
the passage there: one pass a passage, where scoring sentences one by one takes a pass each and hides their context.

The reading was learned by `evals/training/keep.py` from gold spans of SQuAD v1.1 (Rajpurkar et al., EMNLP 2016; CC
BY-SA 4.0) and ContractNLI (Koreeda and Manning, Findings of EMNLP 2021; CC BY 4.0). It holds no text of these sets.

On 20 passages of 200 tokens it takes 0.57 of the time of scoring their sentences one by one. As the scorer of
`compressors/edu`, on two sets it did not see, 12 questions each, SpanR in 128, 256, 512 and 1,024 tokens:
73.8 80.6 100.0 100.0 against 73.8 92.8 97.3 100.0 on Chroma's, 67.8 72.6 77.9 88.9 against 67.8 76.9 81.0 88.9 on
HotpotQA. Behind at 256, so it is an option for speed, not a default.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np

from rag.models.states import states
from rag.models.weights import fingerprint
from rag.stage import Field, stage

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Keep", "Keeper", "Marks", "Reading", "reading"]


class Marks(NamedTuple):
    """What a keep model says of one text.

    Args:
        starts: int64 (t,), first code point of each token, ascending; a text that is too long loses its last tokens.
        ends: int64 (t,), one past the last.
        odds: float64 (t,), log-odds of being kept.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    odds: NDArray[np.float64]


@runtime_checkable
class Keeper(Protocol):
    """Reads a question and a passage together and says of each token whether it is to be kept."""

    @property
    def name(self) -> str:
        """What a person calls it."""

    def keep(self, query: str, texts: Sequence[str], /) -> list[Marks]:
        """The marks of each text, which do not depend on the texts beside it."""


class Reading(NamedTuple):
    """How inner states are read.

    Args:
        model: weights of the cross-encoder whose states they are.
        layers: inner values, side by side.
        weight: float64 (d,).
        bias: what is added.
    """

    model: str
    layers: tuple[str, ...]
    weight: NDArray[np.float64]
    bias: float


@lru_cache(maxsize=1)
def reading() -> Reading:
    """The stored reading; weights are stored in hundred-thousandths."""
    stored = tomllib.loads(files("rag.models").joinpath("keep.toml").read_text(encoding="utf-8"))
    weight = np.asarray(stored["weight"], dtype=np.float64) / 100_000
    return Reading(stored["model"], tuple(stored["layers"]), weight, float(stored["bias"]))


@stage
class Keep:
    """A mask over each passage, from the inner states of the embedded cross-encoder.

    As a scorer it gives a text the mean of its tokens' log-odds. What units compressors score is read in its passage
    (`keep`), so that a sentence is judged where it stands.
    """

    threads: int | None = Field(default=None, ge=1, description="texts at once; None is one a core; changes no result")

    @property
    def name(self) -> str:
        """Its name in a pipeline file and the weights it reads."""
        return f"keep/{reading().model}"

    @property
    def fingerprint(self) -> str:
        """Name, the cross-encoder's weights, and the reading."""
        known = reading()
        return f"{self.name}@{fingerprint(known.model)}/{np.round(1e5 * float(np.abs(known.weight).sum())):.0f}"

    def keep(self, query: str, texts: Sequence[str], /) -> list[Marks]:
        """The marks of each text; tokens behind the 512th of a pair have none.

        Raises:
            MissingWeights: the cross-encoder's files are not here.
            ModelError: the files are not such a model.
        """
        known = reading()
        found = states(known.model, known.layers, query, texts, self.threads) if len(texts) else []
        return [
            Marks(one.starts, one.ends, np.round(one.values.astype(np.float64) @ known.weight + known.bias, 6))
            for one in found
        ]

    def score(self, query: str, texts: Sequence[str], /) -> NDArray[np.float32]:
        """float32 (n,), the mean of each text's log-odds; -20 for a text without tokens."""
        marks = self.keep(query, texts)
        return np.array([one.odds.mean() if len(one.odds) else -20.0 for one in marks], dtype=np.float32)
