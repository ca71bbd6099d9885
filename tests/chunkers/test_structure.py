from __future__ import annotations

import itertools
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.measure import ruler
from chunkers.packing import lengths, pack
from chunkers.structure import StructureChunker
from rag.doctree import DocTree
from rag.loaders.html import parse
from rag.loaders.lines import code_points
from rag.loaders.markdown import scan
from rag.models.tokens import counter
from rag.types import Block, Document

DATA = Path(__file__).parents[1] / "data"
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


TAGS = ["<p>", "</p>", "<h1>", "</h1>", "<h3>", "<ul>", "<li>", "</ul>", "<table>", "<tr>", "<td>", "</table>", "<pre>"]
MARKUP = st.lists(
    st.one_of(
        st.sampled_from(TAGS), st.sampled_from(["</pre>", "<blockquote>", "<br>", "&amp;", "&nbsp;", "<b>"]), LINE
    ),
    max_size=30,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(markup=MARKUP, size=st.sampled_from([16, 40]))
def test_the_blocks_of_random_html_are_cut_within_the_cap(markup: str, size: int) -> None:
    text, blocks, _ = parse(markup)
    chunker = StructureChunker(size=size)
    check(chunker(Document("d", text, media_type="text/html", blocks=blocks)), chunker.cap)


@pytest.mark.model
@settings(max_examples=25, deadline=None)
@given(text=TEXTS)
def test_the_tokens_of_an_embedded_model_keep_the_cap(text: str) -> None:
    chunker = StructureChunker(size=24, tokenizer="bge-small-en-v1.5")
    check(chunker(Document("d", text)), chunker.cap)


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


def test_linear_time_in_lines_and_without_any_break() -> None:
    chunker = StructureChunker()

    def seconds(text: str) -> float:
        begin = time.process_time()
        tree = chunker(Document("d", text))
        spent = time.process_time() - begin
        tree.check()
        assert int(tree.tokens[tree.leaf_ids].max()) <= chunker.cap
        return spent

    line = "Paragraph {} says something short.\n"
    lines = ["".join(line.format(i) for i in range(n)) for n in (5_000, 40_000)]
    assert seconds(lines[1]) < 16 * seconds(lines[0]) + 0.2
    assert seconds("x" * 240_000) < 16 * seconds("x" * 30_000) + 0.2


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["Paragraph {} says something short.\n" * 1_000_000, "x" * 1_000_000], ids=["lines", "x"]
)
def test_a_million_lines_and_an_unbroken_megabyte(text: str) -> None:
    chunker = StructureChunker()
    tree = chunker(Document("d", text))
    tree.check()
    assert int(tree.tokens[tree.leaf_ids].max()) <= chunker.cap


def exhaustive(left: list[int], right: list[int], price: list[float], prices: list[float]) -> float:
    """The least sum over all ways to cut."""
    count = len(left) - 1
    best = float("inf")
    for inner in itertools.product([False, True], repeat=count - 1):
        cuts = [0, *(k + 1 for k, cut in enumerate(inner) if cut), count]
        sizes = [left[i] + right[j] for i, j in itertools.pairwise(cuts)]
        if max(sizes) < len(prices):
            best = min(best, sum(prices[s] for s in sizes) + sum(price[k] for k in cuts[1:-1]))
    return best


@given(
    tokens=st.lists(st.integers(1, 20), min_size=1, max_size=9),
    data=st.data(),
)
def test_the_packing_is_the_best_of_all(tokens: list[int], data: st.DataObject) -> None:
    sums = [0, *itertools.accumulate(tokens)]
    price = data.draw(st.lists(st.sampled_from([-0.5, -0.05, 0.2, 1.05]), min_size=len(sums), max_size=len(sums)))
    prices = lengths(12, 20, 4, 0.3)
    left, right = [-s for s in sums], sums
    chosen = pack(left, right, [0] * len(sums), price, prices)
    cuts = [*chosen, len(tokens)]
    sizes = [sums[j] - sums[i] for i, j in itertools.pairwise(cuts)]
    mine = sum(prices[s] for s in sizes) + sum(price[k] for k in chosen[1:])
    assert chosen[0] == 0
    assert max(sizes) <= 20
    assert mine == pytest.approx(exhaustive(left, right, price, prices))


def leaves(text: str, **settings: object) -> list[str]:
    tree = StructureChunker(format="markdown", **settings)(Document("d", text))  # type: ignore[arg-type]
    return [leaf.text for leaf in tree.leaves()]


def test_a_table_that_is_cut_repeats_its_header() -> None:
    head = "| name | number |\n|---|---|\n"
    text = "Before it.\n\n" + head + "".join(f"| row {i} | {i * i} |\n" for i in range(60)) + "\nAfter it.\n"
    tree = StructureChunker(size=64, format="markdown")(Document("d", text))
    tables = [leaf for leaf in tree.leaves() if leaf.kind == "table"]
    assert len(tables) > 4
    assert all(leaf.text.startswith("| row") for leaf in tables[1:])
    assert all([text[a:b] for a, b in leaf.repeats] == [head] for leaf in tables[1:])
    check(tree, 96)


