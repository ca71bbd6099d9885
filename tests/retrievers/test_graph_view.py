"""The graph of names, given to networkx and drawn."""

from __future__ import annotations

from chunkers.structure import StructureChunker
from rag.testing import indexed
from rag.types import Document, Hits, Query
from retrievers.graph import Graph
from retrievers.graph_view import graph, picture

DOCS = [
    Document("film", 'The Prairie King is a film by "Reeves Eason".', "The Prairie King"),
    Document("eason", "Reeves Eason was born in Fryors Point.", "Reeves Eason"),
    Document('to"wn', "Fryors Point is a town. Reeves Eason left it.", "Fryors Point"),
    Document("far", "Nothing here.", "Far"),
]


def ready() -> Graph:
    found: Graph = indexed(StructureChunker(), Graph(), DOCS)
    return found


def test_networkx_gets_every_node_and_edge() -> None:
    bound = ready()
    made = graph(bound)
    assert made.number_of_nodes() == len(bound.opened.edges)
    assert made.number_of_edges() == len(bound.opened.edges.target)
    labels = {data["label"] for _, data in made.nodes(data=True)}
    assert {"film", "reeves eason"} <= labels
    assert {data["kind"] for _, data in made.nodes(data=True)} == {"leaf", "name"}


def test_only_what_lies_around_the_hits_is_given_when_asked() -> None:
    bound = ready()
    hits = bound(Query("q", "Who made The Prairie King?"))
    near = graph(bound, around=Hits(hits.query, hits.items[:1]), steps=1)
    labels = {data["label"] for _, data in near.nodes(data=True)}
    assert "far" not in labels
    assert "film" in labels


def test_the_picture_fills_the_hits_and_quotes_labels() -> None:
    bound = ready()
    drawn = picture(bound, bound(Query("q", "Who made The Prairie King?")), most=10)
    assert drawn.startswith("graph names {")
    assert drawn.count("fillcolor") >= 2
    assert 'label="to\\"wn"' in drawn
    assert drawn.count("[label=") <= 10
