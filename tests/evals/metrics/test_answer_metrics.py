"""Answer metrics against SQuAD's own definitions."""

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.metrics import answers


# The official evaluation script for SQuAD 2.0, in its own words (CC BY-SA 4.0, Rajpurkar et al.).
def official_normalize(s):
    def remove_articles(text):
        return re.sub(re.compile(r"\b(a|an|the)\b", re.UNICODE), " ", text)

    def remove_punc(text):
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    return " ".join(remove_articles(remove_punc(s.lower())).split())


def official_f1(gold, pred):
    gold_toks, pred_toks = official_normalize(gold).split(), official_normalize(pred).split()
    num_same = sum((Counter(gold_toks) & Counter(pred_toks)).values())
    if len(gold_toks) == 0 or len(pred_toks) == 0:
        return int(gold_toks == pred_toks)
    if num_same == 0:
        return 0
    precision, recall = num_same / len(pred_toks), num_same / len(gold_toks)
    return 2 * precision * recall / (precision + recall)


TEXT = st.one_of(
    st.text(max_size=20),
    st.lists(st.sampled_from(["The", "a", "an", "Cat,", "cat", "dog.", "U.S.", "1,000", "!"]), max_size=6).map(
        " ".join
    ),
)


@given(TEXT, st.lists(TEXT, max_size=3))
def test_em_and_f1_are_those_of_squad(said, golds):
    theirs = golds or [""]
    assert answers.exact_match(said, golds) == max(
        int(official_normalize(g) == official_normalize(said)) for g in theirs
    )
    assert answers.f1(said, golds) == pytest.approx(max(official_f1(g, said) for g in theirs))


def test_an_unanswerable_question_wants_silence():
    assert answers.exact_match("", []) == answers.f1("", []) == 1.0
    assert answers.exact_match("Paris", []) == answers.f1("Paris", []) == 0.0


def test_abstention_is_right_when_there_is_no_answer():
    assert answers.abstain(abstained=True, answerable=False) == 1.0
    assert answers.abstain(abstained=True, answerable=True) == 0.0
    assert answers.abstain(abstained=False, answerable=True) == 1.0


def test_an_answer_is_in_a_context_as_a_run_of_whole_words():
    assert answers.in_context(["It rose by 1,000 in the U.S. (2019)."], ["1,000 in U.S."]) == 1.0
    assert answers.in_context(["The catalogue"], ["cat"]) == 0.0
    assert answers.in_context(["Saint Ann", "Arbor"], ["Ann Arbor"]) == 0.0
    assert answers.in_context([], ["Paris"]) == 0.0


def test_yes_and_no_are_not_looked_for_in_a_context():
    assert answers.in_context(["Yes, no."], ["yes"]) is None
    assert answers.in_context(["Yes, Paris."], ["yes", "Paris"]) == 1.0


def test_scripts_without_blanks_are_compared_by_character():
    assert answers.in_context(["戦場のヴァルキュリア3は"], ["ヴァルキュリア3"]) == 1.0
    assert answers.in_context(["กรุงเทพมหานคร"], ["เทพ"]) == 1.0
    assert answers.in_context(["मुंबई में"], ["मुंबई"]) == 1.0


def test_inclusion_finds_the_gold_inside_a_sentence():
    assert answers.inclusion("It was signed by the tenant.", ["The Tenant"]) == 1.0
    assert answers.inclusion("It was signed.", ["tenant", ""]) == 0.0
