"""Prune the tree of each hit to the part that bears on the question, within a budget of tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pydantic import SkipValidation

from compressors.extract import Extract
from compressors.fit import merged
from compressors.knapsack import Forest, solve
from compressors.subtrees import Piece, pieces
from rag.models.score import Scorer
from rag.models.tokens import Tokenizer, counter
from rag.readers.render import cost, heading
from rag.stage import Field, stage
from rag.types import GAP, Drop, Hit, Hits
from rag.units import Unit

__all__ = ["Prune"]

NAME = "compressors/prune"
ASSIGNED = re.compile(r"(?:^|[\s(,])([A-Za-z_]\w*)[ \t]*(?::[^=\n]{1,60})?(?:=(?![=>])|:=|\bin\b)")
DEFINED = re.compile(r"\b(?:def|class|function|func|fn|struct|interface|trait|module)[ \t]+([A-Za-z_]\w*)")
NAMED = re.compile(r"[A-Za-z_]\w*")
COMMON = 8  # lines that may use a name before it is too common to say anything


@stage
class Prune:
    """Prune the tree of each hit to the part that bears on the question, within a budget of tokens.

    After the branch pruning of "Context-Augmented Code Generation Using Programming Knowledge Graphs",
    https://arxiv.org/abs/2410.18251: branches of a function that do not help are left out, its signature stays. There
    one branch at a time is removed and each candidate embedded anew; here the whole choice is made at once and
    exactly, on sums (`compressors.knapsack`), for prose as for code. What is kept is closed: a line of code comes
    with the heads of the blocks around it and what closes them, a row with its header rows, an item with the line
    that announces its list, text under a heading with the heading. Headings and signatures above a hit are shown by
    the rendering, and are paid for. What is left out shows as a gap.

    A piece is worth its relevance to the power `focus`, times its tokens: by tokens, or short pieces would always
    win. Relevance is that of `compressors/extract`: the piece's own score, its hit's, its neighbours'. A line that
    gives a name its value is lifted to `reads` of the best line that reads the name.

    Budgets hold on the rendered text as counted by the reader's tokenizer. A larger budget never keeps less worth.

    Args:
        hits: n >= 0; their order has no effect, their scores do.

    Returns:
        The hits that keep something, in reading order; `tokens` is the size of the rendered context.

    Raises:
        ModelError: the scorer gave another number of scores than it got pieces, or not-a-numbers.
    """

    budget: int = Field(default=1000, ge=0, description="tokens of rendered context; a query's own budget goes first")
    scorer: SkipValidation[Scorer | None] = Field(default=None, description="scores pieces; None: by their words")
    prior: float = Field(default=2.0, ge=0, description="weight of the hit's score beside the piece's own")
    around: float = Field(default=0.3, ge=0, description="weight of the better neighbouring piece")
    focus: float = Field(default=2.0, gt=0, description="power of a piece's relevance; higher prefers few good pieces")
    reads: float = Field(default=0.5, ge=0, le=1, description="share of a line's relevance for what it reads")
    tokenizer: str = Field(default="cl100k", description="the reader's tokenizer, which counts the budget")

    def __post_init__(self) -> None:
        """Look at the scorer's type alone, so that no weights open."""
        self._extract()

    def _extract(self) -> Extract:
        return Extract(scorer=self.scorer, prior=self.prior, around=self.around, tokenizer=self.tokenizer)

    def __call__(self, hits: Hits, /) -> Hits:
        """Cut hits into pieces, choose the closed set that is worth most, give every drop its reason."""
        budget = self.budget if hits.query.budget is None else hits.query.budget
        ranked = _reading(hits.items)
        tokenizer = counter(self.tokenizer)
        pool = pieces(ranked) if budget > 0 else []
        gains = self.gains(hits.query.text, ranked, pool)
        forest, owner = _forest(ranked, pool, gains, tokenizer, self.focus)
        choice = solve(forest, budget)
        room, repairs = budget, 0
        items, kept = _items(ranked, pool, owner, choice.kept(room))
        while (size := cost(items, tokenizer)) > budget:  # of a tokenizer whose counts do not add up
            room, repairs = room - max(1, size - budget), repairs + 1
            items, kept = _items(ranked, pool, owner, choice.kept(room) if room > 0 else [])
        notes = {
            "scorer": "words" if self.scorer is None else self.scorer.name,
            "pieces": len(pool),
            "kept": len(kept),
            "worth": round(choice.value(room), 6),
            "repairs": repairs,
            "budget": budget,
        }
        return replace(
            hits,
            items=items,
            drops=hits.drops + _drops(ranked, pool, kept, budget),
            tokens=size,
            notes={**hits.notes, NAME: notes},
        )

    def gains(self, question: str, hits: list[Hit], pool: list[Piece]) -> list[float]:
        """The relevance of each piece, at least 0."""
        units = [Unit(piece.hit, piece.start, piece.end) for piece in pool]
        found = self._extract().gains(question, hits, units)
        return _lifted(hits, pool, found, self.reads) if self.reads else found


