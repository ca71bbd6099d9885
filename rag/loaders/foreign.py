"""What docling and unstructured call the parts of a page, read from their objects or their JSON alone.

docling-core's `DocItem` has `label`, `text`, `level` and `prov` (page and box, `coord_origin` says from where it is
measured); a table has `data.grid` with `column_header` in its cells. unstructured's `Element` has `category` (`type` in
JSON), `text` and `metadata` (`page_number`, `category_depth`, `coordinates.points`, `text_as_html`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rag.errors import LoadError

__all__ = ["docling_items", "of_docling", "of_unstructured"]

Parsed = tuple[str, str, int, int, "tuple[float, float, float, float] | None", int]

DOCLING = {
    "title": "heading", "section_header": "heading", "paragraph": "text", "text": "text", "list_item": "list",
    "table": "table", "document_index": "table", "code": "code", "formula": "code", "picture": "figure",
    "chart": "figure", "caption": "figure", "footnote": "footnote", "page_header": "supplement",
    "page_footer": "supplement", "reference": "text", "checkbox_selected": "list", "checkbox_unselected": "list",
    "form": "text", "key_value_region": "text", "handwritten_text": "text", "marker": "text", "empty_value": "text",
    "field_heading": "text", "field_item": "text", "field_key": "text", "field_value": "text", "field_hint": "text",
    "field_region": "text", "grading_scale": "text",
}  # fmt: skip
UNSTRUCTURED = {
    "Title": "heading", "Headline": "heading", "Subheadline": "heading", "Section-header": "heading",
    "NarrativeText": "text", "UncategorizedText": "text", "Text": "text", "Paragraph": "text", "Abstract": "text",
    "ListItem": "list", "List": "list", "BulletedText": "list", "List-item": "list", "Table": "table",
    "TableChunk": "table", "FigureCaption": "figure", "Caption": "figure", "Image": "figure", "Picture": "figure",
    "Figure": "figure", "CodeSnippet": "code", "Formula": "code", "Header": "supplement", "Footer": "supplement",
    "Page-header": "supplement", "Page-footer": "supplement", "PageNumber": "supplement", "PageBreak": "rule",
    "Footnote": "footnote", "Address": "text", "EmailAddress": "text", "Threading": "text", "Form": "text",
    "FormKeysValues": "text", "Value": "text", "Link": "text", "Checked": "list", "Unchecked": "list",
    "CheckBox": "list", "CheckBoxChecked": "list", "CheckBoxUnchecked": "list", "RadioButton": "list",
    "RadioButtonChecked": "list", "RadioButtonUnchecked": "list", "CompositeElement": "text", "DocumentData": "text",
    "PageData": "text", "PageNumberData": "supplement",
}  # fmt: skip


def get(item: Any, name: str, default: Any = None) -> Any:
    """A field of an object or of a dictionary; the default where it is missing or None."""
    found = item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)
    return default if found is None else found


def docling_items(document: Mapping[str, Any]) -> Iterator[Any]:
    """The items of an exported DoclingDocument in reading order: its body, groups opened, then its furniture.

    Raises:
        LoadError: a reference leads nowhere or comes twice.
    """
    if not isinstance(get(document, "body"), Mapping):
        raise LoadError("a dictionary of elements needs 'elements', or docling's 'body'. Give the list itself.")
    seen: set[str] = set()
    for part in ("body", "furniture"):
        todo = list(reversed(get(get(document, part, {}), "children", [])))
        while todo:
            name = str(get(todo.pop(), "$ref", "") or "")
            item = _resolve(document, name)
            if name in seen or item is None:
                raise LoadError(f"docling document: reference {name!r} leads nowhere or comes twice. Export it again.")
            seen.add(name)
            if not name.startswith("#/groups/"):
                yield item
            todo.extend(reversed(get(item, "children", [])))


def _resolve(document: Mapping[str, Any], name: str) -> Any:
    _, _, path = name.partition("#/")
    kind, _, number = path.partition("/")
    row = document.get(kind)
    if isinstance(row, Sequence) and number.isdigit() and int(number) < len(row):
        return row[int(number)]
    return None


def of_docling(item: Any) -> list[Parsed] | None:
    """The elements of a docling item; None where it is none."""
    label = get(item, "label")
    label = str(getattr(label, "value", label)) if label is not None else ""
    if label not in DOCLING:
        return None
    kind = DOCLING[label]
    page, box = _where(get(item, "prov", ()))
    text, level, head = str(get(item, "text", "")), 0, 0
    if kind == "heading":
        level = 1 if label == "title" else int(get(item, "level", 1)) + 1
    elif kind == "table" and get(item, "data") is not None:
        text, head = _table(item)
    elif kind == "list":
        mark = str(get(item, "marker", "")).strip() or "-"
        text, head = f"{mark} {text}", len(mark) + 1
    return [(kind, text, level, page, box, head)]


def _where(prov: Any) -> tuple[int, tuple[float, float, float, float] | None]:
    """Page and box of the first place; boxes measured from the bottom are left out, the page's height is not here."""
    if not prov:
        return 0, None
    first = prov[0]
    page, box = int(get(first, "page_no", 0)), get(first, "bbox")
    if box is None:
        return page, None
    origin = get(box, "coord_origin", "TOPLEFT")
    if str(getattr(origin, "value", origin)).upper().endswith("BOTTOMLEFT"):
        return page, None
    left, top, right, bottom = (float(get(box, side, 0.0)) for side in "ltrb")
    return page, (left, top, right, bottom)


def _table(item: Any) -> tuple[str, int]:
    """A table as lines of cells, and the characters of its header rows."""
    grid = get(get(item, "data"), "grid", [])
    lines: list[str] = []
    heads = 0
    for row in grid:
        lines.append(" | ".join(" ".join(str(get(cell, "text", "")).split()) for cell in row).strip())
        if heads == len(lines) - 1 and row and all(bool(get(cell, "column_header", False)) for cell in row):
            heads = len(lines)
    heads = 0 if heads == len(lines) else heads
    return "\n".join(lines), sum(len(line) + 1 for line in lines[:heads])


def of_unstructured(item: Any) -> list[Parsed] | None:
    """The elements of unstructured's element; None where it is none."""
    category = get(item, "category") or get(item, "type")
    if not isinstance(category, str) or category not in UNSTRUCTURED:
        return None
    kind = UNSTRUCTURED[category]
    facts = get(item, "metadata", {})
    page = int(get(facts, "page_number", 0))
    depth = int(get(facts, "category_depth", 0))
    text, box = str(get(item, "text", "")), _box(get(facts, "coordinates"))
    if kind == "table" and (markup := get(facts, "text_as_html")):
        from rag.loaders.html import parse

        shown, blocks, _ = parse(str(markup))
        rows = [b for b in blocks if b.kind == "table"]
        if len(rows) == 1:
            one = rows[0]
            return [("table", shown[one.start : one.end], 0, page, box, one.inner[0] - one.start)]
    if kind == "list":
        return [("list", f"- {text}", depth, page, box, 2)]
    return [(kind, text, depth + 1 if kind == "heading" else 0, page, box, 0)]


def _box(coordinates: Any) -> tuple[float, float, float, float] | None:
    """The box around an element's points, in the units of its own system."""
    points = get(coordinates, "points") if coordinates is not None else None
    if not points:
        return None
    across, down = [float(p[0]) for p in points], [float(p[1]) for p in points]
    return min(across), min(down), max(across), max(down)
