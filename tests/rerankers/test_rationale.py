"""Hits are chosen by what the question needs: what cannot matter changes nothing, and every decision is told."""

from __future__ import annotations

import itertools
import json
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.doctree import flat
from rag.errors import ConfigError, Refused
from rag.models.embed import HashEmbedder
from rag.models.llm import Message, Reply
from rag.registry import find
from rag.testing import check_stage, example_documents, example_queries, indexed
from rag.types import Document, Hit, Hits, Query
from rerankers.combine import Combine
from rerankers.cutoff import Cutoff
from rerankers.decisions import replayed
from rerankers.expansion import cohesive
from rerankers.rationale import NAME, Rationale

WORDS = ("rent", "deposit", "tenant", "keys", "garden", "notice", "month", "repair", "lease", "roof", "Lind", "1904")
QUESTION = "When must the tenant pay the deposit and the rent to Ada Lind?"
sentence = st.lists(st.sampled_from((*WORDS, "blue", "seven", "river")), min_size=1, max_size=9).map(" ".join)
scored = st.tuples(sentence, st.integers(-40, 40), st.integers(0, 40))


def hit(number: int, text: str, own: float, earlier: float, title: str = "") -> Hit:
    tree = flat(Document(f"d{number:03}", text, title), [(0, len(text))])
    return Hit(tree, 1, ((0, len(text)),), own, {"retrievers/bm25": earlier, "rerankers/cross-encoder": own})


def hits(rows: Sequence[tuple[str, float, float]], question: str = QUESTION) -> Hits:
    return Hits(Query("q", question), tuple(hit(i, *row) for i, row in enumerate(rows)))


def chosen(made: Hits) -> list[tuple[str, float]]:
    return [(one.doc, one.score) for one in made]


@settings(max_examples=40)
@given(st.lists(scored, min_size=1, max_size=12), st.sampled_from(("precision", "recall")), st.integers(1, 8))
def test_hits_that_have_nothing_to_do_with_the_question_change_no_pick(rows, mode, more):
    step = Rationale(mode=mode, min_k=1)
    before = step(hits(rows))
    if not any(word.lower() in QUESTION.lower() for text, *_ in rows for word in text.split()):
        return  # then the scores alone decide, and one more score may move the cut
    lowest = min(own for _, own, _ in rows)
    aside = [("Unrelated zebra passages gallop quietly", lowest - 1 - i, 0) for i in range(more)]
    after = step(hits([*rows, *aside]))
    assert chosen(after) == chosen(before)
    told = {drop.hit.doc: drop.reason for drop in after.drops}
    assert all("no word of a rationale" in told[f"d{len(rows) + i:03}"] for i in range(more))


@settings(max_examples=40)
@given(st.lists(scored, min_size=1, max_size=12), st.sampled_from((0.25, 2.0, 64.0)), st.integers(-3, 3))
def test_scaling_or_moving_all_scores_changes_nothing(rows, factor, shift):
    moved = [(text, factor * (own + shift), factor * (earlier + shift)) for text, own, earlier in rows]
    for mode in ("precision", "recall"):
        step = Rationale(mode=mode)
        assert [x.doc for x in step(hits(moved))] == [x.doc for x in step(hits(rows))]


@settings(max_examples=40)
@given(st.lists(st.integers(-40, 40), min_size=1, max_size=25), st.sampled_from(("", "the of and", "?!")))
def test_without_a_rationale_the_scores_alone_are_cut(scores, question):
    rows = hits([("rent and keys", own, 0) for own in scores], question)
    for mode, rule, low in (("precision", "gap", 1), ("recall", "chord", 3)):
        step = Rationale(mode=mode, max_k=20)
        plain = Cutoff(rule=rule, min_k=low, max_k=20)(rows)
        assert [x.doc for x in step(rows)] == [x.doc for x in plain]


