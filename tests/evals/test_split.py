from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.check import validate
from evals.datasets import load
from evals.split import sides, split
from rag.errors import DataError

SAMPLES = Path(__file__).parents[2] / "evals" / "samples"


def needs(item):
    judged = {doc for doc, grade in item.qrels.items() if grade > 0}
    return judged | {span.doc for span in item.spans} | set(item.scope or ())


@pytest.mark.parametrize("name", ["manual", "papers", "wikipedia"])
@pytest.mark.parametrize("seed", [0, 1])
def test_no_document_and_no_question_is_on_both_sides(tmp_path, name, seed):
    whole = load(SAMPLES / name)
    counts = split(SAMPLES / name, (tmp_path / "a", tmp_path / "b"), seed=seed)
    one, other = load(tmp_path / "a"), load(tmp_path / "b")
    assert validate(tmp_path / "a") == validate(tmp_path / "b") == []
    assert counts == (len(one), len(other))
    assert not set(one.places) & set(other.places)
    assert set(one.places) | set(other.places) == set(whole.places)
    assert not set(one.by_id) & set(other.by_id)
    assert set(one.by_id) | set(other.by_id) == set(whole.by_id)
    for side in (one, other):
        assert all(needs(item) <= set(side.places) for item in side.items)
        assert all(item == whole.by_id[item.id] for item in side.items)
        assert all(side.text(doc) == whole.text(doc) for doc in side.places)
    assert 0.25 <= counts[0] / len(whole) <= 0.75


def test_the_same_seed_gives_the_same_bytes_and_another_gives_other_sides(tmp_path):
    for out, seed in (("a", 3), ("c", 3), ("e", 4)):
        split(SAMPLES / "manual", (tmp_path / out, tmp_path / f"{out}2"), seed=seed)
    assert load(tmp_path / "a").digest == load(tmp_path / "c").digest
    assert set(load(tmp_path / "a").places) != set(load(tmp_path / "e").places)


def made(folder, questions, documents=12):
    folder.mkdir(parents=True)
    corpus = [{"id": f"d{i}", "text": f"Text {i}."} for i in range(documents)]
    queries = [{"id": f"q{i}", "text": "?"} for i in range(len(questions))]
    lines = ["query-id\tcorpus-id\tscore"] + [f"q{i}\td{d}\t1" for i, docs in enumerate(questions) for d in docs]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(r) + "\n" for r in corpus))
    (folder / "queries.jsonl").write_text("".join(json.dumps(r) + "\n" for r in queries))
    (folder / "qrels.tsv").write_text("\n".join(lines) + "\n")
    return folder


@given(
    questions=st.lists(st.sets(st.integers(0, 11), max_size=2).map(sorted), min_size=1, max_size=20),
    seed=st.integers(0, 9),
    share=st.sampled_from([0.2, 0.5, 0.8]),
)
def test_documents_of_one_question_stay_together(tmp_path_factory, questions, seed, share):
    data = load(made(tmp_path_factory.mktemp("x") / "set", questions))
    try:
        documents, asked = sides(data, share, seed)
    except DataError:
        return  # few groups may all fall on one side
    for i, docs in enumerate(questions):
        assert len({documents[f"d{d}"] for d in docs} | {asked[f"q{i}"]}) == 1
    assert set(documents) == {f"d{i}" for i in range(12)}


def test_the_share_is_kept_where_questions_are_small(tmp_path):
    data = load(made(tmp_path / "set", [[i % 100] for i in range(1000)], documents=100))
    for share in (0.1, 0.5, 0.9):
        _, asked = sides(data, share, 5)
        assert sum(asked.values()) / 1000 == pytest.approx(share, abs=0.03)


def test_a_set_that_cannot_be_parted_is_refused_and_nothing_is_written(tmp_path):
    made(tmp_path / "set", [[0, 1], [1, 2]], documents=3)
    with pytest.raises(DataError, match="cannot be split: its questions join the documents into 1 group"):
        split(tmp_path / "set", (tmp_path / "a", tmp_path / "b"))
    with pytest.raises(DataError, match="share: must be between 0 and 1, got 1"):
        split(tmp_path / "set", (tmp_path / "a", tmp_path / "b"), share=1)
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_a_set_with_problems_is_refused(tmp_path):
    made(tmp_path / "set", [[0], [1]])
    (tmp_path / "set" / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq0\tghost\t1\n")
    with pytest.raises(DataError, match="1 things are wrong. See `rag data check"):
        split(tmp_path / "set", (tmp_path / "a", tmp_path / "b"))
