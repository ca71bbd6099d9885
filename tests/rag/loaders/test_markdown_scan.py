from __future__ import annotations

import bisect
import re
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rag.loaders.markdown import scan

DATA = Path(__file__).parents[2] / "data"
KINDS = {
    "paragraph_open": "text",
    "heading_open": "heading",
    "fence": "code",
    "code_block": "code",
    "blockquote_open": "quote",
    "hr": "rule",
    "html_block": "html",
    "table_open": "table",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
}
PARSER = MarkdownIt("commonmark").enable("table")
Row = tuple[str, int, int]


def theirs(text: str) -> list[Row]:
    """Outermost blocks of markdown-it-py: kind, first line, line behind the last."""
    tokens = [t for t in PARSER.parse(text) if t.level == 0 and t.nesting >= 0 and t.type in KINDS]
    return tidy([(KINDS[t.type], *t.map) for t in tokens if t.map], text)


def ours(text: str) -> list[Row]:
    """The same of our scanner; items and the fences in them are put together again."""
    starts = [0, *(m.end() for m in re.finditer("\n", text))]
    rows: list[Row] = []
    for block in scan(text):
        first = bisect.bisect_right(starts, block.start) - 1
        last = bisect.bisect_right(starts, max(block.end - 1, block.start))
        inside = block.kind == "list" or (block.kind == "code" and block.level > 0)
        rows.append(("list" if inside else block.kind, first, last))
    return tidy(rows, text)


def tidy(rows: list[Row], text: str) -> list[Row]:
    lines = text.split("\n")
    done: list[Row] = []
    for kind, first, end in rows:
        last = end
        while last > first + 1 and not (last <= len(lines) and lines[last - 1].strip(" \t\r")):
            last -= 1
        if done and kind == "list" and done[-1][0] == "list":
            done[-1] = ("list", done[-1][1], last)
        else:
            done.append((kind, first, last))
    return done


def examples() -> list[str]:
    spec = (DATA / "commonmark_spec.md").read_text(encoding="utf-8").replace("\r\n", "\n")
    found = re.findall(r"^`{32} example\n(.*?)^\.\n.*?^`{32}$", spec, re.S | re.M)
    return [example.replace("→", "\t") for example in found]


def test_every_example_of_the_specification_has_the_reference_blocks() -> None:
    """But for two things that are read otherwise on purpose: link reference definitions and front matter."""
    differ = [e for e in examples() if ours(e) != theirs(e)]
    definition = re.compile(r"^ {0,3}\[[^\]]*(?:\\.[^\]]*)*\]:", re.M)
    odd = [e for e in differ if not definition.search(e) and not e.startswith("---\n")]
    assert len(examples()) > 600
    assert odd == []


@pytest.mark.parametrize("name", ["commonmark_spec.md", "paper.md", "polymers.md"])
def test_real_documents_have_the_reference_blocks(name: str) -> None:
    text = (DATA / name).read_text(encoding="utf-8").replace("\r\n", "\n")
    mine, reference = Counter(ours(text)), Counter(theirs(text))
    same = sum((mine & reference).values())
    assert same >= 0.99 * max(sum(mine.values()), sum(reference.values()))


@pytest.mark.parametrize("name", ["commonmark_spec.md", "paper.md", "polymers.md"])
def test_line_ends_and_a_byte_order_mark_do_not_change_the_blocks(name: str) -> None:
    text = (DATA / name).read_text(encoding="utf-8").replace("\r\n", "\n")
    plain = [(b.kind, b.level, text[b.start : b.end]) for b in scan(text)]
    crlf = "\ufeff" + text.replace("\n", "\r\n")
    assert [(b.kind, b.level, crlf[b.start : b.end].replace("\r\n", "\n")) for b in scan(crlf)] == plain


def kinds(text: str) -> list[tuple[str, int, str]]:
    return [(b.kind, b.level, text[b.inner[0] : b.inner[1]]) for b in scan(text)]


def test_headings_give_their_level_and_title_without_marks() -> None:
    assert kinds("# One #\n##\tTwo ## x\n####### seven\n\nThree\n---\n#\n") == [
        ("heading", 1, "One"),
        ("heading", 2, "Two ## x"),
        ("text", 0, "####### seven"),
        ("heading", 2, "Three"),
        ("heading", 1, ""),
    ]


def test_a_fence_ends_at_one_as_long_and_of_its_kind() -> None:
    assert kinds("````py\n```\n~~~~\n````\nafter\n~~~\nopen\n") == [
        ("code", 0, "```\n~~~~"),
        ("text", 0, "after"),
        ("code", 0, "open"),
    ]


