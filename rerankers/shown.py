"""Passages as a language model is shown them: within so many tokens each, numbered, fenced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from rag.models.prompts import fenced
from rag.models.tokens import counter
from rag.readers.render import render
from rag.sentences import sentence_spans
from rag.types import Hit

if TYPE_CHECKING:
    from rag.models.tokens import Tokenizer

__all__ = ["Shown", "cut_to", "shown"]


class Shown(NamedTuple):
    """Passages ready for a prompt.

    Args:
        hits: the hits with what is shown of each, in the order given.
        cut: how many of them are shown in part.
        text: all of them, numbered from 1, between marks they cannot close.
    """

    hits: tuple[Hit, ...]
    cut: int
    text: str


def shown(hits: Sequence[Hit], tokens: int, tokenizer: str = "cl100k") -> Shown:
    """Number the passages, each cut at the end of a sentence where it has more than `tokens`.

    Args:
        hits: any hits.
        tokens: of a passage's own text; the headings above it are shown as well.
        tokenizer: whose tokens count.
    """
    counts = counter(tokenizer)
    short = tuple(cut_to(hit, tokens, counts) for hit in hits)
    lost = sum(a.spans != b.spans for a, b in zip(hits, short, strict=True))
    return Shown(short, lost, fenced(render(short), "passages"))


def cut_to(hit: Hit, tokens: int, tokenizer: Tokenizer) -> Hit:
    """The hit with its first sentences that have at most `tokens` tokens together.

    Of a first sentence that alone has more, as many tokens as are allowed; never less than one character.
    """
    text = hit.document.text
    left = tokens
    kept: list[tuple[int, int]] = []
    for start, end in hit.spans:
        starts = tokenizer.starts(text[start:end])
        if len(starts) <= left:
            kept.append((start, end))
            left -= len(starts)
            continue
        most = start + int(starts[left]) if left > 0 else start  # the first character that is too much
        stop = max((b for _, b in sentence_spans(text, start, end) if b <= most), default=start)
        if stop == start and not kept:
            stop = max(most, start + 1)
        if stop > start:
            kept.append((start, stop))
        break
    return hit if tuple(kept) == hit.spans else replace(hit, spans=tuple(kept))
