"""The chunkers of one level: recursive and sentences."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chunkers.recursive import RecursiveChunker
from chunkers.sentences import SentenceChunker
from rag.models.tokens import counter
from rag.types import Document

PIECES = [
    "a", "a", "b ", "word ", "word ", "The same line.\n", "The same line.\n", "\n\n", "\n", "\r\n", "\r\n\r\n", " ", "\t", "\u00a0",
    "\ufeff", "日本語。", "字", "e\u0301", "👩\u200d👩\u200d👧", "Dr. Smith left. He ran.", "\n\n\n", "longword" * 8, "12345 ", "don't ", "  ",
]  # fmt: skip
TEXTS = st.one_of(st.lists(st.sampled_from(PIECES), max_size=60).map("".join), st.text(max_size=150))
CHUNKERS = [RecursiveChunker, SentenceChunker]


@example(text="Dr. Smith left. He ran.aaaa", kind=RecursiveChunker, size=8, overlap=7, tokenizer="chars")
@settings(max_examples=200, deadline=None)
@given(
    text=TEXTS,
    kind=st.sampled_from(CHUNKERS),
    size=st.sampled_from([8, 12, 30]),
    overlap=st.sampled_from([0, 0, 3, 7]),
    tokenizer=st.sampled_from(["cl100k", "o200k", "chars", "words"]),
)
def test_leaves_cover_the_text_in_order_within_the_cap(
    text: str, kind: Any, size: int, overlap: int, tokenizer: str
) -> None:
    chunker = kind(size=size, overlap=overlap, tokenizer=tokenizer)
    tree = chunker(Document("d", text))
    tree.check(overlap=overlap > 0)
    count = counter(tokenizer).count
    leaves = tree.leaves()
    for leaf in leaves:
        assert leaf.tokens == count(leaf.text)
        assert leaf.tokens <= size or leaf.end - leaf.start == 1
    ends = [leaf.end for leaf in leaves]
    starts = [leaf.start for leaf in leaves]
    assert starts == sorted(set(starts))
    assert ends == sorted(set(ends))
    if not overlap:
        assert "".join(leaf.text for leaf in leaves) == text
    assert tree == chunker(Document("d", text))


def test_recursive_chunks_are_langchains_apart_from_white_space() -> None:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    text = "".join(f"Paragraph {i} says the same thing.\n\nAgain.\n\n" + "word " * (i % 37) + "\n" for i in range(200))
    count = counter("cl100k").count
    theirs = RecursiveCharacterTextSplitter(chunk_size=40, chunk_overlap=0, length_function=count).split_text(text)
    ours = [leaf.text.strip() for leaf in RecursiveChunker(size=40)(Document("d", text)).leaves()]
    assert ours == theirs


def test_equal_passages_keep_their_own_places() -> None:
    text = "Same words here.\n\n" * 50
    tree = RecursiveChunker(size=8, overlap=4)(Document("d", text))
    assert [leaf.start for leaf in tree.leaves()] == list(range(0, len(text), len(text) // 50))


def test_an_overlap_repeats_whole_sentences() -> None:
    text = "".join(f"Sentence number {i} is here. " for i in range(30)).strip()
    tree = SentenceChunker(size=40, overlap=15)(Document("d", text))
    leaves = tree.leaves()
    assert len(leaves) > 3
    for one, two in itertools.pairwise(leaves):
        shared = text[two.start : one.end]
        assert shared.startswith("Sentence")
        assert 0 < counter().count(shared) <= 15


def test_an_overlap_as_large_as_the_size_is_refused() -> None:
    for kind in CHUNKERS:
        with pytest.raises(ValueError, match="overlap must be < size, got 9 >= 9"):
            kind(size=9, overlap=9)


@pytest.mark.parametrize("kind", CHUNKERS)
@pytest.mark.parametrize("unit", ["word ", "x", "字", "\n", "a. ", "e\u0301"])
def test_sixty_thousand_characters_of_one_line_are_cut_quickly(kind: Any, unit: str) -> None:
    text = unit * (60_000 // len(unit))
    begin = time.process_time()
    tree = kind(size=64)(Document("d", text))
    assert time.process_time() - begin < 6
    tree.check()
    assert max(leaf.tokens for leaf in tree.leaves()) <= 64
