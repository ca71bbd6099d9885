from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
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
