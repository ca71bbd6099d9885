import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.doctree import flat
from rag.readers.quotes import find, locate, parts
from rag.types import Document, Hit

TEXT = "The  “quick”\nbrown fox — it’s said — jumps.\nThe ﬁnal day."


@pytest.mark.parametrize(
    ("quote", "slice_"),
    [
        ("brown fox", "brown fox"),
        ('the "quick" brown', "The  “quick”\nbrown"),
        ("it's said", "it’s said"),
        ("fox - it's", "fox — it’s"),
        ("lazy dog", None),
        ("", None),
        ("   ", None),
    ],
)
def test_a_quotation_is_found_with_its_exact_offsets(quote: str, slice_: str | None) -> None:
    found = find(quote, TEXT, 0, len(TEXT))
    assert (TEXT[slice(*found)] if found else None) == slice_


def test_a_quotation_outside_the_range_is_not_found() -> None:
    assert find("jumps", TEXT, 0, 20) is None


@given(st.text(alphabet="ab \n\t\u00a0“”é", max_size=60), st.data())
def test_every_piece_of_a_text_is_found_whatever_its_white_space(text: str, data) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    quote = " ".join(text[start:end].split())
    found = find(quote, text, 0, len(text))
    if quote:
        assert found is not None
        assert "".join(text[slice(*found)].split()).replace("”", '"').replace("“", '"') == "".join(
            quote.split()
        ).replace("”", '"').replace("“", '"')


def test_a_quotation_with_gaps_falls_into_parts() -> None:
    assert parts('"One two … three ... four."') == ["One two", "three", "four."]
    assert parts(" … ") == []


def test_the_hit_it_names_comes_first_then_the_others() -> None:
    hits = [
        Hit(flat(Document(d, t), [(0, len(t))]), 1, ((0, len(t)),), 1.0) for d, t in (("a", "x one"), ("b", "one two"))
    ]
    assert locate("one", hits, 1) == (1, 0, 3)
    assert locate("one", hits, 7) == (0, 2, 5)
    assert locate("two", hits, 0) == (1, 4, 7)
    assert locate("six", hits, 0) is None
