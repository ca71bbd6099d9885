from __future__ import annotations

import re
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from rag.doctree import KINDS
from rag.errors import LoadError
from rag.loaders.html import extract, parse
from rag.loaders.limits import Limits
from rag.loaders.read import read
from rag.types import Block

DATA = Path(__file__).parents[2] / "data"
PAGES = sorted(DATA.glob("*.html"))
TAGS = """
<p>~</p>~<div>~</div>~<b>~</b>~<i ~<ul>~</ul>~<ol start=7>~</ol>~<li>~</li>~<h1>~</h1>~<h3>~</h3>~<table>~</table>~<tr>~
</tr>~<td>~</td>~<th colspan=2>~<td rowspan=3>~<thead>~<caption>~</caption>~<pre>~</pre>~<blockquote>~</blockquote>~<br>~
<br/>~<hr>~<dl>~<dt>~<dd>~<section>~</section>~<span hidden>~</span>~<nav>~</nav>~<script>~</script>~<style>~</style>~
<div style="display:none">~<figure>~<figcaption>~</figure>~<title>~</title>~<!--~-->~<!doctype html>~<?~>~</~<~&~&amp;~
&lt;~&#233;~&#x1F600;~&bogus;~&nbsp;~<a href="x>y">~<a href='>~</a>~<select>~<option>~</select>~<svg>~</svg>~<textarea>~
</textarea>~<td hidden>~<li hidden>~<p hidden>~<table role=presentation>"""
TAME_TAGS = """
<p>~</p>~<div>~</div>~<b>~</b>~<ul>~</ul>~<ol>~</ol>~<li>~</li>~<h2>~</h2>~<blockquote>~</blockquote>~<br>~<hr>~<pre>~</pre>~
<section>~</section>~<a href="x>y">~</a>~&amp;~&#233;~&lt;b&gt;~<!--c-->~<~</~3<4~<script>s</script>~<td>~</td>~</table>"""


def pieces(listed: str) -> st.SearchStrategy[str]:
    return st.sampled_from(listed.replace("\n", "").split("~"))


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    [" ", "\r\n", "\n\n", "\t", "a b", "\u00a0", "日本", "👩‍🚀", "e\u0301", "x" * 50, "¶", "\0"]
)
MARKUP = st.lists(pieces(TAGS) | WORDS, max_size=40).map("".join)


def check(text: str, blocks: Sequence[Block]) -> None:
    """Blocks are ordered, disjoint, inside, full, and nothing but white space stands between."""
    at = 0
    for block in blocks:
        assert at <= block.start < block.end <= len(text)
        assert not text[at : block.start].strip()
        assert text[block.start : block.end].strip()
        assert block.kind in KINDS
        assert block.start <= block.inner[0] <= block.inner[1] == block.end
        at = block.end
    assert not text[at:].strip()


def kinds(markup: str) -> list[tuple[str, int, str]]:
    text, blocks, _ = parse(markup)
    check(text, blocks)
    return [(b.kind, b.level, text[b.start : b.end]) for b in blocks]


@settings(max_examples=400)
@given(markup=MARKUP)
def test_blocks_are_exact_for_any_markup(markup: str) -> None:
    check(*parse(markup)[:2])


@given(markup=MARKUP)
def test_a_page_reads_the_same_twice_and_with_other_line_ends(markup: str) -> None:
    assert extract(markup) == extract(markup)
    plain = markup.replace("\r", "")
    assert extract(plain.replace("\n", "\r\n")) == extract(plain) == extract(plain.replace("\n", "\r"))


def letters(text: str) -> str:
    return "".join(char for char in text if char.isalnum())


def seen_by_a_browser_engine(markup: str) -> str:
    tree = LexborHTMLParser(markup)
    gone = "script, style, noscript, template, nav, [hidden], select, button, textarea, svg, title, [style*='display:none']"
    for node in tree.css(gone):
        node.decompose(recursive=True)
    return letters(tree.root.text(deep=True)) if tree.root else ""


def seen_by_us(markup: str) -> str:
    text, blocks, _ = parse(markup)
    return letters("".join(text[b.inner[0] if b.kind == "list" else b.start : b.end] for b in blocks))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_real_pages_give_every_letter_that_a_browser_engine_gives(path: Path) -> None:
    markup = path.read_bytes().decode()
    check(*parse(markup)[:2])
    assert seen_by_us(markup) == seen_by_a_browser_engine(markup)


@settings(max_examples=400)
@given(markup=st.lists(pieces(TAME_TAGS) | st.text("abcdé \n", max_size=6), max_size=30).map("".join))
def test_misnested_markup_gives_the_letters_that_a_browser_engine_gives(markup: str) -> None:
    assert seen_by_us(markup) == seen_by_a_browser_engine(markup)


