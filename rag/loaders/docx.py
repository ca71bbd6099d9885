"""Word documents (.docx) -> the text a reader sees, and its blocks.

Kept: headings by style or outline level, list items with their depth, tables with their header rows, footnotes and
endnotes behind the text, headers and footers once each as supplements. Deleted text of tracked changes, hidden text,
field codes and comments, which are talk about the text, are left out. The package is unpacked only after its sizes were
added up.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rag.errors import LoadError
from rag.loaders.adapter import Element, built
from rag.loaders.limits import Clock, Limits
from rag.optional import require
from rag.types import Block

__all__ = ["Page", "extract"]

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
# "heading 1" in the languages Word names its styles in; the style's own id is most often English all the same
HEADING = re.compile(
    r"(?:heading|überschrift|titre|título|titolo|kop|rubrik|overskrift|otsikko|nagłówek|заголовок|nadpis|címsor|başlık|"
    r"見出し|标题|標題|제목)\s*(\d)",
    re.IGNORECASE,
)
TITLE = re.compile(r"(?:title|tite[l]|título|titolo|titre)$", re.IGNORECASE)
LISTED = re.compile(r"list|aufzählung|liste|lista|puces", re.IGNORECASE)
CODED = re.compile(r"code|html preformatted|plain text|source", re.IGNORECASE)
RATIO = 200  # times that the parts of a package may be larger than the file
SMALL = 4 << 20  # bytes unpacked below which the ratio is not looked at
CHECK = 256


class Page(NamedTuple):
    """What a document says; see `rag.loaders.html.Page`."""

    text: str
    blocks: tuple[Block, ...]
    title: str
    metadata: Mapping[str, Any]


def extract(data: bytes, *, name: str, limits: Limits = Limits(), clock: Clock | None = None) -> Page:  # noqa: B008
    """Read a document.

    Args:
        data: the file.
        name: how messages call it.
        limits: `max_expanded` holds for the sum of its parts, and none may be more than 200 times the file.
        clock: stops the work when its time is used up.

    Raises:
        LoadError: no Word document, damaged, encrypted, or too large when unpacked.
        MissingExtra: python-docx is not installed.
    """
    docx = require("docx", extra="docx", by="reading .docx")
    clock = clock or Clock(name, limits)
    _sizes(data, name, limits)
    try:
        document = docx.Document(io.BytesIO(data))
        made = built(_elements(document, clock))
        properties = document.core_properties
        title = " ".join((properties.title or "").split())
    except LoadError:
        raise
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, OSError, zipfile.BadZipFile, zlib.error) as e:
        raise _broken(name, type(e).__name__) from e
    except Exception as error:  # python-docx and lxml raise classes of their own
        raise _broken(name, type(error).__name__) from error
    first = next((made.text[b.start : b.end] for b in made.blocks if b.kind == "heading" and b.level == 1), "")
    return Page(made.text, made.blocks, title or " ".join(first.split()), {})


def _broken(name: str, what: str) -> LoadError:
    return LoadError(f"{name}: no Word document that can be read ({what}). Open it in Word and save it as .docx again.")


def _sizes(data: bytes, name: str, limits: Limits) -> None:
    """Refuse a package that unpacks to too much, by what really comes out, not by what its table says."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.infolist()
            if any(one.flag_bits & 1 for one in names):
                raise LoadError(f"{name}: encrypted. Save it without a password.")
            if not any(one.filename == "[Content_Types].xml" for one in names):
                raise LoadError(f"{name}: a zip archive that is no Word document. Give a .docx.")
            total = 0
            bound = max(SMALL, RATIO * len(data))
            for one in names:
                if not one.filename.lower().endswith((".xml", ".rels")):
                    continue
                with archive.open(one) as part:
                    while piece := part.read(1 << 20):
                        total += len(piece)
                        limits.expanded_ok(name, total)
                        if total > bound:
                            raise LoadError(
                                f"{name}: its parts may unpack to {RATIO} times its size, got more. "
                                "It looks like an archive made to fill memory; it is not opened."
                            )
    except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, EOFError) as error:
        raise _broken(name, type(error).__name__) from error


