"""HTML blocks in Markdown: the seven kinds of CommonMark 0.31, section 4.6."""

from __future__ import annotations

import re
from typing import Protocol

__all__ = ["html_end", "html_kind"]

NAMES = (
    "address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|"
    "fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|"
    "menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|"
    "title|tr|track|ul"
)
RAW = "script|pre|style|textarea"
ATTRIBUTE = r"\s+[a-zA-Z_:][\w:.-]*(?:\s*=\s*(?:[^\s\"'=<>`]+|'[^']*'|\"[^\"]*\"))?"
KINDS: tuple[tuple[re.Pattern[str], re.Pattern[str] | None], ...] = (
    (
        re.compile(r"<(?:script|pre|style|textarea)(?:[\s>]|$)", re.I),
        re.compile(r"</(?:script|pre|style|textarea)>", re.I),
    ),
    (re.compile(r"<!--"), re.compile(r"-->")),
    (re.compile(r"<\?"), re.compile(r"\?>")),
    (re.compile(r"<![a-zA-Z]"), re.compile(r">")),
    (re.compile(r"<!\[CDATA\["), re.compile(r"\]\]>")),
    (re.compile(rf"</?(?:{NAMES})(?:\s|/?>|$)", re.I), None),
    (re.compile(rf"(?:<[a-zA-Z][a-zA-Z0-9-]*(?:{ATTRIBUTE})*\s*/?>|</[a-zA-Z][a-zA-Z0-9-]*\s*>)\s*$"), None),
)


class Scan(Protocol):
    """What is read of a scan over lines."""

    text: str
    size: int
    full: list[bool]
    end: list[int]

    def row(self, i: int, /) -> str:
        """Line i without its indent."""


def html_kind(row: str) -> int:
    """Which of the seven kinds of block a line opens, 0 for none.

    Args:
        row: the line without its indent.
    """
    return next((number for number, (opens, _) in enumerate(KINDS, start=1) if opens.match(row)), 0)


def html_end(scan: Scan, i: int, kind: int) -> int:
    """The last line of an HTML block.

    Args:
        scan: the lines.
        i: the line that opens it.
        kind: from 1, see `html_kind`.
    """
    closes = KINDS[kind - 1][1]
    j = i
    if closes is None:
        while j + 1 < scan.size and scan.full[j + 1]:
            j += 1
        return j
    last = i
    while j < scan.size:
        if scan.full[j]:
            last = j
            if closes.search(scan.row(j)):
                break
        j += 1
    return last
