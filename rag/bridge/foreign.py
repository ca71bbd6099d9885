"""Stages around another framework's objects.

A pipeline around such an object runs and indexes as any other. A file cannot hold the object, only its class and its
plain settings: an index folder that was cut by one is opened with `allow=["rag"]` and answers, and asks for the
object when it is to cut again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Literal

from pydantic import SkipValidation

from evals.peers.anchor import tree
from rag.bridge.carry import Piece, node_at, pieces, place_of
from rag.doctree import DocTree
from rag.errors import RagError
from rag.stage import Field, stage
from rag.store.corpus import Corpus, Part, Store
from rag.store.parts import bound_to, part_key, store_of
from rag.types import Document, Drop, Hit, Hits, Query

__all__ = ["ForeignChunker", "ForeignRanker", "ForeignRetriever", "Theirs", "theirs"]

Framework = Literal["llama_index", "langchain", "haystack"]
SECRET = ("key", "secret", "password", "token", "credential")


@stage
class Theirs:
    """An object of another framework, as far as a file can say it.

    The object itself is held beside the settings: it is neither written nor pickled.
    """

    framework: Framework
    of: str = Field(description="module:class")
    settings: dict[str, Any] = Field(default_factory=dict, description="its plain settings; secrets are left out")

    @cached_property
    def held(self) -> Any:
        """The object."""
        raise RagError(
            f"{self.of}: an object of {self.framework} cannot be read from a file. Build the pipeline in Python with"
            f" rag.bridge.from_{self.framework}(...)."
        )

    @property
    def fingerprint(self) -> str:
        """Its class and settings."""
        return f"{self.of}:{sorted(self.settings.items())!r}"

    @property
    def name(self) -> str:
        """Its class."""
        return self.of.rpartition(":")[2]

    def call(self, name: str) -> Any:
        """A function of the framework's module of this package."""
        from importlib import import_module

        return getattr(import_module(f"rag.bridge.{self.framework}"), name)


def theirs(framework: Framework, held: Any) -> Theirs:
    """An object, held."""
    kind = type(held)
    plain = {
        name.lstrip("_"): value
        for name, value in sorted(vars(held).items())
        if isinstance(value, (bool, int, float, str))
        and not (isinstance(value, str) and any(word in name.lower() for word in SECRET))
    }
    made = Theirs(framework=framework, of=f"{kind.__module__}:{kind.__qualname__}", settings=plain)
    made.__dict__["held"] = held
    return made


@stage
class ForeignChunker:
    """Another framework's splitter; its pieces are put back where they stand in the text.

    Splitters give strings. Each is looked for behind the one before; what no piece holds (white space they strip) goes
    to the leaf before it, so that leaves tile the text. What was altered or dropped is counted in the note `peer`.

    Args:
        document: any text.

    Returns:
        A tree of one level; with an overlap the leaves overlap.
    """

    theirs: SkipValidation[Theirs]
    overlap: int = Field(default=0, ge=0, description="more than 0 where its pieces overlap")
    tokenizer: str = Field(default="cl100k", description="counts the leaves")

    def __call__(self, document: Document, /) -> DocTree:
        """The chunks of a document."""
        if not document.text:
            return tree(document, [], self.tokenizer)
        split: Callable[[Any, Document], Sequence[tuple[str, int]]] = self.theirs.call("split")
        return tree(document, split(self.theirs.held, document), self.tokenizer, self.overlap)


@stage
class ForeignRanker:
    """Another framework's postprocessor, ranker or document compressor.

    Every hit goes out as one object; what comes back is known by its number. A text that was shortened is put back as
    ranges of its hit; one that is no slice of it any more is dropped, and so is what did not come back, each with the
    reason.

    Args:
        hits: any; a hit of several ranges goes out with gaps and comes back whole or not at all.

    Returns:
        The hits that came back, in the order they came, with the scores they came with.
    """

    theirs: SkipValidation[Theirs]

    def __call__(self, hits: Hits, /) -> Hits:
        """What it leaves of the hits."""
        if not hits.items:
            return hits
        name = f"{self.theirs.framework}/{self.theirs.name}"
        rank: Callable[..., Sequence[tuple[int, str, float | None]]] = self.theirs.call("rank")
        found: dict[int, Hit] = {}
        drops: list[Drop] = []
        for number, text, score in rank(self.theirs.held, hits.query.text, [_whole(hit) for hit in hits]):
            if number in found or not 0 <= number < len(hits):
                continue
            hit = hits[number]
            spans = _spans(hit, text)
            if spans is None:
                drops.append(Drop(hit, name, "came back with text that is not in it"))
                continue
            value = hit.score if score is None else float(score)
            found[number] = replace(hit, spans=spans, score=value, scores={**hit.scores, name: value})
        gone = {id(drop.hit) for drop in drops}
        drops += [
            Drop(hit, name, "did not come back")
            for number, hit in enumerate(hits)
            if number not in found and id(hit) not in gone
        ]
        return replace(hits, items=tuple(found.values()), drops=(*hits.drops, *drops), tokens=None)


@stage
class ForeignRetriever:
    """Another framework's retriever over an index of its own, its finds put back into ours.

    What it finds is known by the id of its document, from the metadata, and by where it says it begins; text that is no
    slice of that document is left out and counted in the notes. Scope and filters are applied to what it gives.

    Args:
        query: any.

    Returns:
        At most k hits in its order; a score of its own, or falling with the place where it gives none.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ("theirs",)

    theirs: SkipValidation[Theirs]
    k: int = Field(default=100, ge=1, description="hits returned")

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Nothing is kept but a mark that it was built."""
        part.save_json("leaves", len(corpus))

    def bind(self, store: Store, /) -> ForeignRetriever:
        """This retriever, its finds anchored in an opened store."""
        store.part(part_key(self))
        return bound_to(self, store)

    def __call__(self, query: Query, /) -> Hits:
        """The first k of what it finds."""
        corpus = store_of(self, "rag.bridge").corpus
        if not query.text.strip():
            return Hits(query)
        retrieve: Callable[..., Sequence[Piece]] = self.theirs.call("retrieve")
        name, items, lost, seen = f"{self.theirs.framework}/{self.theirs.name}", [], 0, set()
        for place, piece in enumerate(retrieve(self.theirs.held, query.text, self.k)):
            found = place_of(piece.doc, piece.text, piece.start, corpus) if piece.text.strip() else None
            if found is None:
                lost += 1
                continue
            tree_, start, end = found
            metadata: Mapping[str, Any] = tree_.document.metadata
            if not query.allows(piece.doc, metadata) or (piece.doc, start, end) in seen:
                continue
            seen.add((piece.doc, start, end))
            score = piece.score if piece.score is not None else 1.0 / (1 + place)
            items.append(Hit(tree_, node_at(tree_, start, end), ((start, end),), score, {name: score}))
        return Hits(query, tuple(items[: self.k]), notes={name: {"not in the index": lost}} if lost else {})


def _whole(hit: Hit) -> Piece:
    """A hit as one piece."""
    first = pieces([hit])[0]
    return replace(first, text=hit.text)


def _spans(hit: Hit, text: str) -> tuple[tuple[int, int], ...] | None:
    """The ranges of a hit that a returned text is; None where it is not a slice of it."""
    if text == hit.text:
        return hit.spans
    if len(hit.spans) == 1 and text.strip():
        at = hit.text.find(text)
        if at >= 0:
            return ((hit.start + at, hit.start + at + len(text)),)
    return None