def _elements(document: Any, clock: Clock) -> Iterator[Element]:
    styles = _Styles(document)
    page = 1
    for number, item in enumerate(_flow(document.element.body)):
        if number % CHECK == 0:
            clock.check()
        if item.tag == f"{W}p":
            before, text = page, _text(item)
            page += _breaks(item)
            if text.strip():
                yield styles.element(item, text, before)
        else:
            yield from _table(item, page)
    for kind, root in _notes(document):
        for note in root.iter(f"{W}{kind}"):
            if note.get(f"{W}type") in (None, "normal"):
                mark = note.get(f"{W}id") or ""
                text = " ".join(filter(None, (_text(p).strip() for p in note.iter(f"{W}p"))))
                if text:
                    yield Element("footnote", f"[{mark}] {text}", head=len(mark) + 3)
    seen: set[str] = set()
    for section in document.sections:
        for part in (section.first_page_header, section.header, section.first_page_footer, section.footer):
            text = "" if part.is_linked_to_previous else "\n".join(p.text.strip() for p in part.paragraphs).strip()
            if text and text not in seen:
                seen.add(text)
                yield Element("supplement", text)


def _flow(body: Any) -> Iterator[Any]:
    """Paragraphs and tables in order, those in content controls and the like among them."""
    todo = list(reversed(body))
    while todo:
        one = todo.pop()
        if one.tag in (f"{W}p", f"{W}tbl"):
            yield one
        elif one.tag in (f"{W}sdt", f"{W}sdtContent", f"{W}customXml", f"{W}ins", f"{W}smartTag"):
            todo.extend(reversed(one))


def _text(paragraph: Any) -> str:
    """What a paragraph shows: without deleted and hidden text, with breaks, tabs and marks of notes."""
    parts: list[str] = []
    todo = list(reversed(paragraph))
    while todo:
        one = todo.pop()
        tag = one.tag.rpartition("}")[2] if isinstance(one.tag, str) else ""
        if tag == "r":
            if one.find(f"{W}rPr/{W}vanish") is None:
                todo.extend(reversed(one))
        elif tag == "t":
            parts.append(one.text or "")
        elif tag in ("br", "cr"):
            parts.append("\n" if one.get(f"{W}type") in (None, "textWrapping") else " ")
        elif tag == "tab":
            parts.append("\t")
        elif tag in ("noBreakHyphen", "softHyphen"):
            parts.append("-" if tag == "noBreakHyphen" else "")
        elif tag in ("footnoteReference", "endnoteReference"):
            parts.append(f"[{one.get(f'{W}id')}]")
        elif tag in ("hyperlink", "ins", "smartTag", "sdt", "sdtContent", "fldSimple", "moveTo", "customXml"):
            todo.extend(reversed(one))
        elif tag in ("oMath", "oMathPara"):
            parts.append("".join(t.text or "" for t in one.iter() if str(t.tag).endswith("}t")))
    return "".join(parts)


def _breaks(paragraph: Any) -> int:
    """Page breaks in a paragraph: those that were set, and those Word noted when it last drew the page."""
    set_ = sum(1 for b in paragraph.iter(f"{W}br") if b.get(f"{W}type") == "page")
    return set_ + sum(1 for _ in paragraph.iter(f"{W}lastRenderedPageBreak"))


