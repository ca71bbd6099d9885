"""What the unit tagger learns is what it computes: the sums with gradients and those in whole numbers agree."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from evals.training import edu
from evals.training.edu_network import MARGIN, forward, fresh, ids, stored
from evals.units import gold
from rag.discourse.network import Network
from rag.discourse.words import words_of

torch = pytest.importorskip("torch")
SAMPLE = gold(Path(__file__).parents[1] / "data" / "units", "test")


def test_stored_whole_numbers_give_the_scores_that_were_learned() -> None:
    text = SAMPLE[0].text[:3000]
    start, columns = edu.columns_of(text)
    known = np.unique(columns[:, 0])[::2]
    values = fresh(len(known), 64, len(edu.UPOS), 3)
    pad = np.full((MARGIN, 5), -1)
    rows = torch.tensor(ids(np.concatenate((pad, columns, pad)), known))[None]
    with torch.no_grad():
        scores = forward(values, rows, rounded=True)[0][0].numpy()
    middle = float(np.median(scores))
    words, bounds = words_of(text, [(0, len(text))])
    found = Network.of(stored(values, known.tolist(), middle))(words, bounds) >= 0
    clear = np.abs(scores - middle) > 0.01
    assert len(start) == len(scores) == len(found)
    assert np.mean(clear) > 0.7
    assert np.array_equal(found[clear], scores[clear] > middle)


def test_labels_are_joined_to_words_by_place_and_unknown_words_teach_nothing(tmp_path: Path) -> None:
    line = {"text": "He left because", "starts": [0, 8], "logits": [3.0, -2.0]}
    (tmp_path / "labels.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    (row,) = edu.labelled(tmp_path / "labels.jsonl")
    assert row.weight.tolist() == [1, 0, 1]
    assert row.chance[[0, 2]].tolist() == pytest.approx([0.9526, 0.1192], abs=1e-4)


def test_a_document_made_by_hand_teaches_its_boundaries_and_tags() -> None:
    row = edu.by_hand(SAMPLE[0])
    assert row.chance.sum() == len(SAMPLE[0].edus)
    assert (row.tag >= 0).mean() > 0.95


def test_learning_lowers_the_loss(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [edu.by_hand(one) for one in SAMPLE]
    monkeypatch.setattr(edu, "WARM", 5)
    edu.learn(rows, edu.vocabulary(rows, []), epochs=15)
    losses = [float(line.rsplit(" ", 1)[1]) for line in capsys.readouterr().err.splitlines()]
    assert losses[-1] < losses[0] - 0.2
