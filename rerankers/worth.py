"""What a set of passages is worth: values of sets that grow by a passage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Coverage", "Set", "Worth"]

Set = tuple[int, ...]  # ascending indices


class Worth(Protocol):
    """Values of sets of n passages.

    `submodular` says that a passage never adds more to a larger set: then bounds hold and a best set can be proven.
    """

    @property
    def submodular(self) -> bool:
        """Whether a passage never adds more to a larger set."""

    def value(self, chosen: Set, /) -> float:
        """Of one set; the empty one is worth 0."""

    def grown(self, chosen: Set, more: NDArray[np.int64], /) -> NDArray[np.float64]:
        """float64 (m,), of the set with each of m further passages added."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """Weighted coverage of facets, less what is said twice and less what is off the point.

        f(S) = sum_t weight_t * (1 - prod_{c in S} (1 - cover_tc)) + sum_{c in S} own_c - sum_{c < d in S} alike_cd

    Submodular; monotone where `own` is not negative and `alike` is 0.

    Args:
        weight: float64 (t,), of each facet, not negative.
        cover: float64 (t, n), in [0, 1], how far a passage covers a facet.
        own: float64 (n,), added for each passage; negative for a distractor.
        alike: float64 (n, n), symmetric, not negative, the price of having both; None for none.
    """

    weight: NDArray[np.float64]
    cover: NDArray[np.float64]
    own: NDArray[np.float64]
    alike: NDArray[np.float64] | None = None
    submodular: ClassVar[bool] = True

    def value(self, chosen: Set, /) -> float:
        """Of one set."""
        at = np.array(chosen, dtype=np.int64)
        if not len(at):
            return 0.0
        left = np.prod(1 - self.cover[:, at], axis=1)
        twice = 0.0 if self.alike is None else float(np.triu(self.alike[np.ix_(at, at)], 1).sum())
        return float((self.weight * (1 - left)).sum() + self.own[at].sum() - twice)

    def grown(self, chosen: Set, more: NDArray[np.int64], /) -> NDArray[np.float64]:
        """Of the set with each further passage."""
        at = np.array(chosen, dtype=np.int64)
        left = np.prod(1 - self.cover[:, at], axis=1)
        gain: NDArray[np.float64] = np.einsum("t,tm->m", self.weight * left, self.cover[:, more]) + self.own[more]
        if self.alike is not None and len(at):
            gain -= self.alike[np.ix_(more, at)].sum(axis=1)
        return self.value(chosen) + gain
