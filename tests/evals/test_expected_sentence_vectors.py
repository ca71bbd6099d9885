from __future__ import annotations

import json
from pathlib import Path

import retrievers.sentences
from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.reproduce import SAMPLE
from evals.reproduce.sentence_vectors import BUDGETS, SETS, shares
from rag.models.embed import HashEmbedder
from rag.types import Document
from retrievers.sentences import Sentences

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "sentence_vectors.json").read_text())


def test_sentences_find_more_in_256_and_512_tokens_and_the_docstring_says_so() -> None:
    said = " ".join((retrievers.sentences.Sentences.__doc__ or "").split())
    for name in SETS:
        one = PINNED["sets"][name]
        assert one["n"] >= 300
        assert all(one["rows"][budget][3] > 0 for budget in ("256", "512"))
        for plain, mine, gain, low, high in (one["rows"][str(budget)] for budget in BUDGETS):
            assert f"{plain:.1f} to {mine:.1f} ({gain:+.1f}, 95 %: {low:.1f} to {high:.1f})" in said


def test_shares_measured_again_grow_with_the_budget() -> None:
    data = load(SAMPLE)
    doc = min(data.places, key=lambda one: len(data.text(one)))
    items = [item for item in data.items if item.spans[0].doc == doc][:8]
    found = shares(Sentences(embedder=HashEmbedder()), [StructureChunker()(Document(doc, data.text(doc)))], items)
    assert found.shape == (len(items), len(BUDGETS))
    assert ((found[:, 1:] >= found[:, :-1]) & (found[:, 1:] <= 1)).all()