def test_code_that_is_cut_repeats_its_fence_and_is_cut_at_blank_lines() -> None:
    body = "\n\n".join(f"def f{i}(x):\n    y = x + {i}\n    return y" for i in range(30))
    tree = StructureChunker(size=64, format="markdown")(Document("d", f"```python\n{body}\n```\n"))
    parts = tree.leaves()
    assert len(parts) > 4
    assert all(leaf.text.startswith("def f") and leaf.kind == "code" for leaf in parts[1:])
    assert all(leaf.repeats == ((0, 10),) for leaf in parts[1:])


def test_a_table_that_fits_is_whole_though_it_is_longer_than_wished() -> None:
    table = "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 6
    found = leaves(f"{'Text before. ' * 12}\n\n{table}\n{'Text behind. ' * 12}\n", size=48)
    assert sum("|---|" in leaf and leaf.count("| 1 | 2 |") == 6 for leaf in found) == 1


def test_headings_become_sections_and_never_end_a_chunk() -> None:
    part = "A sentence of this part that says a little. " * 12
    text = f"# Book\n\n## One\n\n{part}\n\n## Two\n\n{part}\n\n### Deep\n\n{part}\n\n# Next\n\n{part}\n"
    tree = StructureChunker(size=64, format="markdown")(Document("d", text))
    assert [(n.title, n.level) for n in tree if n.kind == "section"] == [
        ("Book", 1), ("One", 2), ("Two", 2), ("Deep", 3), ("Next", 1),
    ]  # fmt: skip
    assert {leaf.path for leaf in tree.leaves()} == {
        ("Book", "One"), ("Book", "Two"), ("Book", "Two", "Deep"), ("Next",),
    }  # fmt: skip
    last = [leaf.text.strip().splitlines()[-1] for leaf in tree.leaves()]
    assert not [line for line in last if line.startswith("#")]


def test_small_sections_share_a_chunk_under_their_heading() -> None:
    text = "# Questions\n\n" + "".join(f"## Why {i}?\n\nBecause of number {i}.\n\n" for i in range(12))
    tree = StructureChunker(size=64, format="markdown")(Document("d", text))
    sizes = [leaf.tokens for leaf in tree.leaves()]
    assert min(sizes) >= 32
    assert all(leaf.text.lstrip().startswith("#") for leaf in tree.leaves())
    assert {leaf.path[:1] for leaf in tree.leaves()} == {("Questions",)}


def test_sizes_are_even_and_no_runt_is_left() -> None:
    text = "".join(f"Paragraph {i} of this text has one or two sentences. This is the other.\n\n" for i in range(101))
    tree = StructureChunker(size=100)(Document("d", text))
    sizes = tree.tokens[tree.leaf_ids]
    assert sizes.min() >= 80
    assert sizes.max() <= 120


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="max_size must be >= size, got 100 < 160"):
        StructureChunker(max_size=100)
    with pytest.raises(ValueError, match="min_size must be <= size, got 300 > 160"):
        StructureChunker(min_size=300)


def test_tokens_of_a_long_text_do_not_depend_on_threads() -> None:
    words = random.Random(0).choices(["word", "Über", "日本", "x.", "\n", "12 ", "\n\n"], k=60_000)
    text = " ".join(words)
    measured = ruler(text, code_points(text), counter())
    assert measured.parts
    assert np.array_equal(measured.starts, counter().starts(text))


@pytest.mark.parametrize("kind", ["text", "markdown"])
def test_blocks_of_the_loader_come_first(kind: str) -> None:
    text = "alpha " * 40 + "beta " * 40
    blocks = (
        scan("# x\n") if kind == "markdown" else [Block(0, 240, "text", 0, (0, 240)), Block(240, len(text), "code", 0)]
    )
    if kind == "text":
        tree = StructureChunker(size=40)(Document("d", text, blocks=blocks))
        assert 240 in tree.start[tree.leaf_ids]
        assert [leaf.kind for leaf in tree.leaves()][-1] == "code"
    else:
        tree = StructureChunker()(Document("d", "# x\n", blocks=blocks))
        assert tree[1].title == "x"


BOOKS = ["paper.md", "polymers.md", "languages.txt", "spy_in_the_elevator.txt", "state_of_the_union.txt"]


@pytest.mark.parametrize("name", BOOKS)
def test_cuts_are_the_reviewed_ones(name: str, golden: Any) -> None:
    text = (DATA / name).read_bytes().decode("utf-8")
    media = "text/markdown" if name.endswith(".md") else "text/plain"
    tree = StructureChunker()(Document(name, text, media_type=media))
    check(tree, 240)
    golden.check(
        [
            f"{leaf.start}-{leaf.end} {leaf.kind} {leaf.tokens} {' > '.join(leaf.path)} | {' '.join(leaf.text.split())[:60]}"
            for leaf in tree.leaves()
        ]
    )


def test_a_heading_is_never_lost_to_a_cut_between_words_just_before_it() -> None:
    text = (Path(__file__).parents[1] / "data" / "contract.txt").read_text(encoding="utf-8")
    for size in (32, 48, 64, 80):
        starts = {
            leaf.start for leaf in StructureChunker(size=size, max_size=size, min_size=0)(Document("c", text)).leaves()
        }
        assert text.index("  12.4. Waiver\n") in starts
