"""Find where a quotation stands in its source, exactly or with white space and quotation marks folded."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from rag.types import Hit

__all__ = ["find", "locate", "parts"]

GAPS = re.compile(r"\s*(?:…|\.\.\.)\s*")
WRAPPING = " \t\r\n\"'“”‘’«»`"
SAME = str.maketrans(
    {"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "`": "'", "–": "-", "—": "-"}
)


def parts(quote: str) -> list[str]:
    """The pieces of a quotation that leaves something out; wrapping marks are taken off."""
    whole = quote.strip(WRAPPING)
    return [part for part in (p.strip(WRAPPING) for p in GAPS.split(whole)) if any(c.isalnum() for c in part)]


def locate(quote: str, hits: Sequence[Hit], first: int) -> tuple[int, int, int] | None:
    """Where a quotation stands: in the hit it names, else in the first other hit that has it.

    Args:
        quote: one piece, see `parts`.
        hits: the evidence.
        first: position of the hit it names; out of range is allowed.

    Returns:
        (position of the hit, start, end) with offsets into the hit's document, or None.
    """
    order = [i for i in (first,) if 0 <= i < len(hits)] + [i for i in range(len(hits)) if i != first]
    for i in order:
        for start, end in hits[i].spans:
            found = find(quote, hits[i].document.text, start, end)
            if found is not None:
                return i, *found
    return None


def find(quote: str, text: str, start: int, end: int) -> tuple[int, int] | None:
    """The first place of a quotation in a range: exact, then folded, then folded without regard to case.

    Returns:
        Offsets into `text`; its slice there equals the quotation but for what is folded.
    """
    at = text.find(quote, start, end)
    if at >= 0 and quote:
        return at, at + len(quote)
    wanted = "".join(c for c, _ in _folded(quote, 0, len(quote))).strip()
    if not wanted:
        return None
    pairs = list(_folded(text, start, end))
    body = "".join(c for c, _ in pairs)
    at = body.find(wanted)
    if at < 0:
        at = body.lower().find(wanted.lower()) if len(body.lower()) == len(body) else -1
    if at < 0:
        return None
    return pairs[at][1], pairs[at + len(wanted) - 1][1] + 1


def _folded(text: str, start: int, end: int) -> Iterator[tuple[str, int]]:
    """Each character that counts with its offset: one blank for a run of white space, plain marks, NFKC letters."""
    blank = False
    for i in range(start, end):
        char = text[i]
        if char.isspace():
            if not blank:
                yield " ", i
            blank = True
            continue
        blank = False
        plain = unicodedata.normalize("NFKC", char.translate(SAME))
        yield (plain if len(plain) == 1 else char), i
