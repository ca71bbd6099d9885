"""The data that travels between stages: frozen, small, and always tied to its source text.

All offsets are half-open ranges of code points into `Document.text`. Nothing here copies a
document: texts of hits and citations are slices taken when asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from rag.documents import Block, Document, Span

if TYPE_CHECKING:
    from rag.doctree import DocTree, Node
    from rag.trace import TraceSpan

__all__ = [
    "Answer",
    "Block",
    "Citation",
    "Document",
    "Drop",
    "Failed",
    "Hit",
    "Hits",
    "Query",
    "Span",
]

GAP = " … "  # shown between pieces of one hit that do not touch in the source


@dataclass(frozen=True, slots=True)
class Query:
    """One question.

    Args:
        id: unique in its dataset.
        text: the question.
        scope: ids of the only documents it may be answered from; None means all, () none.
        filters: metadata key -> value, or list of values of which one must match.
        history: earlier turns of the conversation, oldest first.
        budget: tokens of context; overrides the compressors' own setting.
    """

    id: str
    text: str
    scope: tuple[str, ...] | None = None
    filters: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[str, ...] = ()
    budget: int | None = None

    @property
    def restricted(self) -> bool:
        """Whether some documents are out of bounds for this question."""
        return self.scope is not None or bool(self.filters)

    def allows(self, doc: str, metadata: Mapping[str, Any]) -> bool:
        """Whether scope and filters let this document through."""
        if self.scope is not None and doc not in self.scope:
            return False
        for key, wanted in self.filters.items():
            allowed = wanted if isinstance(wanted, (list, tuple, set, frozenset)) else (wanted,)
            have = metadata.get(key)
            values = have if isinstance(have, (list, tuple)) else (have,)
            if not any(value in allowed for value in values):
                return False
        return True


@dataclass(frozen=True, slots=True)
class Hit:
    """One piece of evidence: ranges of one document, found at one node of its tree.

    Args:
        tree: outline of the document the ranges lie in.
        node: index of the node that was retrieved.
        spans: what is kept, as ordered, disjoint `(start, end)` ranges of the document.
        score: comparable within one `Hits` only; higher is better.
        scores: what each earlier stage gave, by stage name.
        why: one short line for the reader of a trace.
    """

    tree: DocTree
    node: int
    spans: tuple[tuple[int, int], ...]
    score: float
    scores: Mapping[str, float] = field(default_factory=dict)
    why: str = ""

    def __repr__(self) -> str:
        """Where, not what: a repr never holds a document's text."""
        return f"Hit({self.doc!r}, {list(self.spans)}, score={self.score:g})"

    @property
    def document(self) -> Document:
        """The source of every range."""
        return self.tree.document

    @property
    def doc(self) -> str:
        """Id of the document."""
        return self.tree.document.id

    @property
    def start(self) -> int:
        """First code point kept."""
        return self.spans[0][0]

    @property
    def end(self) -> int:
        """One past the last code point kept."""
        return self.spans[-1][1]

    @property
    def key(self) -> tuple[str, int, int]:
        """Identity of the retrieved node; ties in scores are broken by it."""
        tree, node = self.tree, self.node
        return tree.document.id, int(tree.start[node]), int(tree.end[node])

    @property
    def pieces(self) -> tuple[str, ...]:
        """The kept ranges as text, in source order."""
        text = self.tree.document.text
        return tuple(text[start:end] for start, end in self.spans)

    @property
    def text(self) -> str:
        """The pieces, with a visible gap where the source was left out."""
        return GAP.join(self.pieces)

    @property
    def path(self) -> tuple[str, ...]:
        """Headings above the node, outermost first."""
        return self.tree[self.node].path

    @property
    def view(self) -> Node:
        """The node itself."""
        return self.tree[self.node]


class Drop(NamedTuple):
    """A hit that a stage left out, and why."""

    hit: Hit
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class Hits:
    """What a stage hands to the next: the question and its evidence, best first.

    After a compressor the order is the reading order (source order within a document).

    Args:
        query: the question.
        items: the hits.
        drops: what stages left out so far, with reasons.
        tokens: size of the rendered context where a compressor counted it, else None.
        notes: facts about this pass, by stage name: the way it took, what was given up.
    """

    query: Query
    items: tuple[Hit, ...] = ()
    drops: tuple[Drop, ...] = ()
    tokens: int | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        size = "" if self.tokens is None else f", {self.tokens} tokens"
        return f"Hits({self.query.id!r}, {len(self.items)} hits, {len(self.drops)} dropped{size})"

    def _repr_html_(self) -> str:
        from rag.display import hits

        return hits(self)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.items)

    def __getitem__(self, index: int) -> Hit:
        return self.items[index]

    def spans(self) -> list[Span]:
        """Every kept range, in order."""
        return [Span(hit.doc, start, end) for hit in self.items for start, end in hit.spans]


@dataclass(frozen=True, slots=True)
class Citation:
    """A checkable quotation: `document.text[start:end] == quote`, always."""

    doc: str
    start: int
    end: int
    quote: str

    @classmethod
    def of(cls, document: Document, start: int, end: int) -> Citation:
        """Quote a range; it must lie inside the document."""
        span = document.span(start, end)
        return cls(span.doc, span.start, span.end, document.text[start:end])


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader says, and what it rests on.

    Args:
        query: the question.
        text: the answer; empty when `status` is `abstained`.
        status: `answered`, `abstained`, or `retrieved` where the pipeline has no reader.
        citations: quotations that support the answer.
        context: the evidence the reader saw.
        confidence: in [0, 1] where the reader can tell, else None.
        usage: calls, tokens_in, tokens_out, cost and so on.
        seconds: wall time of the whole pipeline.
        notes: what the reader had to repair, drop or give up.
        trace: the spans of the pass that gave this answer, see `rag.trace`.
    """

    query: Query
    text: str
    status: str
    citations: tuple[Citation, ...] = ()
    context: Hits | None = None
    confidence: float | None = None
    usage: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    notes: Mapping[str, Any] = field(default_factory=dict)
    trace: tuple[TraceSpan, ...] = ()

    def __repr__(self) -> str:
        said = "" if not self.text else f", {self.text[:200]!r}"
        return f"Answer({self.query.id!r}, {self.status!r}{said}, {len(self.citations)} citations)"

    def _repr_html_(self) -> str:
        from rag.display import answer

        return answer(self)


@dataclass(frozen=True, slots=True)
class Failed:
    """An item of a batch that ended in an error: counted, named, kept for a retry."""

    id: str
    error: Exception

    def __str__(self) -> str:
        return f"{self.id}: {type(self.error).__name__}: {self.error}"