def test_headings_paragraphs_and_breaks() -> None:
    assert kinds("<h1>One <em>two</em><a class=headerlink>¶</a></h1>a  <b>b</b>\n c<p>d<br>e<p>f<br><br>g<hr>") == [
        ("heading", 1, "One two"),
        ("text", 0, "a b c"),
        ("text", 0, "d\ne"),
        ("text", 0, "f"),
        ("text", 0, "g"),
        ("rule", 0, "---"),
    ]


def test_list_items_have_marks_and_depth() -> None:
    text, blocks, _ = parse("<ul><li>a<ol start=3><li>b</li><li>c<p>d</ol><li>e</ul><p>f")
    assert text == "- a\n  3. b\n  4. c\n\n  d\n- e\n\nf"
    assert [(b.level, text[slice(*b.inner)]) for b in blocks if b.kind == "list"] == [
        (0, "a"),
        (1, "b"),
        (1, "c"),
        (1, "d"),
        (0, "e"),
    ]


def test_a_table_becomes_lines_of_cells_under_its_header() -> None:
    text, blocks, _ = parse(
        "<table><caption>Sizes</caption><thead><tr><th>Name<th colspan=2>Size<tbody>"
        "<tr><td rowspan=2>a<td><td>1 <b>m</b><tr><td><td><p>2<p>m</table>"
    )
    assert text == "Sizes\n\nName | Size |\na |  | 1 m\n|  | 2 m"
    table = blocks[1]
    assert table.kind == "table"
    assert text[table.start : table.inner[0]] == "Name | Size |\n"


def test_columns_that_are_empty_throughout_are_left_out() -> None:
    assert kinds("<table><tr><td>a<td><td>1<tr><td>b<td>&nbsp;<td>2</table>") == [("table", 0, "a | 1\nb | 2")]


def test_tables_made_for_looks_give_their_blocks() -> None:
    assert kinds("<table><tr><td><h2>x</h2><p>y<td><table><tr><td>1<td>2<tr><td>3<td>4</table></table>") == [
        ("heading", 2, "x"),
        ("text", 0, "y"),
        ("table", 0, "1 | 2\n3 | 4"),
    ]
    assert kinds("<table><tr><td>•<td>one point</table>") == [("text", 0, "• one point")]
    assert kinds("<table role=presentation><tr><td>a<td>b<tr><td>c<td>d</table>")[0] == ("text", 0, "a")


def test_preformatted_text_stays_as_it_is() -> None:
    assert kinds("<pre>\n  if a &lt; b:\n\n\treturn  <b>c</b>\n</pre>") == [("code", 0, "  if a < b:\n\n\treturn  c")]


def test_quotes_and_figures_are_told_apart() -> None:
    assert kinds("<blockquote>a<p>b</blockquote><figure><img><figcaption>c</figcaption></figure>d") == [
        ("quote", 0, "a"),
        ("quote", 0, "b"),
        ("figure", 0, "c"),
        ("text", 0, "d"),
    ]


def test_an_unclosed_heading_is_one_line_and_not_the_whole_page() -> None:
    assert kinds("<h2>a<p>b<p>c") == [("heading", 2, "a"), ("text", 0, "b"), ("text", 0, "c")]


@pytest.mark.parametrize(
    "hidden",
    [
        "<span hidden>no<span>no</span>no</span>",
        "<p style='color:red; display : none'>no<p>",
        "<div style=visibility:hidden><b>no</div>",
        "<i style='font-size:0px'>no</i>",
        "<b style='opacity:0'>no</b>",
        "<p hidden>no<div></div>",
        "<table><tr hidden><td>no<tr><td>",
    ],
)
def test_hidden_text_is_left_out_and_counted(hidden: str) -> None:
    page = extract(f"<div>yes{hidden}yes</div>yes")
    assert "no" not in page.text
    assert page.text.split() in (["yesyes", "yes"], ["yes", "yes", "yes"])
    assert page.left_out["hidden"] in (2, 6)


@pytest.mark.parametrize("style", ["opacity:0.5", "height:0.5em", "line-height:0", "width:100%", "border-width:0"])
def test_what_is_only_small_or_pale_is_not_hidden(style: str) -> None:
    assert extract(f"<p style='{style}'>yes").text == "yes"


def test_a_hidden_table_may_leave_its_rows_unclosed() -> None:
    page = extract(
        "<div hidden><table>" + "<tr><td>no<td>no" * 20_000 + "</table><ul>" + "<li>no<p>" * 20_000 + "</ul></div>yes"
    )
    assert page.text == "yes"


def test_scripts_forms_and_navigation_are_no_text() -> None:
    page = extract(
        "<head><title>T &amp; t</title><style>p{}</style></head><nav>menu<ul><li>x</ul></nav><div role=navigation>y</div>"
        "<script>if (a</b) '</p>'</script><template><p>t</template><select><option>o</select><p>yes<footer>foot</footer>"
    )
    assert page.text == "yes\n\nfoot"
    assert page.title == "T & t"
    assert page.left_out == {"navigation": 6}


