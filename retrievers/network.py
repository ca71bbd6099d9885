"""From passages to a graph: who mentions whom, who is named alike, who stands beside whom."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.store.terms import TermCounts, tally
from retrievers.names import names, subjects, title_keys
from retrievers.walk import Edges, edges_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.store.corpus import Corpus

__all__ = ["Network", "Weights", "facts", "network", "read"]

MENTION, OWNED, PATH, SUBJECT = "m:", "o:", "p:", "s:"  # what kind of fact
SHORT = 5  # letters below which a name of one word points to no title
MENTIONS = 500  # leaves that say a name, beyond which it points to no title: a country, not a way


@dataclass(frozen=True)
class Weights:
    """What edges weigh, and which are left out.

    No weight depends on how many passages there are, so that a new one changes the edges of its own names and
    neighbours and no others.

    Args:
        most: leaves that say a name, beyond which it joins none.
        namesakes: leaves with one title, beyond which naming it points to none.
        fade: a name that df leaves say weighs df to the power of minus this.
        single: weight of a name of one word.
        own: times that weight for a leaf that has the name as its title or subject.
        title: weight of an edge to the leaf that is named, shared by namesakes.
        back: share of it of the edge back.
        beside: weight between neighbours in a document.
        section: weight between a leaf and its section.
    """

    most: int = 20
    namesakes: int = 10
    fade: float = 1.0
    single: float = 0.2
    own: float = 3.0
    title: float = 1.0
    back: float = 0.5
    beside: float = 0.3
    section: float = 0.5


@dataclass(frozen=True, eq=False)
class Network:
    """The graph and what its nodes are called. Nodes are the leaves, then names, then sections.

    Args:
        edges: of n + e + s nodes.
        leaves: n.
        keys: names that a question may say, sorted: those of the e nodes, and titles.
        node: int32 (k,), node of each key; -1 where it has none, being rare or too common.
        owner_ptr: int64 (k + 1,), where each key's owners begin.
        owner: int32, leaves that a key is the title or the subject of.
    """

    edges: Edges
    leaves: int
    keys: Sequence[str]
    node: NDArray[np.int32]
    owner_ptr: NDArray[np.int64]
    owner: NDArray[np.int32]


def facts(title: str, path: Sequence[str], text: str) -> list[str]:
    """All that the graph needs to know of one leaf: what it mentions, is about, is called and stands under."""
    heads = [head for head in path if head and head != title]
    found = [MENTION + one for one in names(text)]
    found += [MENTION + one for head in heads for one in (*names(head), *title_keys(head)[:1])]
    found += [OWNED + one for one in title_keys(title)]
    found += [SUBJECT + one for one in subjects(text)]
    found.append(PATH + blake2b("\0".join(heads).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest())
    return found


def read(corpus: Corpus, leaves: NDArray[np.int64] | None = None) -> TermCounts:
    """The facts of the given leaves (default all), counted."""
    chosen = np.arange(len(corpus)) if leaves is None else leaves
    return counted(_told(corpus, chosen))


def _told(corpus: Corpus, leaves: NDArray[np.int64]) -> Iterator[list[str]]:
    for leaf, text in zip(leaves.tolist(), corpus.texts(leaves), strict=True):
        tree = corpus.tree(int(corpus.doc[leaf]))
        yield facts(tree.document.title, tree[int(corpus.node[leaf])].path, text)


def counted(told: Iterable[Sequence[str]]) -> TermCounts:
    """How often each fact stands in each text."""
    seen: defaultdict[str, int] = defaultdict()
    seen.default_factory = seen.__len__
    flat, ends = array("i"), array("q", [0])
    for one in told:
        flat.extend(map(seen.__getitem__, one))
        ends.append(len(flat))
    terms = sorted(seen)
    place = np.empty(len(terms), dtype=np.int64)
    place[[seen[term] for term in terms]] = np.arange(len(terms))
    bounds = np.frombuffer(ends, dtype=np.int64)
    ids: NDArray[Any] = np.frombuffer(flat, dtype=np.int32) if flat else np.zeros(0, dtype=np.int32)
    return tally(terms, place[ids], np.repeat(np.arange(len(bounds) - 1), np.diff(bounds)), len(bounds) - 1)


def network(told: TermCounts, doc: NDArray[np.int32], weights: Weights) -> Network:
    """The graph of all leaves.

    Args:
        told: their facts.
        doc: int32 (n,), ordinal of each leaf's document; non-decreasing.
        weights: of the edges.
    """
    n = len(doc)
    keys, key, leaf, own = _said(told, doc)
    df, owners = np.bincount(key, minlength=len(keys)), np.bincount(key[own], minlength=len(keys))
    several = np.fromiter((" " in one for one in keys), dtype=bool, count=len(keys))
    long = np.fromiter((len(one) >= SHORT for one in keys), dtype=bool, count=len(keys))
    joins = (df >= 2) & (df <= weights.most)
    node = np.full(len(keys), -1, dtype=np.int32)
    node[joins] = n + np.arange(int(joins.sum()))
    lines = _Lines()
    at = joins[key]
    worth = np.maximum(df, 1.0) ** -weights.fade * np.where(several, 1.0, weights.single)
    lines.add(leaf[at], node[key[at]], worth[key[at]] * np.where(own[at], weights.own, 1.0))
    telling = (owners >= 1) & (owners <= weights.namesakes) & (df - owners <= MENTIONS) & (several | long)
    who, whom, of = _mentions(key, leaf, own, telling, doc)
    lines.add(who, whom, weights.title / owners[of], weights.back)
    beside = np.flatnonzero(doc[1:] == doc[:-1])
    lines.add(beside, beside + 1, np.full(len(beside), weights.beside))
    section = _sections(told, doc)
    inside = np.flatnonzero(np.bincount(section, minlength=1)[section] > 1) if n else beside
    ids, hub = np.unique(section[inside], return_inverse=True)
    lines.add(inside, n + int(joins.sum()) + hub, np.full(len(inside), weights.section))
    kept = joins | (owners > 0)
    mine = own & kept[key]
    place = (np.cumsum(kept) - 1)[key[mine]]
    return Network(
        edges=edges_of(n + int(joins.sum()) + len(ids), *lines.all()),
        leaves=n,
        keys=[one for one, there in zip(keys, kept.tolist(), strict=True) if there],
        node=node[kept],
        owner_ptr=np.searchsorted(place, np.arange(int(kept.sum()) + 1)).astype(np.int64),
        owner=leaf[mine].astype(np.int32),
    )


class _Lines:
    """Edges and the edges back, gathered."""

    def __init__(self) -> None:
        self._source: list[NDArray[Any]] = []
        self._target: list[NDArray[Any]] = []
        self._weight: list[NDArray[Any]] = []

    def add(self, source: NDArray[Any], target: NDArray[Any], weight: NDArray[Any], back: float = 1.0) -> None:
        """Edges between two rows of nodes; those back weigh `back` times as much."""
        self._source += [source, target]
        self._target += [target, source]
        self._weight += [weight, weight * back]

    def all(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Sources, targets, weights; edges without weight left out."""
        source, target = np.concatenate(self._source), np.concatenate(self._target)
        weight = np.concatenate(self._weight)
        there = weight > 0
        return source[there], target[there], weight[there]


