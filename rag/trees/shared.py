"""What two versions of a text share, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

__all__ = ["unchanged"]

LINES = 4_000  # lines between the first and the last change that are compared one by one


def unchanged(old: str, new: str) -> Iterator[tuple[int, int, int]]:
    """Ranges that two texts share in order: (start in the old, start in the new, length), ascending, disjoint.

    Equal beginnings and ends are found by character; between them lines are compared (Ratcliff and Obershelp), and
    the beginnings and ends of what differs by character again. With more than `LINES` lines between the first change
    and the last, nothing between them is shared.
    """
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    if head:
        yield 0, 0, head
    a, b = old[head : len(old) - tail], new[head : len(new) - tail]
    before, after = a.splitlines(keepends=True), b.splitlines(keepends=True)
    if a and b and max(len(before), len(after)) <= LINES:
        at_old, at_new = _starts(before, head), _starts(after, head)
        for i, j, n in SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks():
            if n:
                yield at_old[i], at_new[j], at_old[i + n] - at_old[i]
    if tail:
        yield len(old) - tail, len(new) - tail, tail


def _common(one: str, other: str) -> int:
    """Length of the common beginning, in a few comparisons of slices."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _starts(lines: Sequence[str], first: int) -> list[int]:
    found = [first]
    for line in lines:
        found.append(found[-1] + len(line))
    return found
