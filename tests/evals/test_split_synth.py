"""Splitting by document, and questions made from documents."""

import json
from collections.abc import Sequence

import pytest

from evals.check import validate
from evals.datasets import load
from evals.split import part
from evals.synth import context_splits, synth
from rag.errors import ConfigError, DataError, Unavailable
from rag.models.llm import Reply
from rag.types import Document

PROSE = [
    Document("mill", "The mill at Harlow was built in 1732 by a guild of carpenters. It ground barley for Queen Anne until "
             "the flood carried its wheel away. The present wheel weighs 840 kilograms and turns on an iron axle.", "Mill"),
    Document("pier", "A storm in 1897 broke the pier in two places near Saltburn. Repairs took 14 months and were paid by "
             "Lord Zetland alone. Visitors still fish from its far end in every month of the year.", "Pier"),
]  # fmt: skip


def test_a_split_shares_no_document_and_loses_no_question(data, tmp_path):
    counts = part(data, tmp_path / "out", share=0.4, seed=3)
    dev, held = load(tmp_path / "out" / "dev"), load(tmp_path / "out" / "held_out")
    assert not set(dev.places) & set(held.places)
    assert set(dev.places) | set(held.places) == set(data.places)
    assert {i.id for i in dev.items} | {i.id for i in held.items} == {i.id for i in data.items}
    assert (len(dev.places), len(dev)) == counts.here
    assert validate(tmp_path / "out" / "dev") == validate(tmp_path / "out" / "held_out") == []
    assert all(i.spans == data.by_id[i.id].spans for i in (*dev.items, *held.items))
    part(data, tmp_path / "again", share=0.4, seed=3)
    assert (tmp_path / "again" / "dev" / "queries.jsonl").read_bytes() == (
        tmp_path / "out" / "dev" / "queries.jsonl"
    ).read_bytes()


def test_documents_that_share_a_question_stay_together(tmp_path, folder):
    for name in ("corpus.jsonl", "queries.jsonl", "spans.jsonl"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    pairs = [f"q0-0\td{d}\t1" for d in range(9)]
    (tmp_path / "qrels.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *pairs]) + "\n")
    with pytest.raises(DataError, match="hang together too closely"):
        part(load(tmp_path), tmp_path / "out")


def test_a_split_never_overwrites_and_wants_a_share(data, tmp_path):
    with pytest.raises(ConfigError, match="share must be"):
        part(data, tmp_path / "out", share=1.0)
    (tmp_path / "out" / "dev").mkdir(parents=True)
    with pytest.raises(DataError, match="is there already"):
        part(data, tmp_path / "out")


def test_context_splits_halve_until_single_sentences():
    nodes = list(context_splits("x" * 40, [(0, 10), (10, 20), (20, 30), (30, 40)]))
    assert nodes[0] == (0, 4, 0)
    assert {(a, b) for a, b, _ in nodes} == {(0, 4), (0, 2), (2, 4), (0, 1), (1, 2), (2, 3), (3, 4)}


def test_questions_are_made_with_verbatim_evidence_and_no_model(tmp_path):
    report = synth(PROSE, tmp_path / "made", questions=5)
    data = load(tmp_path / "made")
    assert validate(tmp_path / "made") == []
    assert report.kept == len(data) >= 4
    for item in data.items:
        evidence = data.text(item.spans[0].doc)[item.spans[0].start : item.spans[0].end]
        assert item.answers[0] in evidence
        assert item.answers[0] not in item.text
    synth(PROSE, tmp_path / "again", questions=5)
    assert (tmp_path / "again" / "queries.jsonl").read_bytes() == (tmp_path / "made" / "queries.jsonl").read_bytes()


def test_documents_without_facts_are_refused(tmp_path):
    with pytest.raises(DataError, match="no question could be made from 1 documents"):
        synth([Document("d", "nothing here at all.")], tmp_path / "made")
    with pytest.raises(ConfigError, match="questions must be >= 1"):
        synth(PROSE, tmp_path / "made", questions=0)


class Says:
    """A model that answers from a list, then is gone."""

    name = fingerprint = "says"

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = list(texts)

    def complete(self, messages, **settings):
        if not self.texts:
            raise Unavailable("says: no more")
        return Reply(self.texts.pop(0), 1, 1)


def test_what_a_model_says_counts_only_when_it_is_in_the_text(tmp_path):
    sentence = "Repairs took 14 months and were paid by Lord Zetland alone."
    good = {"question": "How long did repairs of the pier take?", "answer": "14 months", "evidence": sentence}
    bad = [{**good, "evidence": "Repairs took 15 months."}, {**good, "answer": "two years"}]
    texts = ["not json", json.dumps(bad[0]), json.dumps(bad[1]), *[json.dumps(good)] * 8]
    both = Document("both", f"{PROSE[0].text} {PROSE[1].text}")
    report = synth([both], tmp_path / "made", llm=Says(texts))
    assert report.kept == 1
    assert report.dropped["nothing to ask"] >= 3
    assert load(tmp_path / "made").items[0].answers == ("14 months",)
