"""Choose cuts by dynamic programming: even sizes, cheap cuts, no runts, never over the cap.

Greedy packing fills chunks until the next piece does not fit and leaves what remains as a runt. Here the sum of

    weight * phi(T / size)                       a segment of T tokens; phi(x) = (x - 1)^2 above 1, half of it below
    + (2 - T / min_size)                         where T < min_size
    + price of its first cut                     cheap before a heading, dear inside a table

over all segments is minimised exactly, in O(n * L) for n units of which at most L fit under the cap. The
recurrence is the one of boundary-cost segmentation without a model (the length term of Koutsiaris,
"Intent-Driven Dynamic Chunking", https://arxiv.org/abs/2602.14784, made two-sided).
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["lengths", "pack"]


def lengths(size: int, max_size: int, min_size: int, weight: float) -> list[float]:
    """Price of a segment by its tokens, for 0 to `max_size` tokens."""
    prices = []
    for tokens in range(max_size + 1):
        x = tokens / size
        price = weight * ((x - 1) ** 2 if x > 1 else 0.5 * (1 - x) ** 2)
        if tokens < min_size:
            price += 2 - tokens / min_size
        prices.append(price)
    return prices


def pack(
    left: Sequence[int],
    right: Sequence[int],
    extra: Sequence[int],
    price: Sequence[float],
    prices: Sequence[float],
) -> list[int]:
    """The best cuts of one run of units.

    Unit k lies between cuts k and k + 1. A segment from cut i to cut j has `left[i] + right[j]` tokens; a
    single unit must fit. Of equal sums the one with the shorter last segment wins, so the outcome depends on the
    input alone.

    Args:
        left: of each of the n + 1 cuts; see `chunkers.measure`.
        right: of each cut.
        extra: tokens repeated in front of a segment that begins at a cut, counted in `left` already.
        price: of cutting at each cut; those of the first and the last make no difference.
        prices: of a segment by its tokens (`lengths`); its length sets the cap.

    Returns:
        Ascending indices of the cuts at which segments begin; 0 is the first.
    """
    cap = len(prices) - 1
    count = len(left)
    best = [0.0] * count  # price of everything before a cut, the cut included
    back = [0] * count
    for j in range(1, count):
        upto = right[j]
        low = float("inf")
        at = j - 1
        for i in range(j - 1, -1, -1):
            tokens = left[i] + upto
            if tokens > cap:
                if tokens - extra[i] > cap:
                    break
                continue
            value = best[i] + prices[tokens]
            if value < low:
                low, at = value, i
        best[j] = low + price[j]
        back[j] = at
    chosen = []
    at = count - 1
    while at > 0:
        at = back[at]
        chosen.append(at)
    return chosen[::-1]
