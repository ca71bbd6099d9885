from __future__ import annotations

import pickle

import pytest

from rag.doctree import flat
from rag.errors import StageError
from rag.types import GAP, Citation, Document, Failed, Hit, Hits, Query


def test_a_citation_is_a_slice_or_an_error() -> None:
    document = Document("d", "The lamp was lit in 1872.")
    cited = Citation.of(document, 20, 24)
    assert (cited.quote, document.text[cited.start : cited.end]) == ("1872", "1872")
    with pytest.raises(ValueError, match=r"document 'd': \[20, 99\) is outside \[0, 25\)"):
        Citation.of(document, 20, 99)


def test_a_hit_shows_its_pieces_with_a_gap_between_them() -> None:
    tree = flat(Document("d", "one two three"), [(0, 13)])
    hit = Hit(tree, 1, ((0, 3), (8, 13)), 1.0)
    assert hit.pieces == ("one", "three")
    assert hit.text == f"one{GAP}three"
    assert hit.key == ("d", 0, 13)
    assert Hits(Query("q", "?"), (hit,)).spans() == [("d", 0, 3), ("d", 8, 13)]


@pytest.mark.parametrize(
    ("query", "allowed"),
    [
        (Query("q", "?"), True),
        (Query("q", "?", scope=("d",)), True),
        (Query("q", "?", scope=("other",)), False),
        (Query("q", "?", scope=()), False),
        (Query("q", "?", filters={"year": 2024}), True),
        (Query("q", "?", filters={"year": [2023, 2024]}), True),
        (Query("q", "?", filters={"year": 2023}), False),
        (Query("q", "?", filters={"tag": "a"}), True),
        (Query("q", "?", filters={"tag": "z"}), False),
        (Query("q", "?", filters={"absent": 1}), False),
    ],
)
def test_scope_and_filters_decide_what_a_question_may_see(query: Query, allowed: bool) -> None:
    assert query.allows("d", {"year": 2024, "tag": ["a", "b"]}) is allowed


def test_a_stage_error_names_its_place_and_survives_pickling() -> None:
    error = StageError("rerankers/mmr", "stages[2]", "q7", "went wrong")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == "stages[2] (rerankers/mmr): item 'q7': went wrong"
    assert str(Failed("q7", again)).startswith("q7: StageError: stages[2]")


def test_the_digest_of_a_text_takes_lone_surrogates() -> None:
    assert Document("d", "\ud800").sha256 != Document("d", "").sha256
