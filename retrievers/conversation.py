"""Retrieval for the last turn of a conversation: its earlier turns are weighed in, with no call to a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from rag.errors import ConfigError
from rag.stage import Field, Reranker, Retriever, stage
from rag.store.parts import bound_to, store_of
from rag.types import Hit, Hits, Query
from retrievers.bm25 import BM25
from retrievers.hybrid import scaled
from retrievers.turns import Turns, distinct, read_turns, shifted

if TYPE_CHECKING:
    from rag.store.corpus import Corpus, Part, Store

__all__ = ["Conversation"]

NAME = "retrievers/conversation"
SHOWN = 200  # characters of an earlier turn that are read with the last, so that it does not drown


def _dense() -> Retriever:
    from retrievers.dense import Dense

    return Dense()


@stage
class Conversation:
    """Search with the last turn and, by less weight, with what was said before it.

    ContextualRetriever (EMNLP 2025) tunes an embedder to read the last turn within its history; here, untuned models
    are asked several times and the answers added. Words: those of the last turn weigh 1, those of the user's turns
    before it `earlier`, less by `decay` with each turn back, those of the last answer `answered`; each counts once a
    turn, and 8 turns of 2,000 characters are read. Vectors: the last turn by itself, and behind the user's turn before
    it and the beginning of the last answer, by `alone` to the rest.
    Scores are added as `retrievers/hybrid` adds them. A `reranker` reads the best hits twice, for
    the last turn alone and behind the user's turn before it; the mean of its scaled scores is added to their rank.

    A turn that can stand alone and says nothing that was said before (`retrievers.turns.shifted`) opens another topic:
    the history then counts by `shift` of its weight. Without history this is plain hybrid search.

    On 232 last turns of MTRAG (`python -m evals.reproduce conversation`) the history is worth +10.1 points of R@5
    (95 %: +6.7 to +13.8) by words alone and +6.2 (+3.0 to +9.6) for hybrid search; +12.1 (+7.1 to +17.6) and
    +9.5 (+4.6 to +14.7) on the half that the weights were not chosen on. A history about something else costs 2.6
    points by words, 1.0 with its detection. Read by the cross-encoder, the history is worth +5.6 (+2.0 to +9.4) on the
    first 190 of them (`python -m evals.reproduce conversation-read`).

    Args:
        query: its `history` is read, oldest first, each turn optionally with its speaker (`assistant: ...`).

    Returns:
        At most k hits, best first, ties in index order. The question that later stages see is the last turn. The note
        says how many turns were read and whether the topic was taken to change.

    Raises:
        ConfigError: neither words nor vectors are searched.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ()

    lexical: BM25 | None = Field(default_factory=BM25, description="searches words; None: vectors alone")
    dense: Retriever | None = Field(default_factory=_dense, description="searches texts; None: words alone")
    reranker: Reranker | None = Field(default=None, description="orders the hits by the question in its conversation")
    depth: int = Field(default=20, ge=1, description="hits that the reranker reads, and that are left when it has")
    earlier: float = Field(
        default=0.2, ge=0, le=1, description="weight of the words of the user's turn before the last"
    )
    decay: float = Field(default=0.7, ge=0, le=1, description="what is left of it with each turn further back")
    answered: float = Field(default=0.05, ge=0, le=1, description="weight of the words of the last answer")
    alone: float = Field(
        default=0.6, ge=0, le=1, description="share of the vectors' weight for the last turn by itself"
    )
    shift: float = Field(default=0.25, ge=0, le=1, description="what is left of the history where the topic changes")
    k: int = Field(default=40, ge=1, description="hits returned")

    def __post_init__(self) -> None:
        """Something is searched."""
        if self.lexical is None and self.dense is None:
            raise ConfigError(
                f"{NAME}: lexical and dense are both null; at least one must search. Drop one of the two."
            )

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Nothing of its own: the nested retrievers have parts."""

    def bind(self, store: Store, /) -> Conversation:
        """This stage with its retrievers reading from an opened store."""
        nested: dict[str, Any] = {
            name: one.bind(store) for name in ("lexical", "dense") if (one := getattr(self, name)) is not None
        }
        return bound_to(replace(self, **nested), store)

    def __call__(self, query: Query, /) -> Hits:
        """Read the history, search, add up, order."""
        turns = read_turns(query)
        said = bool(turns.asked or turns.answer)
        moved = said and shifted(query.text, turns)
        share = self.shift if moved else float(said)
        lists: list[tuple[str, float, Hits]] = []
        if self.lexical is not None:
            lists.append(("words", 1.0, self.lexical.weighed(query, self._parts(query.text, turns, share))))
        if self.dense is not None:
            behind = (1 - self.alone) * share
            lists.append(("turn", 1 - behind, self.dense(query)))
            if behind > 0:
                lists.append(("context", behind, self.dense(replace(query, text=_composed(query.text, turns)))))
        found = self._added(query, lists)
        told = {"turns": len(query.history), "topic": "new" if moved else "same" if said else "first"}
        notes = {**found.notes, NAME: told}
        if self.reranker is not None and found.items:
            leans = said and not moved and bool(turns.asked)
            texts = [query.text, *([f"{turns.asked[0][:SHOWN]} {query.text}"] if leans else [])]
            found, more = self._ordered(found, texts)
            notes = {**more, **notes}
        return replace(found, query=query, notes=notes)

    def _ordered(self, found: Hits, texts: Sequence[str]) -> tuple[Hits, Mapping[str, Any]]:
        """The first hits by their rank, from 1 down to 0, plus the mean of the reranker's scaled scores; its notes."""
        assert self.reranker is not None
        first = replace(found, items=found.items[: self.depth], drops=())
        points = {hit.key: 1 - i / len(first) for i, hit in enumerate(first)}
        hits = {hit.key: hit for hit in first}
        notes: Mapping[str, Any] = {}
        for text in texts:
            ranked = self.reranker(replace(first, query=replace(found.query, text=text)))
            notes = {**ranked.notes, **notes}
            for hit, point in zip(ranked, scaled(ranked.items, "minmax").tolist(), strict=True):
                points[hit.key] += point / len(texts)
                hits[hit.key] = replace(hit, scores={**hit.scores, **hits[hit.key].scores})
        order = sorted(points, key=lambda key: (-points[key], key))
        best = [(hits[key], points[key]) for key in order]
        items = (replace(hit, score=point, scores={**hit.scores, NAME: point}) for hit, point in best)
        return replace(found, items=tuple(items)), notes

    def _parts(self, text: str, turns: Turns, share: float) -> list[tuple[str, float]]:
        """Texts and the weights of their words."""
        parts = [(text, 1.0), (distinct(turns.answer), self.answered * share)]
        parts += [(distinct(said), self.earlier * share * self.decay**back) for back, said in enumerate(turns.asked)]
        return [(said, weight) for said, weight in parts if weight > 0]

    def _added(self, query: Query, lists: Sequence[tuple[str, float, Hits]]) -> Hits:
        """One list of several, by the weighted sum of their scaled scores."""
        ordinals = store_of(self, NAME).corpus.ordinals
        total: dict[tuple[int, int], float] = {}
        first: dict[tuple[int, int], Hit] = {}
        for _, weight, found in lists:
            points = scaled(found.items, "minmax") * weight
            for hit, point in zip(found.items, points.tolist(), strict=True):
                key = ordinals[hit.doc], hit.node
                first.setdefault(key, hit)
                total[key] = total.get(key, 0.0) + point
        best = sorted(total, key=lambda key: (-total[key], key))[: self.k]
        items = (replace(first[key], score=total[key], scores={**first[key].scores, NAME: total[key]}) for key in best)
        notes = {stage: fact for *_, found in lists for stage, fact in found.notes.items()}
        drops = tuple(drop for *_, found in lists for drop in found.drops)
        return Hits(query, tuple(items), drops=drops, notes=notes)


def _composed(text: str, turns: Turns) -> str:
    """The last turn behind what it may lean on: the user's turn before it and the beginning of the last answer."""
    return " ".join(one for one in (*turns.asked[:1], turns.answer[:SHOWN], text) if one)