@settings(max_examples=40)
@given(st.lists(scored, max_size=12), st.randoms(use_true_random=False), st.sampled_from(("ours", "published")))
def test_the_records_build_the_result_again_and_the_order_of_the_input_has_no_effect(rows, random, procedure):
    given_ = hits(rows)
    step = Rationale(procedure=procedure)
    made = step(given_)
    if not rows:
        assert made == given_
        return
    records = json.loads(json.dumps(made.notes[NAME]["decisions"], allow_nan=False))
    again = replayed(given_, records, NAME)
    assert (again.items, again.drops) == (made.items, made.drops)
    assert len(records) == len(rows)
    assert all(record["reason"] and record["rule"] for record in records)
    mixed = list(given_.items)
    random.shuffle(mixed)
    assert step(replace(given_, items=tuple(mixed))) == made
    assert pickle.dumps(step(given_)) == pickle.dumps(made)


@settings(max_examples=40)
@given(
    st.lists(st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.integers(-9, 9)), min_size=1, max_size=12),
    st.sampled_from(("precision", "recall")),
    st.sampled_from(("ours", "published")),
)
def test_scores_that_are_no_numbers_are_dropped_last_and_never_break_it(scores, mode, procedure):
    rows = hits([(f"the rent of month {i}", float(own), 1.0) for i, own in enumerate(scores)])
    made = Rationale(mode=mode, procedure=procedure)(rows)
    assert made.items
    assert all(math.isfinite(one.score) for one in made)
    assert len(made) + len(made.drops) == len(scores)
    good = [x for x in scores if x == x and x > -math.inf]
    if procedure == "ours" and len(good) >= 3:
        assert all(one.scores["rerankers/cross-encoder"] > -math.inf for one in made)
    json.dumps(made.notes, allow_nan=False)


def test_one_candidate_is_kept_and_equal_ones_are_treated_alike():
    assert len(Rationale()(hits([("the rent", 1, 1)]))) == 1
    same = Rationale()(hits([("the rent of the month", 1.0, 1.0)] * 6))
    assert len({one.score for one in same}) == 1
    assert Rationale()(hits([])) == hits([])


def test_a_passage_is_added_for_what_no_chosen_one_says():
    rows = [
        ("The tenant pays the rent and the deposit in the first month of the lease to the landlord.", 9.0, 9.0),
        ("Ada Lind owns the house by the harbour.", 8.5, 8.5),
        *((f"A garden note number {i} about the roof and the rent.", 1.0 - i / 10, 1.0) for i in range(6)),
    ]
    made = Rationale()(hits(rows, "What rent does the tenant pay to Ada Lind?"))
    assert [one.doc for one in made] == ["d000", "d001"]
    assert "Ada Lind" in made[1].why


def test_the_second_hop_is_found_through_a_title_that_the_first_one_names():
    pages = [
        ("The film Northern Tide was directed by Maria Vell in 1971.", 9.0, 9.0, "Northern Tide"),
        ("Born in Porto, she studied painting.", 6.5, 6.5, "Maria Vell"),
        *((f"A film numbered {i} was directed by somebody in Oslo.", 1.5 - i / 10, 1.5, f"Film {i}") for i in range(8)),
    ]
    query = Query("q", "Where was the director of the film Northern Tide born?")
    made = Rationale()(Hits(query, tuple(hit(i, *row) for i, row in enumerate(pages))))
    assert {"d000", "d001"} <= {one.doc for one in made}
    assert {"label": "Maria Vell", "source": "linked"} in made.notes[NAME]["needs"]


def test_a_rationale_that_nothing_meets_is_reported():
    made = Rationale()(hits([("The rent is due.", 2, 2), ("The keys.", 1, 1)], "What rent does Berta Okafor pay?"))
    needs = made.notes[NAME]["needs"]
    assert "Berta Okafor" in {needs[row]["label"] for row in made.notes[NAME]["unmet"]}


