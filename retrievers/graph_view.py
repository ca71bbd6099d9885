"""A graph of names for other tools and for the eye: networkx, and Graphviz's language."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from rag.types import Hits
from retrievers.graph import Graph, Opened

if TYPE_CHECKING:
    import networkx

__all__ = ["graph", "picture"]

LONGEST = 40  # characters of a label
SHAPES = {"leaf": "box", "name": "ellipse", "section": "diamond"}


def graph(retriever: Graph, *, around: Hits | None = None, steps: int = 1) -> networkx.DiGraph:
    """The graph of an index, or what lies around hits.

    Args:
        retriever: bound to an index.
        around: only nodes within `steps` of these hits; None for all.
        steps: at least 0.

    Returns:
        Nodes by number with `kind` (`leaf`, `name` or `section`) and `label`; edges with `weight`.
    """
    import networkx

    opened = retriever.opened
    kept = range(len(opened.edges)) if around is None else _near(opened, around, steps)
    inside = set(kept)
    found = networkx.DiGraph()
    for node in kept:
        found.add_node(node, kind=_kind(opened, node), label=opened.label(node))
    for node in kept:
        targets, weights = opened.edges.of(node)
        pairs = zip(targets.tolist(), weights.tolist(), strict=True)
        found.add_weighted_edges_from((node, target, weight) for target, weight in pairs if target in inside)
    return found


def picture(retriever: Graph, hits: Hits, *, steps: int = 1, most: int = 60) -> str:
    """What lies around hits, in Graphviz's language; the hits are filled.

    Args:
        retriever: bound to an index.
        hits: found in it.
        steps: how far around.
        most: nodes at most, the hits first, then by number.
    """
    opened = retriever.opened
    own = [opened.leaf(hit) for hit in hits][:most]
    rest = [node for node in _near(opened, hits, steps) if node not in own]
    shown = sorted([*own, *rest[: most - len(own)]])
    lines = ["graph names {", '  node [fontname="Helvetica", fontsize=10];']
    for node in shown:
        fill = ', style=filled, fillcolor="#fde68a"' if node in own else ""
        lines.append(f"  n{node} [label={_quoted(opened.label(node))}, shape={SHAPES[_kind(opened, node)]}{fill}];")
    for node in shown:
        targets = opened.edges.of(node)[0].tolist()
        lines += [f"  n{node} -- n{target};" for target in targets if target > node and target in shown]
    return "\n".join([*lines, "}"]) + "\n"


def _near(opened: Opened, hits: Hits, steps: int) -> list[int]:
    reached = {opened.leaf(hit) for hit in hits}
    edge: Iterable[int] = sorted(reached)
    for _ in range(steps):
        rows = [opened.edges.of(node)[0] for node in edge]
        edge = [node for node in np.unique(np.concatenate(rows)).tolist() if node not in reached] if rows else []
        reached.update(edge)
    return sorted(reached)


def _kind(opened: Opened, node: int) -> str:
    n = len(opened.corpus)
    return "leaf" if node < n else "name" if node < n + int((opened.node >= 0).sum()) else "section"


def _quoted(label: str) -> str:
    short = " ".join(label.split())[:LONGEST]
    return '"' + short.replace("\\", "\\\\").replace('"', '\\"') + '"'
