"""DocTree: the outline of one document as flat arrays over one immutable text.

Node 0 is the root and covers the whole text. Nodes stand in preorder, so a parent comes before
its children and the leaves, read in order, tile the text: nothing lost, nothing doubled (window
chunkers with an overlap are the one exception, and say so). Leaves are the chunks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.types import Document

if TYPE_CHECKING:
    import networkx
    from numpy.typing import NDArray

__all__ = ["KINDS", "DocTree", "Node", "flat"]

KINDS: tuple[str, ...] = (
    "root", "section", "text", "heading", "list", "table", "code", "quote", "html", "figure", "rule", "front_matter",
    "footnote", "turn", "sentence", "page", "record", "function", "class", "group", "summary", "supplement",
)  # fmt: skip
CODE: Mapping[str, int] = {kind: code for code, kind in enumerate(KINDS)}


@dataclass(frozen=True, eq=False)
class DocTree:
    """One document's outline.

    Args:
        document: the source; every offset refers to its text.
        start: int64 (n,), first code point of each node.
        end: int64 (n,), one past the last; children lie inside their parent.
        parent: int64 (n,), index of the parent, -1 for the root; `parent[i] < i`.
        kind: uint8 (n,), index into `KINDS`.
        level: int16 (n,), depth below the root in sections; 0 for the root.
        titles: int64 (n, 2), range of the heading text of a section; (0, 0) where there is none.
        tokens: int32 (n,), tokens of the node's slice for `tokenizer`; -1 where not counted.
        tokenizer: name of the tokenizer that counted, "" when nothing was counted.
        repeats: leaf -> ranges of the source to show again in front of it (the header rows of
            a split table, the opening fence of split code); counted in the leaf's cap.
        notes: what growers added, by name and node (summaries, keywords, questions).
    """

    document: Document
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    parent: NDArray[np.int64]
    kind: NDArray[np.uint8]
    level: NDArray[np.int16]
    titles: NDArray[np.int64]
    tokens: NDArray[np.int32]
    tokenizer: str = ""
    repeats: Mapping[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    notes: Mapping[str, Mapping[int, Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, index: int) -> Node:
        if not -len(self) <= index < len(self):
            raise IndexError(f"node {index} of a tree with {len(self)}")
        return Node(self, index % len(self))

    def __iter__(self) -> Iterator[Node]:
        return (Node(self, i) for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DocTree):
            return NotImplemented
        arrays = ("start", "end", "parent", "kind", "level", "titles", "tokens")
        return (
            self.document == other.document
            and self.tokenizer == other.tokenizer
            and all(np.array_equal(getattr(self, a), getattr(other, a)) for a in arrays)
            and dict(self.repeats) == dict(other.repeats)
            and {k: dict(v) for k, v in self.notes.items()} == {k: dict(v) for k, v in other.notes.items()}
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"DocTree({self.document.id!r}, {len(self)} nodes, {len(self.leaf_ids)} leaves)"

    def __getstate__(self) -> dict[str, Any]:
        """What pickles: the fields, never what was worked out from them, so reading a tree does not change it."""
        return {one.name: self.__dict__[one.name] for one in fields(self)}

    @cached_property
    def leaf_ids(self) -> NDArray[np.int64]:
        """int64 (m,), indices of the leaves in source order; an empty document has none."""
        inner = np.zeros(len(self), dtype=bool)
        inner[self.parent[1:]] = True
        inner[0] = True
        return np.flatnonzero(~inner)

    @cached_property
    def child_ids(self) -> tuple[tuple[int, ...], ...]:
        """For each node the indices of its children, in source order."""
        found: list[list[int]] = [[] for _ in range(len(self))]
        for child, parent in enumerate(self.parent.tolist()):
            if parent >= 0:
                found[parent].append(child)
        return tuple(map(tuple, found))

    def leaves(self) -> tuple[Node, ...]:
        """The chunks, in source order."""
        return tuple(Node(self, int(i)) for i in self.leaf_ids)

    @property
    def root(self) -> Node:
        """The node that covers the whole text."""
        return Node(self, 0)

    def check(self, *, overlap: bool = False) -> None:
        """Raise ValueError unless this is a tree whose leaves tile the text (see the module)."""
        size, text = len(self), self.document.text
        lengths = {len(a) for a in (self.end, self.parent, self.kind, self.level, self.titles, self.tokens)}
        if lengths != {size} or size == 0:
            raise ValueError(f"document {self.document.id!r}: arrays of different lengths, {sorted(lengths | {size})}")
        if (self.start[0], self.end[0], self.parent[0]) != (0, len(text), -1):
            raise ValueError(f"document {self.document.id!r}: the root does not cover the text")
        order = np.arange(1, size)
        up = self.parent[1:]
        if np.any(up >= order) or np.any(up < 0):
            raise ValueError(f"document {self.document.id!r}: a parent stands after its child")
        if np.any(self.start[1:] < self.start[up]) or np.any(self.end[1:] > self.end[up]):
            raise ValueError(f"document {self.document.id!r}: a child reaches outside its parent")
        start, end = self.start[self.leaf_ids], self.end[self.leaf_ids]
        if np.any(end <= start):
            raise ValueError(f"document {self.document.id!r}: an empty leaf")
        if len(text) and (not len(start) or start[0] != 0 or end[-1] != len(text)):
            raise ValueError(f"document {self.document.id!r}: leaves do not reach both ends of the text")
        joins = start[1:] - end[:-1]
        if np.any(joins > 0) or (not overlap and np.any(joins < 0)):
            raise ValueError(f"document {self.document.id!r}: leaves leave a gap or overlap")

    def digest(self) -> str:
        """Hex digest of text, shape and notes: equal trees, equal digests, on any machine."""
        state = hashlib.sha256(self.document.sha256.encode())
        for array in (self.start, self.end, self.parent, self.kind, self.level, self.titles, self.tokens):
            state.update(np.ascontiguousarray(array).tobytes())
        state.update(repr((sorted(self.repeats.items()), self.tokenizer)).encode())
        notes = sorted((name, sorted(by_node.items())) for name, by_node in self.notes.items())
        state.update(repr(notes).encode("utf-8", "surrogatepass"))
        return state.hexdigest()

    def _repr_html_(self) -> str:
        """The outline in a notebook: folds, unfolds, see `rag.picture`."""
        from rag.picture import fragment

        return fragment(self)

    def to_dot(self, *, depth: int | None = None) -> str:
        """The tree in GraphViz's language, `depth` levels below the root; None for all."""
        from rag.picture import dot

        return dot(self, depth=depth)

    def to_networkx(self) -> networkx.DiGraph[int]:
        """Parent -> child edges; nodes carry start, end, kind, level, title and tokens."""
        import networkx as nx

        graph: networkx.DiGraph[int] = nx.DiGraph(document=self.document.id)
        names = ("start", "end", "kind", "level", "title", "tokens")
        graph.add_nodes_from((node.index, {name: getattr(node, name) for name in names}) for node in self)
        graph.add_edges_from((int(p), i) for i, p in enumerate(self.parent.tolist()) if p >= 0)
        return graph


