"""Questions about how a document is divided: its headings are the evidence."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from rag.stage import Field, Retriever, stage
from rag.store.parts import bound_to, store_of
from rag.types import Hit, Hits, Query
from retrievers.hybrid import scaled
from retrievers.places import Places, places
from retrievers.regions import regions

if TYPE_CHECKING:
    from rag.doctree import DocTree
    from rag.store.corpus import Corpus, Part, Store

__all__ = ["HeadingsRetriever", "asks_for_headings"]

NAME = "retrievers/headings"
KINDS = r"(?:sections?|subsections?|chapters?|headings?|parts|topics|titles|subtitles)"
DIVIDED = rf"(?:main |major |key |top[- ]level |different |numbered )?{KINDS}"
WHOLE = r"the (?:document|paper|article|report|book|text|manual|agreement)"
MADE = r"(?:divided|organi[sz]ed|structured)"
ASKS = re.compile(
    rf"\b(?:what|which|list|name|how many)\b[^.?!]{{0,30}}\b{DIVIDED}\b[^.?!]{{0,60}}"
    rf"\b(?:include[sd]?|contain(?:s|ed)?|{MADE}|there|have|has|are in|under|(?:of|in) {WHOLE})\b"
    rf"|\b(?:table of contents|outline of the|structure of {WHOLE}|how is {WHOLE} {MADE})\b"
)


def _default() -> Retriever:
    from retrievers.hybrid import Hybrid

    return Hybrid()


def asks_for_headings(question: str) -> bool:
    """Whether a question is about the sections themselves: `What are the main sections of the report?`."""
    return ASKS.search(" ".join(question.lower().split())) is not None


@stage
class HeadingsRetriever:
    """Give the headings below a section as one hit, in front of what `inner` finds.

    MoDora's hierarchy questions (https://arxiv.org/abs/2602.23061) ask what a document consists of; no single passage
    says so, the outline does. A hit's ranges are the headings as they stand in the text, so they can be cited. The
    section is the one the question names (`What does chapter 2 include?`), else the whole document; documents are
    those of the scope, else the first that `inner` finds.

    Args:
        query: any question; whether it asks for headings is decided by `retrievers/route` or whoever asks.

    Returns:
        At most k hits: one a document that has two headings or more at the place, then those of `inner`.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ()

    inner: Retriever = Field(default_factory=_default, description="finds the documents, and what follows")
    k: int = Field(default=40, ge=1, description="hits returned")
    documents: int = Field(default=1, ge=1, description="documents whose headings are given, where there is no scope")
    headings: int = Field(default=40, ge=2, description="headings of one hit at most")

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Nothing of its own: headings stand in the trees."""

    def bind(self, store: Store, /) -> HeadingsRetriever:
        """This retriever and its inner one, reading from an opened store."""
        return bound_to(replace(self, inner=self.inner.bind(store)), store)

    def __call__(self, query: Query, /) -> Hits:
        """Headings, then passages."""
        corpus = store_of(self, NAME).corpus
        found = self.inner(query)
        asked = places(query.text)
        scope = query.scope if query.scope is not None and len(query.scope) <= self.documents else ()
        docs = [d for d in dict.fromkeys((*scope, *(hit.doc for hit in found))) if d in corpus.ordinals]
        allowed = [d for d in docs if query.allows(d, corpus.metadata[corpus.ordinals[d]])]
        outlines: list[Hit] = []
        for doc in allowed[: self.documents]:
            hit = self._outline(corpus.tree(corpus.ordinals[doc]), asked)
            if hit is not None:
                outlines.append(hit)
        have = {hit.key for hit in outlines}
        rest = [
            replace(hit, score=points, scores={**hit.scores, NAME: points})
            for hit, points in zip(found.items, scaled(found.items, "minmax").tolist(), strict=True)
            if hit.key not in have
        ]
        notes = {**found.notes, NAME: {"outlines": len(outlines)}}
        return replace(found, items=(*outlines, *rest)[: self.k], notes=notes)

    def _outline(self, tree: DocTree, asked: Places) -> Hit | None:
        """The headings directly below the named section, or the highest ones of the document."""
        node = 0
        ranges = regions(tree, asked) if any(p.unit == "section" for p in asked.places) else []
        if ranges:
            spans = list(zip(tree.start.tolist(), tree.end.tolist(), strict=True))
            node = next((i for i in range(len(tree)) if spans[i] == ranges[0]), 0)
        level = [node]
        while level:
            below = [kid for one in level for kid in tree.child_ids[one]]
            titles = [tuple(map(int, tree.titles[kid])) for kid in below]
            heads = [(a, b) for a, b in titles if a < b]
            if len(heads) > 1:
                kept = tuple(sorted(heads)[: self.headings])
                return Hit(tree, node, kept, 2.0, {NAME: 2.0}, f"{len(heads)} headings")
            level = [kid for kid in below if tree.child_ids[kid]]
        return None
