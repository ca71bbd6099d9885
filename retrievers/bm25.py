"""BM25 over leaves, with the score of every term and leaf worked out when the index is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from rag.errors import ConfigError
from rag.stage import Field, stage
from rag.store import fields, postings
from rag.store.parts import bound_to, part_key, store_of
from rag.store.postings import Vocabulary
from rag.store.terms import ENGLISH, Analyzer, Language
from rag.store.top import top
from rag.types import Hits, Query

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.store.corpus import Corpus, Part, Store
    from rag.types import Hit

__all__ = ["BM25", "idf", "pooled", "saturation"]

NAME = "retrievers/bm25"
Method = Literal["lucene", "robertson", "atire", "bm25l", "bm25+"]


@stage
class BM25:
    """Find leaves by the words they share with the question.

    Robertson et al., "Okapi at TREC-3", 1994; the variants are those of Kamphuis et al., "Which BM25 Do You Mean?",
    ECIR 2020, https://cs.uwaterloo.ca/~jimmylin/publications/Kamphuis_etal_ECIR2020_preprint.pdf. As in bm25s
    (Lu, 2024, https://arxiv.org/abs/2407.03618) the whole score matrix is built once, by term, so a question adds up
    a few columns; the matrix equals bm25s's. Terms: `rag.store.terms`. Stop words are indexed and left out of
    questions, unless a question has no other words.

    Defaults by measurement over twenty question sets, leaves of about 600 characters, mean nDCG@10 and R@5: .702 and
    .702; with k1 = 1.2, b = 0.75 .694 and .691; without stemming .686 and .682; with stop words kept .691 and .688;
    without `path` .668 and .668. k1 and b were chosen
    from a small grid on the same sets; they are also Anserini's published values.

    With `fields` the notes of growers are searched beside the text, as BM25F does (Zaragoza et al., "Microsoft
    Cambridge at TREC-13", 2004, section 3): counts are normalised by each field's own mean length, weighed, added up
    and saturated once, so that a word said in two fields does not count as two words. The text weighs 1. A hit's
    `why` names the fields in which words of the question stand. What fields bring is measured by
    `python -m evals.reproduce enrichment`: extractive notes nothing or a loss; title and headings as a field of their
    own (`fields: {path: 2}`) +10.0 points of recall in 512 tokens on contracts (95 %: +6.4 to +13.7), where questions
    name the contract, and between -0.3 and +1.0 on three other sets.

    Args:
        query: scope and filters are honoured exactly; a term said twice counts twice.

    Returns:
        At most k leaves that share a term with the question, best first, ties in index order.
    """

    shapes_index: ClassVar[tuple[str, ...]] = (
        "k1",
        "b",
        "delta",
        "method",
        "language",
        "identifiers",
        "path",
        "fields",
    )

    k: int = Field(default=100, ge=1, description="hits returned")
    k1: float = Field(default=0.9, ge=0, description="how slowly repetitions of a term stop counting")
    b: float = Field(default=0.4, ge=0, le=1, description="how much long leaves are held back")
    delta: float = Field(default=0.5, ge=0, description="floor of a term that occurs; bm25l and bm25+ alone read it")
    method: Method = Field(default="lucene", description="variant of the formula")
    language: Language = Field(default="english", description="stemmer; none keeps words as they are")
    identifiers: bool = Field(default=False, description="index the words of names such as parseHeader too; for code")
    stopwords: Literal["english", "none"] = Field(default="english", description="words left out of questions")
    path: bool = Field(default=True, description="index the title and the headings above a leaf with it")
    fields: Mapping[str, float] = Field(
        default_factory=dict, description="weights of notes by name, such as keywords, and of `path`; the text's is 1"
    )

    def __post_init__(self) -> None:
        """Every weight is a number above 0."""
        for name, weight in self.fields.items():
            if not (name and np.isfinite(weight) and weight > 0):
                raise ConfigError(
                    f"{NAME}: fields: {name!r}: a weight must be above 0, got {weight:g}. Drop a field to leave it out."
                )

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Write the postings and the score of each; only new leaves are read."""
        if self.fields:
            self._build_fields(corpus, part)
            return
        counts = self._counts(corpus, part)
        postings.save(part, counts)
        found = np.diff(counts.indptr)
        weight = idf(found, len(corpus), self.method)
        row = np.repeat(np.arange(len(found)), found)
        average = max(float(counts.length.mean()), 1e-9) if len(corpus) else 1.0
        variant: dict[str, Any] = {"k1": self.k1, "b": self.b, "delta": self.delta, "method": self.method}
        share = counts.length[counts.text] / average
        scores = weight[row] * saturation(counts.count.astype(np.float64), share, **variant)
        if self.method in ("bm25l", "bm25+"):
            absent = weight * saturation(np.zeros(1), np.ones(1), **variant)
            scores -= absent[row]
            part.save("absent", absent.astype(np.float32))
        part.save("scores", scores.astype(np.float32))

    def _counts(self, corpus: Corpus, part: Part) -> Any:
        analyzer = Analyzer(self.language, self.identifiers)
        if part.old is None or not np.any(corpus.reuse >= 0):
            return analyzer.count(corpus.texts(path=self.path))
        fresh = analyzer.count(corpus.texts(np.flatnonzero(corpus.reuse < 0), path=self.path))
        return postings.merge(postings.load(part.old), corpus.reuse, fresh)

    def _build_fields(self, corpus: Corpus, part: Part) -> None:
        analyzer, names = Analyzer(self.language, self.identifiers), list(self.fields)
        old = part.old is not None and bool(np.any(corpus.reuse >= 0))
        new = np.flatnonzero(corpus.reuse < 0) if old else None
        apart = self.path and fields.PATH not in self.fields
        read = [analyzer.count(corpus.texts(new, path=apart))]
        read += [analyzer.count(fields.field_texts(corpus, new, name)) for name in names]
        if old and part.old is not None:
            before = fields.split(fields.load(part.old))
            read = [postings.merge(a, corpus.reuse, b) for a, b in zip(before, read, strict=True)]
        counts = fields.unite(read)
        fields.save(part, counts)
        found = np.diff(counts.indptr)
        weight = idf(found, len(corpus), self.method)
        row = np.repeat(np.arange(len(found)), found)
        mass = pooled(counts, [1.0, *self.fields.values()], self.b)
        variant: dict[str, Any] = {"k1": self.k1, "b": 0.0, "delta": self.delta, "method": self.method}
        scores = weight[row] * saturation(mass, np.ones(1), **variant)
        if self.method in ("bm25l", "bm25+"):
            absent = weight * saturation(np.zeros(1), np.ones(1), **variant)
            scores -= absent[row]
            part.save("absent", absent.astype(np.float32))
        part.save("scores", scores.astype(np.float32))

    def bind(self, store: Store, /) -> BM25:
        """This retriever, reading from an opened store."""
        return bound_to(self, store)

    @cached_property
    def _matrix(self) -> _Matrix:
        store = store_of(self, NAME)
        part = store.part(part_key(self))
        return _Matrix(
            corpus=store.corpus,
            vocabulary=Vocabulary(part.load("terms"), part.load("term-ends")),
            indptr=np.asarray(part.load("indptr")),
            leaves=np.asarray(part.load("leaves")),
            scores=np.asarray(part.load("scores")),
            absent=np.asarray(part.load("absent")) if self.method in ("bm25l", "bm25+") else None,
            counts=np.asarray(part.load(fields.COUNTS)) if self.fields else None,
        )

    @cached_property
    def _analyzer(self) -> Analyzer:
        return Analyzer(self.language, self.identifiers)

    def terms(self, text: str) -> list[str]:
        """The terms of a question that are searched for."""
        words = self._analyzer.words(text)
        telling = words if self.stopwords == "none" else [one for one in words if one[0] not in ENGLISH]
        return [term for _, terms in (telling or words) for term in terms]

    def __call__(self, query: Query, /) -> Hits:
        """The k best leaves."""
        return self.weighed(query, [(query.text, 1.0)])

    def weighed(self, query: Query, parts: Sequence[tuple[str, float]]) -> Hits:
        """The k best leaves for several texts, each with what its words weigh.

        Args:
            query: its scope and filters are honoured; its text is not read.
            parts: (text, weight > 0); a term in two of them weighs their sum.
        """
        matrix = self._matrix
        wanted: dict[str, float] = {}
        for text, weight in parts:
            for term in self.terms(text):
                wanted[term] = wanted.get(term, 0.0) + weight
        terms = list(wanted)
        leaves, scores = matrix.best(wanted, self.k, matrix.corpus.mask(query))
        hits = matrix.corpus.hits(leaves, scores, NAME)
        return Hits(query, matrix.explained(hits, leaves, terms, ("text", *self.fields)) if self.fields else hits)


@dataclass(frozen=True, eq=False)
class _Matrix:
    """The scores of a corpus by term: float32, leaves ascending within a term."""

    corpus: Corpus
    vocabulary: Vocabulary
    indptr: NDArray[np.int64]
    leaves: NDArray[np.int32]
    scores: NDArray[np.float32]
    absent: NDArray[np.float32] | None
    counts: NDArray[Any] | None = None

    def explained(
        self, hits: Sequence[Hit], leaves: NDArray[Any], terms: Sequence[str], names: Sequence[str]
    ) -> tuple[Hit, ...]:
        """The hits, each saying in which fields terms of the question stand."""
        if self.counts is None or not hits:
            return tuple(hits)
        seen = np.zeros((len(names), len(leaves)), dtype=bool)
        for term in {self.vocabulary.find(one) for one in terms} - {-1}:
            begin, end = self.indptr[term], self.indptr[term + 1]
            place = np.minimum(np.searchsorted(self.leaves[begin:end], leaves), end - begin - 1) + begin
            seen |= (self.counts[:, place] > 0) & (self.leaves[place] == leaves)
        whys = ("in " + ", ".join(n for n, there in zip(names, one, strict=True) if there) for one in seen.T.tolist())
        return tuple(replace(hit, why=why) for hit, why in zip(hits, whys, strict=True))

    def best(
        self, terms: Mapping[str, float], k: int, mask: NDArray[np.bool_] | None
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """The k leaves with the highest weighted sums over the terms; leaves without any of them are left out."""
        found = {self.vocabulary.find(term): weight for term, weight in terms.items()}
        found.pop(-1, None)
        sums = np.zeros(len(self.corpus), dtype=np.float32)
        base = 0.0
        for term, times in sorted(found.items()):
            begin, end = self.indptr[term], self.indptr[term + 1]
            column = self.scores[begin:end]
            np.add.at(sums, self.leaves[begin:end], column if times == 1 else column * np.float32(times))
            base += times * float(self.absent[term]) if self.absent is not None else 0.0
        if mask is not None:
            sums *= mask
        leaves, scores = top(sums, k, above=0.0)
        return leaves, scores + np.float32(base) if base else scores


def idf(found: NDArray[Any], leaves: int, method: Method) -> NDArray[np.float64]:
    """Weight of terms by how many leaves hold them (Kamphuis et al. 2020, table 1).

    Args:
        found: int (v,), leaves that hold each term, at least 1.
        leaves: leaves in all.
        method: variant; `robertson` is kept from falling below 0, as bm25s does.
    """
    if method == "lucene":
        return np.log(1 + (leaves - found + 0.5) / (found + 0.5))
    if method == "robertson":
        return np.log(np.maximum((leaves - found + 0.5) / (found + 0.5), 1))
    if method == "atire":
        return np.log(leaves / found)
    return np.log((leaves + 1) / (found + (0.5 if method == "bm25l" else 0)))


def pooled(counts: fields.FieldCounts, weights: Sequence[float], b: float) -> NDArray[np.float64]:
    """What a term's repetitions in the fields of a leaf come to (Zaragoza et al. 2004, section 3).

    Args:
        counts: of f fields, the text first; the mean length of the others is over the leaves that have them.
        weights: of each field.
        b: how much long fields are held back.

    Returns:
        float64 (e,), one an entry: the sum over fields of weight * count / (1 - b + b * length / mean length).
    """
    mass = np.zeros(len(counts.leaf))
    for i, (count, length, weight) in enumerate(zip(counts.count, counts.length, weights, strict=True)):
        held = length[length > 0] if i else length
        mean = max(float(held.mean()), 1e-9) if len(held) else 1.0
        mass += weight * count / (1 - b + b * length[counts.leaf] / mean)
    return mass


def saturation(
    count: NDArray[np.float64], share: NDArray[np.float64], *, k1: float, b: float, delta: float, method: Method
) -> NDArray[np.float64]:
    """What a term's repetitions in a leaf are worth (Kamphuis et al. 2020, table 1).

    Args:
        count: how often the term stands in the leaf.
        share: terms in the leaf, divided by their mean over all leaves.
        k1: see `BM25`, as `b` and `delta`.
        b: see `BM25`.
        delta: see `BM25`.
        method: variant.
    """
    norm = 1 - b + b * share
    if method == "bm25l":
        spread = count / norm
        return (k1 + 1) * (spread + delta) / (k1 + spread + delta)
    gain = count / (k1 * norm + count)
    if method == "bm25+":
        return gain * (k1 + 1) + delta
    return gain * (k1 + 1) if method == "atire" else gain
