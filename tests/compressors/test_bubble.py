"""The bubble: budget, slices, reasons, determinism, the bridge, near duplicates, stopping early."""

import hashlib
import itertools
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressors.aspects import facets
from compressors.bubble import Bubble
from compressors.records import chained, replayed
from rag.doctree import flat
from rag.errors import DataError, ModelError
from rag.models.tokens import counter
from rag.readers.render import cost
from rag.types import Document, Hit, Hits, Query

SENTENCES = [
    "The lease of Ann Lee is signed by the tenant. ",
    "Rent is due monthly, on the first day; late rent costs 5 % more. ",
    "Ann Lee was born in Paris in 1970.\n\n",
    "- first item of a list\n",
    "| name | rent |\n|---|---|\n| Ann | 500 |\n| Bob | 700 |\n\n",
    "雨が降る。 ",
    "Word " * 60 + ". ",
    "😀 ok! ",
    "\u00a0\ufeff\r\n",
]
texts = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=8).map("".join)


@st.composite
def bubbles(draw) -> Hits:
    question = draw(st.sampled_from(["where was the tenant born", "rent of Bob", "", "zzz"]))
    hits = []
    for i, text in enumerate(draw(st.lists(texts, max_size=4))):
        cuts = sorted({0, len(text), *draw(st.lists(st.integers(0, len(text)), max_size=3))})
        leaves = list(itertools.pairwise(cuts))
        tree = flat(Document(f"d{i}", text, draw(st.sampled_from(["", "Lease", "Ann Lee (person)"]))), leaves)
        for leaf, span in enumerate(leaves, start=1):
            if draw(st.booleans()):
                hits.append(Hit(tree, leaf, (span,), draw(st.sampled_from([-3.0, 0.0, 1.0, 2.5]))))
    return Hits(Query("q", question), tuple(draw(st.permutations(hits))))


SETTINGS = st.sampled_from(
    [
        {},
        {"cap": 0.4},
        {"adaptive": 0.5},
        {"like": 0.3, "spread": 0.3, "facets": 0.5},
        {"distinct": False, "bridge": 0.0},
        {"again": 0.7, "wide": 3.0},
    ]
)


@settings(deadline=None, max_examples=120)
@given(bubbles(), st.integers(0, 300), st.sampled_from(["chars", "words", "cl100k"]), SETTINGS)
def test_the_rendering_never_exceeds_the_budget_and_all_is_sliced(hits, budget, tokenizer, more) -> None:
    out = Bubble(budget=budget, tokenizer=tokenizer, **more)(hits)
    assert out.tokens == cost(out, counter(tokenizer)) <= budget
    inside = {(h.doc, i) for h in hits for a, b in h.spans for i in range(a, b)}
    kept = [(h.doc, i) for h in out for a, b in h.spans for i in range(a, b)]
    assert set(kept) <= inside
    assert len(kept) == len(set(kept))


@settings(deadline=None, max_examples=60)
@given(bubbles(), st.integers(0, 150), SETTINGS)
def test_what_is_left_out_has_a_reason_and_order_does_not_matter(hits, budget, more) -> None:
    stage = Bubble(budget=budget, explain=True, **more)
    out = stage(hits)
    whole = {(h.doc, i) for h in hits for a, b in h.spans for i in range(a, b) if not h.document.text[i].isspace()}
    kept = {(h.doc, i) for h in out for a, b in h.spans for i in range(a, b)}
    lost = {(d.hit.doc, i) for d in out.drops for a, b in d.hit.spans for i in range(a, b)}
    assert whole <= kept | lost
    assert all(drop.reason and drop.stage == "compressors/bubble" for drop in out.drops)
    assert stage(replace(hits, items=hits.items[::-1])) == out
    if budget:
        told = {(r["doc"], i) for r in out.notes["compressors/bubble"]["records"] for i in range(r["start"], r["end"])}
        assert kept <= told | {(h.doc, i) for h in out for i in range(h.start, h.end) if "|" in h.document.text}