def _said(
    told: TermCounts, doc: NDArray[np.int32]
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Keys that two leaves say or one owns; then pairs of key and leaf, each once, and whether it is the leaf's own.

    A document's title is owned by the first of its leaves.
    """
    row = np.repeat(np.arange(len(told.terms)), np.diff(told.indptr))
    space = np.array([one[:2] for one in told.terms], dtype="U2")
    first = np.concatenate((np.ones(min(len(doc), 1), dtype=bool), doc[1:] != doc[:-1]))
    titled = (space == OWNED)[row] & first[told.text]
    owned = titled | (space == SUBJECT)[row]
    owners = {told.terms[i][2:] for i in np.unique(row[owned]).tolist()}
    df = np.diff(told.indptr)
    mention = np.flatnonzero(space == MENTION)
    kept = [i for i in mention.tolist() if df[i] > 1 or told.terms[i][2:] in owners]
    keys = sorted(owners | {told.terms[i][2:] for i in kept})
    place = {one: i for i, one in enumerate(keys)}
    of = np.full(len(told.terms), -1, dtype=np.int64)
    of[kept] = [place[told.terms[i][2:]] for i in kept]
    mine = np.unique(row[owned])
    of[mine] = [place[told.terms[i][2:]] for i in mine.tolist()]
    used = owned | ((space == MENTION)[row] & (of[row] >= 0))
    pair = of[row[used]] * max(len(doc), 1) + told.text[used]
    order = np.lexsort((~owned[used], pair))  # a leaf's own before the mere mention
    pair, own = pair[order], owned[used][order]
    new = np.concatenate((np.ones(min(len(pair), 1), dtype=bool), pair[1:] != pair[:-1]))
    key, leaf = np.divmod(pair[new], max(len(doc), 1))
    return keys, key, leaf, own[new]


def _mentions(
    key: NDArray[np.int64],
    leaf: NDArray[np.int64],
    own: NDArray[np.bool_],
    telling: NDArray[np.bool_],
    doc: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Leaf, leaf of another document whose name it says, and the key of that name."""
    owner = np.flatnonzero(own & telling[key])
    count = np.bincount(key[owner], minlength=len(telling))
    begin = np.cumsum(count) - count
    said = np.flatnonzero(telling[key])
    lots = count[key[said]]
    who = np.repeat(leaf[said], lots)
    of = np.repeat(key[said], lots)
    at = np.repeat(begin[key[said]] - (np.cumsum(lots) - lots), lots) + np.arange(len(who))
    whom = leaf[owner[at]]
    apart = doc[who] != doc[whom]
    return who[apart], whom[apart], of[apart]


def _sections(told: TermCounts, doc: NDArray[np.int32]) -> NDArray[np.int64]:
    """int64 (n,), a number for the section each leaf stands in."""
    row = np.repeat(np.arange(len(told.terms)), np.diff(told.indptr))
    space = np.array([one[:2] for one in told.terms], dtype="U2")
    at = (space == PATH)[row]
    path = np.zeros(len(doc), dtype=np.int64)
    path[told.text[at]] = row[at]
    _, number = np.unique(doc.astype(np.int64) * max(len(told.terms), 1) + path, return_inverse=True)
    section: NDArray[np.int64] = number.astype(np.int64)
    return section
