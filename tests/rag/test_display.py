"""What notebooks show: nothing of a document becomes markup, and every object has a short text beside it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rag
from chunkers.structure import StructureChunker
from evals.attribution import Waterfall
from evals.compare import Comparison, Pair
from evals.report.notebook import budget_curves, of_comparison, of_run
from evals.run import Run
from evals.stats import Paired
from evals.sweep import Sweep
from rag.display import Box, answer, bar, flow, histogram, hits, shell, trace
from rag.errors import DataError
from rag.types import Answer, Citation, Document, Drop, Hit, Hits, Query

HOSTILE = (
    "</bdi></style><script>alert(1)</script><img src=x onerror=alert(2)> \u202e evil \x07 & \"q\" 'q' \ud800 港 שלום"
)
ALLOWED = {
    *("style", "div", "b", "span", "bdi", "details", "summary", "table", "thead", "tbody", "tr", "th", "td", "p"),
    *("svg", "rect", "circle", "title", "path", "text", "polygon", "polyline", "blockquote", "mark", "br"),
}


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.handlers += [name for name, value in attrs if name.startswith("on") or name in {"src", "href"}]
        if tag != "br":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def sound(shown: str) -> str:
    """The fragment, once its markup is known to be ours, closed, and fetching nothing."""
    tags = Tags()
    tags.feed(shown)
    tags.close()
    assert set(tags.seen) <= ALLOWED
    assert tags.open == []
    assert tags.handlers == []
    assert "url(" not in shown
    shown.encode("utf-8")
    return shown


def made(text: str) -> Answer:
    tree = StructureChunker(size=16)(Document(text[:20] or "d", text or "x", text[:9], "text/markdown"))
    found = tuple(
        Hit(tree, leaf.index, ((leaf.start, leaf.end),), 1.0 / (i + 1), {f"rerankers/{text[:5]}": 0.5}, text)
        for i, leaf in enumerate(tree.leaves())
    )
    query = Query("q", text)
    drops = tuple(Drop(hit, "rerankers/mmr", text) for hit in found[:1])
    context = Hits(query, found, drops, tokens=12, notes={text[:7]: text})
    cited = tuple(Citation.of(hit.document, hit.start, hit.end) for hit in found[:2])
    return Answer(query, text, "answered", cited, context, 0.5, {"calls": 1}, 0.1, {"note": text})


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60) | st.sampled_from([HOSTILE, "<!--", "]]>", "&lt;", "</TABLE >"]))
def test_no_text_of_a_document_or_question_becomes_markup(text: str) -> None:
    said = made(text)
    sound(said._repr_html_())
    assert said.context is not None
    sound(said.context._repr_html_())
    sound(shell(flow([Box(text, text, text, {text: text})]), text, text))


def test_a_quotation_stands_marked_inside_its_source() -> None:
    text = "Before it. The lamp was lit in 1872. After it."
    tree = StructureChunker()(Document("d", text))
    cited = Citation.of(tree.document, 11, 36)
    context = Hits(Query("q", "When?"), (Hit(tree, 1, ((0, len(text)),), 1.0),))
    shown = sound(answer(Answer(context.query, "1872", "answered", (cited,), context)))
    plain = re.sub(r"<[^>]+>", "", shown[shown.index("<blockquote") : shown.index("</blockquote")])
    assert plain == text
    assert "<mark><bdi>The lamp was lit in 1872.</bdi></mark>" in shown


@pytest.mark.parametrize("status", ["abstained", "retrieved"])
def test_an_answer_without_text_says_why(status: str) -> None:
    shown = sound(answer(Answer(Query("q", "?"), "", status)))
    assert ("do not say" in shown) == (status == "abstained")


def test_many_hits_are_counted_and_not_all_drawn() -> None:
    tree = StructureChunker()(Document("d", "word " * 10))
    one = Hit(tree, 1, ((0, 4),), math.nan)
    shown = sound(hits(Hits(Query("q", "?"), (one,) * 5000, tuple(Drop(one, "s", "r") for _ in range(5000)))))
    assert "5000 hits" in shown
    assert "4950 more" in shown
    assert len(shown) < 100_000


def test_an_object_has_a_short_text_that_holds_no_document() -> None:
    said = made("secret words\n\n" * 500)
    assert said.context is not None
    shown = [repr(said.context), repr(said.context[0]), repr(said.context[0].tree), repr(said.context[0].document)]
    assert all(len(one) < 200 for one in shown)
    assert all(one.count("secret") <= 2 for one in shown)
    assert len(repr(said)) < 400


def test_an_index_and_a_pipeline_are_drawn() -> None:
    pipe = rag.load("lexical")
    index = pipe.index([Document("<i>a</i>", "One lamp.\n\nTwo lamps."), Document("b", "")])
    shown = sound(index._repr_html_())
    assert "chunkers/structure" in shown
    assert "retrievers/bm25" in shown
    assert "&lt;i&gt;a&lt;/i&gt;" in shown
    assert "2 documents" in shown
    assert repr(index).startswith("Index(2 documents")
    assert "retrievers/bm25" in sound(pipe._repr_html_())
    traced = index.ask("lamp")
    assert "retrievers/bm25" in sound(traced._repr_html_())
    assert len(trace(traced.trace)) > 100


def test_a_run_shows_intervals_what_is_off_and_what_failed() -> None:
    row = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 10, "failed": 1}
    run = Run(None, {"R@5": row, "EM": {**row, "value": None, "off": "no gold <b>"}}, 10, ("<q1>",))
    shown = sound(of_run(run))
    assert shown == run._repr_html_()
    assert "0.5" in shown
    assert "&lt;q1&gt;" in shown
    assert "no gold &lt;b&gt;" in shown
    assert repr(run) == "Run(10 questions, 1 failed, not kept)"


def test_a_comparison_shows_its_verdict_and_each_difference() -> None:
    pair = Pair("R@5", "a<", "b", Paired(0.1, 0.02, 0.18, 0.01, 50, math.inf), 0.02, 0)
    nothing = Pair("EM", "a<", "b", Paired(0.0, 0.0, 0.0, 1.0, 50, math.nan), 1.0, 0)
    found = Comparison(("a<", "b"), {"a<": {"R@5": 0.5}, "b": {"R@5": 0.6}}, (pair, nothing), {"F1": "x"}, 0.05,
                       {"R@5": "high", "EM": "high"})  # fmt: skip
    shown = sound(of_comparison(found))
    assert shown == found._repr_html_()
    assert "b wins by R@5" in shown
    assert "+0.0200 to +0.1800" in shown


def test_a_waterfall_hangs_each_outcome_where_the_one_before_ended() -> None:
    lost = {("not retrieved", "retrievers/bm25"): 3, ("dropped", "rerankers/<mmr>"): 2}
    found = Waterfall(10, {"not retrieved": 3, "dropped": 2, "answered": 4, "in context": 1}, lost, {})
    shown = sound(found._repr_html_())
    bars = [(float(a), float(w)) for a, w in re.findall(r'<rect x="([\d.]+)%" width="([\d.]+)%"', shown)]
    assert bars == [(0, 100), (70, 30), (50, 20), (0, 40), (40, 10)]
    assert "rerankers/&lt;mmr&gt; 2" in shown


def test_a_sweep_shows_the_best_first_and_what_was_kept_apart() -> None:
    value = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9, "failed": 0}
    rows = [{"name": "0", "changes": ["stages[0].k=<5>"], "n": 9, "values": {"R@5": value, "F1": None}, "front": True}]
    found = Sweep(tuple(rows), "no winner", {"R@5": value}, 10, 5)
    shown = sound(found._repr_html_())
    assert "&lt;5&gt;" in shown
    assert "kept apart" in shown
    assert repr(found) == "Sweep(1 configurations: no winner)"


def test_budget_curves_are_drawn_and_told() -> None:
    def of(shift: float) -> Run:
        row = {"n": 9, "failed": 0}
        metrics = {
            f"SpanR@{b}tok": {"value": v + shift, "low": v, "high": v + 0.2, **row} for b, v in ((128, 0.2), (512, 0.5))
        }
        return Run(None, metrics, 9, ())

    drawn = budget_curves({"<a>": of(0.1), "b": of(0.0)})
    shown = sound(drawn._repr_html_())
    assert shown.count("<polyline") == 2
    assert "&lt;a&gt;" in shown
    assert "b: 128 tokens 0.200" in repr(drawn)
    with pytest.raises(DataError, match="has no AIC@Ntok"):
        budget_curves({"a": of(0.0)}, "AIC")


@pytest.mark.parametrize("share", [-1.0, 0.0, 0.5, 2.0, math.nan, math.inf])
def test_a_bar_stays_inside_its_frame(share: float) -> None:
    widths = [float(w) for w in re.findall(r'width="([\d.]+)%"', bar(share, begin=0.7))]
    assert all(0 <= w <= 100 for w in widths)
    assert widths[1] <= 30.01


def test_a_histogram_counts_everything_once() -> None:
    shown = sound(histogram([1, 5, 5, 900], "tokens"))
    assert sum(map(int, re.findall(r": (\d+)</title>", shown))) == 4
    assert histogram([], "tokens") == ""


def test_a_fragment_reads_in_light_and_dark() -> None:
    shown = shell("x")
    assert "prefers-color-scheme:dark" in shown
    assert "data-jp-theme-light" in shown
    names = set(re.findall(r"var\((--[a-z]+)\)", shown))
    light, dark = (set(re.findall(r"(--[a-z]+):", part)) for part in shown.split("prefers-color-scheme:dark")[:2])
    assert names <= light
    assert names <= dark


def test_a_notebook_can_send_what_it_shows() -> None:
    said = made(HOSTILE)
    json.dumps({"text/html": said._repr_html_(), "text/plain": repr(said)}, ensure_ascii=False).encode(
        "utf-8", "surrogateescape"
    )
    assert replace(said) == said
