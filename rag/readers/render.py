"""The context as the reader sees it: numbered sources, their headings, their text.

    [1] Lease > Parties
    This agreement is made between … The tenant signs below.

    [2] Lease > Rent
    Rent is due on the first day of each month.

Budgets count the tokens of exactly this text, marks included, because token counts do not add up
over joins. Between heads and marks every character is a slice of a source, and `Rendered.ranges`
says of which.

A source cannot pretend to be another: where one of its lines begins like a source mark (`[7]`), a
backslash is put before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rag.types import GAP, Hit, Hits

if TYPE_CHECKING:
    from rag.models.tokens import Tokenizer

__all__ = ["Range", "Rendered", "cost", "heading", "render", "rendered"]

MARK = re.compile(r"(?<=[\n\r\v\f\x85\u2028\u2029])(?=[^\S\n]*+\\*+\[\d+\])")
OPENING = re.compile(r"\\*+\[\d+\]")
BETWEEN = "\n\n"


class Range(NamedTuple):
    """Some characters of a rendering and where they come from.

    Args:
        start: first character in the rendering.
        end: one past the last.
        source: number of the source, from 1.
        doc: id of the document.
        at: where the characters begin in the document's text.
    """

    start: int
    end: int
    source: int
    doc: str
    at: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """A context as text, its size, and the source of every character that has one."""

    text: str
    tokens: int
    ranges: tuple[Range, ...]


def heading(hit: Hit) -> str:
    """Title and headings above the node, joined by ` > `, each said once.

    The last is left out where the text begins with it.
    """
    heads: list[str] = []
    for head in (hit.document.title, *hit.path):
        line = " ".join(head.split())
        if line and line not in heads:
            heads.append(line)
    if len(heads) > 1 or (heads and hit.path):
        text = hit.document.text
        body = text[hit.start : min(hit.end, hit.start + len(heads[-1]) + 40)].lstrip("#=* \t\r\n\ufeff")
        if body.startswith(heads[-1]):
            heads.pop()
    return " > ".join(heads)


def rendered(hits: Hits | Sequence[Hit], tokenizer: Tokenizer | None = None) -> Rendered:
    """Render the context.

    Args:
        hits: the evidence, in reading order; sources are numbered in this order from 1.
        tokenizer: the reader's; without one `tokens` is -1.

    Returns:
        text, its tokens, and the ranges in order; ranges never overlap.
    """
    parts: list[str] = []
    ranges: list[Range] = []
    at = 0

    def put(text: str) -> None:
        nonlocal at
        parts.append(text)
        at += len(text)

    before = None
    for number, hit in enumerate(hits, start=1):
        head = heading(hit)
        if parts:
            put(BETWEEN)
        put(f"[{number}]" if not head or head == before else f"[{number}] {head}")
        put("\n")
        before = head
        for lead, start, end in _pieces(hit):
            put(lead)
            last = start
            if lead[-1:] in ("", "\n") and OPENING.match(hit.document.text, start, end):
                put("\\")
            for mark in MARK.finditer(hit.document.text, start, end):
                ranges.append(Range(at, at + mark.start() - last, number, hit.doc, last))
                put(hit.document.text[last : mark.start()])
                put("\\")
                last = mark.start()
            ranges.append(Range(at, at + end - last, number, hit.doc, last))
            put(hit.document.text[last:end])
    text = "".join(parts)
    return Rendered(text, tokenizer.count(text) if tokenizer is not None else -1, tuple(ranges))


def render(hits: Hits | Sequence[Hit], tokenizer: Tokenizer | None = None) -> str:
    """The context as text; see `rendered`."""
    return rendered(hits).text


def cost(hits: Hits | Sequence[Hit], tokenizer: Tokenizer) -> int:
    """Tokens of the rendered context; nothing costs nothing."""
    return rendered(hits, tokenizer).tokens


def _pieces(hit: Hit) -> list[tuple[str, int, int]]:
    """What stands in front of each kept range, and the range without white space at its ends.

    Ranges that must be shown again before a leaf (the header rows of a split table) come first.
    """
    text = hit.document.text
    found: list[tuple[str, int, int]] = []
    for start, end in hit.view.repeats:
        if end > start and not any(s <= start and end <= e for s, e in hit.spans):
            found.append(("", start, end))
    repeats = len(found)
    last = -1
    for start, end in hit.spans:
        body = text[start:end]
        stripped = body.strip()
        if not stripped:
            continue
        begin = start + len(body) - len(body.lstrip())
        if len(found) > repeats:
            lead = text[last:begin] if not text[last:begin].strip() else GAP
            if lead != GAP and len(lead) > len(GAP):
                lead = "\n" if "\n" in lead else " "
        else:
            lead = "" if not repeats or text[found[-1][2] - 1] == "\n" else "\n"
        found.append((lead, begin, begin + len(stripped)))
        last = begin + len(stripped)
    return found