def test_the_first_heading_is_the_title_where_there_is_no_other() -> None:
    assert parse("<h2>a</h2><h1>b</h1>")[2] == "b"


def test_what_is_no_tag_is_text_and_what_is_cut_off_is_counted() -> None:
    page = extract("a < b <3 <4/ x & y &amp; z &#99999999999; <p>c <b never closed")
    assert page.text == "a < b <3 <4/ x & y & z \ufffd\n\nc"
    assert page.left_out == {"unclosed": len("<b never closed")}


def test_a_huge_character_reference_is_harmless() -> None:
    assert extract("&#" + "9" * 100_000 + ";").text == "\ufffd"


DEEP = [
    "<div>",
    "<table><tr><td>",
    "<ul><li>x",
    "<blockquote>",
    "<b>",
    "<a href=x>y",
    "<p><b>",
    "<table>x",
    "<span hidden>",
]


@pytest.mark.parametrize("tag", DEEP)
def test_a_hundred_thousand_nested_elements_are_no_trouble(tag: str) -> None:
    page = extract(tag * 100_000 + "end", limits=Limits(max_depth=10**6))
    check(page.text, page.blocks)
    assert page.text.endswith("end") or "hidden" in tag


@pytest.mark.parametrize("tag", ["<div>", "<table><tr><td>", "<ul><li>", "<span hidden><div>"])
def test_nesting_beyond_the_limit_is_refused(tag: str) -> None:
    with pytest.raises(LoadError, match=r"at most 10,000 elements may be open at once"):
        extract(tag * 10_001)


HARD = {
    "formatting": "".join(f"<b id={i}><p>" for i in range(5_000)),
    "misnested": "<b><i><u><p>" * 3_000 + "</b></i></u>" * 3_000,
    "open tags": "<a " * 50_000,
    "quotes": '<a b="' * 50_000,
    "less": "<" * 200_000,
    "comments": "<!--" * 50_000,
    "stray items": "<div>" * 1_000 + "<li></li>" * 5_000,
    "scripts": "<script>" * 50_000,
    "stray ends": "</div>" * 10_000,
    "references": "&" * 200_000,
    "hidden ends": "<div hidden>" + "<p>" * 5_000 + "</q>" * 5_000,
}


@pytest.mark.parametrize("name", HARD)
def test_time_grows_with_the_length_and_not_faster(name: str) -> None:
    def seconds(markup: str) -> float:
        begin = time.perf_counter()
        extract(markup)
        return time.perf_counter() - begin

    once = min(seconds(HARD[name]) for _ in range(3))
    longer = min(seconds(HARD[name] * 4) for _ in range(2))
    assert longer < 10 * once + 0.3


def test_a_page_longer_than_allowed_is_refused() -> None:
    with pytest.raises(LoadError, match="may have 10 characters"):
        extract("<p>a" * 20, limits=Limits(max_chars=10))


def test_a_file_says_how_it_was_read() -> None:
    (page,) = read(DATA / "filing.html")
    assert page.media_type == "text/html"
    assert page.metadata["left_out"]["hidden"] > 10_000
    assert any(a.kind == "table" and b.kind == "text" for a, b in pairwise(page.blocks))


def test_what_is_hidden_from_assistive_technology_is_said_elsewhere() -> None:
    text, _, _ = parse("<p>a<span aria-hidden=true>b</span><span aria-hidden='false'>c</span></p>")
    assert text == "ac"


def test_the_items_of_a_yearly_report_without_heading_elements_are_headings() -> None:
    page = extract((DATA / "filing.html").read_text(encoding="utf-8"))
    found = [(b.level, " ".join(page.text[slice(*b.inner)].split())) for b in page.blocks if b.kind == "heading"]
    parts = [(level, title) for level, title in found if re.match(r"(?:PART|ITEM)\b", title)]
    assert [(level, title.split(".")[0]) for level, title in parts] == [
        (2, "PART I"), (3, "ITEM 1"), (3, "ITEM 1A"), (3, "ITEM 1B"), (3, "ITEM 2"), (3, "ITEM 3"), (3, "ITEM 4"),
        (2, "PART II"), (3, "ITEM 5"),
    ]  # fmt: skip
    assert (4, "COMPETITION") in found


def test_a_page_with_one_heading_and_a_short_page_keep_their_paragraphs() -> None:
    body = "<p>Short Title</p><p>This is a paragraph that goes on for a while, so that nobody takes it for a title.</p>"
    assert not [b for b in extract(body).blocks if b.kind == "heading"]
    assert len([b for b in extract(f"<h1>Name</h1>{body * 100}").blocks if b.kind == "heading"]) == 1