def test_a_neighbour_is_added_where_it_hangs_together_and_is_likely_enough():
    parts = ("The deposit is paid to:\n\n", "the landlord, who keeps what was paid.\n\n", "A roof that was paid.\n\n")
    text = "".join((*parts, "The garden is large, and the rent paid.\n"))
    cuts = [0, *itertools.accumulate(map(len, parts)), len(text)]
    tree = flat(Document("lease", text), list(itertools.pairwise(cuts)))
    found = tuple(
        Hit(tree, i + 1, ((cuts[i], cuts[i + 1]),), own, {"a": own, "b": own})
        for i, own in enumerate((6.0, 6.0, 0.0, 4.0))
    )
    given_ = Hits(Query("q", "Who is paid the deposit?"), found)
    assert [one.start for one in Rationale(expand=False)(given_)] == [0]
    made = Rationale()(given_)
    assert [(one.start, one.why) for one in made][1:] == [(cuts[1], "one list with a chosen passage")]
    assert made.notes[NAME]["decisions"][1]["action"] == "added"
    assert len(Rationale(max_k=1)(given_)) == 1


@pytest.mark.parametrize(
    ("first", "second", "tie"),
    [
        ("- the rent of May,\n", "- the keys.\n", "one list"),
        ("The tenant pays the", "deposit in May.", "one sentence"),
        ("The tenant pays. ", "However, the roof leaks.", "leans on it"),
        ("The tenant pays. ", "The roof leaks.", ""),
        ("   ", "  \n", ""),
    ],
)
def test_what_ties_two_neighbours(first: str, second: str, tie: str):
    tree = flat(Document("d", first + second), [(0, len(first)), (len(first), len(first + second))])
    one, two = (Hit(tree, i, ((int(tree.start[i]), int(tree.end[i])),), 1.0) for i in (1, 2))
    assert cohesive(one, two) == tie


def test_neighbours_of_another_section_are_never_tied():
    tree = find("chunkers/structure")(size=16, max_size=16)(
        Document("d", "# A\n\nThe tenant pays for:\n\n# B\n\n- keys and a roof that leaks.\n", "", "text/markdown")
    )
    leaves = [Hit(tree, leaf.index, ((leaf.start, leaf.end),), 1.0) for leaf in tree.leaves()]
    pairs = [(a, b) for a, b in itertools.pairwise(leaves) if tree.parent[a.node] != tree.parent[b.node]]
    assert pairs
    assert all(cohesive(a, b) == "" for a, b in pairs)


