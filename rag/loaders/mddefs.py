"""Definition lists of Markdown: a term, and below it lines that begin with a colon.

Not in CommonMark; PHP Markdown Extra, Pandoc and the generators of documentation sites read them. A paragraph with such
lines is an item of a list; definitions that a blank line parts from their term are items below it.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from rag.doctree import CODE
from rag.loaders.blocks import Blocks

__all__ = ["defined"]

MARK = re.compile(r"^ {0,3}:[ \t]+(?=\S)", re.M)
TERM = 120  # characters of a term
TEXT, LIST = CODE["text"], CODE["list"]


def defined(text: str, blocks: Blocks) -> Blocks:
    """The same blocks, those of definition lists as items.

    Args:
        text: the document.
        blocks: what a scan of it found.
    """
    marks = np.array([found.start() for found in MARK.finditer(text)], dtype=np.int64)
    if not len(marks) or not len(blocks):
        return blocks
    kind, level = blocks.kind.copy(), blocks.level.copy()
    at = np.searchsorted(blocks.start, marks, side="right") - 1
    which, index = np.unique(at, return_index=True)
    for k, mark in zip(which.tolist(), marks[index].tolist(), strict=True):
        if k < 0 or blocks.kind[k] != TEXT or mark >= blocks.end[k]:
            continue
        if mark > blocks.start[k]:
            kind[k], level[k] = LIST, 0
        elif k and _term(text, blocks, k - 1, int(kind[k - 1])):
            if kind[k - 1] == TEXT:
                kind[k - 1], level[k - 1] = LIST, 0
            kind[k], level[k] = LIST, 1
    return replace(blocks, kind=kind, level=level)


def _term(text: str, blocks: Blocks, k: int, kind: int) -> bool:
    """Whether block k is a term, or a definition of it."""
    if kind == LIST:
        return bool(blocks.kind[k] == TEXT)
    said = text[int(blocks.start[k]) : int(blocks.end[k])].strip()
    return kind == TEXT and len(said) <= TERM and "\n" not in said
