"""Perplexity and margin chunking: rewards in the structural programme, and the published forms."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.margin import MarginChunker
from chunkers.perplexity import PerplexityChunker, fall, minima
from chunkers.rewarded import Sizes, divided, losses, rejoined, robust
from chunkers.scaffold import Units
from chunkers.structure import StructureChunker
from rag.errors import ConfigError
from rag.models.llm import Message, Reply
from rag.models.logprobs import TokenProbs
from rag.models.tokens import counter
from rag.notes import notes_of
from rag.testing import check_stage
from rag.types import Document

TEXTS = st.lists(
    st.sampled_from(
        [
            "The wall is high. ",
            "# Head\n\n",
            "- item one\n",
            "It fell! ",
            "港は静かだ。",
            "שלום עולם. ",
            "\n\n",
            "x" * 300,
        ]
    ),
    max_size=40,
).map("".join)


class Guess:
    """Finds words likely by their length, and answers by the letters it is shown; needs no weights."""

    def __init__(self, broken: float | None = None) -> None:
        self.broken = broken

    @property
    def name(self) -> str:
        return "guess"

    @property
    def fingerprint(self) -> str:
        return "guess@1"

    def token_logprobs(self, text: str, /) -> TokenProbs:
        found = [m.span() for m in re.finditer(r"\s*\S+|\s+", text)]
        pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
        values = -np.minimum(pairs[:, 1] - pairs[:, 0], 30) / 3.0
        values = values.astype(np.float32) if self.broken is None else np.full(len(pairs), self.broken, np.float32)
        return TokenProbs(pairs[:, 0], pairs[:, 1], values)

    def choice_logprobs(self, messages: Sequence[Message], options: Sequence[str], /) -> list[float]:
        value = sum(map(ord, messages[-1].content)) % 17 / 4 - 2
        return [value if self.broken is None else self.broken, -value]

    def complete(self, messages: Sequence[Message], **_: object) -> Reply:
        raise AssertionError("nothing is to be generated")


STAGES = [
    PerplexityChunker(size=32, llm=Guess()),
    PerplexityChunker(size=32, mode="threshold", llm=Guess()),
    MarginChunker(size=32, share=1.0, llm=Guess()),
    MarginChunker(size=32, mode="threshold", llm=Guess()),
]


@pytest.mark.parametrize("chunker", STAGES, ids=lambda c: f"{type(c).__name__}-{c.mode}")
@given(text=TEXTS)
@settings(max_examples=25, deadline=None)
def test_leaves_tile_the_text_and_keep_the_cap(chunker: PerplexityChunker | MarginChunker, text: str) -> None:
    tree = chunker(Document("d", text))
    tree.check()
    assert "".join(leaf.text for leaf in tree.leaves()) == text
    counts = counter("cl100k").counts([leaf.text for leaf in tree.leaves()])
    assert max(counts, default=0) <= 48
    assert counts == [leaf.tokens for leaf in tree.leaves()]


@pytest.mark.parametrize("mode", ["reward", "threshold"])
def test_small_sections_that_share_a_chunk_are_one_unit_each(mode: str) -> None:
    part = "# Head\n\nOne wall. Two long walls stand. Three.\n\n"
    text = "# All\n\n" + "".join("#" + part.replace("Head", f"Head {i}") for i in range(12))
    tree = PerplexityChunker(size=160, mode=mode, llm=Guess())(Document("d", text))
    tree.check()
    assert "".join(leaf.text for leaf in tree.leaves()) == text
    assert all(leaf.text.startswith("#") for leaf in tree.leaves())


def units(sizes: Sequence[int], price: float = 0.2) -> Units:
    ends = np.concatenate(([0], np.cumsum(sizes)))
    return Units(ends * 4, -ends, ends, np.full(len(ends), price), np.zeros(len(sizes), dtype=np.uint8))


def best(row: Units, sizes: Sizes, force: int | None = None) -> float:
    """The least price of any division, by looking at all of them."""
    n, prices, found = len(row), sizes.prices, np.inf
    for inner in itertools.product((False, True), repeat=n - 1):
        cuts = [0, *(i + 1 for i, cut in enumerate(inner) if cut), n]
        tokens = [int(row.left[a] + row.right[b]) for a, b in itertools.pairwise(cuts)]
        if max(tokens) <= sizes.cap and (force is None or force in cuts):
            found = min(found, sum(prices[t] for t in tokens) + sum(row.price[c] for c in cuts[1:-1]))
    return found


@given(st.lists(st.integers(1, 40), min_size=2, max_size=8), st.randoms())
@settings(max_examples=60, deadline=None)
def test_what_a_cut_would_lose_is_what_looking_at_all_divisions_says(tokens: list[int], rng: object) -> None:
    sizes = Sizes.of(40, None, None)
    row = units(tokens)
    found = losses(row, sizes)
    least = best(row, sizes)
    assert found[0] == found[-1] == np.inf
    for i in range(1, len(row)):
        assert np.isclose(found[i], best(row, sizes, i) - least)
    starts = divided(row, sizes)[0]
    assert all(np.isclose(found[k], 0) for k in starts[1:])


def test_minima_are_the_published_ones() -> None:
    scores = np.array([3.0, 1.0, 2.0, 2.0, 1.5, 1.5, 3.0, 2.9, 4.0, 0.1])
    assert minima(scores, 0.0) == [2, 5, 8]  # 1.0; 1.5 before its equal; 2.9
    assert minima(scores, 0.6) == [2, 8]  # 2.9 rises by 1.1 behind it, the equal pair falls by 0.5 only
    assert minima(scores, 5.0) == minima(scores[:2], 0.0) == []
    assert minima(np.array([1.0, np.nan, 2.0, 0.5, 1.0]), 0.0) == [4]


def test_the_reward_is_the_fall_below_the_lower_neighbour() -> None:
    assert fall(np.array([1.0, 0.25, 0.75, 5.0])).tolist() == [0.0, 0.0, 0.5, -0.5, 0.0]
    assert fall(np.array([9.0, 0.0, 9.0])).tolist() == [0.0, 0.0, 2.0, 0.0]
    assert not fall(np.array([1.0, np.nan, 2.0])).any()
    assert robust(np.array([2.0, 2.0, np.nan])).tolist()[:2] == [0.0, 0.0]


def test_without_rewards_the_chunks_are_those_of_structure() -> None:
    text = "".join(f"Sentence {i} tells of ships and walls{'.' if i % 7 else '.' * 3} " for i in range(80))
    plain = StructureChunker(size=40)(Document("d", text))
    for chunker in (PerplexityChunker(size=40, weight=0, llm=Guess()), MarginChunker(size=40, share=0, llm=Guess())):
        assert chunker(Document("d", text)).leaves()[3].start == plain.leaves()[3].start
        assert [n.end for n in chunker(Document("d", text)).leaves()] == [n.end for n in plain.leaves()]


def test_given_cuts_are_joined_up_to_the_size_and_divided_above_the_cap() -> None:
    sizes = Sizes.of(40, 60, 0)
    assert rejoined(units([10] * 8), sizes, [1, 2, 3, 4, 5, 6, 7]) == [0, 4]
    starts = rejoined(units([10] * 12), sizes, [10])
    assert starts[0] == 0
    assert all((b - a) * 10 <= 60 for a, b in itertools.pairwise([*starts, 12]))
    assert 10 in starts


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_model_that_gives_no_numbers_leaves_structure_and_says_so(value: float) -> None:
    document = Document("d", "One wall stands. Two walls fall. Three ships come. " * 12)
    plain = [leaf.end for leaf in StructureChunker(size=32)(document).leaves()]
    for chunker in (PerplexityChunker(size=32, llm=Guess(value)), MarginChunker(size=32, llm=Guess(value), share=0.5)):
        tree = chunker(document)
        assert [leaf.end for leaf in tree.leaves()] == plain
        assert "by structure alone: guess: gave" in notes_of(tree, "chunker", 0)[0].text


def test_limits_on_reading_and_asking_are_kept_and_told() -> None:
    document = Document("d", "One wall stands. Two walls fall. Three ships come. " * 40)
    read = PerplexityChunker(size=32, reads=300, llm=Guess())(document)
    assert "`reads` is 300" in notes_of(read, "chunker", 0)[0].text
    for mode in ("reward", "threshold"):
        asked = MarginChunker(size=32, calls=3, mode=mode, llm=Guess())(document)
        assert "`calls` is 3" in notes_of(asked, "chunker", 0)[0].text


def test_one_unbroken_line_is_not_read_at_all() -> None:
    tree = PerplexityChunker(llm=Guess(float("nan")))(Document("d", "x" * 1_000_000))
    tree.check()
    assert not notes_of(tree, "chunker", 0)
    assert max(leaf.tokens for leaf in tree.leaves()) <= 240


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="chunkers/perplexity: llm"):
        PerplexityChunker(llm=object())
    with pytest.raises(ConfigError, match="chunkers/margin: llm"):
        MarginChunker(llm=object())
    with pytest.raises(ValueError, match="max_size must be >= size"):
        MarginChunker(size=100, max_size=50, llm=Guess())


@pytest.mark.model
@pytest.mark.parametrize("kind", [PerplexityChunker, MarginChunker])
def test_the_embedded_model_keeps_the_contract(kind: type) -> None:
    check_stage(kind(size=32))