def _reading(items: Sequence[Hit]) -> list[Hit]:
    """The hits in reading order: documents by their best hit, the hits of one in source order."""
    best = sorted(items, key=lambda hit: (-round(hit.score, 9), hit.key, hit.spans))
    rank: dict[str, int] = {}
    for hit in best:
        rank.setdefault(hit.doc, len(rank))
    return sorted(items, key=lambda hit: (rank[hit.doc], hit.spans, hit.key))


def _lifted(hits: list[Hit], pool: list[Piece], gains: list[float], share: float) -> list[float]:
    """The gains with those of lines that give names their values lifted by the lines that read them."""
    found = list(gains)
    given: dict[str, int] = {}  # name -> the line of this hit that last gave it a value
    used: dict[str, int] = {}
    hit = -1
    for i, piece in enumerate(pool):
        if piece.hit != hit:
            hit, given, used = piece.hit, {}, {}
        if not piece.coded:
            continue
        row = hits[hit].document.text[piece.start : piece.end]
        for name in sorted(set(NAMED.findall(row))):
            used[name] = used.get(name, 0) + 1
            if name in given and used[name] <= COMMON:
                found[given[name]] = max(found[given[name]], share * gains[i])
        given.update(dict.fromkeys((*ASSIGNED.findall(row), *DEFINED.findall(row)), i))
    return found


def _forest(
    hits: list[Hit], pool: list[Piece], gains: list[float], tokenizer: Tokenizer, focus: float
) -> tuple[Forest, list[int]]:
    """A tree a hit: its heading as root, its pieces under it. Also the piece of each position, -1 for roots."""
    texts = [hits[p.hit].document.text for p in pool]
    bare = [text[p.start : p.end].strip() for text, p in zip(texts, pool, strict=True)]
    lead = [_lead(text, pool, i) for i, text in enumerate(texts)]
    alone = tokenizer.counts(bare)
    near = tokenizer.counts([a + b for a, b in zip(lead, bare, strict=True)])
    gapped = tokenizer.counts([GAP + b for b in bare])
    last = _last(pool)
    value: list[float] = []
    weight: list[tuple[int, int, int]] = []
    forced: list[bool] = []
    behind: list[int] = []
    owner: list[int] = []
    place: list[int] = []  # of each piece
    for i, piece in enumerate(pool):
        if not i or piece.hit != pool[i - 1].hit:
            head = tokenizer.count(_head(hits, piece.hit))
            owner.append(-1)
            value.append(0.0)
            weight.append((head, head, head))
            forced.append(False)
        place.append(len(owner))
        owner.append(i)
        value.append(max(gains[i], 0.0) ** focus * alone[i])
        weight.append((alone[i] + 1, near[i] + (not lead[i]), gapped[i]))  # a mark may need a backslash
        forced.append(piece.forced)
    ends = {p.hit: place[i] + 1 for i, p in enumerate(pool)}
    for position, i in enumerate(owner):
        behind.append(ends[pool[owner[position + 1]].hit] if i < 0 else place[last[i]] + 1)
    return Forest(value, weight, behind, forced, [i < 0 for i in owner]), owner


def _last(pool: list[Piece]) -> list[int]:
    """For each piece the last one that stands under it, itself where none does."""
    last = list(range(len(pool)))
    for i in range(len(pool) - 1, -1, -1):
        if (above := pool[i].above) >= 0:
            last[above] = max(last[above], last[i])
    return last


def _lead(text: str, pool: list[Piece], i: int) -> str:
    """The white space between a piece and the one before it in the same hit."""
    if not i or pool[i - 1].hit != pool[i].hit:
        return ""
    before, here = pool[i - 1], pool[i]
    if before.end != here.start:
        return GAP
    a = before.start + len(text[before.start : before.end].rstrip())
    body = text[here.start : here.end]
    return text[a : here.start + len(body) - len(body.lstrip())]


def _head(hits: list[Hit], number: int) -> str:
    """What the rendering puts in front of a hit, at most."""
    hit = hits[number]
    again = "\n".join(hit.document.text[a:b] for a, b in hit.view.repeats)
    return f"\n\n[{len(hits)}] {heading(hit)}\n" + (f"{again}\n" if again else "")


def _items(hits: list[Hit], pool: list[Piece], owner: list[int], chosen: list[int]) -> tuple[tuple[Hit, ...], set[int]]:
    """The hits with the chosen pieces as their ranges, and these pieces."""
    kept = {owner[position] for position in chosen if owner[position] >= 0}
    ranges: dict[int, list[tuple[int, int]]] = {}
    for i in sorted(kept):
        ranges.setdefault(pool[i].hit, []).append((pool[i].start, pool[i].end))
    return tuple(replace(hits[n], spans=merged(found)) for n, found in sorted(ranges.items())), kept


def _drops(hits: list[Hit], pool: list[Piece], kept: set[int], budget: int) -> tuple[Drop, ...]:
    """For each hit what is left out of it."""
    reason = f"not within {budget} tokens"
    if not pool:
        return tuple(Drop(hit, NAME, reason) for hit in hits)
    lost: dict[int, list[tuple[int, int]]] = {}
    for i, piece in enumerate(pool):
        if i not in kept:
            lost.setdefault(piece.hit, []).append((piece.start, piece.end))
    return tuple(Drop(replace(hits[n], spans=merged(found)), NAME, reason) for n, found in sorted(lost.items()))
