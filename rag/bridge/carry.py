"""What crosses the border to another framework: pieces of text that know where they stand."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from rag.doctree import DocTree, flat
from rag.types import Document, Hit, Hits, Query

if TYPE_CHECKING:
    from rag.store.corpus import Store

__all__ = ["Kept", "Piece", "anchored", "doc_of", "document_of", "kept", "node_at", "pieces", "place_of"]

Key = tuple[str, int, int]  # of a hit
DOC_KEYS = ("doc", "doc_id", "source_id", "document_id", "source", "file_path", "file_name")


@dataclass(frozen=True, slots=True)
class Piece:
    """A text on its way.

    Args:
        text: the slice.
        doc: id of its source, "" where that is not known.
        start: first code point in the source, -1 where that is not known.
        score: as given, None for none.
        metadata: of the other framework's object.
    """

    text: str
    doc: str = ""
    start: int = -1
    score: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        """The place, as metadata of any framework."""
        return {"doc": self.doc, "start": self.start, "end": self.start + len(self.text)}


class Kept(NamedTuple):
    """A range that came through a stage.

    Args:
        piece: its text and place, with the score it has now.
        source: which of the pieces that went in it is of; -1 for text that the stage brought in.
        whole: whether it is all of that piece.
    """

    piece: Piece
    source: int
    whole: bool


def pieces(hits: Iterable[Hit]) -> list[Piece]:
    """A piece a kept range, in order: each is an exact slice."""
    found = []
    for hit in hits:
        scores = {name: float(score) for name, score in hit.scores.items()}
        about = {"title": hit.document.title, "path": list(hit.path), "why": hit.why, "scores": scores}
        facts = {**hit.document.metadata, **about}
        for (start, _), text in zip(hit.spans, hit.pieces, strict=True):
            found.append(Piece(text, hit.doc, start, float(hit.score), {k: v for k, v in facts.items() if v}))
    return found


def anchored(
    question: Query, given: Sequence[Piece], store: Store | None
) -> tuple[Hits, dict[tuple[str, int, int], int]]:
    """Pieces as hits, best first as they came.

    Args:
        question: the question.
        given: pieces; those without visible text are left out.
        store: where their documents are; a piece that is found there becomes a hit in its document, any other a
            document of its own.

    Returns:
        The hits, and for the key of each the number of its piece.
    """
    items: list[Hit] = []
    number: dict[Key, int] = {}
    for i, piece in enumerate(given):
        if not piece.text.strip():
            continue
        score = piece.score if piece.score is not None else 1.0 / (1 + i)
        hit = _placed(piece, score, store)
        if hit is None or hit.key in number:
            hit = _alone(piece, i, score)
        scores = piece.metadata.get("scores")
        items.append(replace(hit, scores=dict(scores)) if isinstance(scores, dict) else hit)
        number[hit.key] = i
    return Hits(question, tuple(items)), number


def kept(made: Hits, given: Sequence[Piece], number: Mapping[Key, int]) -> list[Kept]:
    """What a stage left of the pieces that went in, in its order, a row a range."""
    found = []
    for hit in made:
        source = number.get(hit.key, -1)
        for (start, end), text in zip(hit.spans, hit.pieces, strict=True):
            if source < 0:
                found.append(Kept(Piece(text, hit.doc, start, float(hit.score)), -1, whole=True))
                continue
            old = given[source]
            first = start if hit.doc != _name(old, source) else max(old.start, 0) + start
            told = {**old.metadata, "scores": dict(hit.scores)} if hit.scores else old.metadata
            piece = Piece(text, old.doc or hit.doc, first if old.start >= 0 else start, float(hit.score), told)
            found.append(Kept(piece, source, whole=end - start == len(old.text)))
    return found


def place_of(doc: str, text: str, start: int, corpus: Any) -> tuple[DocTree, int, int] | None:
    """Tree and range of a text: where it says it stands, else where it is found first; None for no slice."""
    at = corpus.ordinals.get(doc)
    if at is None:
        return None
    tree: DocTree = corpus.tree(at)
    source = tree.document.text
    if not 0 <= start <= len(source) or not source.startswith(text, start):
        start = source.find(text)
    return (tree, start, start + len(text)) if start >= 0 else None


def node_at(tree: DocTree, start: int, end: int) -> int:
    """The smallest node that holds a range; where leaves overlap, the last that does."""
    node = 0
    while children := tree.child_ids[node]:
        starts = [int(tree.start[child]) for child in children]
        at = bisect_right(starts, start) - 1
        if at < 0 or int(tree.end[children[at]]) < end:
            break
        node = children[at]
    return node


def doc_of(metadata: Mapping[str, Any], default: str = "") -> str:
    """Id of the source, from the metadata that frameworks and loaders use for it."""
    for key in DOC_KEYS:
        if isinstance(metadata.get(key), str):
            return str(metadata[key])
    return default


def media_of(metadata: Mapping[str, Any]) -> str:
    """The media type that metadata say, or that the name of a file tells; plain text where nothing does."""
    from mimetypes import guess_type

    for key in ("media_type", "mimetype", "file_type"):
        if isinstance(metadata.get(key), str) and "/" in metadata[key]:
            return str(metadata[key])
    name = next((str(metadata[key]) for key in ("file_name", "file_path", "source") if metadata.get(key)), "")
    return "text/markdown" if name.lower().endswith((".md", ".markdown")) else guess_type(name)[0] or "text/plain"


def document_of(doc: str, text: str, metadata: Mapping[str, Any]) -> Document:
    """Another framework's document as ours."""
    title = metadata.get("title")
    return Document(doc, text, title if isinstance(title, str) else "", media_of(metadata))


def _placed(piece: Piece, score: float, store: Store | None) -> Hit | None:
    if store is None or not piece.doc:
        return None
    found = place_of(piece.doc, piece.text, piece.start, store.corpus)
    if found is None:
        return None
    tree, start, end = found
    return Hit(tree, node_at(tree, start, end), ((start, end),), score)


def _name(piece: Piece, number: int) -> str:
    return f"{piece.doc or 'piece'}#{number}"


def _alone(piece: Piece, number: int, score: float) -> Hit:
    title = piece.metadata.get("title")
    document = Document(_name(piece, number), piece.text, title if isinstance(title, str) else "")
    return Hit(flat(document, [(0, len(piece.text))]), 1, ((0, len(piece.text)),), score)
