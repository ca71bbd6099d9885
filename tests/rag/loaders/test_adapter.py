from __future__ import annotations

from types import SimpleNamespace as Object
from typing import Any

import pytest

from chunkers.structure import StructureChunker
from rag.errors import LoadError
from rag.loaders.adapter import Element, built, from_elements
from rag.types import Document


def blocks(document: Document) -> list[tuple[str, int, str, int]]:
    text = document.text
    assert all(b.start <= b.inner[0] <= b.inner[1] <= b.end for b in document.blocks)
    return [(b.kind, b.level, text[b.inner[0] : b.inner[1]], b.page) for b in document.blocks]


DOCLING: dict[str, Any] = {
    "schema_name": "DoclingDocument",
    "body": {
        "self_ref": "#/body",
        "children": [{"$ref": "#/texts/0"}, {"$ref": "#/texts/1"}, {"$ref": "#/groups/0"}, {"$ref": "#/tables/0"}],
    },
    "furniture": {"children": [{"$ref": "#/texts/4"}]},
    "groups": [{"self_ref": "#/groups/0", "label": "list", "children": [{"$ref": "#/texts/2"}, {"$ref": "#/texts/3"}]}],
    "texts": [
        {"label": "title", "text": "A Report", "prov": [{"page_no": 1, "bbox": {"l": 1, "t": 2, "r": 3, "b": 4, "coord_origin": "TOPLEFT"}}]},
        {"label": "section_header", "level": 1, "text": "Results", "prov": [{"page_no": 2, "bbox": {"l": 1, "t": 9, "r": 3, "b": 4, "coord_origin": "BOTTOMLEFT"}}]},
        {"label": "list_item", "marker": "1.", "text": "one", "prov": []},
        {"label": "list_item", "text": "two"},
        {"label": "page_header", "text": "ACME", "prov": [{"page_no": 1}]},
    ],
    "tables": [
        {
            "label": "table",
            "prov": [{"page_no": 3}],
            "data": {"grid": [[{"text": "a", "column_header": True}, {"text": "b", "column_header": True}], [{"text": "1"}, {"text": "2\n3"}]]},
        }
    ],
}  # fmt: skip


def test_an_exported_docling_document_becomes_one_text_with_exact_blocks() -> None:
    document = from_elements(DOCLING, id="r")
    assert document.text == "A Report\n\nResults\n\n1. one\n- two\n\na | b\n1 | 2 3\n\nACME"
    assert blocks(document) == [
        ("heading", 1, "A Report", 1),
        ("heading", 2, "Results", 2),
        ("list", 0, "one", 0),
        ("list", 0, "two", 0),
        ("table", 0, "1 | 2 3", 3),
        ("supplement", 0, "ACME", 1),
    ]
    assert document.title == "A Report"
    assert document.blocks[0].box == (1.0, 2.0, 3.0, 4.0)
    assert document.blocks[1].box is None  # measured from the bottom of a page whose height is not known here


def test_docling_objects_and_their_dictionaries_give_the_same_document() -> None:
    def wrapped(value: Any) -> Any:
        if isinstance(value, dict):
            return Object(**{k.replace("$", ""): wrapped(v) for k, v in value.items()})
        return [wrapped(v) for v in value] if isinstance(value, list) else value

    items = [*DOCLING["texts"][:4], DOCLING["tables"][0], DOCLING["texts"][4]]
    whole = Object(iterate_items=lambda: iter((wrapped(item), 1) for item in items))
    assert from_elements(whole, id="r") == from_elements(DOCLING, id="r") == from_elements(items, id="r")


UNSTRUCTURED = [
    {"type": "Title", "element_id": "x", "text": "Rent", "metadata": {"page_number": 1, "category_depth": 0, "coordinates": {"points": [[1, 2], [1, 5], [9, 5], [9, 2]]}}},
    {"type": "NarrativeText", "text": "It is due. ", "metadata": {"page_number": 1}},
    {"type": "Title", "text": "Late", "metadata": {"category_depth": 1}},
    {"type": "ListItem", "text": "fee", "metadata": {"category_depth": 1}},
    {"type": "Table", "text": "m r May 1", "metadata": {"text_as_html": "<table><thead><tr><th>m</th><th>r</th></tr></thead><tr><td>May</td><td>1</td></tr></table>"}},
    {"type": "Footer", "text": "page 1", "metadata": {}},
]  # fmt: skip


def test_unstructured_elements_become_the_same_kinds() -> None:
    document = from_elements(UNSTRUCTURED, id="u")
    assert blocks(document) == [
        ("heading", 1, "Rent", 1),
        ("text", 0, "It is due.", 1),
        ("heading", 2, "Late", 0),
        ("list", 1, "fee", 0),
        ("table", 0, "May | 1", 0),
        ("supplement", 0, "page 1", 0),
    ]
    assert document.blocks[0].box == (1.0, 2.0, 9.0, 5.0)
    objects = [
        Object(category=one["type"], text=one["text"], metadata=Object(**one["metadata"])) for one in UNSTRUCTURED
    ]
    assert from_elements(objects, id="u") == document
    StructureChunker(size=16)(document).check()


def test_pages_and_boxes_of_plain_elements_are_kept() -> None:
    made = built([Element("heading", " A ", 1, 4, (0, 0, 1, 1)), Element("text", ""), Element("code", "  x\n  y\n")])
    assert made.text == "A\n\n  x\n  y"
    assert [(b.start, b.end, b.page, b.box) for b in made.blocks] == [(0, 1, 4, (0, 0, 1, 1)), (3, 10, 0, None)]


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ([{"label": "nonsense"}], "element 0 is dict: neither an Element"),
        ([3], "element 0 is int"),
        ([Element("chapter", "x")], "'chapter' is no kind of block"),
        ({"texts": []}, "needs 'elements', or docling's 'body'"),
        ({"body": {"children": [{"$ref": "#/texts/7"}]}, "texts": []}, "leads nowhere or comes twice"),
        ({"body": {"children": [{"$ref": "#/groups/0"}]}, "groups": [{"children": [{"$ref": "#/groups/0"}]}]}, "comes twice"),
    ],
)  # fmt: skip
def test_what_is_no_element_is_named(elements: Any, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        from_elements(elements, id="d")