class _Styles:
    """What the styles of a document say: outline level, list, code."""

    def __init__(self, document: Any) -> None:
        self.level: dict[str, int] = {}
        self.kind: dict[str, str] = {}
        root = document.styles.element
        rows = {s.get(f"{W}styleId"): s for s in root.iter(f"{W}style") if s.get(f"{W}type") == "paragraph"}
        for key in rows:
            chain: list[str] = []
            at = key
            while at in rows and at not in chain and len(chain) < 20:
                chain.append(at)
                based = rows[at].find(f"{W}basedOn")
                at = None if based is None else based.get(f"{W}val")
            for one in chain:  # the nearest style that says something
                if level := self._level(rows[one], one):
                    self.level.setdefault(key, level)
                named = rows[one].find(f"{W}name")
                name = f"{one} {'' if named is None else named.get(f'{W}val')}"
                if rows[one].find(f"{W}pPr/{W}numPr") is not None or LISTED.search(name):
                    self.kind.setdefault(key, "list")
                elif CODED.search(name):
                    self.kind.setdefault(key, "code")
                elif "quote" in name.lower():
                    self.kind.setdefault(key, "quote")
                elif "caption" in name.lower():
                    self.kind.setdefault(key, "figure")

    @staticmethod
    def _level(style: Any, key: str) -> int:
        outline = style.find(f"{W}pPr/{W}outlineLvl")
        if outline is not None and (value := outline.get(f"{W}val") or "").isdigit():
            return int(value) + 1 if int(value) < 9 else 0
        named = style.find(f"{W}name")
        name = "" if named is None else named.get(f"{W}val") or ""
        if TITLE.match(name) or TITLE.match(key):
            return 1
        found = HEADING.match(name) or HEADING.match(key)
        return int(found[1]) if found else 0

    def element(self, paragraph: Any, text: str, page: int) -> Element:
        """A paragraph as what its style and its own settings make of it."""
        style = paragraph.find(f"{W}pPr/{W}pStyle")
        key = "" if style is None else style.get(f"{W}val") or ""
        own = paragraph.find(f"{W}pPr/{W}outlineLvl")
        level = self.level.get(key, 0)
        if own is not None and (value := own.get(f"{W}val") or "").isdigit():
            level = int(value) + 1 if int(value) < 9 else 0
        if level:
            return Element("heading", " ".join(text.split()), level, page)
        number = paragraph.find(f"{W}pPr/{W}numPr")
        kind = self.kind.get(key, "text")
        if number is not None or kind == "list":
            depth = number.find(f"{W}ilvl") if number is not None else None
            deep = (
                int(depth.get(f"{W}val") or 0) if depth is not None else int(key[-1]) - 1 if key[-1:].isdigit() else 0
            )
            return Element("list", f"- {text.strip()}", max(deep, 0), page, head=2)
        return Element(kind, text, 0, page)


def _table(table: Any, page: int) -> Iterator[Element]:
    """A table as lines of cells; merged cells are said once, a table inside a cell on the cell's line."""
    lines: list[str] = []
    heads = 0
    for row in table.iterchildren(f"{W}tr"):
        if row.find(f"{W}trPr/{W}del") is not None:
            continue
        cells: list[str] = []
        for cell in row.iter(f"{W}tc"):
            if next(cell.iterancestors(f"{W}tr")) is not row:
                continue
            merged = cell.find(f"{W}tcPr/{W}vMerge")
            below = merged is not None and merged.get(f"{W}val") != "restart"
            text = "" if below else " ".join(" ".join(_text(p) for p in cell.iter(f"{W}p")).split())
            across = cell.find(f"{W}tcPr/{W}gridSpan")
            wide = across.get(f"{W}val") if across is not None else "1"
            cells += [text, *[""] * (min(int(wide), 100) - 1 if wide and wide.isdigit() else 0)]
        if row.find(f"{W}trPr/{W}tblHeader") is not None and heads == len(lines):
            heads += 1
        lines.append(" | ".join(cells).strip())
    if len(lines) == 1:
        yield Element("text", lines[0], 0, page)
    elif lines:
        first = table.find(f"{W}tblPr/{W}tblLook")
        if not heads and first is not None and first.get(f"{W}firstRow") == "1":
            heads = 1
        head = sum(len(line) + 1 for line in lines[: min(heads, len(lines) - 1)])
        yield Element("table", "\n".join(lines), 0, page, head=head)


def _notes(document: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a package that hold footnotes and endnotes."""
    etree = require("lxml.etree", extra="docx", by="reading .docx")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    for relation in document.part.rels.values():
        kind = relation.reltype.rpartition("/")[2]
        if kind in ("footnotes", "endnotes") and not relation.is_external:
            yield kind[:-1], etree.fromstring(relation.target_part.blob, parser)