def test_items_know_their_depth_and_fences_in_them_stand_alone() -> None:
    text = "1. one\n   - two\n\n     more\n     ```\n     x\n     ```\n   end\n2. last\n"
    assert [(b.kind, b.level, text[b.start : b.end].strip()) for b in scan(text)] == [
        ("list", 0, "1. one"),
        ("list", 1, "- two\n\n     more"),
        ("code", 2, "```\n     x\n     ```"),
        ("list", 1, "end"),
        ("list", 0, "2. last"),
    ]


def test_front_matter_tables_and_footnotes_are_told_apart() -> None:
    text = "---\ntitle: x\n---\n\na | b\n--|--\n1 | 2\n\n[^1]: note\n    more\n\ntext\n"
    assert [b.kind for b in scan(text)] == ["front_matter", "table", "footnote", "text"]


MARKS = [
    "#",
    "##",
    "-",
    "*",
    "+",
    ">",
    "1.",
    "2)",
    "```",
    "~~~",
    "---",
    "===",
    "***",
    "|",
    "<div>",
    "<!--",
    "-->",
    "[^1]:",
    "|--|--|",
    "\t",
]
LINES = st.tuples(
    st.sampled_from(["", "", " ", "  ", "   ", "    ", "\t"]),
    st.lists(st.sampled_from([*MARKS, "word", "a|b", "", "x"]), max_size=4).map(" ".join),
    st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n"]),
).map("".join)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(LINES, max_size=25).map("".join), st.text(max_size=100)))
def test_blocks_are_ordered_and_nothing_but_blanks_is_between_them(text: str) -> None:
    at = 1 if text.startswith("\ufeff") else 0
    for block in scan(text):
        assert at <= block.start < block.end
        assert block.start <= block.inner[0] <= block.inner[1] <= block.end
        assert not text[at : block.start].strip(" \t\r\n")
        at = block.end
    assert not text[at:].strip(" \t\r\n")


def test_formulas_and_admonitions_are_blocks_of_their_own() -> None:
    text = (
        'Text.\n\n$$\na\n\n- b\n= c\n$$\n\n!!! note "Title"\n\n    Indented words.\n\n    More.\n\nBehind.\n\n$$ open\n'
    )
    found = [(b.kind, text[b.start : b.end]) for b in scan(text)]
    assert found == [
        ("text", "Text."),
        ("code", "$$\na\n\n- b\n= c\n$$"),
        ("quote", '!!! note "Title"\n\n    Indented words.\n\n    More.'),
        ("text", "Behind."),
        ("text", "$$ open"),
    ]


def test_a_term_and_its_definitions_are_items_of_a_list() -> None:
    text = "Term\n: one\n  goes on\n\n: two\n\nOther\n\n:   three\n\nPlain: text.\n\n::: tip\nx\n:::\n\n- a\n"
    found = [(b.kind, b.level, text[b.start : b.end]) for b in scan(text)]
    assert found[:4] == [
        ("list", 0, "Term\n: one\n  goes on"),
        ("list", 1, ": two"),
        ("list", 0, "Other"),
        ("list", 1, ":   three"),
    ]
    assert found[4][0] == "text"
    assert [b.kind for b in scan("```\nx\n: y\n```\n\n: z\n\nA sentence\nof two lines.\n\n: w\n")] == [
        "code", "text", "text", "text",
    ]  # fmt: skip


def test_what_stands_in_details_and_tabs_is_read_as_markdown() -> None:
    text = (
        "import Tabs from '@theme/Tabs';\n\n# Title\n\n<details>\n<summary>More</summary>\n\n## Inside\n\n| a | b |\n|---|---|\n"
        '| 1 | 2 |\n\n</details>\n\n<Tabs>\n  <TabItem value="a">\n\n### In a tab\n\n```js\n# no\n```\n\n  </TabItem>\n</Tabs>\n\nEnd.\n'
    )
    found = [(b.kind, b.level) for b in scan(text) if b.kind not in ("html", "text")]
    assert found == [("heading", 1), ("heading", 2), ("table", 0), ("heading", 3), ("code", 0)]
    assert text[scan(text)[-1].start :] == "End.\n"


def test_many_definitions_take_time_that_grows_with_their_number() -> None:
    begin = time.process_time()
    assert len(scan("Term\n: one\n\n: two\n\n" * 20_000)) == 40_000
    assert time.process_time() - begin < 10
