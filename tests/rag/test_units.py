from hypothesis import given
from hypothesis import strategies as st

from rag.doctree import flat
from rag.types import Document, Hit
from rag.units import clauses, cut, units


@given(st.text(alphabet="aB.!| -\n1)*:,é。", max_size=200), st.data())
def test_units_tile_the_range(text: str, data) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    spans = [(a, b) for a, b, _ in cut(text, start, end)]
    assert "".join(text[a:b] for a, b in spans) == text[start:end]
    assert all(a < b for a, b in spans)
    assert [a for a, _ in spans[1:]] == [b for _, b in spans[:-1]]
    for a, b in spans:
        assert "".join(text[x:y] for x, y in clauses(text, a, b)) == text[a:b]


def test_list_items_and_rows_are_units_and_rows_need_their_header() -> None:
    text = "Two things:\n- one\n- two\n  goes on\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n"
    found = list(cut(text, 0, len(text)))
    head = (35, 55)
    assert [text[a:b] for a, b, _ in found] == [
        "Two things:\n",
        "- one\n",
        "- two\n  goes on\n\n",
        "| a | b |\n|---|---|\n",
        "| 1 | 2 |\n",
        "| 3 | 4 |\n",
    ]
    assert text[slice(*head)] == "| a | b |\n|---|---|\n"
    assert [needs for _, _, needs in found] == [None, None, None, None, head, head]


def test_what_an_earlier_hit_holds_is_not_given_again() -> None:
    text = "One. Two. Three."
    tree = flat(Document("d", text), [(0, 10), (5, 16)])
    found = units([Hit(tree, 2, ((5, 16),), 1.0), Hit(tree, 1, ((0, 10),), 1.0)])
    assert [(u.hit, text[u.start : u.end]) for u in found] == [(0, "Two. "), (0, "Three."), (1, "One. ")]
