from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import numpy as np

import chunkers.intent
from evals.datasets import load
from evals.reproduce import SAMPLE
from evals.reproduce.chroma import Vectors
from evals.reproduce.intent_paper import (
    METHODS,
    PUBLISHED,
    SETS,
    TOKENS,
    Kept,
    coherent,
    cut,
    groups,
    halved,
    ranked,
    sentences,
    study,
)
from rag.models.embed import HashEmbedder

PINNED = Path(__file__).parents[2] / "evals" / "expected" / "intent_paper.json"
SMALL = Kept(Vectors(HashEmbedder(dim=64)), dim=64)
TEXT = "Ships sail. Ships sink. Ships rust.\n\nWalls stand. Walls fall. Walls crack. Walls lean. Walls end."


def test_every_method_gives_whole_sentences_in_order_and_loses_none_but_sliding_repeats() -> None:
    rows = sentences(TEXT)
    for method in METHODS:
        found = cut(method, TEXT, SMALL)
        assert found == sorted(found)
        held = [row for start, end in found for row in rows if start <= row[0] and row[1] <= end]
        assert sorted(set(held)) == rows
        assert len(held) == len(rows) or method == "sliding"
    assert cut("paragraphs", TEXT, SMALL) == [(0, 35), (37, len(TEXT))]
    assert [TEXT[a:b].count(".") for a, b in cut("fixed", TEXT, SMALL)] == [6, 2]
    assert [TEXT[a:b].count(".") for a, b in cut("sliding", TEXT, SMALL)] == [6, 5]


def test_a_dip_in_similarity_is_where_the_subject_changes() -> None:
    one, other = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert coherent(np.stack([one] * 6 + [other] * 5).astype(np.float32)) == [6]
    assert coherent(np.stack([one, other]).astype(np.float32)) == []


def test_an_answer_is_found_where_one_chunk_holds_all_of_it() -> None:
    data = load(SAMPLE)
    part = groups(data, 0, 0)[0]
    assert len(part) == 2
    assert groups(data, 0, 0) == groups(data, 0, 0)
    doc = min(part, key=lambda one: len(data.text(one)))
    item = next(one for one in data.items if one.spans[0].doc == doc and len(one.spans) == 1)
    span = item.spans[0]
    whole = ranked(data, [(doc, 0, 400), (doc, span.start, span.end)], [item], SMALL)
    assert whole["coverage"] == [1.0]
    assert whole["MRR"][0] in {0.5, 1.0}
    assert ranked(data, [(doc, span.start, span.end - 1), (doc, 0, 9)], [item], SMALL)["coverage"] == [0.0]


def test_a_study_tells_every_metric_with_its_interval() -> None:
    data = load(SAMPLE)
    doc = min(data.places, key=lambda one: len(data.text(one)))
    told = study(data, [[doc]], SMALL, Namespace(limit=None, seed=0))
    assert list(told["rows"]) == list(METHODS)
    for row in told["rows"].values():
        assert row["n"] > 20
        low, high = row["R@5"][1:]
        assert low <= row["R@5"][0] <= high
    assert told["rows"]["fixed"]["R@1 less fixed"][:3] == [0, 0, 0]
    assert set(PUBLISHED) <= set(told["rows"]["paper"])


def test_beta_and_size_are_set_by_counting_chunks() -> None:
    text = " ".join(f"Ship {i} sails to port {i % 7}." for i in range(60))
    wanted = len(cut("fixed", text, SMALL)) / 2
    value = halved("centred, half", [text], SMALL)
    gap = abs(len(cut("centred, half", text, SMALL, value)) - wanted)
    assert all(gap <= abs(len(cut("centred, half", text, SMALL, one)) - wanted) for one in TOKENS)


def test_the_published_rows_are_equalled_with_fewer_chunks_than_fixed() -> None:
    settings = json.loads(PINNED.read_text())["settings"]
    for name in SETS:
        rows = settings[f"{name}, two"]["rows"]
        for method in ("centred", "centred, half"):
            assert rows[method]["n"] >= 250
            assert all(rows[method][metric][0] >= PUBLISHED[metric] for metric in ("R@1", "R@5", "MRR"))
            assert rows[method]["chunks"] < rows["fixed"]["chunks"]
            assert rows[method]["R@1 less fixed"][1] > 0


def test_the_docstring_says_what_is_pinned_wins_and_losses() -> None:
    settings = json.loads(PINNED.read_text())["settings"]
    said = " ".join((chunkers.intent.IntentChunker.__doc__ or "").split())
    two, large = (settings[f"squad_long, {name}"]["rows"] for name in ("two", "large"))
    for row in (two["centred"], two["fixed"], two["paragraphs"], two["paper, half"], large["centred"]):
        assert f"{row['R@1'][0]:.3f} / {row['R@5'][0]:.3f}"[1:].replace("/ 0", "/ ") in said
