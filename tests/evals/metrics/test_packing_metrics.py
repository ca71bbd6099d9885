"""Compression, redundancy, facets and the chosen set, by hand and against sets."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.metrics import packing, ranking, variety
from evals.metrics.names import Case, parse
from evals.score import blank

TEXT = "Ada dredged the harbour. It took nine years. The wall is new.\n\nThis part is apart."
DOCS = {"d": TEXT, "e": "The lamp burns oil."}


def at(part):
    start = TEXT.index(part)
    return ("d", start, start + len(part))


def test_support_recall_counts_whole_spans():
    gold = [at("Ada"), at("nine years"), ("e", 0, 8)]
    assert packing.support_recall([at("Ada dredged"), at("nine")], gold, DOCS.get) == pytest.approx(1 / 3)
    assert packing.support_recall([("d", 0, len(TEXT)), ("e", 0, 19)], gold, DOCS.get) == 1.0
    assert packing.support_recall([], gold, DOCS.get) == 0.0


def test_a_sentence_that_points_back_dangles_without_the_one_before():
    assert packing.dangling_sentences([at("It took nine years.")], DOCS.get) == 1.0
    assert packing.dangling_sentences([at("Ada dredged the harbour. It took nine years.")], DOCS.get) == 0.0
    both = [at("It took nine years."), at("The wall is new.")]
    assert packing.dangling_sentences(both, DOCS.get) == 0.5
    assert packing.dangling_sentences([at("This part is apart.")], DOCS.get) == 0.0  # a new paragraph
    assert packing.dangling_sentences([], DOCS.get) is None


def test_dangling_counts_partners_by_hand():
    assert packing.dangling([1, 2, 3], {1: 0, 3: 2, 9: 8}) == pytest.approx(1 / 3)
    assert packing.realised(64, 128) == 0.5


@given(st.lists(st.text("abc ", max_size=8), max_size=5))
def test_redundancy_is_the_mean_jaccard_of_pairs(pieces):
    sets = [{w for w in p.split() if w != "a"} for p in pieces]  # the article is no word
    shares = [len(x & y) / len(x | y) if x | y else 0.0 for x, y in combinations(sets, 2)]
    assert variety.redundancy(pieces) == pytest.approx(sum(shares) / len(shares) if shares else 0.0)


def test_the_same_piece_twice_is_all_redundant():
    assert variety.redundancy(["The lamp burns.", "the LAMP burns"]) == 1.0
    assert variety.redundancy(["one thing"]) == 0.0


def test_facets_are_the_gold_documents_touched():
    sides = variety.facets_by_document([("d", 0, 3), ("d", 5, 9), ("e", 0, 4)])
    assert variety.facets([("d", 8, 12)], sides) == 0.5
    assert variety.facets([("d", 9, 12), ("e", 3, 4)], sides) == 0.5
    assert variety.facets([], sides) == 0.0


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2)))
def test_the_chosen_set_has_the_precision_recall_and_f1_of_sets(chosen, grades):
    wanted = {doc for doc, grade in grades.items() if grade > 0}
    both = len(wanted & set(chosen))
    p, r = both / len(chosen) if chosen else 0.0, both / len(wanted) if wanted else 0.0
    assert ranking.set_precision(chosen, grades, 10) == p
    assert ranking.recall(chosen, grades) == r
    assert ranking.f1(chosen, grades) == pytest.approx(2 * p * r / (p + r) if p + r else 0.0)


def test_the_names_read_a_record(data):
    item = data.items[0]
    span = item.spans[0]
    text = data.text(span.doc)
    shown = {"tokens": 16, "spans": [[span.doc, 0, span.end]], "lost": None}
    record = {
        **blank(item),
        "answer": "Fact 0 about the lease number 0 is value0x0.",
        "status": "answered",
        "citations": [[span.doc, 0, text.index("\n")]],
        "ranking": ["d0", "d1"],
        "context": shown,
        "at": {"64": shown},
    }
    found = {
        name: parse(name)(Case(record, item, data.text))
        for name in ("SupR@64tok", "Facets", "Redund", "Dangling@64tok", "Used@64tok", "AlceR", "AlceP", "SetP", "SetR")
    }
    assert found == {
        "SupR@64tok": 1.0,
        "Facets": 1.0,
        "Redund": 0.0,
        "Dangling@64tok": 0.0,
        "Used@64tok": 0.25,
        "AlceR": 1.0,
        "AlceP": 1.0,
        "SetP": 0.5,
        "SetR": 1.0,
    }
    line = text.index("\n")
    assert parse("Overlong")(Case(record, item, data.text)) == pytest.approx(line / (span.end - span.start))
    silent = {**record, "answer": "", "citations": []}
    assert parse("AlceR")(Case(silent, item, data.text)) is None
    assert parse("Overlong")(Case(silent, item, data.text)) is None


@pytest.mark.parametrize(("name", "cost"), [("Redund", False), ("Abstain", False), ("Used@64tok", True)])
def test_what_is_measured_is_told_from_what_is_judged(name, cost):
    assert parse(name).cost is cost
