from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from rag.doctree import DocTree
from rag.models.tokens import counter
from rag.types import Block, Document

LINES = [
    "# Title", "## Part ##", "### Deep", "Setext", "=====", "---", "***", "- item", "  - nested item", "    1. deeper",
    "1. one", "2) two", "> quoted", "> > twice", "lazy line", "```python", "```", "~~~~", "    indented code", "\tx = 1",
    "| a | b |", "|---|---|", "| 1 | 2 |", "| 1 | 2 | 3 |", "a | b", "<div>", "</div>", "<!-- open", "-->", "[^1]: note",
    "[ref]: /url", "", "", "", " ", "\u00a0", "First sentence. Second one! Third?", "Dr. Smith said “no.” He left.",
    "日本語の文です。次の文です。「引用」", "👩\u200d👩\u200d👧\u200d👦 family 🇩🇪🇫🇷", "e\u0301a\u0300o\u0308 combining", "\ufeff", "\x0b\x0c",
    "= Wiki =", "= = Sub = =", "2.1 Methods", "INTRODUCTION", "==== Body", "Text:", "word " * 40, "longword" * 12, "/path/x",
    "def f():", "return 1", "12345678901234567890", "a,b;c:d", "don't 'quote' it", "\u2028", "'s", " 's", "…", "....", "/",
]  # fmt: skip
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r\n", "\r", "\n\n", " \n", "\t\n"])
LINE = st.one_of(st.sampled_from(LINES), st.text(max_size=30))
PAGES = st.lists(st.tuples(LINE, ENDS), max_size=30).map(lambda rows: "".join(a + b for a, b in rows))
TEXTS = st.tuples(st.sampled_from(["", "\ufeff"]), PAGES, st.sampled_from(["", "end"])).map("".join)


def check(tree: DocTree, cap: int) -> None:
    """Everything that holds of every tree of this chunker."""
    tree.check()
    text = tree.document.text
    tokenizer = counter(tree.tokenizer)
    leaves = tree.leaves()
    assert "".join(leaf.text for leaf in leaves) == text
    for leaf in leaves:
        assert leaf.tokens == tokenizer.count(leaf.text)
        repeated = sum(tokenizer.count(text[a:b]) for a, b in leaf.repeats)
        assert leaf.tokens + repeated <= cap or (leaf.end - leaf.start == 1 and not repeated)
        assert all(0 <= a < b <= leaf.start for a, b in leaf.repeats)
    for node in tree:
        if node.kind == "section":
            a, b = tree.titles[node.index].tolist()
            assert node.start <= a <= b <= node.end
            assert node.children


@settings(max_examples=300, deadline=None)
@given(
    text=TEXTS,
    form=st.sampled_from(["auto", "markdown", "plain"]),
    size=st.sampled_from([16, 24, 64, 256]),
    tokenizer=st.sampled_from(["cl100k", "o200k", "chars", "words"]),
)
def test_every_tree_tiles_its_text_within_the_cap(text: str, form: str, size: int, tokenizer: str) -> None:
    chunker = StructureChunker(size=size, format=form, tokenizer=tokenizer)
    tree = chunker(Document("d", text))
    check(tree, chunker.cap)
    assert tree == chunker(Document("d", text))


@settings(max_examples=100, deadline=None)
@given(text=TEXTS, data=st.data(), size=st.sampled_from([16, 40]))
def test_any_blocks_of_a_loader_are_kept(text: str, data: st.DataObject, size: int) -> None:
    places = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=12)))
    blocks = []
    for a, b in itertools.pairwise(places):
        kind = data.draw(st.sampled_from(["text", "heading", "list", "table", "code", "quote"]))
        level = data.draw(st.integers(0, 4))
        blocks.append(Block(a, b, kind, level, (a, b)))
    chunker = StructureChunker(size=size)
    check(chunker(Document("d", text, blocks=blocks)), chunker.cap)


@pytest.mark.parametrize(
    "text",
    [
        "word " * 12_000,
        "longword" * 7_500,
        "x" * 60_000,
        "。" * 60_000,
        "日本語" * 20_000,
        "日本語、" * 15_000,
        "e\u0301" * 30_000,
        "👩\u200d👩\u200d👧" * 12_000,
        " " * 60_000,
        "\n" * 60_000,
        "a\n" * 30_000,
        "- a\n" * 15_000,
        "# h\n" * 15_000,
        "| a | b |\n" * 6_000,
        "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 6_000,
        "```\n" + "x = 1\n" * 10_000,
        "> " * 30_000,
        "<!--\n" * 12_000,
        "para\n\n" * 10_000,
        "# " + " " * 60_000 + "x",
        "= " + "a  " * 20_000 + "b",
        "- " * 30_000 + "x",
        "|-" * 30_000 + "x",
        "1234567890" * 6_000,
        "a\u00a0" * 30_000,
        ". " * 30_000,
        "/" * 60_000,
        "\r" * 60_000,
        "[^1]: a\n" * 8_000,
    ],
    ids=lambda t: repr(t[:12]),
)
def test_pathological_texts_of_sixty_thousand_characters_are_cut_within_the_cap(text: str) -> None:
    for form in ("markdown", "plain"):
        chunker = StructureChunker(format=form)
        begin = time.process_time()
        tree = chunker(Document("d", text))
        assert time.process_time() - begin < 5
        check(tree, chunker.cap)