@settings(deadline=None, max_examples=60)
@given(bubbles(), st.integers(0, 200), SETTINGS)
def test_the_records_build_the_same_bubble_again(hits, budget, more) -> None:
    out = Bubble(budget=budget, explain=True, **more)(hits)
    note = out.notes["compressors/bubble"]
    shuffled = replace(hits, items=hits.items[::-1])
    assert replayed(shuffled, note) == out
    assert replayed(hits, json.loads(json.dumps(note))) == out
    lines = chained(note)
    assert len(lines) == 1 + note["units"]
    for before, line in itertools.pairwise(lines):
        assert json.loads(line)["before"] == hashlib.blake2b(before.encode(), digest_size=12).hexdigest()


def test_records_of_other_hits_are_refused() -> None:
    asked = two("Where was the person born who directed The Long Harbour?")
    note = Bubble(budget=40, explain=True)(asked).notes["compressors/bubble"]
    with pytest.raises(DataError, match=r"compressors/bubble: the records are of the input [0-9a-f]{24}, got"):
        replayed(replace(asked, items=asked.items[:2]), note)
    with pytest.raises(DataError, match="`explain: true`"):
        replayed(asked, Bubble(budget=40)(asked).notes["compressors/bubble"])


def two(question: str) -> Hits:
    parts = {
        "film": ("The Long Harbour", "The Long Harbour is a film of 1961. It was directed by Ilse Varga."),
        "varga": ("Ilse Varga", "Ilse Varga was a painter at first. She was born in the town of Mohács."),
        "other": ("The Short Harbour", "The Short Harbour is a film too. Its director is unknown, as are its actors."),
    }
    hits = []
    for k, (name, (title, text)) in enumerate(parts.items()):
        tree = flat(Document(name, text, title), [(0, len(text))])
        hits.append(Hit(tree, 1, ((0, len(text)),), [3.0, 0.2, 1.0][k]))
    return Hits(Query("q", question), tuple(hits))


def test_the_bridge_finds_what_only_the_first_document_names() -> None:
    asked = two("Where was the person born who directed The Long Harbour?")
    with_bridge, without = (Bubble(budget=50, bridge=b)(asked) for b in (0.6, 0.0))
    assert "varga" in {hit.doc for hit in with_bridge}
    assert "varga" not in {hit.doc for hit in without}


def test_a_near_duplicate_is_left_out_and_says_where_else_it_stands() -> None:
    text = "Rent is due monthly and in advance to the landlord. "
    hits = Hits(
        Query("q", "rent"),
        tuple(Hit(flat(Document(d, text), [(0, len(text))]), 1, ((0, len(text)),), 1.0) for d in "ab"),
    )
    out = Bubble()(hits)
    assert [hit.doc for hit in out] == ["a"]
    assert [drop.reason for drop in out.drops] == [f"said by a 0:{len(text)}"]
    assert out.notes["compressors/bubble"]["also"] == [{"kept": ["a", 0, len(text)], "stands": ["b", 0, len(text)]}]


def test_a_near_duplicate_may_be_shown_for_less_behind_what_is_new() -> None:
    said, new = "Rent is due monthly and in advance to the landlord. ", "The rent of a dog is low. "
    texts = {"a": said, "b": said, "c": new}
    hits = Hits(
        Query("q", "when is rent due"),
        tuple(Hit(flat(Document(d, t), [(0, len(t))]), 1, ((0, len(t)),), 1.0) for d, t in texts.items()),
    )
    assert [hit.doc for hit in Bubble(again=0.5)(hits)] == ["a", "b", "c"]
    tight = Bubble(again=0.5, budget=32)(hits)
    assert [hit.doc for hit in tight] == ["a", "c"]
    assert [drop.reason for drop in tight.drops] == [f"said by a 0:{len(said)}"]
    assert [hit.doc for hit in Bubble()(hits)] == ["a", "c"]