@dataclass(frozen=True, slots=True)
class Node:
    """A view of one node; holds nothing but the tree and an index."""

    tree: DocTree
    index: int

    @property
    def start(self) -> int:
        """First code point."""
        return int(self.tree.start[self.index])

    @property
    def end(self) -> int:
        """One past the last code point."""
        return int(self.tree.end[self.index])

    @property
    def text(self) -> str:
        """The node's slice of the source."""
        return self.tree.document.text[self.start : self.end]

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return KINDS[int(self.tree.kind[self.index])]

    @property
    def level(self) -> int:
        """Depth below the root in sections."""
        return int(self.tree.level[self.index])

    @property
    def tokens(self) -> int:
        """Tokens of the slice, -1 where not counted."""
        return int(self.tree.tokens[self.index])

    @property
    def title(self) -> str:
        """The section's heading, without its marks; "" where there is none."""
        start, end = map(int, self.tree.titles[self.index])
        return self.tree.document.text[start:end]

    @property
    def parent(self) -> Node | None:
        """The node above; None for the root."""
        up = int(self.tree.parent[self.index])
        return Node(self.tree, up) if up >= 0 else None

    @property
    def children(self) -> tuple[Node, ...]:
        """The nodes directly below, in source order."""
        return tuple(Node(self.tree, i) for i in self.tree.child_ids[self.index])

    @property
    def ancestors(self) -> tuple[Node, ...]:
        """Root first, the direct parent last."""
        found: list[Node] = []
        node = self.parent
        while node is not None:
            found.append(node)
            node = node.parent
        return tuple(reversed(found))

    @property
    def path(self) -> tuple[str, ...]:
        """Headings from the outermost section down to this node's own; empty ones left out."""
        tree, at, found = self.tree, self.index, list[str]()
        while at >= 0:
            start, end = tree.titles[at].tolist()
            if end > start:
                found.append(tree.document.text[start:end])
            at = int(tree.parent[at])
        return tuple(reversed(found))

    @property
    def repeats(self) -> tuple[tuple[int, int], ...]:
        """Ranges of the source to show again in front of this leaf."""
        return self.tree.repeats.get(self.index, ())


def flat(
    document: Document,
    spans: Sequence[tuple[int, int]],
    *,
    kind: str = "text",
    tokens: Sequence[int] | None = None,
    tokenizer: str = "",
) -> DocTree:
    """A tree of one level: the root and the given leaves, in order.

    Args:
        document: the source.
        spans: non-empty half-open ranges, ordered by start, that together cover the text.
        kind: kind of every leaf.
        tokens: tokens of each leaf, where counted.
        tokenizer: the counter's name.
    """
    size = len(spans)
    pairs = np.asarray(spans, dtype=np.int64).reshape(size, 2)
    root = np.zeros(1, dtype=np.int64)
    counts = np.full(size + 1, -1, dtype=np.int32)
    if tokens is not None:
        counts[1:] = tokens
    return DocTree(
        document=document,
        start=np.concatenate((root, pairs[:, 0])),
        end=np.concatenate((root + len(document.text), pairs[:, 1])),
        parent=np.concatenate((root - 1, np.zeros(size, dtype=np.int64))),
        kind=np.concatenate((np.zeros(1, dtype=np.uint8), np.full(size, CODE[kind], dtype=np.uint8))),
        level=np.zeros(size + 1, dtype=np.int16),
        titles=np.zeros((size + 1, 2), dtype=np.int64),
        tokens=counts,
        tokenizer=tokenizer,
    )