class Told:
    """A language model that gives its answers in turn, the last again and again."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers, self.asked = list(answers), []

    @property
    def name(self) -> str:
        return "told"

    @property
    def fingerprint(self) -> str:
        return "told@1"

    def complete(self, messages: list[Message], **_: Any) -> Reply:
        self.asked.append(messages)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return Reply(answer, 1, 1)


GOOD = json.dumps({"rationales": [{"label": "sum", "need": "the deposit in euros"}, {"label": "x", "need": " "}]})
FORTY = json.dumps({"rationales": [{"label": f"n{i}", "need": f"thing number{i} word{i}"} for i in range(40)]})
ROWS = [("The deposit is 900 euros.", 3, 3), ("The rent is due.", 2, 2), ("Keys.", 1, 1)]


@pytest.mark.parametrize(
    ("answers", "way", "calls"),
    [
        ((GOOD,), "strict", 1),
        (("Sure! ```json\n" + GOOD + "\n```",), "tolerant", 1),
        (("I cannot say.", GOOD), "repaired", 2),
        (("I cannot say.",), "fallback", 2),
        (('{"rationales": [{"label": 3}]}',), "fallback", 2),
        (("[" * 5000,), "fallback", 2),
    ],
)
def test_a_models_answer_is_read_repaired_once_or_replaced_by_the_rules(answers, way, calls):
    llm = Told(*answers)
    made = Rationale(llm=llm)(hits(ROWS))
    assert (made.notes[NAME]["rationales"], len(llm.asked)) == (way, calls)
    sources = {need["source"] for need in made.notes[NAME]["needs"]}
    assert ("model" in sources) == (way in ("strict", "tolerant", "repaired"))
    assert made.items
    assert QUESTION in llm.asked[0][-1].content


def test_forty_rationales_are_cut_to_the_most_and_a_failing_model_gives_way_to_the_rules():
    made = Rationale(llm=Told(FORTY), most=8)(hits(ROWS))
    assert sum(need["source"] in ("question", "model") for need in made.notes[NAME]["needs"]) == 8
    down = Rationale(llm=Told(Refused("no")))(hits(ROWS))
    assert down.notes[NAME]["rationales"] == "failed"
    assert chosen(down) == chosen(Rationale()(hits(ROWS)))


def test_rationales_in_another_language_and_script_leave_a_defined_choice():
    question = "保証金はいくらですか。いつ払いますか。"
    made = Rationale()(hits([("保証金は九百ユーロです。", 2, 2), ("天気がいい。", 1, 1)], question))
    assert made[0].doc == "d000"
    foreign = Rationale()(hits(ROWS, "Wie hoch ist die Kaution?"))
    assert [one.doc for one in foreign] == [one.doc for one in Cutoff(min_k=1)(hits(ROWS))]


def test_an_embedder_or_a_scorer_reads_the_rationales_instead_of_words():
    class Lengths:
        name = fingerprint = "lengths"

        def score(self, query: str, texts: Sequence[str], /) -> Any:
            import numpy as np

            self.asked = query
            return np.array([len(text) for text in texts], dtype=np.float32)

    scorer = Lengths()
    question = "Who holds the deposit? And who repairs the roof of the house?"
    assert Rationale(scorer=scorer)(hits(ROWS, question)).items
    assert scorer.asked in question
    for procedure in ("ours", "published"):
        step = Rationale(embedder=HashEmbedder(dim=64), procedure=procedure)
        assert step(hits(ROWS)) == step(hits(ROWS))
        assert step(hits(ROWS)).items


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="max_k must be >= min_k, got 6 < 9"):
        Rationale(mode="recall", min_k=9)
    with pytest.raises(ConfigError, match="must be a language model"):
        Rationale(llm="gpt")
    with pytest.raises(ConfigError, match="must be a scorer"):
        Rationale(scorer="x")
    with pytest.raises(ConfigError, match="must be an embedder"):
        Rationale(embedder=3)


@pytest.mark.parametrize("budget", [0, 1, 7, 40])
def test_what_is_chosen_fits_a_budget_in_the_combiner_even_one_below_every_chunk(budget):
    made = Combine(budget=budget)(Rationale(mode="recall")(hits(ROWS)))
    assert made.tokens is not None
    assert made.tokens <= budget


@pytest.mark.parametrize(
    "step", [Rationale(), Rationale(mode="recall"), Rationale(procedure="published"), Rationale(rule="chord")]
)
def test_it_keeps_the_contract(step):
    bm25 = indexed(find("chunkers/structure")(size=32), find("retrievers/bm25")(k=6))
    check_stage(step, hits=[bm25(query) for query in example_queries()])
    assert example_documents()


def test_the_bytes_are_the_same_under_another_hash_seed():
    code = (
        "import json; from rag.doctree import flat; from rag.types import Document, Hit, Hits, Query;"
        "from rerankers.rationale import Rationale;"
        "texts=['The tenant pays rent and keys in May.','Rent and keys, garden and roof.','A roof, keys; May rent.'];"
        "trees=[flat(Document(str(i),t,'Rent of May'),[(0,len(t))]) for i,t in enumerate(texts)];"
        "hits=Hits(Query('q','What rent does the tenant pay for keys?'),tuple(Hit(t,1,((0,int(t.end[0])),),2.0,{}) "
        "for t in trees)); print(json.dumps(Rationale(mode='recall')(hits).notes))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert b"decisions" in said.pop()
