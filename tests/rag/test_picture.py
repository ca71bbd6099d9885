from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from rag.doctree import flat
from rag.picture import dot, fragment, page
from rag.trees.summaries import Summaries
from rag.types import Document, Hit

DATA = re.compile(r"<script type=application/json class=rag-tree-data>(.*?)</script>", re.DOTALL)
HOSTILE = '# A </script><script>alert(1)</script>\n\n<img src=x onerror=alert(2)> costs 🚢 & "more".\n\n## B\n\nText of B 港.\n'


def tree(text=HOSTILE, title=""):
    return Summaries()(StructureChunker(size=16)(Document("<b>d</b>", text, title, "text/markdown")))


def data(shown):
    return json.loads(DATA.search(shown)[1])


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80) | st.sampled_from([HOSTILE, "<!--", "]]>", "\ud800 lone", "</SCRIPT >"]))
def test_no_text_becomes_markup(text):
    tags = Tags()
    shown = page([tree(text, title=text[:10])])
    tags.feed(shown.encode("utf-8", "replace").decode())
    assert set(tags.seen) <= {"html", "meta", "title", "style", "body", "main", "h1", "div", "script", "noscript"}
    assert tags.seen.count("script") == 2
    assert "http" not in shown.replace("http-equiv", "").lower() or "http" in text.lower()


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80))
def test_every_leaf_can_be_read_from_the_page(text):
    grown = tree(text)
    told = data(page([grown]))
    units = told["text"].encode("utf-16-le", "surrogatepass")
    shown = [units[2 * n["s"] : 2 * n["e"]].decode("utf-16-le") for n in told["nodes"] if "c" not in n and "s" in n]
    assert shown == [leaf.text for leaf in grown.leaves()]


def test_hits_are_marked_and_the_way_to_them_stands_open():
    grown = tree()
    leaf = grown.leaves()[-1]
    at = leaf.text.index("Text")
    hit = Hit(grown, leaf.index, ((leaf.start + at, leaf.start + at + 4),), 1.0)
    told = data(page([grown], hits=[hit], question="What is <B>?"))
    units = told["text"].encode("utf-16-le")
    marked = [units[2 * a : 2 * b].decode("utf-16-le") for n in told["nodes"] for a, b in n.get("h", ())]
    assert marked == ["Text"]
    opened = {i for i, n in enumerate(told["nodes"]) if n.get("o")}
    assert opened == {leaf.index, *(n.index for n in leaf.ancestors)}


def test_a_large_tree_draws_few_nodes_at_first():
    text = "\n\n".join(f"# Head {i}\n\nSome words of part {i}." for i in range(3000))
    told = data(page([StructureChunker(size=16)(Document("d", text, media_type="text/markdown"))]))
    assert sum(n.get("o", 0) for n in told["nodes"]) <= 31


def test_a_notebook_shows_the_outline():
    shown = tree()._repr_html_()
    assert shown == fragment(tree())
    assert "<html" not in shown


def test_an_empty_document_has_a_page():
    assert len(data(page([tree("")]))["nodes"]) == 1


def test_graphviz_and_networkx_have_the_same_edges():
    grown = tree()
    edges = set(re.findall(r"n(\d+) -> n(\d+);", dot(grown)))
    graph = grown.to_networkx()
    assert {(int(a), int(b)) for a, b in edges} == set(graph.edges)
    assert nx.is_arborescence(graph)
    labels = re.findall(r'\[label="((?:[^"\\]|\\.)*)"\];', dot(grown))
    assert len(labels) == len(grown)


@pytest.mark.parametrize("text", ['# "Quoted" \\ name\n\nText.', "# Tab\there \x07\n\nText."])
def test_names_cannot_break_out_of_their_label(text):
    body = [line for line in dot(tree(text)).splitlines() if "[label=" in line]
    assert all(re.fullmatch(r'  n\d+ \[label="(?:[^"\\]|\\.)*"\];', line) for line in body)


def deep(parts=40):
    text = "\n\n".join(f"# Head {i}\n\n## Below {i}\n\nSome words of part {i} and 🚢 {i}." for i in range(parts))
    return StructureChunker(size=16, min_size=0)(Document("d", text, media_type="text/markdown"))


@pytest.mark.parametrize(("depth", "most"), [(None, 100), (1, 10**6), (0, 10**6), (None, 1), (2, 41)])
def test_a_page_of_the_upper_levels_says_what_it_leaves_out_and_keeps_the_way_to_hits(depth, most):
    grown = deep()
    leaf = grown.leaves()[-3]
    hit = Hit(grown, leaf.index, ((leaf.start, leaf.end),), 1.0)
    told = data(page([grown], hits=[hit], depth=depth, most=most))
    units = told["text"].encode("utf-16-le", "surrogatepass")
    rows = told["nodes"]
    assert len(rows) < len(grown)
    assert len(rows) <= most + 1 + len(leaf.ancestors)
    shown = [units[2 * n["s"] : 2 * n["e"]].decode("utf-16-le") for n in rows if "e" in n]
    assert leaf.text in shown
    assert set(shown) <= {one.text for one in grown.leaves()}
    assert sum(n.get("o", 0) for n in rows) == 1 + len(leaf.ancestors)
    reached, waiting = set(), [0]
    while waiting:
        one = waiting.pop()
        reached.add(one)
        waiting += rows[one].get("c", [])
    assert reached == set(range(len(rows)))
    assert any("m" in n for n in rows)
    assert ("text", len(told["text"])) < ("text", len(grown.document.text))


def test_a_hundred_thousand_nodes_make_a_page_of_some_megabytes():
    text = "Some words of a part.\n" * 110_000
    parts = flat(Document("d", text), [(i, i + 22) for i in range(0, len(text), 22)])
    assert len(parts) > 100_000
    shown = page([parts])
    assert len(shown) < 20_000_000
    assert len(data(shown)["nodes"]) == 1  # the level below has more than a page holds, and the page says so
    assert "110000 parts" in data(shown)["nodes"][0]["m"]
    assert len(data(page([parts], most=10**6))["nodes"]) == len(parts)


@pytest.mark.parametrize("depth", [None, 0, 1, 2])
def test_graphviz_can_be_given_a_depth(depth):
    grown = deep(3)
    edges = {(int(a), int(b)) for a, b in re.findall(r"n(\d+) -> n(\d+);", grown.to_dot(depth=depth))}
    have = {(a, b) for a, b in grown.to_networkx().edges if depth is None or len(grown[b].ancestors) <= depth}
    assert edges == have


def test_many_documents_share_the_room_of_a_page():
    told = [json.loads(one) for one in DATA.findall(page([deep(4)] * 5, most=30))]
    sizes = [len(one["nodes"]) for one in told]
    assert sizes[0] == len(deep(4))
    assert sum(sizes) <= 30 + 5
    assert sizes[-1] == 1
