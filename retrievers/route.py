"""Ask the retriever that fits the kind of question: where it says to look, what it is made of, or plain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from rag.stage import Field, Retriever, stage
from rag.store.parts import bound_to
from rag.types import Hits, Query
from retrievers.headings import asks_for_headings
from retrievers.places import places

if TYPE_CHECKING:
    from rag.store.corpus import Corpus, Part, Store

__all__ = ["Route", "kind_of_question"]

NAME = "retrievers/route"
Kind = Literal["location", "hierarchy", "plain"]


def _default() -> Retriever:
    from retrievers.hybrid import Hybrid

    return Hybrid()


def kind_of_question(question: str) -> Kind:
    """`hierarchy` where it asks for headings, `location` where it names a place, else `plain`; by rule."""
    if asks_for_headings(question):
        return "hierarchy"
    return "location" if places(question) else "plain"


@stage
class Route:
    """Ask one of three retrievers, by the kind of question.

    MoDora types questions with a model (https://arxiv.org/abs/2602.23061); here rules do, and a question that fits
    none is plain, so a miss costs nothing against plain search. `why` of the hits and the notes say the kind.

    Args:
        query: any question.

    Returns:
        What the retriever of its kind gave; where that one is None or finds nothing, what `plain` gave.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ()

    plain: Retriever = Field(default_factory=_default, description="for questions of no special kind")
    location: Retriever | None = Field(default=None, description="for questions that say where")
    hierarchy: Retriever | None = Field(default=None, description="for questions about sections and headings")

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Nothing of its own: every nested retriever has a part."""

    def bind(self, store: Store, /) -> Route:
        """This stage with every nested retriever reading from an opened store."""
        nested = {name: one.bind(store) for name in ("plain", "location", "hierarchy") if (one := getattr(self, name))}
        return bound_to(replace(self, **nested), store)

    def __call__(self, query: Query, /) -> Hits:
        """Find the kind, ask."""
        kind = kind_of_question(query.text)
        asked: Retriever | None = getattr(self, kind)
        hits = asked(query) if asked is not None else Hits(query)
        way: str = kind
        if not hits.items and asked is not self.plain:
            hits, way = self.plain(query), "plain"
        return replace(hits, notes={**hits.notes, NAME: {"kind": kind, "way": way}})
