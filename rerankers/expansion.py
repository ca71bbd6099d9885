"""Which neighbours of a chosen passage belong to it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rag.lexical import WORD
from rag.types import Hit

__all__ = ["beside", "cohesive"]

LEANING = frozenset(
    """it its they them their he she his her this these those such that the former latter however therefore thus hence
    moreover furthermore also but and or so then otherwise accordingly consequently instead likewise similarly
    additionally nevertheless""".split()  # noqa: SIM905 - reads as a list
) - {"the"}
ITEM = re.compile(r"\s*(?:[-*+•‣◦]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s+\S")
ENDED = re.compile(r"[.!?…。！？।؟|>`)\]\"'”’»]\s*\Z")
TAIL = 400  # characters looked at on each side of a border


def beside(hits: Sequence[Hit]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each hit the hit whose node ends where its own begins, and the one whose node begins where it ends.

    Returns:
        Two int64 (n,) of indices, -1 where there is none.
    """
    ends: dict[tuple[str, int], int] = {}
    starts: dict[tuple[str, int], int] = {}
    keys = [hit.key for hit in hits]
    for i, (doc, start, end) in enumerate(keys):
        ends.setdefault((doc, end), i)
        starts.setdefault((doc, start), i)
    before = [ends.get((doc, start), -1) for doc, start, _ in keys]
    after = [starts.get((doc, end), -1) for doc, _, end in keys]
    own = np.arange(len(keys))
    made = tuple(np.where(np.array(one, dtype=np.int64) == own, -1, one).astype(np.int64) for one in (before, after))
    return made[0], made[1]


def cohesive(first: Hit, second: Hit) -> str:
    """What ties two passages that follow one another, or "".

    Only within one section: the same document and the same parent in its tree. Three signs, in this order: the first
    ends within a sentence or the second begins within one; both are parts of one list, or the first ends with the
    colon that opens it; the second begins with a pronoun or a connective.

    Args:
        first: a hit.
        second: the hit whose node begins where the first one's ends.
    """
    if first.doc != second.doc or first.tree.parent[first.node] != second.tree.parent[second.node]:
        return ""
    text = first.document.text
    end, start = first.key[2], second.key[1]
    left, right = text[max(first.key[1], end - TAIL) : end].rstrip(), text[start : start + TAIL].lstrip()
    if not left or not right:
        return ""
    item = bool(ITEM.match(right))
    if left.endswith(":") or (item and ITEM.match(left.rsplit("\n", 1)[-1])):
        return "one list"
    if not item and not ENDED.search(left) and right[0].islower():
        return "one sentence"
    word = WORD.search(right)
    if word and word.group().lower() in LEANING and not right[: word.start()].strip():
        return "leans on it"
    return ""
