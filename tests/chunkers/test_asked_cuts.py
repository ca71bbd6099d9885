"""Chunkers that ask for cuts: LumberChunker's question, the context-split tree; offline, and with bad answers."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.context_split import ContextSplit, best_split
from chunkers.grouped import grouped
from chunkers.lumber import LumberChunker, windows
from chunkers.scaffold import Units
from chunkers.structure import StructureChunker
from chunkers.turning import turns
from rag.errors import ModelError
from rag.models.llm import Message, Reply
from rag.models.tokens import counter
from rag.notes import notes_of
from rag.testing import check_stage
from rag.types import Document

PIECES = [
    "The wall is high. ",
    "# Head\n\n",
    "- item one\n",
    "It fell! ",
    "港は静かだ。",
    "שלום עולם. ",
    "\n\n",
    "x" * 300,
]
TABLE = "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n"
TEXTS = st.lists(st.sampled_from([*PIECES, TABLE]), max_size=40).map("".join)
SEA = "Ships leave the harbour at dawn. Sails and ships fill the harbour. The tide lifts the ships. "
LAW = "The court heard the appeal. The judge read the statute. The appeal cites the statute. "


class Says:
    """Answers with what a function makes of the numbers it was shown."""

    name = "says"

    def __init__(self, say: Callable[[int], Any]) -> None:
        self.say = say

    @property
    def fingerprint(self) -> str:
        return "says@1"

    def complete(self, messages: list[Message], **_: Any) -> Reply:
        said = self.say(len(re.findall(r"^\[\d+\]", messages[1].content, re.M)))
        if isinstance(said, Exception):
            raise said
        return Reply(said if isinstance(said, str) else json.dumps(said), 1, 1)


BAD = {
    "prose": "Well, the third one, I think.",
    "nothing": "",
    "beyond": {"id": 999},
    "backwards": {"id": -3},
    "text": {"id": "2"},
    "truth": {"id": True},
    "list": [3, 1, 2],
    "failure": ModelError("no"),
}


@pytest.mark.parametrize("chunker", [LumberChunker(size=32, window=64), ContextSplit(size=32)], ids=["lumber", "split"])
@given(text=TEXTS)
@settings(max_examples=30, deadline=None)
def test_leaves_tile_the_text_and_keep_the_cap(chunker: LumberChunker | ContextSplit, text: str) -> None:
    tree = chunker(Document("d", text))
    tree.check()
    assert "".join(leaf.text for leaf in tree.leaves()) == text
    counts = counter("cl100k").counts([leaf.text for leaf in tree.leaves()])
    assert max(counts, default=0) <= 48
    for node in tree:
        assert node.parent is None or node.parent.start <= node.start <= node.end <= node.parent.end


@pytest.mark.parametrize("kind", [LumberChunker, ContextSplit])
def test_it_keeps_the_contract(kind: type) -> None:
    check_stage(kind(size=32))


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("kind", [LumberChunker, ContextSplit])
def test_an_answer_that_names_no_place_is_replaced_by_the_rule_and_counted(kind: type, name: str) -> None:
    document = Document("d", (SEA * 3 + LAW * 3) * 4)
    ours = kind(size=32, llm=Says(lambda _: BAD[name]))(document)
    assert [leaf.end for leaf in ours.leaves()] == [leaf.end for leaf in kind(size=32)(document).leaves()]
    assert "could not be used" in notes_of(ours, "chunker", 0)[0].text


def test_the_model_decides_where_it_names_a_place() -> None:
    document = Document("d", (SEA * 3 + LAW * 3) * 2)
    low = LumberChunker(size=64, weight=5, window=120, llm=Says(lambda _: {"id": 2}))(document)
    high = LumberChunker(size=64, weight=5, window=120, llm=Says(lambda n: {"id": n}))(document)
    assert [n.end for n in low.leaves()] != [n.end for n in high.leaves()]
    assert not notes_of(low, "chunker", 0)
    few = LumberChunker(size=64, window=120, calls=1, llm=Says(lambda _: {"id": 2}))(document)
    assert "`calls` is 1" in notes_of(few, "chunker", 0)[0].text


def test_windows_overlap_and_reach_the_end() -> None:
    sizes = np.array([10, 20, 5, 5, 40, 10, 10, 200, 3, 3, 3])
    ends = np.concatenate(([0], np.cumsum(sizes)))
    laid = windows(Units(ends, -ends, ends, np.zeros(12), np.zeros(11, dtype=np.uint8)), 0, 60)
    assert laid[0].low == 0
    assert laid[-1].high == 11
    assert all(a.low < b.low < a.high for a, b in itertools.pairwise(laid))
    assert all(b.high - b.low >= 3 for b in laid)


def test_the_offline_answer_is_where_the_matter_changes() -> None:
    text = SEA * 2 + LAW * 2
    for chunker in (LumberChunker(size=64, max_size=96, weight=2), ContextSplit(size=64)):
        assert len(SEA) * 2 in [leaf.start for leaf in chunker(Document("d", text)).leaves()]


def test_a_split_prefers_unlike_and_even_halves() -> None:
    alike, tokens = np.array([1, 0.5, 0.2, 0.9, 0.2, 0.5, 1]), np.arange(7) * 10
    assert best_split(alike, tokens, 0.0, 1) == 2
    assert best_split(alike, np.array([0, 1, 2, 3, 30, 50, 60]), 0.2, 1) == 4
    assert best_split(alike, tokens, 0.0, 3) == 3
    assert best_split(np.ones(3), np.array([0, 5, 10]), 0.2, 2) == 1


def test_groups_hold_two_parts() -> None:
    tree = ContextSplit(size=24)(Document("d", (SEA + LAW) * 8))
    groups = [node for node in tree if node.kind == "group"]
    assert groups
    assert all(len(node.children) == 2 for node in groups)
    assert grouped(tree, []) is tree


def test_thousands_of_like_sentences_are_divided_without_going_deep() -> None:
    tree = ContextSplit(size=16, balance=0)(Document("d", "Same words here again. " * 3000))
    tree.check()
    assert max(len(leaf.ancestors) for leaf in tree.leaves()) <= 30
    assert max(leaf.tokens for leaf in tree.leaves()) <= 24


def test_likeness_is_the_cosine_of_the_sums_of_both_sides() -> None:
    assert turns(np.zeros((3, 4))).tolist() == [1, 0, 0, 1]
    assert turns(np.ones((1, 4))).tolist() == [1, 1]
    rows = np.random.default_rng(0).normal(size=(9, 5))
    a, b = rows[1:4].sum(axis=0), rows[4:7].sum(axis=0)
    assert np.isclose(turns(rows, 3)[4], a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_structure_decides_where_nothing_is_rewarded() -> None:
    document = Document("d", (SEA + LAW) * 6)
    plain = [leaf.end for leaf in StructureChunker(size=64)(document).leaves()]
    assert [leaf.end for leaf in LumberChunker(size=64, weight=0)(document).leaves()] == plain
