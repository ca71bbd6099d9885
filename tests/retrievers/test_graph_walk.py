"""The walk against networkx's PageRank, and the way told against the edges."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from retrievers.walk import Edges, edges_of, walk, way_to


@st.composite
def graphs(draw: st.DrawFn) -> Edges:
    n = draw(st.integers(1, 12))
    pairs = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=30))
    weight = draw(st.lists(st.floats(0.1, 5), min_size=len(pairs), max_size=len(pairs)))
    a = np.array([i for i, _ in pairs], dtype=np.int64)
    b = np.array([j for _, j in pairs], dtype=np.int64)
    w = np.array(weight, dtype=np.float64)
    return edges_of(n, np.concatenate((a, b)), np.concatenate((b, a)), np.concatenate((w, w * 0.5)))


def as_networkx(edges: Edges) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(edges)))
    for node in range(len(edges)):
        for target, weight in zip(*(x.tolist() for x in edges.of(node)), strict=True):
            graph.add_edge(node, target, weight=weight)
    return graph


@settings(max_examples=60)
@given(graphs(), st.data())
def test_the_walk_is_personalised_pagerank(edges: Edges, data: st.DataObject) -> None:
    linked = [i for i in range(len(edges)) if len(edges.of(i)[0])]
    if not linked:
        return
    seed = data.draw(st.sampled_from(linked))
    found = walk(edges, np.array([seed]), np.array([2.0]), damping=0.6, rounds=100, floor=0.0)
    expected = nx.pagerank(
        as_networkx(edges), alpha=0.6, personalization={seed: 1.0}, weight="weight", tol=1e-10, max_iter=500
    )
    mass = np.zeros(len(edges))
    mass[found.node] = found.mass
    assert np.allclose(mass, [expected[i] for i in range(len(edges))], atol=1e-6)


@given(graphs(), st.lists(st.integers(0, 0), min_size=1, max_size=3), st.integers(1, 8))
def test_mass_is_neither_made_nor_lost(edges: Edges, seeds: list[int], rounds: int) -> None:
    found = walk(edges, np.array(seeds), np.ones(len(seeds)), damping=0.7, rounds=rounds)
    assert abs(float(found.mass.sum()) - 1) < 1e-9


@given(graphs(), st.data())
def test_closed_nodes_are_not_entered(edges: Edges, data: st.DataObject) -> None:
    closed = np.array(data.draw(st.lists(st.booleans(), min_size=len(edges), max_size=len(edges))))
    found = walk(edges, np.arange(len(edges)), np.ones(len(edges)), damping=0.7, rounds=9, closed=closed)
    assert not closed[found.node].any()


@given(graphs())
def test_the_mirror_of_an_edge_is_the_edge_back(edges: Edges) -> None:
    row = np.repeat(np.arange(len(edges)), np.diff(edges.indptr))
    assert np.array_equal(edges.target[edges.mirror], row)
    assert np.array_equal(row[edges.mirror], edges.target)


@given(graphs(), st.data())
def test_a_way_goes_along_edges_and_visits_no_node_twice(edges: Edges, data: st.DataObject) -> None:
    found = walk(edges, np.array([0]), np.ones(1), damping=0.7, rounds=20)
    node = data.draw(st.sampled_from(found.node.tolist()))
    way = way_to(edges, found, {0}, node, len(edges) + 1)
    assert way[-1] == node
    assert len(set(way)) == len(way)
    assert all(b in edges.of(a)[0] for a, b in itertools.pairwise(way))
    assert way[0] == 0


def test_no_seeds_visit_nothing() -> None:
    edges = edges_of(2, np.array([0, 1]), np.array([1, 0]), np.ones(2))
    none = np.zeros(0, dtype=np.int64)
    assert not len(walk(edges, none, np.zeros(0), damping=0.5, rounds=5).node)
