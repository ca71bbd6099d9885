"""HTML as a row of tags and texts: one pass, linear, no tree.

A tree built by the rules of the HTML standard can be far larger than its source (formatting
elements are opened again in every paragraph) and takes quadratic time on deep nesting; both were
measured with a standard parser on 300 kB of markup. Text and blocks need no tree, so none is built.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from rag.loaders.elements import RAW, VOID

__all__ = ["Token", "attributes", "tokens", "unescape"]

MARK = re.compile(r"<(?:/?[a-zA-Z]|([!?]|/[\s\S]))")  # any other `<` is text
# possessive throughout: a failed match is never tried a second way
TAG = re.compile(r"""<(/?)([a-zA-Z][^\s/>]*+)([^>=]*+(?:=\s*+(?:"[^"]*+"|'[^']*+')?[^>=]*+)*+)>""")
ATTRIBUTE = re.compile(r"""([^\s/>=][^\s/>=]*+)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>]*+)))?""")
NUMBER = re.compile(r"&#(?:\d{8,}|[xX][0-9a-fA-F]{7,});?")
ENDS = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in RAW}


class Token(NamedTuple):
    """`kind` is `text`, `open`, `close`, `raw` (an element whose content is not markup) or `cut`.

    Args:
        kind: what it is.
        name: of the element, in lower case; empty for texts.
        body: the text with references resolved, the content of a raw element, the attributes of
            an opening tag as written, or what stands after a tag that never ends.
    """

    kind: str
    name: str
    body: str


def tokens(markup: str) -> Iterator[Token]:
    r"""Split markup the way browsers do: what is no tag is text, what is cut off is not shown.

    Args:
        markup: line ends become `\n` and NUL U+FFFD first, as the standard says.
    """
    markup = markup.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    strict = markup.startswith("<?xml")
    at, size = 0, len(markup)
    while at < size:
        mark = MARK.search(markup, at)
        less = mark.start() if mark else size
        if less > at:
            yield Token("text", "", unescape(markup[at:less]))
        if mark is None:
            return
        if mark[1]:
            at = _comment(markup, less)
            continue
        found = TAG.match(markup, less)
        if found is None:
            yield Token("cut", "", markup[less:])
            return
        at = found.end()
        name = found[2].lower()
        if found[1]:
            yield Token("close", name, "")
        elif strict and found[3].endswith("/") and name not in VOID:
            yield Token("open", name, found[3])
            yield Token("close", name, "")
        elif name in RAW:
            end = ENDS[name].search(markup, at)
            stop = end.start() if end else size
            yield Token("raw", name, markup[at:stop])
            at = stop
        else:
            yield Token("open", name, found[3])


def attributes(body: str) -> Mapping[str, str]:
    """Name in lower case -> value of an opening tag; the first of a name counts, as in browsers."""
    found: dict[str, str] = {}
    for name, double, single, bare in ATTRIBUTE.findall(body):
        found.setdefault(name.lower(), unescape(double or single or bare))
    return found


def unescape(text: str) -> str:
    """Resolve character references; a number beyond Unicode becomes U+FFFD."""
    if "&" not in text:
        return text
    return html.unescape(NUMBER.sub("\ufffd", text))


def _comment(markup: str, less: int) -> int:
    """Where a comment, a doctype or another thing that is not shown ends."""
    if not markup.startswith("<!--", less):
        end = markup.find(">", less)
        return len(markup) if end < 0 else end + 1
    for short in ("<!-->", "<!--->"):
        if markup.startswith(short, less):
            return less + len(short)
    end = markup.find("-->", less + 4)
    return len(markup) if end < 0 else end + 3
