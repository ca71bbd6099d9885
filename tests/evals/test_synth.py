"""Questions made from documents: every evidence a slice, every answer found again, the same bytes each time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from evals.check import validate
from evals.datasets import load
from evals.synth.make import Synthesis, synthesise
from evals.synth.parts import context_split
from evals.synth.templates import drafts, rouge
from rag.errors import DataError
from rag.models.llm import Reply
from rag.sentences import sentence_spans
from rag.testing import indexed
from rag.types import Document, Query
from retrievers.bm25 import BM25

SAMPLES = Path(__file__).parents[2] / "evals" / "samples"
WIKIPEDIA = SAMPLES / "wikipedia" / "corpus.jsonl"
HARBOUR = (
    "Ada Lind designed the harbour of Vell. The harbour was dredged in the spring of 1904; it took many months. "
    "Large ships must wait outside. The wall is a barrier of granite. It is thick. A storm broke 14 cranes in one night. "
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("synth") / "out"
    synthesise([WIKIPEDIA], out, Synthesis(count=60, seed=1))
    return out


def test_what_is_made_is_a_sound_dataset_with_verbatim_evidence(made):
    assert validate(made) == []
    data = load(made)
    assert len(data) == 60
    for item in data.items:
        (span,) = item.spans
        evidence = data.text(span.doc)[span.start : span.end]
        assert item.answers[0] in evidence
        assert item.qrels == {span.doc: 1}
        assert rouge(item.text, evidence) <= 0.9


def test_questions_come_from_all_over_and_differ(made):
    data = load(made)
    assert len({item.spans[0].doc for item in data.items}) >= 12
    for item in data.items:
        same = [o for o in data.items if o.spans[0].doc == item.spans[0].doc and o.id != item.id]
        assert all(rouge(item.text, other.text) <= 0.7 for other in same)


def test_bm25_finds_the_evidence_of_every_question(made):
    data = load(made)
    documents = [Document(doc, data.text(doc), data.record(doc)["title"]) for doc in data.places]
    finder = indexed(StructureChunker(), BM25(k=5), documents)
    for item in data.items:
        (span,) = item.spans
        hits = finder(Query(item.id, item.text))
        assert any(h.doc == span.doc and h.start < span.end and span.start < h.end for h in hits)


def test_the_same_seed_gives_the_same_bytes_and_another_gives_other_questions(made, tmp_path):
    synthesise([WIKIPEDIA], tmp_path / "again", Synthesis(count=60, seed=1))
    synthesise([WIKIPEDIA], tmp_path / "other", Synthesis(count=60, seed=2))
    assert load(tmp_path / "again").digest == load(made).digest
    assert {i.id for i in load(tmp_path / "other").items} != {i.id for i in load(made).items}


def test_templates_ask_for_names_numbers_years_and_definitions():
    found = [(d.kind, d.question, s[d.start : d.end]) for s in sentences(HARBOUR) for d in drafts(s)]
    assert ("subject", "Who or what designed the harbour of Vell?", "Ada Lind") in found
    assert ("year", "The harbour was dredged in the spring of which year?", "1904") in found
    assert ("definition", "What is the wall?", "a barrier of granite") in found
    assert ("number", "A storm broke how many cranes in one night?", "14") in found


@pytest.mark.parametrize(
    "sentence",
    [
        "It was dredged in 1904 by Ada Lind.",
        "| berth | depth in 1904 |",
        "Too short 1904.",
        "no capital in the year 1904 here.",
        "",
    ],
)
def test_sentences_that_lean_on_others_give_no_question(sentence):
    assert list(drafts(sentence)) == []


def sentences(text):
    return [text[a:b].strip() for a, b in sentence_spans(text)]


@given(st.text(alphabet="ab .\nA1’", max_size=300))
def test_the_tree_halves_the_sentences_until_they_are_few(text):
    spans = [(a, b) for a, b in sentence_spans(text) if text[a:b].strip()]
    parts = list(context_split(text, spans))
    leaves = [part for part in parts if part.leaf]
    assert [i for leaf in leaves for i in range(leaf.first, leaf.last)] == list(range(len(spans)))
    assert all(leaf.last - leaf.first < 4 for leaf in leaves)
    assert all(part.last - part.first >= 2 for part in parts if len(spans) >= 2)


def test_the_tree_cuts_where_the_subject_changes():
    harbour = "The harbour has a wall. The harbour wall is deep. The wall of the harbour is old. "
    bread = "Bread needs yeast. Yeast makes bread rise. Bread with yeast is soft. "
    text = harbour + bread
    parts = list(context_split(text, sentence_spans(text)))
    assert [(p.first, p.last) for p in parts[:2]] == [(0, 6), (0, 3)]


@dataclass
class Scripted:
    """A model that gives the answers it was told, in turn, as a paid endpoint would."""

    replies: list
    asked: list = field(default_factory=list)
    name: str = "scripted"
    fingerprint: str = "scripted@1"

    def complete(self, messages, **settings):
        self.asked.append(messages)
        reply = self.replies[min(len(self.asked) - 1, len(self.replies) - 1)]
        return Reply(reply, tokens_in=1, tokens_out=1)


def test_a_language_models_question_must_point_at_a_sentence_that_holds_its_answer(tmp_path):
    (tmp_path / "h.txt").write_text("Ada Lind designed the harbour of Vell. Large ships must wait outside the wall.\n")
    good = json.dumps({"question": "Which engineer planned the harbour of Vell?", "sentence": 1, "answer": "Ada Lind"})
    model = Scripted([good])
    synthesise([tmp_path / "h.txt"], tmp_path / "one", Synthesis(llm=model))
    (item,) = load(tmp_path / "one").items
    assert (item.text, item.answers, item.type) == (
        "Which engineer planned the harbour of Vell?",
        ("Ada Lind",),
        "generated",
    )
    bad = json.dumps({"question": "Who?", "sentence": 2, "answer": "Ada Lind"})
    made = Synthesis(llm=Scripted([bad, "prose", bad, "prose"]))
    synthesise([tmp_path / "h.txt"], tmp_path / "two", made)
    (item,) = load(tmp_path / "two").items
    assert item.type == "subject"  # the templates stepped in
    assert made.dropped["language model out of form"] == 1


def test_documents_that_give_nothing_are_refused_and_nothing_is_left(tmp_path):
    (tmp_path / "h.txt").write_text("hm.\n")
    with pytest.raises(DataError):
        synthesise([tmp_path / "h.txt"], tmp_path / "out", Synthesis())
    assert [p.name for p in tmp_path.iterdir()] == ["h.txt"]
