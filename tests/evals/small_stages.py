"""Stages that need no model and fail when told to; in a module of their own, so that worker processes find them."""

from rag.doctree import DocTree, flat
from rag.errors import MissingWeights, RagError
from rag.stage import Field, stage
from rag.types import Answer, Citation, Document, Hits, Query


@stage
class Lines:
    """Every line is a chunk."""

    def __call__(self, document: Document, /) -> DocTree:
        spans, at = [], 0
        for line in document.text.splitlines(keepends=True):
            spans.append((at, at + len(line)))
            at += len(line)
        return flat(document, spans)


@stage
class Words:
    """Rank leaves by shared words; no index of its own."""

    k: int = Field(default=5)
    shapes_index = ()

    def build(self, corpus, part, /):
        part.save_json("size", len(corpus))

    def bind(self, store, /):
        copy = Words(k=self.k)
        copy.__dict__["corpus"] = store.corpus
        return copy

    def __call__(self, query: Query, /) -> Hits:
        corpus = self.__dict__["corpus"]
        asked = set(query.text.lower().strip("?").split())
        mask = corpus.mask(query)
        scores = []
        for i, text in enumerate(corpus.texts()):
            shared = len(asked & set(text.lower().strip(".\n").split()))
            if shared and (mask is None or mask[i]):
                scores.append((-shared, i))
        hits = [corpus.hit(i, -float(s), "words") for s, i in sorted(scores)[: self.k]]
        return Hits(query, tuple(hits))


@stage
class First:
    """Answer with the first hit's last word; fail, or abstain, when told to."""

    fails: tuple[str, ...] = Field(default=())
    silent: bool = Field(default=False)
    weights: str = Field(default="")

    def __call__(self, hits: Hits, /) -> Answer:
        if hits.query.id in self.fails:
            raise RagError(f"question {hits.query.id!r}: told to fail")
        if self.weights:
            raise MissingWeights(f"model {self.weights!r} is not here: run `rag models pull {self.weights}`")
        if self.silent or not hits.items:
            return Answer(hits.query, "", "abstained", context=hits)
        hit = hits[0]
        text = hit.text.strip().rstrip(".").split()[-1]
        start = hit.start + hit.document.text[hit.start : hit.end].index(text)
        return Answer(hits.query, text, "answered", (Citation.of(hit.document, start, start + len(text)),), hits)
