"""Search in rounds with a ledger: claims and the words they rest on, gaps, what is withdrawn, why it stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import SkipValidation

from rag.models.bounded import Meter
from rag.models.llm import LLM, checked_llm
from rag.stage import Field, Reranker, Retriever, stage
from rag.store.parts import bound_to, store_of
from rag.types import Hit, Hits, Query
from retrievers.claims import (
    Claim,
    covers,
    facets,
    fresh_words,
    judged,
    noted_claims,
    reviewed,
    sentences_as_claims,
)
from retrievers.hybrid import scaled

if TYPE_CHECKING:
    from rag.store.corpus import Corpus, Part, Store

__all__ = ["Ledger", "printed"]

NAME = "retrievers/ledger"
DEEP = 20  # hits of each search that count
GAPS = 3  # searches of a round at most
BY_RULE = 2  # rounds without a model: a third finds more of what is beside the point (measured with BM25)


def _inner() -> Retriever:
    from retrievers.hybrid import Hybrid

    return Hybrid()


@dataclass
class _Book:
    """The state of one question."""

    claims: list[Claim] = field(default_factory=list)
    seen: set[tuple[str, int, int]] = field(default_factory=set)
    asked: dict[str, None] = field(default_factory=dict)
    lists: list[tuple[str, Hits]] = field(default_factory=list)
    rejected: int = 0
    read: int = 0
    answer: str = ""
    uses: tuple[int, ...] = ()
    stopped: str = ""


@stage
class Ledger:
    """Collect claims until the question is covered, and take back those that turn out wrong.

    RetroRAG (Xiao et al., 2025, https://arxiv.org/abs/2501.05475) keeps a pool of evidence that may be revised. Here
    the pool is a ledger. In each round (1) the question, later its gaps, are searched; (2) a model notes claims from
    new passages, each with words copied from one: a claim whose words do not stand there is rejected, unasked; (3) the
    model sees the claims, answers if it can, withdraws claims that others refute and names gaps; (4) retroactively, all
    claims of a passage that a withdrawn one came from are held against their words again, and those that fail are
    disputed. It stops when an answer rests on a supported claim and every facet of the question is covered by one,
    when nothing new is found, after `rounds`, or at a limit; the note says which.

    Without an `llm` (or when it fails) the sentences that cover a facet are the claims, and gaps are the facets not
    covered, with names that the claims brought in; nothing is withdrawn.

    Args:
        query: any question; scope and filters hold in every round.

    Returns:
        At most k hits, best first, ties in index order: the best of their scaled scores over all searches, those
        that a supported claim rests on above the others of their score. The note is the ledger: `claims` with number,
        round, status and place, `queries`, `rejected`, `stopped`; `retrievers.ledger.printed` shows it with the words.

    Raises:
        MissingWeights: the model's files are not here; other errors of a model are counted and survived.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ()

    inner: Retriever = Field(default_factory=_inner, description="searches the question and its gaps")
    reranker: Reranker | None = Field(default=None, description="orders what each search finds")
    llm: SkipValidation[LLM | None] = Field(default=None, description="notes claims and judges; None: by rule")
    rounds: int = Field(default=4, ge=1, le=10, description="rounds at most")
    each: int = Field(default=5, ge=1, description="new passages of a search that are read")
    claims: int = Field(default=6, ge=1, le=12, description="claims noted in a round at most")
    calls: int = Field(default=12, ge=0, description="calls to the model at most")
    passages: int = Field(default=30, ge=1, description="passages read at most")
    seconds: float = Field(default=30.0, gt=0, description="time at most")
    later: float = Field(default=0.8, ge=0, le=1, description="weight of searches after the first")
    bonus: float = Field(default=0.1, ge=0, le=1, description="what a supported claim of a model adds to its passage")
    k: int = Field(default=40, ge=1, description="hits returned")

    def __post_init__(self) -> None:
        """Take a llama-index model as well."""
        if self.llm is not None:
            object.__setattr__(self, "llm", checked_llm(self.llm, f"{NAME}: llm"))

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Nothing of its own: the nested retriever has a part."""

    def bind(self, store: Store, /) -> Ledger:
        """This stage with its retriever reading from an opened store."""
        return bound_to(replace(self, inner=self.inner.bind(store)), store)

    def __call__(self, query: Query, /) -> Hits:
        """Round after round, until something stops it."""
        meter = Meter(self.llm, calls=self.calls, seconds=self.seconds)
        book = _Book()
        queries: Sequence[str] = (query.text,)
        turn = 0
        while not book.stopped:
            turn += 1
            found = self._collected(book, query, queries)
            if not found.items:
                book.stopped = "nothing new"
                break
            self._note(book, found, meter, turn)
            queries = self._judge(book, query.text, meter)
            book.stopped = book.stopped or self._limit(book, meter, turn) or ("" if queries else "no gap")
        return self._added(query, book, meter, turn)

    def _limit(self, book: _Book, meter: Meter, turn: int) -> str:
        """The limit that is reached, or ""."""
        if meter.left <= 0:
            return "seconds"
        if turn >= (self.rounds if meter.open else min(self.rounds, BY_RULE)):
            return "rounds"
        return "passages" if book.read >= self.passages else ""

    def _collected(self, book: _Book, query: Query, queries: Sequence[str]) -> Hits:
        """The new passages that a round's searches find, as many as may be read, in turns from each search."""
        fresh: list[Hit] = []
        for text in queries:
            if text in book.asked:
                continue
            book.asked[text] = None
            hits = self.inner(replace(query, text=text))
            if self.reranker is not None and hits.items:
                hits = self.reranker(hits)
            book.lists.append((f"search {len(book.asked)}", hits))
            room = min(self.each, self.passages - book.read)
            new = [hit for hit in hits if hit.key not in book.seen][: max(room, 0)]
            book.seen.update(hit.key for hit in new)
            book.read += len(new)
            fresh += new
        return Hits(query, tuple(fresh))

    def _note(self, book: _Book, found: Hits, meter: Meter, turn: int) -> None:
        """Put the claims of new passages into the ledger."""
        number = len(book.claims) + 1
        if meter.open:
            claims, rejected = noted_claims(found, meter, number, turn, self.claims)
            book.rejected += rejected
        else:
            claims = sentences_as_claims(found, number, turn, self.claims)
        known = {(one.hit.key, one.start, one.end) for one in book.claims}
        for one in claims:
            if (one.hit.key, one.start, one.end) not in known:  # the same words again say nothing more
                known.add((one.hit.key, one.start, one.end))
                book.claims.append(replace(one, number=len(book.claims) + 1))

    def _judge(self, book: _Book, question: str, meter: Meter) -> Sequence[str]:
        """Answer, revise, name gaps; sets `stopped` when the question is covered."""
        wanted = facets(question)
        if book.claims and meter.open:
            verdict = judged(question, book.claims, meter, GAPS)
            if verdict is not None:
                book.answer, book.uses, withdrawn, gaps = verdict
                book.claims = _revised(book.claims, withdrawn)
                held = {one.number for one in book.claims if one.holds}
                if book.answer and held & set(book.uses) and not _open(wanted, book.claims):
                    book.stopped = "answered"
                return [gap for gap in gaps if gap not in book.asked] or self._gaps(wanted, question, book)
        if any(not _open(wanted, [one]) for one in book.claims):
            book.stopped = "covered"
        return self._gaps(wanted, question, book)

    @staticmethod
    def _gaps(wanted: Sequence[frozenset[str]], question: str, book: _Book) -> list[str]:
        """Searches by rule: for the passages of the first claims, names they bring in and what they leave uncovered."""
        made: dict[str, None] = {}
        passages: dict[tuple[str, int, int], list[Claim]] = {}
        for one in book.claims:
            if one.holds and one.round == book.claims[-1].round:
                passages.setdefault(one.hit.key, []).append(one)
        for claims in list(passages.values())[:GAPS]:
            missing = " ".join(" ".join(sorted(facet)) for facet in _open(wanted, claims))
            names = fresh_words(question, claims, 2)
            if missing and names:
                made[f"{' '.join(names)} {missing}"] = None
        return [text for text in made if text not in book.asked]

    def _added(self, query: Query, book: _Book, meter: Meter, turn: int) -> Hits:
        """One list of all searches, and the ledger as a note."""
        ordinals = store_of(self, NAME).corpus.ordinals
        held = {one.hit.key for one in book.claims if one.holds and one.text != one.quote}  # noted by a model
        points: dict[tuple[int, int], float] = {}
        first: dict[tuple[int, int], tuple[Hit, str]] = {}
        for i, (name, found) in enumerate(book.lists):
            top = found.items[:DEEP]
            weighed = scaled(top, "minmax") * (self.later if i else 1.0)
            for hit, point in zip(top, weighed.tolist(), strict=True):
                key = ordinals[hit.doc], hit.node
                if key not in first or point > points[key]:
                    first[key], points[key] = (hit, name), point
        for key, (hit, _) in first.items():
            points[key] += self.bonus if hit.key in held else 0.0
        best = sorted(points, key=lambda key: (-points[key], key))[: self.k]
        items = tuple(
            replace(hit, score=points[key], scores={**hit.scores, NAME: points[key]}, why=f"{name} {hit.why}".strip())
            for key in best
            for hit, name in (first[key],)
        )
        notes = {stage: fact for _, found in reversed(book.lists) for stage, fact in found.notes.items()}
        told = {
            "rounds": turn,
            "stopped": book.stopped,
            "queries": list(book.asked),
            "claims": [_told(one) for one in book.claims],
            "rejected": book.rejected,
            "passages": book.read,
            "answer": book.answer,
            "uses": list(book.uses),
            **meter.facts(),
        }
        return Hits(query, items, notes={**notes, NAME: told})


def _open(wanted: Sequence[frozenset[str]], claims: Sequence[Claim]) -> list[frozenset[str]]:
    """The facets that no supported claim covers, its title and headings read with it."""
    held = [f"{one.hit.document.title} {' '.join(one.hit.path)} {one.quote}" for one in claims if one.holds]
    return [facet for facet in wanted if not any(covers(text, facet) for text in held)]


def _revised(claims: Sequence[Claim], withdrawn: Sequence[int]) -> list[Claim]:
    """The ledger after claims are taken back: others of the same passages are held against their words again."""
    gone = set(withdrawn)
    touched = {one.hit.key for one in claims if one.number in gone and one.status != "withdrawn"}
    made = []
    for one in claims:
        if one.number in gone:
            made.append(replace(one, status="withdrawn"))
        elif one.hit.key in touched and one.status != "withdrawn":
            again = reviewed(one, 0.8)
            made.append(again if again.holds else replace(one, status="disputed"))
        else:
            made.append(one)
    return made


def _told(claim: Claim) -> dict[str, Any]:
    place = [claim.hit.doc, claim.start, claim.end]
    told: dict[str, Any] = {"number": claim.number, "round": claim.round, "status": claim.status, "place": place}
    return told if claim.text == claim.quote else {**told, "claim": claim.text}


def printed(hits: Hits) -> str:
    """The ledger of a pass as text: one line a claim, with the words it rests on, sliced from its document."""
    told = hits.notes.get(NAME)
    if told is None:
        return ""
    texts = {hit.doc: hit.document.text for hit in hits}
    lines = []
    for one in told["claims"]:
        doc, start, end = one["place"]
        quote = " ".join(texts[doc][start:end].split()) if doc in texts else "(not among the hits)"
        said = f"{one['claim']} <- " if "claim" in one else ""
        lines.append(f'{one["number"]:3} round {one["round"]} {one["status"]:9} {said}"{quote}" {doc} [{start}:{end}]')
    lines.append(
        f"stopped: {told['stopped']} after {told['rounds']} rounds, {told['calls']} calls, {told['passages']} passages;"
        f" {told['rejected']} claims rejected"
    )
    return "\n".join(lines)
