"""Exact token counts of every slice between two cuts, from one pass of the tokenizer over the text.

Tokens of a slice are not the tokens of the whole text that fall into it: a word loses the blank that its token
began with, trailing blanks fold together. Counting each candidate slice anew is what makes splitters slow;
adding up the counts of parts breaks caps. But tokenizers work on words, and there are places where every
tokenizer at hand starts a new word whatever stands around it: between a non-blank and a blank, at the
first character of a line, and before CJK punctuation that follows a letter. Call them joints. A slice then
has a head up to its first joint, a tail behind its last one, and in between exactly the tokens of the whole text:

    tokens(a, b) = head(a) + tokens(joint(a), joint(b)) + tail(b) = left[a] + right[b]

so two numbers a cut give every slice between cuts in O(1), and only heads and tails, single words mostly,
are ever counted again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.models.tokens import Tokenizer

__all__ = ["EXACT", "Ruler", "ruler"]

EXACT = frozenset({"cl100k", "o200k", "chars", "words"})  # tokenizers for which joints are known to hold
SPACES = (0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)  # outside ASCII
CJK_STOPS = np.array([0x3001, 0x3002, 0xFF01, 0xFF08, 0xFF09, 0xFF0C, 0xFF1A, 0xFF1B, 0xFF1F], dtype=np.uint32)
LONG = 1 << 16  # characters; longer texts are tokenised in threads while their structure is read
PART = 1 << 17  # characters of the part that a thread takes


@cache
def _wide_spaces() -> NDArray[np.bool_]:
    table = np.zeros(SPACES[-1] + 2, dtype=bool)
    table[list(SPACES)] = True
    return table


def blanks(codes: NDArray[Any]) -> NDArray[np.bool_]:
    """bool, which code points are white space (Unicode's White_Space)."""
    found: NDArray[np.bool_] = (codes == 32) | ((codes >= 9) & (codes <= 13))
    if codes.dtype != np.uint8:
        wide = np.flatnonzero(codes >= SPACES[0])
        found[wide] = _wide_spaces()[np.minimum(codes[wide], SPACES[-1] + 1)]
    return found


@dataclass(frozen=True, eq=False)
class Ruler:
    """One text, tokenised once.

    Args:
        text: the text.
        tokenizer: counts.
        codes: its code points (`rag.loaders.lines.code_points`).
        blank: bool (len(text),), white space.
        joints: int64, ascending, the places where tokens start anew; 0 and len(text) among them.
        parts: where each part of the text begins, and the token starts in it, still being found.
    """

    text: str
    tokenizer: Tokenizer
    codes: NDArray[Any]
    blank: NDArray[np.bool_]
    joints: NDArray[np.int64]
    parts: Sequence[tuple[int, Future[NDArray[np.int64]]]] = ()

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """int64 (t,), code point each token of the text starts in."""
        if not self.parts:
            return self.tokenizer.starts(self.text)
        return np.concatenate([part.result() + at for at, part in self.parts])

    def rank(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many tokens of the whole text start before each place."""
        return np.searchsorted(self.starts, at)

    def measure(self, cuts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """`left` and `right` of each cut: `left[i] + right[j]` tokens in the slice from cut i to cut j > i.

        Exact where a joint stands in the slice (`spans_joint`) and the tokenizer is in `EXACT`.

        Args:
            cuts: int64 (n,), ascending places in the text.

        Returns:
            Two int64 (n,).
        """
        after = self.joints[np.searchsorted(self.joints, cuts)]
        before = self.joints[np.searchsorted(self.joints, cuts, side="right") - 1]
        head = self._counts(cuts, after)
        tail = self._counts(before, cuts)
        return head - self.rank(after), tail + self.rank(before)

    def spans_joint(self, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.bool_]:
        """bool, whether a joint stands in each closed range."""
        return self.joints[np.searchsorted(self.joints, start)] <= end

    def measurable(
        self, at: NDArray[np.int64], price: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The cuts without those between which no joint stands, and their prices.

        Of two such cuts the dearer goes, the later of equal ones; the first and the last are kept.
        """
        while len(at) > 2:
            bad = np.flatnonzero(~self.spans_joint(at[:-1], at[1:]))
            if not len(bad):
                break
            later = (price[bad + 1] >= price[bad]) | (bad == 0)
            keep = np.ones(len(at), dtype=bool)
            keep[np.where(later & (bad + 1 < len(at) - 1), bad + 1, bad)] = False
            keep[0] = True
            at, price = at[keep], price[keep]
        return at, price

    def _counts(self, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of each slice on its own; equal slices are counted once."""
        counts = np.zeros(len(start), dtype=np.int64)
        chosen = np.flatnonzero(start < end)
        text = self.text
        slices = [text[a:b] for a, b in zip(start[chosen].tolist(), end[chosen].tolist(), strict=True)]
        known = dict.fromkeys(slices, 0)
        known.update(zip(known, self.tokenizer.counts(list(known)), strict=True))
        counts[chosen] = [known[piece] for piece in slices]
        return counts


def ruler(text: str, codes: NDArray[Any], tokenizer: Tokenizer) -> Ruler:
    """Tokenise a text and find its joints."""
    blank = blanks(codes)
    before, here = codes[:-1], codes[1:]
    joint = (here == 32) & ~blank[:-1]
    # o200k lets a slash follow the line break of the punctuation before it
    joint |= ((before == 10) | (before == 13)) & ~blank[1:] & (here != 47)
    if codes.dtype != np.uint8:
        at = np.flatnonzero(here >= CJK_STOPS[0])
        at = at[np.isin(here[at], CJK_STOPS)]
        joint[at[_ideographs(before[at])]] = True
    joints = np.concatenate(([0], np.flatnonzero(joint) + 1, [len(text)]))
    return Ruler(text, tokenizer, codes, blank, joints, _tokenise(text, tokenizer, joints))


def _tokenise(
    text: str, tokenizer: Tokenizer, joints: NDArray[np.int64]
) -> list[tuple[int, Future[NDArray[np.int64]]]]:
    """Begin to tokenise a long text in threads (tiktoken works outside the interpreter's lock), cut at joints."""
    if len(text) < LONG or tokenizer.name not in EXACT:
        return []
    even = np.arange(0, len(text), -(-len(text) // max(1, round(len(text) / PART))))
    begin = np.unique(joints[np.searchsorted(joints, even)])
    begin = begin[begin < len(text)].tolist()
    pool = ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1))
    parts = [(a, pool.submit(tokenizer.starts, text[a:b])) for a, b in zip(begin, [*begin[1:], len(text)], strict=True)]
    pool.shutdown(wait=False)
    return parts


def _ideographs(codes: NDArray[Any]) -> NDArray[np.bool_]:
    """Kana, ideographs of the first plane, Hangul: letters in every version of Unicode."""
    kana: NDArray[np.bool_] = ((codes >= 0x3041) & (codes <= 0x3096)) | ((codes >= 0x30A1) & (codes <= 0x30FA))
    kana |= ((codes >= 0x4E00) & (codes <= 0x9FA5)) | ((codes >= 0xAC00) & (codes <= 0xD7A3))
    return kana
