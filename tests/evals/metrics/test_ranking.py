"""Ranking metrics against trec_eval, through ir-measures and pytrec_eval."""

import ir_measures
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.metrics import ranking

DOCS = [f"d{i}" for i in range(12)]
GRADES = st.dictionaries(st.sampled_from(DOCS), st.integers(0, 3), min_size=1, max_size=8)
# few distinct scores, so that ties are common
SCORES = st.dictionaries(st.sampled_from(DOCS), st.sampled_from([0.0, 0.5, 1.0, 2.0]), max_size=12)
NAMES = {
    "recall_5": lambda r, g: ranking.recall(r, g, 5),
    "P_5": lambda r, g: ranking.precision(r, g, 5),
    "ndcg_cut_10": lambda r, g: ranking.ndcg(r, g, 10),
    "ndcg_cut_3": lambda r, g: ranking.ndcg(r, g, 3),
    "ndcg": ranking.ndcg,
    "map": ranking.average_precision,
    "map_cut_3": lambda r, g: ranking.average_precision(r, g, 3),
    "recip_rank": ranking.reciprocal_rank,
    "success_1": lambda r, g: ranking.success(r, g, 1),
    "set_P": ranking.precision,
}


@settings(max_examples=300, deadline=None)
@given(grades=GRADES, scores=SCORES)
def test_values_are_those_of_trec_eval_with_ties_grades_and_short_runs(grades, scores):
    measures = {"recall.5", "P.5", "ndcg_cut.3,10", "ndcg", "map", "map_cut.3", "recip_rank", "success.1", "set_P"}
    theirs = pytrec_eval.RelevanceEvaluator({"q": grades}, measures)
    found = theirs.evaluate({"q": scores}).get("q")
    order = ranking.by_score(scores)
    if not scores:  # trec_eval leaves a question without results out; it scores 0 in every mean
        assert all(metric(order, grades) == 0.0 for metric in NAMES.values())
        return
    for name, metric in NAMES.items():
        assert metric(order, grades) == pytest.approx(found[name], abs=1e-6), name


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["q1", "q2", "q3", "q4"]), GRADES, min_size=1), st.data())
def test_means_are_those_of_ir_measures_with_missing_questions(qrels, data):
    run = {q: data.draw(SCORES) for q in qrels if data.draw(st.booleans())}
    # RR@k is left out: there ir-measures asks another tool, which breaks ties in its own way.
    measures = [ir_measures.parse_measure(m) for m in ("R@5", "P@5", "nDCG@10", "RR", "AP", "Success@5", "AP@5")]
    flat_qrels = [ir_measures.Qrel(q, d, g) for q, docs in qrels.items() for d, g in docs.items()]
    flat_run = [ir_measures.ScoredDoc(q, d, s) for q, docs in run.items() for d, s in docs.items()]
    theirs = ir_measures.calc_aggregate(measures, flat_qrels, flat_run)
    ours = {
        "R@5": lambda r, g: ranking.recall(r, g, 5),
        "P@5": lambda r, g: ranking.precision(r, g, 5),
        "nDCG@10": lambda r, g: ranking.ndcg(r, g, 10),
        "RR": ranking.reciprocal_rank,
        "AP": ranking.average_precision,
        "AP@5": lambda r, g: ranking.average_precision(r, g, 5),
        "Success@5": lambda r, g: ranking.success(r, g, 5),
    }
    for measure in measures:
        values = [ours[str(measure)](ranking.by_score(run.get(q, {})), g) for q, g in qrels.items()]
        assert sum(values) / len(values) == pytest.approx(theirs[measure], abs=1e-6), measure


def test_all_recall_needs_every_relevant_document():
    grades = {"a": 1, "b": 2, "c": 0}
    assert ranking.all_recall(["a", "x", "b"], grades, 3) == 1.0
    assert ranking.all_recall(["a", "x", "b"], grades, 2) == 0.0
    assert ranking.all_recall(["a"], {"a": 0}, 5) == 0.0


def test_f1_of_a_selection_divides_by_what_was_chosen():
    grades = {"a": 1, "b": 1}
    assert ranking.f1(["a", "b"], grades, 10) == 1.0
    assert ranking.f1(["a", "x"], grades) == 0.5
    assert ranking.f1([], grades) == 0.0


def test_documents_count_once_where_they_came_first():
    assert ranking.distinct(["b", "a", "b", "c", "a"]) == ["b", "a", "c"]


def test_a_negative_grade_is_not_relevant():
    grades = {"a": -1, "b": 1}
    assert ranking.ndcg(["a", "b"], grades) == ranking.ndcg(["x", "b"], {"b": 1})
    assert ranking.recall(["a"], grades) == 0.0
    assert ranking.ndcg(["a"], {"a": -1}) == 0.0
