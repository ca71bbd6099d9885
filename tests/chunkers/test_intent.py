from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.asked import locate
from chunkers.intent import IntentChunker
from chunkers.intents import Intent, from_log, from_text, how_many, severed, spread, unlike
from chunkers.kernel import Kernel, directions
from chunkers.objectives import Asked, Plan, gains
from chunkers.scaffold import Scaffold
from chunkers.segment import partition
from chunkers.structure import StructureChunker
from rag.doctree import DocTree
from rag.errors import ConfigError, Unavailable
from rag.models.embed import HashEmbedder
from rag.models.llm import Message, Reply
from rag.models.tokens import counter
from rag.notes import notes_of
from rag.types import Document

HASH = HashEmbedder(dim=64)
OBJECTIVES = ["centred", "paper", "structure"]
PARTS = [
    "# Title\n\n", "## Part\n\n", "The harbour is deep. Ada Lind dredged it in 1904. Who paid?\n\n", "word " * 40,
    "x" * 300, "- item\n", "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 20, "日本語の文です。" * 20, "Same. " * 30, "\n\n",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=10).map("".join)


class Said:
    """A language model at the edge of the system, with one answer to everything."""

    name = "said"

    def __init__(self, answer: str) -> None:
        self.answer = answer

    @property
    def fingerprint(self) -> str:
        return "said"

    def complete(self, messages: Sequence[Message], **_: Any) -> Reply:
        if not self.answer:
            raise Unavailable("said: not there.")
        return Reply(self.answer, 1, 1)


class Zeros(HashEmbedder):
    """An embedder that has nothing to say."""

    def embed(self, texts: Sequence[str], *, query: bool = False) -> np.ndarray:
        return np.zeros((len(texts), self.dim), dtype=np.float32)


def check(tree: DocTree, cap: int) -> None:
    tree.check()
    count = counter(tree.tokenizer).count
    for leaf in tree.leaves():
        assert leaf.tokens == count(leaf.text)
        assert leaf.tokens + sum(count(tree.document.text[a:b]) for a, b in leaf.repeats) <= cap


@settings(max_examples=60, deadline=None)
@given(text=TEXTS, objective=st.sampled_from(OBJECTIVES), size=st.sampled_from([16, 40]))
def test_every_tree_tiles_its_text_within_the_cap(text: str, objective: str, size: int) -> None:
    chunker = IntentChunker(objective=objective, embedder=HASH, size=size)
    tree = chunker(Document("d", text))
    check(tree, chunker.cap)
    assert tree == chunker(Document("d", text))


@settings(max_examples=30, deadline=None)
@given(text=TEXTS)
def test_structure_alone_gives_the_chunks_of_the_structure_chunker(text: str) -> None:
    mine = IntentChunker(objective="structure", size=40)(Document("d", text))
    theirs = StructureChunker(size=40)(Document("d", text))
    assert [(n.start, n.end) for n in mine.leaves()] == [(n.start, n.end) for n in theirs.leaves()]


@pytest.mark.parametrize("objective", OBJECTIVES)
@settings(max_examples=25, deadline=None)
@given(count=st.integers(2, 10), seed=st.integers(0, 10_000))
def test_the_division_is_the_best_of_all_in_every_mode(objective: str, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    text = "".join("word " * int(rng.integers(2, 9)) + f"end{i}. " for i in range(count))
    plan = IntentChunker(objective=objective, embedder=HASH, size=16, max_size=24, min_size=4, beta=0.1).plan
    scaffold = Scaffold.of(Document("d", text), size=16, cap=24, least=4)
    units = scaffold.units(scaffold.stretches[0])
    n = len(units)
    rows, asked = directions(rng.normal(size=(n, 6))), directions(rng.normal(size=(3, 6)))
    longest = units.longest(24)
    width = int(longest.max())
    kernel = Kernel(rows, width, asked) if plan.vectors else None
    known = Asked(asked, asked @ rows.mean(axis=0), np.array([1.0, 0.5, 1.0]))
    table = gains(plan, (units, 0, width), kernel, known, 0.1, 0, n)
    price = rng.normal(size=n + 1) / 4
    found = partition(partial(gains, plan, (units, 0, width), kernel, known, 0.1), price, longest)

    def worth(starts: Sequence[int]) -> float:
        pairs = list(itertools.pairwise([*starts, n]))
        if any(j - i > longest[i] for i, j in pairs):
            return -np.inf
        return sum(table[i, j - i - 1] - (price[i] if i else 0.0) for i, j in pairs)

    ways = [[0, *(k + 1 for k in range(n - 1) if cut >> k & 1)] for cut in range(2 ** (n - 1))]
    assert worth(found.starts.tolist()) == pytest.approx(max(map(worth, ways)))


def test_the_published_objective_is_the_papers_sum() -> None:
    plan = Plan(True, True, 16, 100, 0, 1.0, 0.0, 0.0, 0.25, 0.5, 3)
    scaffold = Scaffold.of(Document("d", "One. Two. Three. Four. "), size=16, cap=100, least=0)
    units = scaffold.units(scaffold.stretches[0])
    rows = directions(np.array([[1.0, 0], [1, 1], [0, 1], [1, 0]]))
    asked = directions(np.array([[1.0, 0], [0, 1]]))
    table = gains(plan, (units, 0, 2), Kernel(rows, 2, asked), Asked(asked, np.zeros(2), np.ones(2)), 0.0, 0, 4)
    pair = (rows[0] + rows[1]) / np.linalg.norm(rows[0] + rows[1])
    assert table[0, 0] == pytest.approx(1.0 - 0.25)
    assert table[0, 1] == pytest.approx(pair[0] - 0.25 * 4)


def test_a_constant_added_to_every_cosine_changes_no_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(f"Sentence {i} of this text says {i * i}. " for i in range(40))
    scaffold = Scaffold.of(Document("d", text), size=40, cap=60, least=8)
    units = scaffold.units(scaffold.stretches[0])
    rng = np.random.default_rng(0)
    rows, asked = directions(rng.normal(size=(len(units), 8))), directions(rng.normal(size=(5, 8)))
    width = int(units.longest(60).max())
    plan = IntentChunker(size=40, min_size=8, embedder=HASH).plan

    class Moved(Kernel):
        """The same scores with a constant on every cosine."""

        def cohesion(self, low: int, high: int) -> np.ndarray:
            return super().cohesion(low, high) + constant

        def relevance(self, low: int, high: int, base: np.ndarray, weight: np.ndarray) -> np.ndarray:
            return super().relevance(low, high, base - constant, weight)  # weight * (cosine + constant - base)

    found = []
    for constant in (0.0, 0.25, -0.5, 4.0):
        known = Asked(asked, asked @ rows.mean(axis=0) + constant, np.array([1.0, 0.5, 1, 1, 0.75]))
        usual = 0.1 + constant
        kernel = Moved(rows, width, asked)
        gain = partial(gains, plan, (units, 0, width), kernel, known, usual)
        found.append(partition(gain, units.price, units.longest(60)).starts.tolist())
    assert len(found[0]) > 3
    assert all(one == found[0] for one in found)


NAMES = [
    f"{a}{b}{c}"
    for a in ("Quartz", "Lemon", "River", "Cobalt", "Night")
    for b in ("field", "moor", "gate", "hollow")
    for c in ("ton", "by", "wick", "ham", "stead", "worth")
]
LONG = "The harbour of Vell is deep. Ada Lind dredged the harbour in 1904. Ships must book a pilot. " * 20


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "window 1 of 1: no questions: Unavailable"),
        ("no JSON at all", "window 1 of 1: no questions: there is no JSON"),
        ('{"questions": []}', "window 1 of 1: the model gave no question"),
        (
            json.dumps({"questions": [{"question": "Who dredged it?", "quote": "Ada Lind dredged the harbour"}] * 40}),
            "39 of 40 questions came twice",
        ),
        (
            json.dumps({"questions": [{"question": "Is the moon cheese?", "quote": "The moon is made of cheese"}]}),
            "1 of 1 questions quote what is not in the text",
        ),
    ],
    ids=["unavailable", "no json", "none", "forty times", "about nothing"],
)
def test_what_a_model_fails_to_say_is_recorded_and_caps_hold(
    answer: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    from rag.models.calls import Calls, using

    with using(Calls(retries=0)):
        tree = IntentChunker(llm=Said(answer), embedder=HASH, size=40)(Document("d", LONG))
    check(tree, 60)
    assert reason in " ".join(note.text for note in notes_of(tree, "chunker", 0))


def test_a_quoted_answer_is_a_slice_and_is_not_divided() -> None:
    text = "".join(f"Filler sentence number {i} says little. " for i in range(30))
    quote = "Filler sentence number 14 says little. Filler sentence number 15 says little."
    said = Said(json.dumps({"questions": [{"question": "What do 14 and 15 say?", "quote": quote.replace(" ", "\n")}]}))
    chunker = IntentChunker(llm=said, embedder=HASH, size=32, integrity=5.0, sources=())
    tree = chunker(Document("d", text))
    note = notes_of(tree, "intents", 0)[0]
    assert note.ok
    ((start, end),) = note.spans
    assert text[start:end] == quote
    assert any(leaf.start <= start and end <= leaf.end for leaf in tree.leaves())


@pytest.mark.parametrize(
    "text",
    ["x" * 200_000, "All the same. " * 3_000, "# h\n" * 10_000, "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 3_000],
    ids=["unbroken", "identical", "headings", "table"],
)
@pytest.mark.parametrize("objective", ["centred", "paper"])
def test_bad_texts_are_cut_within_the_cap(text: str, objective: str) -> None:
    check(IntentChunker(objective=objective, embedder=HASH)(Document("d", text)), 240)


def test_vectors_of_zeros_are_recorded() -> None:
    tree = IntentChunker(embedder=Zeros(), size=40)(Document("d", LONG))
    check(tree, 60)
    reasons = [note.text for note in notes_of(tree, "chunker", 0)]
    assert any("have a vector of zeros" in reason for reason in reasons)


def test_tuning_needs_enough_intents_and_keeps_the_caps() -> None:
    few = IntentChunker(embedder=HASH, tune=True, size=40)(Document("d", "Word one. Word two. " * 10))
    assert any("not tuned" in note.text for note in notes_of(few, "chunker", 0))
    text = "".join(f"{name} is a {name[::-1]} of {name.upper()}. It says {i}. " for i, name in enumerate(NAMES))
    for objective in ("centred", "paper"):
        chunker = IntentChunker(objective=objective, embedder=HASH, tune=True, size=40)
        tree = chunker(Document("d", text))
        check(tree, chunker.cap)
        assert not any("not tuned" in note.text for note in notes_of(tree, "chunker", 0))


def test_a_log_and_a_list_are_intents(tmp_path: Path) -> None:
    log = tmp_path / "queries.txt"
    log.write_text('Who dredged it?\n\n{"query": "How deep?"}\n{"other": 1}\n', encoding="utf-8")
    assert [one.text for one in from_log(log)] == ["Who dredged it?", "How deep?"]
    tree = IntentChunker(embedder=HASH, log=log, given=("When was it built?",), sources=())(Document("d", LONG))
    assert [n.text for n in notes_of(tree, "intents", 0)] == ["When was it built?", "Who dredged it?", "How deep?"]
    with pytest.raises(ConfigError, match="cannot be read"):
        from_log(tmp_path / "missing.txt")


def test_questions_are_found_by_rule() -> None:
    found = list(from_text("The harbour of Vell was dredged in 1904. It is deep. Who paid for it? The town did."))
    assert [one.text.split()[0] for one in found] == ["When", "Who"]
    assert found[1].span == (53, 83)


def test_severed_counts_the_answers_a_cut_divides() -> None:
    intents = [Intent("a", 1.0, (0, 10)), Intent("b", 0.5, (5, 20)), Intent("c")]
    assert severed(np.array([0, 5, 7, 10, 15, 20]), intents).tolist() == [0, 1, 1.5, 0.5, 0.5, 0]


def test_like_intents_are_dropped_and_many_are_spread() -> None:
    rows = directions(np.array([[1.0, 0], [1, 0.1], [0, 1], [0, 0]]))
    assert unlike([Intent(str(i)) for i in range(4)], rows) == [0, 2]
    many = [Intent(str(i), 1.0, (i, i + 1)) for i in range(100)]
    assert [one.span for one in spread(many, 4, 100)] == [(0, 1), (25, 26), (50, 51), (75, 76)]
    assert [how_many(n) for n in (10, 2_500, 100_000)] == [4, 10, 60]


def test_a_quote_is_found_word_for_word_only() -> None:
    text = "The  harbour\nis twelve metres deep."
    assert locate(text, '"harbour is twelve metres"', 0, len(text)) == (5, 29)
    assert locate(text, "harbour is thirteen metres", 0, len(text)) is None
    assert locate(text, "is", 0, len(text)) is None
