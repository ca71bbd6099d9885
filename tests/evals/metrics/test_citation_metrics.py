import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.metrics import citations

RANGE = st.tuples(st.sampled_from("xy"), st.integers(0, 20), st.integers(1, 6)).map(lambda t: (t[0], t[1], t[1] + t[2]))


def touch(a, b):
    return a[0] == b[0] and a[1] < b[2] and b[1] < a[2]


@given(st.lists(RANGE, max_size=5), st.lists(RANGE, max_size=5))
def test_recall_and_precision_count_spans_that_share_a_character(cited, gold):
    found = sum(any(touch(g, c) for c in cited) for g in gold)
    right = sum(any(touch(c, g) for g in gold) for c in cited)
    assert citations.recall(cited, gold) == pytest.approx(found / len(gold) if gold else 0.0)
    assert citations.precision(cited, gold) == pytest.approx(right / len(cited) if cited else 0.0)


@given(st.lists(RANGE, min_size=1, max_size=5))
def test_identical_spans_score_one_and_disjoint_ones_zero(gold):
    moved = [(doc + "z", start, end) for doc, start, end in gold]
    assert citations.f1(gold, gold) == pytest.approx(1.0)
    assert citations.iou(gold, gold) == 1.0
    assert citations.f1(moved, gold) == citations.iou(moved, gold) == 0.0


def test_an_answer_without_citations_scores_nothing():
    assert citations.precision([], [("x", 0, 3)]) == citations.recall([], [("x", 0, 3)]) == 0.0
    assert citations.f1([], []) == 1.0


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1, max_size=6))
def test_alce_precision_equals_recall_with_one_citation_a_sentence(pairs):
    sentences, cited = [claim for claim, _ in pairs], [[text] for _, text in pairs]
    score = citations.alce(sentences, cited, lambda premise, claim: claim in premise)
    assert score.recall == pytest.approx(score.precision)


def test_alce_blames_a_citation_that_adds_nothing():
    def entails(premise, claim):
        return set(claim) <= set(premise)

    assert citations.alce(["ab"], [["a", "b", "z"]], entails) == (1.0, pytest.approx(2 / 3))
    assert citations.alce(["ab"], [["a", ""]], entails) == (0.0, 0.0)
    assert citations.alce(["ab", "c"], [["ab"], []], entails) == (0.5, 1.0)


def test_lexical_entailment_wants_words_numbers_names_and_negation():
    premise = "The Summer Theatre was opened in 1870 in the Saxon Garden."
    assert citations.lexical(premise, "The theatre opened in the Saxon Garden in 1870.")
    assert not citations.lexical(premise, "The theatre opened in the Saxon Garden in 1871.")
    assert not citations.lexical(premise, "The Summer Theatre was not opened in 1870.")
    assert not citations.lexical(premise, "The Summer Theatre was opened in 1870 in the Krasinski Garden.")


def test_grounded_finds_the_number_that_no_citation_holds():
    assert citations.grounded("He paid 32 in March, not 33.", ["he paid 32 dollars in march"]) == pytest.approx(2 / 3)
    assert citations.grounded("nothing to check", []) is None


def test_overlong_is_one_for_a_perfect_citation():
    assert citations.overlong([("x", 0, 10)], [("x", 0, 10)]) == 1.0
    assert citations.overlong([("x", 0, 40)], [("x", 0, 10)]) == 4.0
    assert citations.overlong([("y", 0, 40)], [("x", 0, 10)]) is None
