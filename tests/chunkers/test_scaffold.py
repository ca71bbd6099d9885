from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.scaffold import Scaffold, remarked
from rag.models.tokens import counter
from rag.notes import notes_of
from rag.types import Document

PARTS = [
    "# Title\n\n", "## Part\n\n", "One sentence. Two of them! Three?\n\n", "word " * 40, "x" * 400, "- item\n",
    "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 20, "```\n" + "y = 1\n" * 40 + "```\n", "日本語の文です。" * 20, "\n",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=12).map("".join)


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, seed=st.integers(0, 99), tokenizer=st.sampled_from(["cl100k", "chars"]))
def test_any_choice_of_cuts_within_the_cap_gives_a_tree_within_the_cap(text: str, seed: int, tokenizer: str) -> None:
    draw = random.Random(seed)
    scaffold = Scaffold.of(Document("d", text), size=24, cap=40, least=6, tokenizer=tokenizer)
    chosen = []
    for stretch in scaffold.stretches:
        longest = scaffold.units(stretch).longest(40)
        at, starts = 0, []
        while at < len(longest):
            starts.append(at)
            at += draw.randint(1, int(longest[at]))
        chosen.append(starts)
    tree = scaffold.tree(chosen)
    tree.check()
    count = counter(tokenizer).count
    for leaf in tree.leaves():
        assert leaf.tokens == count(leaf.text)
        assert leaf.tokens + sum(count(text[a:b]) for a, b in leaf.repeats) <= 40


@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_tokens_of_units_are_those_of_their_slices(text: str) -> None:
    scaffold = Scaffold.of(Document("d", text), size=24, cap=40, least=6)
    for stretch in scaffold.stretches:
        units = scaffold.units(stretch)
        counts = units.tokens(0, len(units), 3)
        for i, (start, _) in enumerate(units.spans()):
            extra = int(scaffold.cuts.extra[stretch.marks[i]])
            for width in range(1, min(3, len(units) - i) + 1):
                end = int(units.at[i + width])
                assert counts[i, width - 1] - extra == counter().count(text[start:end])


def test_longest_is_what_the_cap_holds() -> None:
    scaffold = Scaffold.of(Document("d", "One two three. " * 30), size=16, cap=20, least=0, tokenizer="words")
    units = scaffold.units(scaffold.stretches[0])
    assert units.longest(20).tolist() == [6] * 25 + [5, 4, 3, 2, 1]
    assert units.longest(2).tolist() == [1] * 30
    assert np.all(units.tokens(0, 30, 2)[:, 0] == 3)


def test_reasons_and_margins_are_notes_of_the_root_and_of_the_leaves() -> None:
    scaffold = Scaffold.of(Document("d", "One two. Three four."), size=16, cap=20, least=0)
    tree = scaffold.tree([[0, 1]])
    assert tree.notes == {}
    noted = remarked(tree, "chunkers/some", ["no vectors"], {9: 0.25})
    assert [n.text for n in notes_of(noted, "chunker", 0)] == ["no vectors"]
    assert [n.text for n in notes_of(noted, "margin", 2)] == ["0.25"]
    assert remarked(tree, "chunkers/some", []) == tree
    with pytest.raises(ValueError, match="zip"):
        scaffold.tree([])
