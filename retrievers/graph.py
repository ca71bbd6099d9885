"""Find evidence over several documents by walking a graph of passages and the names they share; no model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rag.stage import Field, Retriever, stage
from rag.store import postings
from rag.store.parts import bound_to, part_key, store_of
from rag.store.postings import Vocabulary
from rag.types import Hits, Query
from retrievers.names import names, spoken
from retrievers.network import SHORT, Network, Weights, network, read
from retrievers.walk import Edges, walk, way_to

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.store.corpus import Corpus, Part, Store
    from rag.types import Hit

__all__ = ["Graph", "Opened", "Start"]

NAME = "retrievers/graph"
NAMES = 64  # said by a question that are walked from
TOLD = 20  # hits whose way is told
STEPS = 7  # of a way that is told
DIGITS = 12  # of a mass; what lies beyond depends on the machine's order of adding


def _default() -> Retriever:
    from retrievers.bm25 import BM25

    return BM25()


@stage
class Graph:
    """Walk from what a question matches and names to the passages its evidence leads to.

    HippoRAG 2 (Gutierrez et al., 2025, https://arxiv.org/abs/2502.14802, sections 3.1 to 3.3) extracts triples with a
    language model, joins passages by shared phrases and ranks them by personalised PageRank from what a question
    matches. Here no model is asked: names are found by their capitals (`retrievers.names`), a document's title or the
    name its first sentence begins with says what it is about, and a passage that says that name points to it.
    Nodes are leaves, names and sections; what edges weigh stands in `retrievers.network.Weights`.

    The walk begins at the best hits of `inner` and at the names the question says. A hit's `why` is the way on which
    most of its mass came: `harbour.md > ada lind > lind.md`. `picture` and `graph` of `retrievers.graph_view` show it.

    Measured (`python -m evals.reproduce graph`), R@5 of the graph over BM25 (and of BM25): MuSiQue, 2WikiMultihopQA,
    HotpotQA 67.8 (49.6), 98.6 (68.4), 94.5 (75.5); with every title taken away 58.9 (44.0), 90.4 (66.4), 88.5 (72.5).
    Half of the questions of the second and third set fixed the constants; 225 and 344 others over more passages give
    97.2 (71.2) and 92.9 (74.4), without titles 90.0 (69.3) and 86.5 (70.6).

    Args:
        query: scope and filters are honoured exactly: other leaves are not entered. A question without a name is walked
            from the hits of `inner` alone; without those either, nothing is found.

    Returns:
        At most k leaves, most visited first, ties in index order. `score` is the share of the walk's time.
    """

    shapes_index: ClassVar[tuple[str, ...]] = tuple(one.name for one in fields(Weights))

    inner: Retriever = Field(default_factory=_default, description="finds where the walk begins")
    k: int = Field(default=100, ge=1, description="hits returned")
    seeds: int = Field(default=10, ge=0, description="hits of `inner` the walk begins at")
    power: float = Field(default=3.0, gt=0, description="of a hit's score as a share of the best; that is its mass")
    named: float = Field(default=4.0, ge=0, description="mass of a passage whose title or subject the question says")
    entity: float = Field(default=2.0, ge=0, description="mass of another name the question says, over its passages")
    damping: float = Field(default=0.75, gt=0, lt=1, description="probability of a further step")
    rounds: int = Field(default=20, ge=1, le=100, description="steps at most")
    most: int = Field(default=20, ge=2, description="leaves that say a name, beyond which it joins none")
    namesakes: int = Field(default=10, ge=1, description="leaves with one title, beyond which it points to none")
    fade: float = Field(default=1.0, ge=0, description="how much less a name weighs that more leaves say")
    single: float = Field(default=0.2, ge=0, description="weight of a name of one word, of several: 1")
    own: float = Field(default=3.0, ge=1, description="how much more a leaf's own title or subject weighs")
    title: float = Field(default=1.0, ge=0, description="weight of an edge to the leaf that is named")
    back: float = Field(default=0.5, gt=0, le=1, description="share of it of the edge back")
    beside: float = Field(default=0.3, ge=0, description="weight between neighbours in a document")
    section: float = Field(default=0.5, ge=0, description="weight between a leaf and its section")

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Write the graph; only new leaves are read."""
        if part.old is None or not np.any(corpus.reuse >= 0):
            told = read(corpus)
        else:
            told = postings.merge(postings.load(part.old), corpus.reuse, read(corpus, np.flatnonzero(corpus.reuse < 0)))
        postings.save(part, told)
        _save(part, network(told, corpus.doc, Weights(**{name: getattr(self, name) for name in self.shapes_index})))

    def bind(self, store: Store, /) -> Graph:
        """This retriever and the one inside it, reading from an opened store."""
        return bound_to(replace(self, inner=self.inner.bind(store)), store)

    @cached_property
    def opened(self) -> Opened:
        """The graph of the index this retriever is bound to."""
        store = store_of(self, NAME)
        part = store.part(part_key(self))
        return Opened(
            corpus=store.corpus,
            edges=Edges(*(np.asarray(part.load(f"edge-{name}")) for name in ("indptr", "target", "weight"))),
            keys=Vocabulary(part.load("keys"), part.load("key-ends")),
            node=np.asarray(part.load("key-node")),
            owner_ptr=np.asarray(part.load("owner-ptr")),
            owner=np.asarray(part.load("owner")),
        )

    def __call__(self, query: Query, /) -> Hits:
        """Begin, walk, rank."""
        found = self.inner(query)
        starts = self.starts(query, found.items)
        return self.walked(query, starts, found)

    def starts(self, query: Query, hits: tuple[Hit, ...]) -> dict[int, Start]:
        """Nodes the walk begins at: hits by their score, and what the question names.

        Args:
            query: the question.
            hits: what `inner` found, best first.
        """
        opened = self.opened
        found: dict[int, Start] = {}
        best = hits[0].score if hits else 0.0
        for rank, hit in enumerate(hits[: self.seeds], 1):
            share = max(hit.score / best, 0.0) if best > 0 else 1 / rank
            if share > 0:
                _put(found, opened.leaf(hit), share**self.power, "match")
        capital = set(names(query.text))
        looked = [(one, row) for one in spoken(query.text) if (row := opened.keys.find(one)) >= 0]
        for one, row in looked[:NAMES]:
            several = " " in one
            owners = opened.owners(row)
            if 0 < len(owners) <= self.namesakes and (several or (len(one) >= SHORT and one in capital)):
                for leaf in owners:
                    _put(found, leaf, self.named / len(owners), "named")
            elif (node := int(opened.node[row])) >= 0 and (several or one in capital):
                _put(found, node, self.entity / len(opened.edges.of(node)[0]), "named")
        return found

    def walked(self, query: Query, starts: Mapping[int, Start], found: Hits) -> Hits:
        """Walk from given nodes and rank the leaves.

        Args:
            query: the question; its scope and filters close leaves.
            starts: node -> mass and reason.
            found: the hits that led there; their notes and drops are kept.
        """
        opened, n = self.opened, len(self.opened.corpus)
        mask = opened.corpus.mask(query)
        closed = None
        if mask is not None:
            closed = np.zeros(len(opened.edges), dtype=bool)
            closed[:n] = ~mask
        given = sorted((node, start.mass) for node, start in starts.items() if start.mass > 0)
        visited = walk(
            opened.edges,
            np.array([node for node, _ in given], dtype=np.int64),
            np.array([mass for _, mass in given], dtype=np.float64),
            damping=self.damping,
            rounds=self.rounds,
            closed=closed,
        )
        there = visited.node < n
        leaves, mass = visited.node[there], np.round(visited.mass[there], DIGITS)
        order = np.argsort(-mass, kind="stable")[: self.k]
        order = order[mass[order] > 0]
        hits = opened.corpus.hits(leaves[order], mass[order], NAME)
        seeds = {node for node, _ in given}
        ways = [way_to(opened.edges, visited, seeds, int(leaf), STEPS) for leaf in leaves[order][:TOLD]]
        told = [replace(hit, why=opened.told(way, starts)) for hit, way in zip(hits, ways, strict=False)]
        named = sum(start.reason == "named" for start in starts.values())
        note = {"matched": len(starts) - named, "named": named, "visited": len(visited.node)}
        return Hits(query, (*told, *hits[len(told) :]), drops=found.drops, notes={**found.notes, NAME: note})


@dataclass(frozen=True)
class Start:
    """Why a walk begins at a node, and how often: `match` of the text or `named` by the question."""

    mass: float
    reason: str


def _put(found: dict[int, Start], node: int, mass: float, reason: str) -> None:
    had = found.get(node)
    found[node] = Start(mass + (had.mass if had else 0.0), had.reason if had and had.mass >= mass else reason)


@dataclass(frozen=True, eq=False)
class Opened:
    """The graph of an index; see `retrievers.network.Network`."""

    corpus: Corpus
    edges: Edges
    keys: Vocabulary
    node: NDArray[np.int32]
    owner_ptr: NDArray[np.int64]
    owner: NDArray[np.int32]

    @cached_property
    def _key(self) -> NDArray[np.int64]:
        """The key of each name's node, in the order of the nodes, which is the order of the keys."""
        return np.flatnonzero(self.node >= 0)

    @cached_property
    def _first(self) -> NDArray[np.int64]:
        """Where each document's leaves begin."""
        return np.searchsorted(self.corpus.doc, np.arange(len(self.corpus.doc_ids) + 1)).astype(np.int64)

    def leaf(self, hit: Hit) -> int:
        """Index of a hit's leaf."""
        doc = self.corpus.ordinals[hit.doc]
        begin, end = self._first[doc], self._first[doc + 1]
        return int(begin + np.searchsorted(self.corpus.node[begin:end], hit.node))

    def owners(self, key: int) -> list[int]:
        """Leaves that have a key as their title or subject."""
        leaves: list[int] = self.owner[self.owner_ptr[key] : self.owner_ptr[key + 1]].tolist()
        return leaves

    def label(self, node: int) -> str:
        """A document's id, a name, or `section`."""
        n = len(self.corpus)
        if node < n:
            return str(self.corpus.doc_ids[int(self.corpus.doc[node])])
        if node < n + len(self._key):
            return self.keys[int(self._key[node - n])].decode("utf-8", "surrogatepass")
        return "section"

    def told(self, way: list[int], starts: Mapping[int, Start]) -> str:
        """A way in one line, with the reason of its beginning where that is known."""
        reason = f"{starts[way[0]].reason}: " if way[0] in starts else ""
        return reason + " > ".join(self.label(node) for node in way)


def _save(part: Part, made: Network) -> None:
    for name in ("indptr", "target", "weight"):
        part.save(f"edge-{name}", getattr(made.edges, name))
    words = [one.encode("utf-8", "surrogatepass") for one in made.keys]
    part.save("keys", np.frombuffer(b"".join(words), dtype=np.uint8))
    part.save("key-ends", np.concatenate(([0], np.cumsum([len(one) for one in words]))).astype(np.int64))
    part.save("key-node", made.node)
    part.save("owner-ptr", made.owner_ptr)
    part.save("owner", made.owner)
