"""METEORA's selection as it was published, for comparison; its defects are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rerankers import curve

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["meteora"]

FEW = 5  # chunks kept of fewer than three scores


def meteora(
    needs: NDArray[np.float64], passages: NDArray[np.float64], before: NDArray[np.int64], after: NDArray[np.int64]
) -> tuple[dict[int, tuple[str, tuple[int, ...]]], NDArray[np.float64]]:
    """The evidence chunk selection of METEORA (https://arxiv.org/abs/2505.16014, section 3.2, and its code).

    Every rationale takes its most similar passage that no earlier one took, however little similar. The mean of the
    rationales ranks all passages, which are cut behind the first fall more than a standard deviation above the mean.
    The passages before and behind all of these are added unseen. Two departures that the input forces: a neighbour
    that is no hit cannot be added, and so neighbours are those of the document, not of one flat list.

    Args:
        needs: float64 (r, d), vectors of the rationales, of length 1 or 0.
        passages: float64 (n, d), vectors of the passages, of length 1 or 0.
        before: int64 (n,), index of the hit that ends where this one begins, or -1.
        after: int64 (n,), index of the hit that begins where this one ends, or -1.

    Returns:
        Index of every chosen passage -> its rule (`paired`, `pooled` or `beside`) and the rationales it was taken for;
        and float64 (n,), the similarity of each passage to the mean of the rationales.
    """
    alike = np.round(np.einsum("rd,nd->rn", needs, passages), 9)
    chosen: dict[int, tuple[str, tuple[int, ...]]] = {}
    free = np.ones(len(passages), dtype=bool)
    for row in range(len(needs)):
        if not free.any():
            break
        best = int(np.argmax(np.where(free, alike[row], -np.inf)))
        free[best] = False
        chosen[best] = ("paired", (row,))
    pooled = np.round(np.einsum("d,nd->n", needs.mean(axis=0), passages), 9) if len(needs) else np.zeros(len(passages))
    order = np.argsort(-pooled, kind="stable")
    k = min(len(order), FEW) if len(order) < 3 else curve.meteora(pooled[order])
    for index in order[:k].tolist():
        chosen.setdefault(index, ("pooled", ()))
    for index in list(chosen):
        for beside in (int(before[index]), int(after[index])):
            if beside >= 0:
                chosen.setdefault(beside, ("beside", ()))
    return chosen, pooled
