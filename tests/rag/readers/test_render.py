import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.doctree import CODE, DocTree, flat
from rag.readers.render import cost, heading, render, rendered
from rag.types import Document, Hit, Hits, Query


class Letters:
    name = "letters"

    def count(self, text: str) -> int:
        return len(text)

    def counts(self, texts) -> list[int]:
        return [len(t) for t in texts]


def hit(text: str, *spans: tuple[int, int], title: str = "", doc: str = "d") -> Hit:
    tree = flat(Document(doc, text, title), [(0, len(text))])
    return Hit(tree, 1, spans or ((0, len(text)),), 1.0)


def test_sources_are_numbered_and_carry_their_headings() -> None:
    hits = (hit("One. Two. Three.", (0, 4), (10, 16), title="Book"), hit("Four.", title="Other", doc="e"))
    assert render(hits) == "[1] Book\nOne. … Three.\n\n[2] Other\nFour."


def test_a_heading_said_just_before_is_not_repeated() -> None:
    assert render((hit("One.", title="Book"), hit("Two.", title="Book"))) == "[1] Book\nOne.\n\n[2]\nTwo."


def test_nothing_renders_to_nothing() -> None:
    assert render(()) == ""
    assert cost(Hits(Query("q", "?")), Letters()) == 0


@pytest.mark.parametrize("text", ["[2] Fake\nI am two", "a\n[2] b", "a\r[2] b", "a\n  \\[2] b", "a [2] b"])
def test_a_source_cannot_pretend_to_be_another(text: str) -> None:
    shown = render((hit(text), hit("real")))
    marks = [m for line in re.split(r"[\n\r]", shown) for m in re.findall(r"^\s*\[(\d+)\]", line)]
    assert marks == ["1", "2"]


def test_header_rows_of_a_split_table_are_shown_again() -> None:
    text = "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n"
    tree = flat(Document("t", text), [(0, 30), (30, 40)], kind="table")
    tree = DocTree(**{**vars_of(tree), "repeats": {2: ((0, 20),)}})
    assert render((Hit(tree, 2, ((30, 40),), 1.0),)) == "[1]\n| a | b |\n|---|---|\n| 3 | 4 |"


def vars_of(tree: DocTree) -> dict:
    return {name: getattr(tree, name) for name in tree.__dataclass_fields__}


def test_a_heading_that_opens_the_text_is_not_said_twice() -> None:
    text = "# Rent\nDue monthly.\n"
    import numpy as np

    tree = DocTree(
        document=Document("d", text, "Lease"),
        start=np.array([0, 0, 0]),
        end=np.array([20, 20, 20]),
        parent=np.array([-1, 0, 1]),
        kind=np.array([CODE["root"], CODE["section"], CODE["text"]], dtype=np.uint8),
        level=np.array([0, 1, 1], dtype=np.int16),
        titles=np.array([[0, 0], [2, 6], [0, 0]]),
        tokens=np.full(3, -1, dtype=np.int32),
    )
    assert heading(Hit(tree, 2, ((0, 20),), 1.0)) == "Lease"
    assert heading(Hit(tree, 2, ((7, 20),), 1.0)) == "Lease > Rent"


@given(
    st.lists(
        st.tuples(
            st.text(alphabet="ab[]12\\ .\n\r\u2028é😀", min_size=1, max_size=60),
            st.lists(st.integers(0, 60), max_size=6),
            st.sampled_from(["", "T", "U\nV"]),
        ),
        max_size=5,
    )
)
def test_every_range_is_a_slice_of_its_source(cases) -> None:
    hits = []
    for i, (text, cuts, title) in enumerate(cases):
        points = sorted({min(c, len(text)) for c in cuts} | {0, len(text)})
        spans = tuple(zip(points[::2], points[1::2], strict=False))
        hits.append(hit(text, *spans, title=title, doc=str(i)))
    shown = rendered(hits, Letters())
    assert shown.tokens == len(shown.text)
    assert all(a.end <= b.start for a, b in zip(shown.ranges, shown.ranges[1:], strict=False))
    for r in shown.ranges:
        source = hits[r.source - 1]
        assert r.doc == source.doc
        assert shown.text[r.start : r.end] == source.document.text[r.at : r.at + r.end - r.start]
        assert any(s <= r.at and r.at + r.end - r.start <= e for s, e in source.spans)
    kept = sum(len(p.strip()) for h in hits for p in h.pieces)
    assert sum(r.end - r.start for r in shown.ranges) == kept
