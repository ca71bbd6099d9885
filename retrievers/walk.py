"""Personalised PageRank from a few seeds, worked out only where the walk goes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Edges", "Visited", "edges_of", "walk", "way_to"]

FLOOR = 1e-6  # of all mass; a node that carries less is not followed further


@dataclass(frozen=True, eq=False)
class Edges:
    """A weighted graph as rows of a sparse matrix.

    Args:
        indptr: int64 (n + 1,), where each node's edges begin.
        target: int32 (e,), ascending within a node; for every edge there is one back, perhaps of another weight.
        weight: float32 (e,), > 0.
    """

    indptr: NDArray[np.int64]
    target: NDArray[np.int32]
    weight: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @cached_property
    def total(self) -> NDArray[np.float64]:
        """float64 (n,), the sum of each node's weights."""
        row = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        sums: NDArray[np.float64] = np.bincount(row, weights=self.weight, minlength=len(self)).astype(np.float64)
        return sums

    def of(self, node: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Targets and weights of one node's edges."""
        begin, end = self.indptr[node], self.indptr[node + 1]
        return self.target[begin:end], self.weight[begin:end]

    @cached_property
    def mirror(self) -> NDArray[np.int64]:
        """int64 (e,), for each edge the one back."""
        row = np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.indptr))
        return np.argsort(self.target * np.int64(max(len(self), 1)) + row, kind="stable")


@dataclass(frozen=True, eq=False)
class Visited:
    """Where a walk went.

    Args:
        node: int64 (m,), ascending.
        mass: float64 (m,), share of the time spent there.
        cut: mass that stopped at nodes that carried too little.
    """

    node: NDArray[np.int64]
    mass: NDArray[np.float64]
    cut: float = 0.0


def edges_of(nodes: int, source: NDArray[Any], target: NDArray[Any], weight: NDArray[Any]) -> Edges:
    """Sort edges into rows; those between the same two nodes are added up, loops left out."""
    apart = source != target
    source, target, weight = source[apart], target[apart], np.asarray(weight, dtype=np.float64)[apart]
    pair = source.astype(np.int64) * max(nodes, 1) + target
    order = np.argsort(pair, kind="stable")
    pair, weight = pair[order], weight[order]
    first = np.flatnonzero(np.concatenate((np.ones(min(len(pair), 1), dtype=bool), pair[1:] != pair[:-1])))
    row, column = np.divmod(pair[first], max(nodes, 1))
    return Edges(
        indptr=np.searchsorted(row, np.arange(nodes + 1)).astype(np.int64),
        target=column.astype(np.int32),
        weight=(np.add.reduceat(weight, first) if len(first) else weight).astype(np.float32),
    )


def walk(
    edges: Edges,
    seeds: NDArray[np.int64],
    mass: NDArray[np.float64],
    *,
    damping: float,
    rounds: int,
    closed: NDArray[np.bool_] | None = None,
    floor: float = FLOOR,
) -> Visited:
    """Personalised PageRank (Haveliwala, WWW 2002) by summing its series, one power of the step matrix a round.

    A round follows only nodes that carry more than the floor, so it reads the edges of the seeds' neighbourhood and not
    those of the whole graph. Mass at a node without edges stays.

    Args:
        edges: the graph.
        seeds: where the walk begins, and begins again.
        mass: > 0, how often at each.
        damping: probability of going on rather than beginning again.
        rounds: steps at most; what is still under way then stays where it is.
        closed: bool (n,), nodes that are not entered.
        floor: see `FLOOR`.
    """
    start = np.zeros(len(edges), dtype=np.float64)
    np.add.at(start, seeds, mass)
    if closed is not None:
        start[closed] = 0.0
    total = float(start.sum())
    if not total > 0:
        return Visited(np.zeros(0, dtype=np.int64), np.zeros(0))
    found = np.zeros(len(edges))
    nodes = np.flatnonzero(start)
    carried, cut = start[nodes] / total, 0.0
    for _ in range(rounds):
        alive = (carried > floor) & (edges.indptr[nodes + 1] > edges.indptr[nodes])
        found[nodes] += np.where(alive, 1 - damping, 1.0) * carried
        cut += float(carried[~alive].sum())
        nodes, carried = nodes[alive], carried[alive]
        if not len(nodes):
            break
        lots = edges.indptr[nodes + 1] - edges.indptr[nodes]
        at = np.repeat(edges.indptr[nodes] - (np.cumsum(lots) - lots), lots) + np.arange(int(lots.sum()))
        sent = np.repeat(damping * carried / edges.total[nodes], lots) * edges.weight[at]
        reached = np.bincount(edges.target[at], weights=sent, minlength=len(edges)).astype(np.float64)
        if closed is not None:
            reached[closed] = 0.0
        nodes = np.flatnonzero(reached)
        carried = reached[nodes]
    else:
        found[nodes] += carried
    seen = np.flatnonzero(found)
    return Visited(seen, found[seen], cut)


def way_to(edges: Edges, visited: Visited, seeds: Collection[int], node: int, most: int) -> list[int]:
    """The way on which most mass came to a node, from a seed; shorter than asked where no seed is found in time.

    Each step back goes to the neighbour that sent most, none twice. The node itself comes last.
    """
    way = [node]
    while way[-1] not in seeds and len(way) < most:
        begin, end = int(edges.indptr[way[-1]]), int(edges.indptr[way[-1] + 1])
        near = edges.target[begin:end].astype(np.int64)
        place = np.minimum(np.searchsorted(visited.node, near), len(visited.node) - 1)
        there = (visited.node[place] == near) & ~np.isin(near, way)
        if not there.any():
            break
        sent = visited.mass[place] * edges.weight[edges.mirror[begin:end]] / edges.total[near]
        way.append(int(near[np.argmax(np.where(there, sent, -1.0))]))
    return way[::-1]