def test_a_hits_score_counts_for_more_where_there_is_room() -> None:
    stage = Bubble(prior=0.4, wide=1.5)
    assert [stage.weights(b).prior for b in (0, 1, 256, 512, 100_000)] == pytest.approx([0.4, 0.4, 0.4, 0.6, 0.6])
    assert 0.4 < stage.weights(400).prior < 0.6
    assert Bubble(prior=0.9).weights(1000).prior == 1.0
    assert Bubble(prior=0.0).weights(1000).prior == 0.0


def test_what_is_said_again_counts_for_nothing_where_there_is_little_room() -> None:
    stage = Bubble(again=0.8)
    assert [stage.weights(b).again for b in (0, 64, 128, 256, 4096)] == pytest.approx([0, 0, 0, 0.8, 0.8])
    assert 0 < stage.weights(180).again < 0.8


def test_the_notes_bound_the_worth() -> None:
    notes = Bubble(budget=40)(two("Where was the person born who directed The Long Harbour?")).notes[
        "compressors/bubble"
    ]
    assert 0 < notes["worth"] <= notes["bound"]
    assert notes["certificate"] == pytest.approx(notes["worth"] / notes["bound"], abs=1e-3)


def test_adaptive_leaves_tokens_unused() -> None:
    asked = two("Where was the person born who directed The Long Harbour?")
    full, lean = Bubble(budget=500)(asked), Bubble(budget=500, adaptive=0.9)(asked)
    assert lean.tokens < full.tokens
    assert {drop.reason for drop in lean.drops} == {"adds too little"}


def test_a_heading_alone_is_no_evidence() -> None:
    text = "# Rent of the house\n\n## Rent and rent\n\nIt is due in May.\n"
    tree = flat(Document("a", text, "Rent"), [(0, len(text))])
    out = Bubble(budget=30, explain=True)(
        Hits(Query("q", "rent of the house"), (Hit(tree, 1, ((0, len(text)),), 1.0),))
    )
    records = out.notes["compressors/bubble"]["records"]
    assert next(text[one["start"] : one["end"]].strip() for one in records) == "It is due in May."
    tight = Bubble(budget=10)(Hits(Query("q", "rent of the house"), (Hit(tree, 1, ((0, len(text)),), 1.0),)))
    assert "a heading, shown above its text" in {drop.reason for drop in tight.drops}


def test_a_cap_leaves_room_for_other_sections() -> None:
    text = "Rent is due. Rent is late. Rent is high. Rent is paid. Rent is low."
    asked = Hits(
        Query("q", "rent"),
        tuple(
            Hit(flat(Document(d, text + d), [(0, len(text) + 1)]), 1, ((0, len(text)),), s)
            for d, s in (("a", 9), ("b", 1))
        ),
    )
    assert {hit.doc for hit in Bubble(budget=40, cap=0.5, distinct=False)(asked)} == {"a", "b"}


def test_facets_are_the_things_a_question_names() -> None:
    assert facets('Did Ann Lee read "the long way" in 1970?') == [
        frozenset({"ann", "lee"}),
        frozenset({"long", "way"}),
        frozenset({"1970"}),
    ]


@dataclass(frozen=True)
class Broken:
    name: str = "broken"
    max_tokens: int = 512
    fingerprint: str = "broken"

    def score(self, query, texts):
        return np.full(len(texts), np.nan)


def test_scores_that_are_no_numbers_name_stage_and_unit() -> None:
    with pytest.raises(ModelError, match=r"compressors/bubble: broken must give 6 finite scores.*first at unit 0"):
        Bubble(scorer=Broken())(two("born"))


def test_two_processes_give_the_same_bytes() -> None:
    code = (
        "import runpy, sys; m = runpy.run_path(sys.argv[1]); "
        "out = m['Bubble'](budget=60, explain=True)(m['two']('Where was the person born who directed The Long Harbour?')); "
        "print(repr((out.spans(), out.notes)))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code, __file__],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
