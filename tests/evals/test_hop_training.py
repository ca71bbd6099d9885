"""Training the update of a hop: what is learned brings the next passage nearer, and is read by the stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from retrievers.gate import Gate, unit

pytest.importorskip("torch")
from evals.training.hop import Chains, learned


def rows(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float32]:
    return unit(rng.normal(size=(n, d)))


def chained() -> Chains:
    """The next passage is the one before it with its numbers in another order; the question says nothing."""
    rng = np.random.default_rng(0)
    one = rows(rng, 40, 16)
    passages = np.concatenate([one, one[:, ::-1]])
    return Chains(passages, rows(rng, 40, 16), np.arange(40), np.eye(80, dtype=bool)[40:])


def placed(chains: Chains, gate: Gate) -> float:
    near = gate(chains.asked, chains.passages[chains.begin]) @ chains.passages.T
    return float((near > near[chains.goal][:, None]).sum(axis=1).mean())


def read(arrays: dict[str, NDArray[np.float32]], folder: Path) -> Gate:
    np.savez(folder / "gate.npz", **arrays)  # type: ignore[arg-type]
    return Gate.load(folder / "gate.npz", 16, "here")


def test_what_is_learned_brings_the_next_passage_nearer_and_can_be_read(tmp_path: Path) -> None:
    chains = chained()
    before = placed(chains, read(learned([chains], rounds=0), tmp_path))
    assert placed(chains, read(learned([chains], rounds=60), tmp_path)) < 0.8 * before


def test_the_same_seed_learns_the_same() -> None:
    one, other = (learned([chained()], seed=3, rounds=2) for _ in range(2))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_it_begins_at_question_and_passage_together(tmp_path: Path) -> None:
    chains = chained()
    passage = chains.passages[chains.begin]
    moved = read(learned([chains], rounds=0), tmp_path)(chains.asked, passage)
    wanted = chains.asked + passage
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert (moved * wanted).sum(axis=1).min() > 0.9
