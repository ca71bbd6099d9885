"""What was measured of bubbles is pinned, the pages say so, and small cases are measured again."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compressors.bubble import Bubble
from evals.datasets import load
from evals.reproduce import SAMPLE, bubble_chroma, bubble_chroma_models, bubble_citations, bubble_facets
from rag.doctree import flat
from rag.types import Answer, Citation, Document, Hit, Hits, Query, Span

EXPECTED = Path(__file__).parents[2] / "evals" / "expected"


def pinned(name: str):
    return json.loads((EXPECTED / f"{name}.json").read_text())


def test_a_bubble_by_words_holds_more_gold_than_whole_chunks_by_words() -> None:
    found = pinned("bubble_chroma")
    assert found["n"] == len(load(SAMPLE).items)
    for budget, gap in zip(found["budgets"], found["less_best_chunks"], strict=True):
        assert 0 < gap[1] < gap[0], budget
    assert found["rows"]["bubble-lexical"][-1][0] >= 94.2
    assert found["rows"]["bubble-lexical"][found["budgets"].index(512)][0] >= 80


def test_the_docstring_says_what_is_pinned() -> None:
    said = " ".join((Bubble.__doc__ or "").split())
    found = pinned("bubble_chroma")
    at = found["budgets"].index(512)
    gain, low, high = found["less_best_chunks"][at]
    assert f"{found['rows']['bubble-lexical'][at][0]:.1f} % of the gold text of Chroma's {found['n']} questions" in said
    assert f"in 512 tokens, {gain:.1f} points ({low:.1f} to {high:.1f}) more" in said
    models = pinned("bubble_chroma_models")
    shares = " ".join(f"{cells[0]:.1f}" for cells in models["rows"]["bubble"])
    assert f"With the models {shares} % of {models['n']} of them" in said


def test_bubbles_cover_more_sides_from_more_sections_and_say_less_twice_in_larger_contexts() -> None:
    for name, told in pinned("bubble_facets")["sets"].items():
        small, large = (told["rows"]["bubble"][str(budget)] for budget in bubble_facets.BUDGETS)
        assert small["sides_less_chunks"][1] > 0, name
        assert large["sides_less_chunks"][0] > 0, name
        assert small["sections_less_chunks"][1] > 0, name
        assert large["sections_less_chunks"][1] > 0, name
        assert large["repeated_less_chunks"][0] < 0, name


def test_questions_of_chromas_set_are_measured_again() -> None:
    data = load(SAMPLE)
    part = list(data.items)[5::150]
    points = bubble_chroma.measured(part, bubble_chroma.packed("bubble-lexical", data))
    assert points.shape == (len(part), len(bubble_chroma.BUDGETS))
    assert (np.diff(points.mean(axis=0)) >= -1e-9).all()
    assert points[:, 2].mean() > 50


def test_sides_sections_and_repetition_are_counted() -> None:
    texts = {"a": "Rent is due in May.", "b": "Rent is due in May.", "c": "Dogs bark."}
    hits = [Hit(flat(Document(doc, text), [(0, len(text))]), 1, ((0, len(text)),), 1.0) for doc, text in texts.items()]
    item = next(iter(load(SAMPLE).items))
    gold = type(item)(**{**{f: getattr(item, f) for f in item.__dataclass_fields__}, "qrels": {"a": 1, "c": 1, "z": 1}})
    assert bubble_facets.scores(gold, Hits(Query("q", ""), tuple(hits[:2]))) == pytest.approx((100 / 3, 2.0, 100.0))
    assert bubble_facets.scores(gold, Hits(Query("q", ""), (hits[0], hits[2]))) == pytest.approx((200 / 3, 2.0, 0.0))


def test_a_bubble_with_the_models_holds_more_gold_than_whole_chunks_where_there_is_room() -> None:
    found = pinned("bubble_chroma_models")
    assert found["n"] == len(bubble_chroma_models.asked(load(SAMPLE).items))
    for budget, (gain, low, high) in zip(found["budgets"], found["less_best_chunks"], strict=True):
        assert gain > 0, budget
        assert high > 0, budget
        if budget in (512, 2048):
            assert low > 0
    shares = [cells[0] for cells in found["rows"]["bubble"]]
    assert [share >= least for share, least in zip(shares, (61, 77, 87, 92, 97), strict=True)] == [True] * 5


def test_a_bubble_holds_gold_more_often_and_a_small_model_cites_it_less_as_is_said() -> None:
    found = pinned("bubble_citations")
    chunks, bubble = found["rows"]["chunks"], found["rows"]["bubble"]
    assert found["n"] == 200
    assert max(chunks["tokens"], bubble["tokens"]) <= found["budget"]
    assert found["less"]["held"][1] > 0
    said = " ".join((bubble_citations.__doc__ or "").split())
    assert f"({bubble['held'][0]:.1f} % against {chunks['held'][0]:.1f} %)" in said
    assert f"Recall is {bubble['recall'][0]:.1f} % against {chunks['recall'][0]:.1f} %" in said
    assert f"precision {bubble['precision'][0]:.1f} % against {chunks['precision'][0]:.1f} %" in said
    gain, low, high = found["less"]["recall"]
    assert f"{-gain:.1f} points less ({-high:.1f} to {-low:.1f})" in said


def test_a_citation_is_right_where_it_shares_a_character_with_gold() -> None:
    text = "Rent is due in May. Dogs may stay."
    hit = Hit(flat(Document("lease", text), [(0, len(text))]), 1, ((0, 19),), 1.0)
    item = next(one for one in load(SAMPLE).items if one.spans)
    gold = replace(item, spans=(Span("lease", 12, 19),))
    context = Hits(Query("q", "when?"), (hit,))
    right = Answer(context.query, "May", "answered", citations=(Citation("lease", 0, 19, text[:19]),))
    wrong = Answer(context.query, "Dogs", "answered", citations=(Citation("lease", 20, 34, text[20:]),))
    assert bubble_citations.scores(gold, context, right) == (100.0, 100.0, 100.0, 100.0)
    assert bubble_citations.scores(gold, context, wrong) == (0.0, 0.0, 100.0, 100.0)
