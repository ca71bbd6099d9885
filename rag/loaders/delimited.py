r"""Structure of tables in files: comma- or tab-separated values, records kept whole.

The whole file is one table, whose text is left as it is; a chunker that divides it repeats the header record. A line
break inside quotes belongs to its record (RFC 4180, section 2.6), which the block's level 1 tells. Whether the first
record is a header is a guess, as everywhere: it is one where its cells are short texts and no numbers.
"""

from __future__ import annotations

import re

from rag.doctree import CODE
from rag.loaders.blocks import Blocks
from rag.types import Block

__all__ = ["record_ends", "scan"]

NUMBER = re.compile(r"[-+]?[\d.,]+(?:[eE][-+]?\d+)?%?$")
LINE_END = re.compile(r"\r\n?|\n")
FIRST = 20_000  # characters in which the header record must end
assert "table" in CODE


def scan(text: str) -> Blocks:
    """One table; `inner` begins behind the header record, and level 1 says that lines may be inside quotes."""
    start = 1 if text.startswith("\ufeff") else 0
    body = text[start:]
    lead = len(body) - len(body.lstrip("\r\n"))
    start += lead
    end = len(text.rstrip("\r\n"))
    if end <= start:
        return Blocks.of(())
    stop = next(iter(record_ends(text, start, min(end, start + FIRST))), end)
    head = stop if stop < end and _is_header(text[start:stop]) else start
    quoted = '"' in text
    return Blocks.of((Block(start, end, "table", int(quoted), (head, end)),))


def record_ends(text: str, start: int, end: int) -> list[int]:
    """Where each record that is followed by another one ends, behind its line break; breaks in quotes are none.

    Linear. Quotes count where they open a field; one that is never closed would swallow the rest, so
    from a record of more than 1,000 lines on quotes are not looked at.
    """
    found: list[int] = []
    odd, opened = False, start
    at = start
    lines = 0
    trust = True
    for mark in LINE_END.finditer(text, start, end):
        if trust and text.count('"', at, mark.start()) % 2:
            odd = not odd
        at = mark.end()
        if odd:
            lines += 1
            if lines > 1000:  # a stray quote: what it opened is read line by line
                found += [m.end() for m in LINE_END.finditer(text, opened, at)]
                odd, trust, lines = False, False, 0
                opened = at
            continue
        lines = 0
        opened = at
        found.append(at)
    if odd:
        found += [m.end() for m in LINE_END.finditer(text, opened, end)]
    return found


def _is_header(record: str) -> bool:
    cells = [cell.strip().strip('"') for cell in re.split(r"[,;\t|]", record.strip())]
    return len(cells) > 1 and all(len(cell) <= 80 and not NUMBER.match(cell) for cell in cells) and any(cells)
