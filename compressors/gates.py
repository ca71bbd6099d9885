"""The context bubble as it was published: a list by term counts and priors, and four gates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, NamedTuple

from rag.models.tokens import Tokenizer, counter
from rag.readers.render import cost
from rag.stage import Field, stage
from rag.types import Drop, Hit, Hits

__all__ = ["Gates"]

NAME = "compressors/gates"
WORD = re.compile(r"\w+")


@stage
class Gates:
    """Take whole hits down a list by term counts while four gates let them through: the published context bubble.

    "Structure and Diversity Aware Context Bubble Construction", arXiv 2601.10681, section 3:

        score = (times that the question's terms occur + prior of the section + its keywords)
                / (1 + tokens / middle length of the hits)

    A hit is taken if (a) the whole stays within the budget, (b) its section within its share of the budget, (c) less
    than `overlap` of its words stand in what is taken, and (d) there are fewer than `most`. Nothing is cut, no
    neighbour or parent is brought in.

    Here to compare with; `compressors/bubble` is what to use. On sentences of multi-hop questions these gates keep less
    than sentences by BM25 (`evals.reproduce.support`, row `gates`): without weights for rare terms, frequent words
    outrank names.

    Departures. The paper's tokens are words, ours are the reader's tokenizer's, and the rendered whole is counted at
    the end. What is taken is put into reading order. A hit's section is its last heading, else its document. The share
    a section leaves unused is not given to others unless `slack` is set.

    Args:
        hits: n >= 0; neither their order nor their scores are read.

    Returns:
        The hits that came through, unchanged, in reading order. `notes` counts what each gate refused, and with
        `explain` has a record for every hit in the order of the list.
    """

    budget: int = Field(default=800, ge=0, description="tokens of rendered context; a query's own budget goes first")
    overlap: float = Field(default=0.55, ge=0, description="share of words already taken that refuses a hit")
    share: float = Field(default=0.5, gt=0, le=1, description="of the budget, for sections that `shares` does not name")
    shares: Mapping[str, float] = Field(default_factory=dict, description="section -> its share of the budget")
    priors: Mapping[str, float] = Field(default_factory=dict, description="section -> what its hits have more")
    keywords: Mapping[str, float] = Field(default_factory=dict, description="word -> what a hit with it has more")
    most: int = Field(default=10, ge=1, description="hits at most")
    slack: bool = Field(default=False, description="go down the list again without shares, for the room that is left")
    explain: bool = Field(default=False, description="put a record of every hit into the notes")
    tokenizer: str = Field(default="cl100k", description="the reader's tokenizer, which counts the budget")

    def __post_init__(self) -> None:
        """Shares are shares."""
        for name, value in self.shares.items():
            if not 0 <= value <= 1:
                raise ValueError(f"shares[{name!r}] must lie between 0 and 1, got {value}")

    def __call__(self, hits: Hits, /) -> Hits:
        """Score, go down the list, count the rendering."""
        budget = self.budget if hits.query.budget is None else hits.query.budget
        tokenizer = counter(self.tokenizer)
        listed = self.listed(hits.query.text, hits.items, tokenizer)
        taken = Taken(budget)
        for one in listed:
            self.consider(one, taken, capped=True)
        if self.slack:
            for one in [one for one in listed if taken.refused.get(one.place) == "section"]:
                self.consider(one, taken, capped=False)
        items, repairs = _fitted(taken, budget, tokenizer)
        counts = Counter(taken.refused.values())
        notes: dict[str, Any] = {
            "kept": len(items),
            "refused": {gate: counts[gate] for gate in sorted(counts)},
            "repairs": repairs,
            "budget": budget,
        }
        if self.explain:
            notes["records"] = [_record(one, taken) for one in listed]
        drops = tuple(Drop(one.hit, NAME, REASONS[gate]) for one in listed if (gate := taken.refused.get(one.place)))
        return replace(
            hits,
            items=items,
            drops=hits.drops + drops,
            tokens=cost(items, tokenizer),
            notes={**hits.notes, NAME: notes},
        )

    def listed(self, question: str, hits: Sequence[Hit], tokenizer: Tokenizer) -> list[Listed]:
        """The hits with their scores, best first; ties by document and place."""
        asked = frozenset(WORD.findall(question.lower()))
        sizes = tokenizer.counts([hit.text for hit in hits])
        middle = max(median(sizes), 1) if sizes else 1
        found = []
        for hit, tokens in zip(hits, sizes, strict=True):
            words = WORD.findall(hit.text.lower())
            section = (hit.path[-1] if hit.path else "") or hit.document.title or hit.doc
            there = frozenset(words)
            prior = self.priors.get(section, 0.0)
            prior += sum(gain for word, gain in sorted(self.keywords.items()) if word.lower() in there)
            score = (sum(word in asked for word in words) + prior) / (1 + tokens / middle)
            found.append(Listed(0, hit, section, tokens, there, round(score, 9)))
        found.sort(key=lambda one: (-one.score, one.hit.key, one.hit.spans))
        return [one._replace(place=place) for place, one in enumerate(found)]

    def consider(self, one: Listed, taken: Taken, *, capped: bool) -> None:
        """Put a hit through the gates."""
        share = self.shares.get(one.section, self.share)
        same = len(one.words & taken.words) / max(len(one.words), 1)
        taken.refused.pop(one.place, None)
        if len(taken.kept) >= self.most:
            taken.refused[one.place] = "most"
        elif taken.spent.total() + one.tokens > taken.budget:
            taken.refused[one.place] = "budget"
        elif capped and taken.spent[one.section] + one.tokens > share * taken.budget:
            taken.refused[one.place] = "section"
        elif same >= self.overlap or any(_meet(one.hit, other.hit) for other in taken.kept):
            taken.refused[one.place] = "overlap"
        else:
            taken.kept.append(one)
            taken.spent[one.section] += one.tokens
            taken.words |= one.words


REASONS = {
    "budget": "does not fit the budget",
    "section": "its section is full",
    "overlap": "its words are there",
    "most": "enough hits are there",
}


class Listed(NamedTuple):
    """A candidate: its place in the list, section, tokens, distinct words and score."""

    place: int
    hit: Hit
    section: str
    tokens: int
    words: frozenset[str]
    score: float


@dataclass
class Taken:
    """What came through so far, and what stopped the others."""

    budget: int
    kept: list[Listed] = field(default_factory=list)
    spent: Counter[str] = field(default_factory=Counter)
    words: set[str] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)


def _meet(one: Hit, other: Hit) -> bool:
    """Whether two hits share text."""
    return one.doc == other.doc and any(a < d and c < b for a, b in one.spans for c, d in other.spans)


def _fitted(taken: Taken, budget: int, tokenizer: Tokenizer) -> tuple[tuple[Hit, ...], int]:
    """The hits in reading order, without the last taken while marks and headings bring them over the budget."""
    repairs = 0
    while True:
        rank: dict[str, int] = {}
        for one in taken.kept:
            rank.setdefault(one.hit.doc, len(rank))
        items = tuple(sorted((one.hit for one in taken.kept), key=lambda hit: (rank[hit.doc], hit.spans, hit.key)))
        if not items or cost(items, tokenizer) <= budget:
            return items, repairs
        taken.refused[taken.kept.pop().place] = "budget"
        repairs += 1


def _record(one: Listed, taken: Taken) -> dict[str, Any]:
    gate = taken.refused.get(one.place, "")
    return {
        "doc": one.hit.doc,
        "start": one.hit.start,
        "end": one.hit.end,
        "section": one.section,
        "tokens": one.tokens,
        "score": one.score,
        "kept": not gate,
        "reason": REASONS.get(gate, ""),
    }
