from __future__ import annotations

import json
from pathlib import Path

import pytest

import evals.reproduce.chroma_best
import retrievers.sentences
from evals.datasets import load
from evals.reproduce import SAMPLE
from evals.reproduce.chroma import Vectors
from evals.reproduce.chroma_best import BASE, ROWS, SEARCHED, WAY, Kept, by_chunk, by_sentence, cuts, measure
from rag.models.embed import HashEmbedder

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "chroma_best.json").read_text())
MADE = PINNED["rows"]
OURS = [name for name in MADE if name.startswith(("structure", "cluster"))]
PEERS = [name for name in MADE if name not in OURS]
SMALLER = "langchain recursive 100"  # chunks of 70 tokens on average


def test_one_row_has_omega_above_34_at_a_mean_of_at_least_100_tokens() -> None:
    assert PINNED["n"] == 472
    assert set(MADE) == {*ROWS, *(name + WAY for name in SEARCHED)}
    good = [name for name in OURS if MADE[name]["omega"][0] > 34 and MADE[name]["tokens"] >= 100]
    assert "structure 100" in good
    assert all(MADE[name]["omega"][1] > 34 for name in good)  # the lower end of the interval too


def test_recall_above_82_4_at_iou_of_at_least_3_5_takes_vectors_of_sentences() -> None:
    good = [name for name in OURS if MADE[name]["recall"][0] > 82.4 and MADE[name]["iou"][0] >= 3.5]
    assert good == ["structure 220" + WAY, "cluster 200" + WAY]


def test_recall_in_1024_tokens_is_above_every_peer_at_a_cap_of_200_but_not_above_langchain_at_100() -> None:
    for way in (False, True):
        mine = {name: MADE[name] for name in OURS if name.endswith(WAY) == way}
        best = max(mine, key=lambda name: mine[name]["recall_1024"][0])
        peers = [MADE[name] for name in PEERS if name.endswith(WAY) == way and name != SMALLER]
        assert len(peers) == (1 if way else 6)
        assert all(mine[best]["recall_1024"][0] > peer["recall_1024"][0] for peer in peers)
    for name in ("structure 100", "cluster 120"):
        assert MADE[name]["recall_1024_less_base"][1] > 0
    assert MADE["structure 100" + WAY]["recall_1024_less_base"][1] < 0  # with sentences the lead is not sure
    assert MADE[BASE]["recall_1024_less_base"][:3] == [0, 0, 0]
    assert MADE[SMALLER]["recall_1024"][0] > max(MADE[name]["recall_1024"][0] for name in OURS if WAY not in name)


def test_the_docstring_of_sentences_says_what_is_pinned() -> None:
    said = " ".join((retrievers.sentences.Sentences.__doc__ or "").split())
    for name in (BASE, "structure 220"):
        for metric in ("recall", "recall_1024"):
            assert f"{MADE[name][metric][0]:.1f} to {MADE[name + WAY][metric][0]:.1f}" in said


def test_the_studys_own_account_says_what_is_pinned() -> None:
    said = " ".join((evals.reproduce.chroma_best.__doc__ or "").split())
    small, middle, large = MADE["structure 100"], MADE["cluster 120"], MADE["cluster 200" + WAY]
    assert f"omega {small['omega'][0]:.1f} at a mean of {small['tokens']:.0f} tokens" in said
    assert "{:.1f} points ({:.1f} to {:.1f}) above".format(*middle["recall_1024_less_base"][:3]) in said
    assert f"has {MADE[SMALLER]['recall_1024'][0]:.1f} there" in said
    assert f"at most {max(MADE[name]['recall'][0] for name in OURS if WAY not in name):.1f}." in said
    assert f"{large['recall'][0]:.1f} at an IoU of {large['iou'][0]:.1f}" in said
    assert (
        "{:.1f} ({:.1f} to {:.1f}), is not sure".format(*MADE["structure 100" + WAY]["recall_1024_less_base"][:3])
        in said
    )


def test_omega_measured_again_is_what_is_pinned() -> None:
    data = load(SAMPLE)
    places, _ = cuts(ROWS["structure 100"](HashEmbedder()), data)
    again = measure(places, data, None)
    assert again["chunks"] == MADE["structure 100"]["chunks"]
    assert sum(again["scores"]["omega"]) / len(data.items) == pytest.approx(MADE["structure 100"]["omega"][0], abs=1e-3)


def test_both_ways_of_searching_rank_the_same_chunks() -> None:
    data = load(SAMPLE)
    embedder = Kept.of(Vectors(HashEmbedder(dim=64)))
    places, trees = cuts(ROWS["structure 220"](embedder), data)
    one, other = by_chunk(places, data, embedder), by_sentence(trees, embedder)
    for item in data.items[:3]:
        assert set(one(item)) | set(other(item)) <= set(places)
        assert len(one(item)) == len(set(one(item))) == 200
