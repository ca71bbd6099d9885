"""Elements that another parser found -> one Document, its text built once and every block an exact range of it.

Layout parsers give a document as a list of elements: a kind, a text, a level, a page, a box. `from_elements` reads the
output of docling and of unstructured, as objects or as the JSON they write, and plain `Element`s, without importing
either package. Titles open sections of their level; running headers and footers become supplements behind the
element they stand next to; tables become lines of cells with their header rows known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rag.doctree import CODE
from rag.errors import LoadError
from rag.loaders.foreign import docling_items, of_docling, of_unstructured
from rag.types import Block, Document

__all__ = ["Built", "Element", "built", "from_elements"]

LISTED = 2  # spaces of indent a level of list
DEEPEST = 8  # levels of list that are shown by indentation


class Element(NamedTuple):
    """One part of a document, in reading order.

    Args:
        kind: one of `rag.doctree.KINDS`.
        text: as it is to be read; line breaks are kept.
        level: of a heading, from 1; of a list item, its depth from 0.
        page: from 1, 0 where unknown.
        box: (left, top, right, bottom) in points, origin top left; None where unknown.
        head: characters at the start that are no content: a list mark, the header rows of a table.
    """

    kind: str
    text: str
    level: int = 0
    page: int = 0
    box: tuple[float, float, float, float] | None = None
    head: int = 0


class Built(NamedTuple):
    """A text and where its blocks are."""

    text: str
    blocks: tuple[Block, ...]


def built(elements: Iterable[Element]) -> Built:
    """Join elements: a blank line between them, items of one list on neighbouring lines.

    Elements without text leave nothing; white space around a text is left out.
    """
    parts: list[str] = []
    blocks: list[Block] = []
    at, before = 0, ""
    for one in elements:
        if one.kind not in CODE or one.kind == "root":
            raise LoadError(f"element {len(blocks)}: {one.kind!r} is no kind of block. Known: {', '.join(CODE)}.")
        text = one.text.strip("\r\n").rstrip() if one.kind == "code" else one.text.strip()
        if not text.strip():
            continue
        lost = one.text.find(text)
        gap = "" if not before else "\n" if one.kind == before == "list" else "\n\n"
        if one.kind == "list":
            gap += " " * (LISTED * min(one.level, DEEPEST))
        start = at + len(gap)
        at = start + len(text)
        parts += (gap, text)
        head = min(max(one.head - lost, 0), len(text))
        blocks.append(Block(start, at, one.kind, one.level, (start + head, at), one.page, one.box))
        before = one.kind
    return Built("".join(parts), tuple(blocks))


def from_elements(
    elements: Any,
    *,
    id: str,  # noqa: A002 - what a document calls it
    title: str = "",
    media_type: str = "text/plain",
    metadata: Mapping[str, Any] | None = None,
) -> Document:
    """A document of what a layout parser found.

    Args:
        elements: `Element`s; docling's `DoclingDocument`, its items or its exported dictionary; or unstructured's
            elements, as objects or as the list of dictionaries that it writes as JSON. In reading order.
        id: of the document.
        title: of the document; default its first element of label or category title.
        media_type: of the source.
        metadata: of the document.

    Raises:
        LoadError: an element is of none of these forms.
    """
    found: list[Element] = []
    named = title
    for number, item in enumerate(_items(elements)):
        if isinstance(item, Element):
            found.append(item)
            continue
        parsed = of_docling(item)
        if parsed is None:
            parsed = of_unstructured(item)
        if parsed is None:
            raise LoadError(
                f"document {id!r}: element {number} is {type(item).__name__}: neither an Element, nor docling's (label,"
                " text, prov), nor unstructured's (category or type, text, metadata). Convert it to an Element."
            )
        for kind, text, level, page, box, head in parsed:
            found.append(Element(kind, text, level, page, box, head))
            if kind == "heading" and level == 1 and not named:
                named = " ".join(text.split())
    made = built(found)
    return Document(id, made.text, named, media_type, made.blocks, dict(metadata or {}))


def _items(elements: Any) -> Iterator[Any]:
    """One element after the other, whatever holds them."""
    if isinstance(elements, Mapping):
        if "elements" in elements:
            yield from elements["elements"]
        else:
            yield from docling_items(elements)
    elif callable(getattr(elements, "iterate_items", None)):
        for item in elements.iterate_items():
            yield item[0] if isinstance(item, Sequence) and not hasattr(item, "label") else item
    else:
        yield from elements
