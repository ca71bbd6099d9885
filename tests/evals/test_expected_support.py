"""What the bubble keeps of multi-hop support is pinned, said as measured, and a small case is measured again."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from compressors.bubble import Bubble
from compressors.choosing import Weights
from evals.reproduce import support, support_models
from rag.config import load

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "support.json").read_text())


def cell(name: str, row: str, budget: int, metric: str = "all") -> float:
    return PINNED["sets"][name]["rows"][row][str(budget)][metric][0]


def test_the_docstring_says_what_is_pinned() -> None:
    said = " ".join((Bubble.__doc__ or "").split())
    for name in (*support.SETS, *support.UNSEEN):
        rows = ("bubble", support.BASE, "bubble, no bridge") if name in support.SETS else ("bubble", support.BASE)
        for row in rows:
            values = " / ".join(f"{cell(name, row, budget):.0f}" for budget in support.BUDGETS)
            assert re.search(rf"\b{values}\b", said), (name, row, values)
    for name in (*support.SETS, "musique"):
        assert f"% of {PINNED['sets'][name]['n']} " in said


def test_all_support_and_answers_stand_in_small_contexts_without_a_model() -> None:
    least = {support.SETS[0]: ((55, 75), (82, 90)), support.SETS[1]: ((55, 64), (75, 74))}
    for name, by in least.items():
        for budget, (all_of_it, answer) in zip(support.BUDGETS, by, strict=True):
            assert cell(name, "bubble", budget) >= all_of_it
            assert cell(name, "bubble", budget, "answer") >= answer


def test_sets_that_chose_no_weight_confirm_them_or_show_no_sure_loss() -> None:
    assert cell("musique", "bubble", 128) > cell("musique", support.BASE, 128)
    for name in support.UNSEEN:
        for budget in support.BUDGETS:
            _, _, high = PINNED["sets"][name]["rows"]["bubble"][str(budget)]["all_less_base"]
            assert high > 0


def test_the_bubble_is_ahead_of_sentences_with_their_titles_at_256() -> None:
    for name in support.SETS:
        gain, low, _ = PINNED["sets"][name]["rows"]["bubble"]["256"]["all_less_base"]
        assert 0 < low < gain


def test_certificates_are_above_nine_tenths_on_the_mean() -> None:
    assert all(one["certificate"] >= 0.9 for one in PINNED["sets"].values())


def small(tmp_path: Path) -> support.Case:
    folder = tmp_path / "two"
    folder.mkdir()
    docs = [
        {"id": "film", "title": "The Long Harbour", "text": "The Long Harbour is a film. Ilse Varga directed it."},
        {"id": "varga", "title": "Ilse Varga", "text": "Ilse Varga was a painter. She grew up in Mohács."},
        {"id": "other", "title": "Short Harbour", "text": "It is a long film. Nobody directed the harbour."},
    ]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, docs)))
    asked = {"id": "q", "text": "Where did the person grow up who directed The Long Harbour?", "answers": ["Mohács"]}
    (folder / "queries.jsonl").write_text(json.dumps(asked))
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\tfilm\t1\nq\tvarga\t1\n")
    spans = [
        {"query_id": "q", "doc_id": "film", "start": 28, "end": 51, "text": "Ilse Varga directed it."},
        {"query_id": "q", "doc_id": "varga", "start": 26, "end": 48, "text": "She grew up in Mohács."},
    ]
    (folder / "spans.jsonl").write_text("\n".join(map(json.dumps, spans)))
    (case,) = support.cases(folder, None)
    return case


def test_a_set_is_measured_again(tmp_path) -> None:
    case = small(tmp_path)
    assert len(case.gold) == 2
    assert support.scored(case, sorted(set().union(*case.gold))) == (1.0, 1.0, 1.0)
    kept = support.chosen(case, 14, Weights()).order
    assert sum(case.pool.price.unit[k] for k in support.filled(case, kept, 14)) <= 14


def test_the_cross_encoder_adds_to_the_support_on_the_mean_of_sets_and_budgets() -> None:
    found = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "support_models.json").read_text())
    assert {name: one["n"] for name, one in found["sets"].items()} == dict(
        zip(support_models.PARTS, (40, 100, 100, 100), strict=True)
    )
    gains = [one[str(b)]["models"]["all_less_base"][0] for one in found["sets"].values() for b in support.BUDGETS]
    mean, low, high = found["mean"]
    assert mean == pytest.approx(sum(gains) / len(gains), abs=0.01)
    assert 0 < low < mean < high
    said = " ".join((Bubble.__doc__ or "").split())
    assert f"and {mean:.0f} points ({low:.0f} to {high:.0f}) with a fourth set" in said
    mean, low, high = found["sentences"]
    assert mean >= 8
    assert low > 0
    assert f"adds {mean:.0f} points ({low:.0f} to {high:.0f}) of multi-hop support" in said
    stage = next(one for one in load("bubble").stages if isinstance(one, Bubble))
    assert stage.terms == support_models.TERMS
    assert stage == Bubble(scorer=stage.scorer, terms=support_models.TERMS, again=stage.again)


def test_a_scorer_is_compared_with_words_on_the_same_questions(tmp_path) -> None:
    case = small(tmp_path)
    told, gains = support_models.compared([case], ByWords(), 0)
    assert told["n"] == 1
    assert gains == [[0.0], [0.0]]
    assert support_models.gained([gains], 0) == [0.0, 0.0, 0.0]
    for budget in map(str, support.BUDGETS):
        assert told[budget]["models"]["all"][0] == told[budget]["words"]["all"][0] == 100.0


@dataclass(frozen=True)
class ByWords:
    """Scores by the share of the question's words that a text has."""

    name: str = "by words"
    fingerprint: str = "by words"

    def score(self, query: str, texts):
        asked = set(query.lower().split())
        return np.array([len(asked & set(text.lower().split())) / len(asked) for text in texts])
