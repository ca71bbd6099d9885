"""How much each word looks like the first of a discourse unit: a small convolutional network in whole numbers.

Words are looked up as short vectors of their form, ending, class and look; three convolutions (over 7, 5 and 3 words,
the last two spread, so that 11 words on either side are seen) and a sum give a score. Weights and activations are
whole numbers of at most 8 bits and every sum stays below 2**24, so that floating-point products are exact: the same
text gives the same units on every machine, whatever its linear algebra. `evals/training/edu.py` makes the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rag.discourse.words import Words

    Layer = tuple[int, int, NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

__all__ = ["Network", "network"]

FILE = "units.npz"
BLOCK = 1 << 10  # words a pass, so that what is computed stays in the cache
TOP = 127  # of an activation


@dataclass(frozen=True, eq=False)
class Network:
    """The weights.

    Args:
        vocabulary: uint32 (v,), ascending hashes of the words that have a vector.
        word: float32 (v + 1, a), their vectors, that of all other words last.
        ending: float32 (e, b), by the hash of the last letters; kind: float32 (64, c); look: float32 (32, d), by shape
            and what stands before.
        layers: for each convolution its taps, the step between them, weights (taps * inputs, h), scale and bias (h,).
        out: float32 (h, 1), weights of the score.
        least: the score from which a unit begins.
    """

    vocabulary: NDArray[np.uint32]
    word: NDArray[np.float32]
    ending: NDArray[np.float32]
    kind: NDArray[np.float32]
    look: NDArray[np.float32]
    layers: tuple[Layer, ...]
    out: NDArray[np.float32]
    least: int

    @classmethod
    def of(cls, stored: Mapping[str, NDArray[np.generic]]) -> Network:
        """The network from its arrays as stored: int8 weights, float32 scales."""

        def real(name: str) -> NDArray[np.float32]:
            return np.ascontiguousarray(stored[name], dtype=np.float32)

        layers = tuple(
            (int(taps), int(step), real(f"weight{n}"), real(f"scale{n}"), real(f"bias{n}"))
            for n, (taps, step) in enumerate(np.asarray(stored["shape"]).tolist())
        )
        return cls(
            vocabulary=stored["vocabulary"].astype(np.uint32),
            word=real("word"),
            ending=real("ending"),
            kind=real("kind"),
            look=real("look"),
            layers=layers,
            out=real("out").reshape(-1, 1),
            least=int(stored["least"].item()),
        )

    @property
    def margin(self) -> int:
        """Words on either side that bear on a score."""
        return sum(taps // 2 * step for taps, step, *_ in self.layers)

    def __call__(self, words: Words, bounds: NDArray[np.int64]) -> NDArray[np.int32]:
        """How much each word looks like the first of a unit.

        Args:
            words: of ranges of a text.
            bounds: int64 (ranges + 1,), number of the first word of each range, and of all words.

        Returns:
            int32 (n,), 0 or more where it does. A range's scores depend on nothing outside it.
        """
        counts = np.diff(bounds)
        n, margin = len(words.start), self.margin
        if n == 0:
            return np.zeros(0, dtype=np.int32)
        held = np.flatnonzero(counts)
        place = np.arange(n) + margin * (1 + np.repeat(np.arange(len(held)), counts[held]))
        total = n + margin * (len(held) + 1)
        vectors = self._vectors(words.types)
        kinds = np.full(total, len(vectors) - 1, dtype=np.int64)  # behind the last type stands one of zeros
        kinds[place] = words.kind
        looks = np.full(total, len(self.look), dtype=np.int64)
        looks[place] = words.types[words.kind, 3].astype(np.int64) * 4 + words.gap
        table = np.vstack((self.look, np.zeros((1, self.look.shape[1]), dtype=np.float32)))
        scores = np.empty(total, dtype=np.int32)
        for low in range(margin, total - margin, BLOCK):
            high = min(low + BLOCK, total - margin)
            wide = slice(low - margin, high + margin)
            scores[low:high] = self._pass(np.hstack((vectors[kinds[wide]], table[looks[wide]])))
        found: NDArray[np.int32] = scores[place] - np.int32(self.least)
        return found

    def _vectors(self, types: NDArray[np.uint32]) -> NDArray[np.float32]:
        """float32 (types + 1, inputs less those of the look), the last of zeros."""
        form = types[:, 0]
        row = np.minimum(np.searchsorted(self.vocabulary, form), len(self.vocabulary) - 1)
        row = np.where(self.vocabulary[row] == form, row, len(self.vocabulary))
        parts = (self.word[row], self.ending[types[:, 1] % len(self.ending)], self.kind[types[:, 2]])
        return np.pad(np.hstack(parts), ((0, 1), (0, 0)))

    def _pass(self, x: NDArray[np.float32]) -> NDArray[np.int32]:
        """int32 (n - 2 * margin,), the scores of all words but those of the margins."""
        for number, (taps, step, weight, scale, bias) in enumerate(self.layers):
            n = len(x) - (taps - 1) * step
            y = np.hstack([x[k * step : k * step + n] for k in range(taps)]) @ weight
            y *= scale
            y += bias
            np.rint(y, out=y)
            np.clip(y, 0, TOP, out=y)
            if number:
                side = taps // 2 * step
                y += x[side : side + n]
            x = y
        found: NDArray[np.int32] = (x @ self.out)[:, 0].astype(np.int32)
        return found


@cache
def network() -> Network:
    """The network that the package carries; opened on first use."""
    with (files("rag.discourse") / FILE).open("rb") as file, np.load(file, allow_pickle=False) as stored:
        return Network.of(stored)
