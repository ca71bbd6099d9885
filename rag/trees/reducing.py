"""The reduce step: what several nodes say -> what the node above them says, by a vote of their claims.

A claim's support is 1 - prod(1 - w c) over all that say the same, where c is the confidence of one of them and w is 1,
or 0.5 where its first quotation nearly repeats one already counted (Jaccard of 5-word shingles >= 0.9). Two answers
are the same when their words give a token F1 of 0.8, or when one holds the other whole. ToM and LLMxMapReduce carry a
confidence upwards as well, but leave its use to the model that reads it (https://arxiv.org/abs/2511.00489,
https://arxiv.org/abs/2410.09342).

Votes are counted in an order of their content, never of their places, so the order of siblings changes nothing but the
order in which equal things are shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rag.trees.aim import Aim
from rag.trees.rationale import Claim, Evidence, Rationale, summed
from rag.types import Span

__all__ = ["MARGIN", "gathered", "merged", "normal", "reduce_offline", "settled"]

MARGIN = 0.15  # below it two answers are in conflict
SAME = 0.8  # token F1
REPEATS, SHINGLE, REPEATED = 0.9, 5, 0.5
FUZZY = 256  # groups up to which answers are compared word by word
PROOFS = 5  # quotations of a claim
LEVEL = 400  # estimated tokens of evidence that go up
RELEVANCE = 0.7  # of MMR
ARTICLES = frozenset(("a", "an", "the"))
WORD = re.compile(r"[^\W_]+")


def normal(answer: str) -> tuple[str, ...]:
    """The words of an answer in lower case, without articles; its characters where it has none."""
    words = tuple(w for w in WORD.findall(answer.lower()) if w not in ARTICLES)
    return words or (answer.strip().lower(),)


def reduce_offline(node: int, said: Sequence[Rationale], aim: Aim, *, margin: float = MARGIN) -> Rationale:
    """Join what the children say, with no model.

    A fact's answer is the best supported claim; where the second lies within `margin`, both are `conflicts` too. The
    items of a list are joined, each once; a list has no conflicts. Evidence is chosen by MMR within about 400 tokens,
    so that it does not grow with height; the quotations of claims stay with them.

    Args:
        node: the node above.
        said: one Rationale a child, in any order.
        aim: how the question was read.
        margin: difference of support below which two answers are in conflict.
    """
    base = gathered(node, said)
    exact = aim.aim in ("list", "count", "sections")
    claims = merged(
        (claim for one in said for claim in one.claims), exact=exact, apart=aim.kind in ("section", "document")
    )
    statuses = {one.status for one in said}
    if claims and "answered" in statuses:
        status = "answered"
    elif "partial" in statuses or claims:
        status = "partial"
    else:
        status = "error" if "error" in statuses else "none"
    rivals: tuple[Claim, ...] = ()
    if aim.aim == "fact" and len(claims) > 1 and claims[0].confidence - claims[1].confidence < margin:
        rivals = claims[:2]
    return replace(
        base,
        status=status,
        answer=claims[0].answer if claims else "",
        confidence=claims[0].confidence if claims else 0.0,
        evidence=_diverse(evidence for one in said for evidence in one.evidence),
        claims=claims,
        conflicts=rivals,
        reasoning="",
    )


def settled(made: Rationale, aim: Aim) -> Rationale:
    """The last word: confidence multiplied by coverage; of a list the items joined, of a count their number."""
    answer = made.answer
    if made.claims and aim.aim == "count":
        answer = str(len(made.claims))
    elif made.claims and aim.aim in ("list", "sections"):
        order = sorted(made.claims, key=lambda claim: claim.evidence[0].span)
        answer = "; ".join(" ".join(claim.answer.split()) for claim in order)
    return replace(made, answer=answer, confidence=round(made.confidence * made.coverage, 6))


def gathered(node: int, said: Sequence[Rationale]) -> Rationale:
    """What adds up whatever the answers are: coverage, ways, calls, faults, words met."""
    return Rationale(
        node,
        found=tuple(sorted({word for one in said for word in one.found})),
        attempted=sum(one.attempted for one in said),
        mapped=sum(one.mapped for one in said),
        ways=summed(one.ways for one in said),
        calls=summed(one.calls for one in said),
        faults=tuple(sorted(fault for one in said for fault in one.faults)),
    )


def merged(claims: Iterable[Claim], *, exact: bool = False, apart: bool = False) -> tuple[Claim, ...]:
    """Distinct claims with their support, best first.

    Args:
        claims: in any order.
        exact: only answers of the same words are the same.
        apart: claims of different sections are different whatever they say.
    """
    order = sorted(claims, key=_place)
    groups: list[tuple[tuple[str, ...], list[Claim]]] = []
    known: dict[object, int] = {}
    for claim in order:
        words = normal(claim.answer)
        key = (words, claim.at) if apart else words
        at = known.get(key)
        if at is None and not exact and len(groups) < FUZZY:
            at = next((i for i, (have, _) in enumerate(groups) if _same(have, words)), None)
        if at is None:
            at = len(groups)
            groups.append((words, []))
        known[key] = at
        groups[at][1].append(claim)
    joined = [group[0] if len(group) == 1 else _joined(group) for _, group in groups]
    return tuple(sorted(joined, key=_place))


def _joined(group: Sequence[Claim]) -> Claim:
    """One claim of several that say the same; the words are those of the most confident."""
    counted: list[frozenset[str]] = []
    doubt = 1.0
    evidence: dict[Span, Evidence] = {}
    for claim in group:
        shingles = _shingles(claim.evidence[0].quote) if claim.evidence else frozenset()
        again = any(_jaccard(shingles, other) >= REPEATS for other in counted)
        counted.append(shingles)
        doubt *= 1 - claim.confidence * (REPEATED if again else 1.0)
        for one in claim.evidence:
            evidence.setdefault(one.span, one)
    support = round(min(1.0, 1 - doubt), 6)
    best = sorted(evidence.values(), key=lambda e: (-e.weight, e.quote, e.span))
    return Claim(group[0].answer, support, tuple(best[:PROOFS]), group[0].at)


def _place(claim: Claim) -> tuple[float, tuple[str, ...], str, str, Span]:
    """Order of claims: support, then content, and places only between equals."""
    quote = claim.evidence[0].quote if claim.evidence else ""
    where = claim.evidence[0].span if claim.evidence else Span("", 0, 0)
    return -claim.confidence, normal(claim.answer), claim.answer, quote, where


def _same(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    if a == b:
        return True
    short, long = sorted((a, b), key=len)
    width = len(short)
    if any(long[i : i + width] == short for i in range(len(long) - width + 1)):
        return True
    shared = sum((Counter(a) & Counter(b)).values())
    return 2 * shared / (len(a) + len(b)) >= SAME


def _shingles(text: str) -> frozenset[str]:
    words = WORD.findall(text.lower())
    return frozenset(" ".join(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1)))


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a and b else 0.0


def _diverse(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """The best evidence that is not the same again, by MMR within the level's budget.

    Carbonell and Goldstein, SIGIR 1998, lambda 0.7; likeness is the Jaccard of shingles; tokens are estimated as
    characters / 4.
    """
    unique = {one.span: one for one in evidence}
    pool = sorted(unique.values(), key=lambda e: (-e.weight, e.quote, e.span))[:64]
    shingles = {id(one): _shingles(one.quote) for one in pool}
    likeness = {id(one): 0.0 for one in pool}
    kept: list[Evidence] = []
    spent = 0.0
    while pool:
        best = min(
            pool,
            key=lambda e: (round(-RELEVANCE * e.weight + (1 - RELEVANCE) * likeness[id(e)], 9), e.quote, e.span),
        )
        pool.remove(best)
        cost = len(best.quote) / 4
        if kept and spent + cost > LEVEL:
            continue
        kept.append(best)
        spent += cost
        for one in pool:
            likeness[id(one)] = max(likeness[id(one)], _jaccard(shingles[id(one)], shingles[id(best)]))
    return tuple(sorted(kept, key=lambda e: (-e.weight, e.quote, e.span)))
