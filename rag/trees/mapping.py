"""The map step: one unit of text and a question -> a Rationale, offline or by a language model.

What a unit says depends on the unit, the headings above it and the question alone, never on its neighbours: so it can
be cached by its content, and a leaf that says nothing about a question cannot change what others say.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rag.doctree import DocTree
from rag.errors import ModelError
from rag.lexical import terms
from rag.readers.extractive import Extractive
from rag.trees.aim import Aim
from rag.trees.gate import section_of
from rag.trees.items import best_item
from rag.trees.rationale import Claim, Evidence, Rationale, evidence_of
from rag.types import Hit, Hits, Query
from rag.units import cut

if TYPE_CHECKING:
    from rag.models.score import Scorer

__all__ = ["Sentence", "map_offline", "sentences_of"]

K1, NORM, MEAN = 1.2, 0.3, 20.0  # of BM25; words of a sentence of usual length
NEEDED = 0.5  # share of the plain words that a list's unit must hold
ALONE = 0.66  # the same where a question names nothing
SCORED = 12  # sentences of a unit that a cross-encoder reads
SHORT = 3  # words; shorter sentences are headings and scraps
EVIDENCE = 3


class Unit(NamedTuple):
    """A unit and the question put to it."""

    tree: DocTree
    node: int
    query: Query
    aim: Aim


class Sentence(NamedTuple):
    """One sentence, list item or table row of a unit.

    Args:
        start: first code point, white space left out.
        end: one past the last.
        words: its stems.
        score: share of the question's best BM25 score, with fixed weights in place of document frequencies.
    """

    start: int
    end: int
    words: frozenset[str]
    score: float


def map_offline(
    tree: DocTree,
    node: int,
    query: Query,
    aim: Aim,
    scorer: Scorer | None = None,
    *,
    only: Collection[int] | None = None,
) -> Rationale:
    """What a unit says, without a language model.

    Evidence is the best sentences by words (BM25 whose document frequencies are replaced by weights of the question
    alone) and, where there is a scorer, by its logits. By the question's aim:

    - fact: the span that the extractive reader finds in the unit. Confidence is the reader's own with a scorer, else
      clip(0.5 s / (1 + s) + 0.3 c + 0.2 t), where s is the best sentence's score, c the share of the question's
      weight met in the unit and the headings above it, t is 1 where a span and not a whole sentence answers.
    - list, count, sections: the unit answers when each name of the question stands whole in one of its sentences or
      headings and at least half of its plain words are met (two thirds where it names nothing); then it gives one
      item for each sentence that meets all of it, else one for the unit: a date, place or person where that is asked
      for, the title of the section for `sections` and `count`, else the sentence. Confidence is 0.6 c + 0.4 of what
      the best sentence meets.
    - summary, compare: the best sentences.

    Args:
        tree: holds the unit.
        node: the unit.
        query: the question.
        aim: how it was read.
        scorer: a cross-encoder.
        only: leaves that may be read; None is all.

    Returns:
        `answered`, `partial` (some of what is asked for) or `none`.

    Raises:
        ModelError: the scorer failed.
    """
    found = sentences_of(tree, node, aim, only)
    above = frozenset(terms(" ".join((tree.document.title, *tree[node].path))))
    met = frozenset().union(*(s.words for s in found)) & {w for w, _ in aim.words}
    share = _share(aim, met | above)
    if not found or (aim.words and not met and not (above & {w for w, _ in aim.words})):
        return Rationale(node, attempted=1, mapped=1, ways={"offline": 1})
    unit = Unit(tree, node, query, aim)
    best = _ranked(unit, found, scorer)
    evidence = tuple(evidence_of(tree.document, s.start, s.end, weight) for weight, s in best[:EVIDENCE])
    if aim.aim == "fact":
        status, claims = _fact(unit, share, best, scorer)
    elif aim.aim in ("summary", "compare"):
        status, claims = ("answered" if evidence else "none"), _told(evidence)
    else:
        status, claims = _listed(unit, found, best)
    if not evidence and not claims:
        return Rationale(node, found=tuple(sorted(met)), attempted=1, mapped=1, ways={"offline": 1})
    return Rationale(
        node,
        status,
        claims[0].answer if claims else "",
        max((claim.confidence for claim in claims), default=0.0),
        evidence,
        claims,
        found=tuple(sorted(met)),
        attempted=1,
        mapped=1,
        ways={"offline": 1},
    )


def sentences_of(tree: DocTree, node: int, aim: Aim, only: Collection[int] | None = None) -> list[Sentence]:
    """Every sentence of a node (or of some leaves of it), in source order, with its score."""
    text = tree.document.text
    weights = dict(aim.words)
    pairs = {(a, b) for group in aim.names for a, b in itertools.pairwise(group)}
    best = aim.total or 1.0
    found = []
    ranges = [(int(tree.start[node]), int(tree.end[node]))]
    if only is not None:
        below = sorted(leaf for leaf in only if ranges[0][0] <= tree.start[leaf] and tree.end[leaf] <= ranges[0][1])
        ranges = [(int(tree.start[leaf]), int(tree.end[leaf])) for leaf in below]
    for start, end, _ in (piece for first, last in ranges for piece in cut(text, first, last)):
        bag = terms(text[start:end])
        if not text[start:end].strip():
            continue
        norm = K1 * (1 - NORM + NORM * len(bag) / MEAN)
        score = math.fsum(w * bag.count(one) * (K1 + 1) / (bag.count(one) + norm) for one, w in weights.items() if one)
        side = pairs.intersection(itertools.pairwise(bag))
        score += 0.5 * len(side)
        body = text[start:end]
        begin = start + len(body) - len(body.lstrip())
        found.append(Sentence(begin, begin + len(body.strip()), frozenset(bag), round(score / best, 9)))
    return found


def _share(aim: Aim, met: frozenset[str]) -> float:
    """Share of the question's weight that is met."""
    return sum(weight for word, weight in aim.words if word in met) / aim.total if aim.words else 1.0


def _ranked(unit: Unit, found: Sequence[Sentence], scorer: Scorer | None) -> list[tuple[float, Sentence]]:
    """(weight in [0, 1], sentence), best first; those with nothing of the question are left out."""
    tree, node, query, aim = unit
    text = tree.document.text
    if not aim.words:  # a summary of everything: the sentences that share most with the others of the unit
        counts: dict[str, int] = {}
        for s in found:
            for word in s.words:
                counts[word] = counts.get(word, 0) + 1
        size = len(found)
        central = [math.fsum(sorted(counts[w] for w in s.words)) / (size * max(6, len(s.words))) for s in found]
        pairs = [(round(min(1.0, c), 6), s) for c, s in zip(central, found, strict=True) if len(s.words) >= SHORT]
        return sorted(pairs or [(0.0, s) for s in found], key=lambda p: (-p[0], p[1].start))
    pairs = [(round(s.score / (1 + s.score), 6), s) for s in found if s.score > 0]
    first = sorted(pairs, key=lambda p: (-p[0], p[1].start))
    if scorer is None or not first:
        return first
    head = " > ".join(dict.fromkeys(h for h in (tree.document.title, *tree[node].path) if h))
    read = [s for _, s in first[:SCORED]]
    shown = [f"{head}\n{text[s.start : s.end]}" if head else text[s.start : s.end] for s in read]
    logits = np.asarray(scorer.score(query.text, shown), dtype=np.float64)
    if logits.shape != (len(read),) or not np.isfinite(logits).all():
        raise ModelError(f"{scorer.name}: must give {len(read)} finite scores, got shape {logits.shape}.")
    weights = [round(1 / (1 + math.exp(1.15 - 0.3 * max(-99.0, min(99.0, x)))), 6) for x in logits.tolist()]
    return sorted(zip(weights, read, strict=True), key=lambda p: (-p[0], p[1].start))


def _fact(
    unit: Unit, share: float, best: Sequence[tuple[float, Sentence]], scorer: Scorer | None
) -> tuple[str, tuple[Claim, ...]]:
    """What the extractive reader finds in the unit."""
    if not best:
        return "none", ()
    tree, node, query, _ = unit
    span = (int(tree.start[node]), int(tree.end[node]))
    reader = Extractive(scorer=scorer, threshold=-1e9, sentences=SCORED)
    answer = reader(Hits(query, (Hit(tree, node, (span,), 0.0),)))
    if answer.status != "answered":
        return "none", ()
    note = answer.notes["readers/extractive"]
    sure = answer.confidence
    if sure is None:
        s = best[0][1].score
        sure = min(1.0, max(0.0, 0.5 * s / (1 + s) + 0.3 * share + 0.2 * (note["form"] == "span")))
    cited = tuple(evidence_of(tree.document, c.start, c.end, sure) for c in answer.citations)
    return "answered", (Claim(answer.text, round(sure, 6), cited),)


def _told(evidence: Sequence[Evidence]) -> tuple[Claim, ...]:
    """One claim of the best sentence."""
    return (Claim(evidence[0].quote, evidence[0].weight, tuple(evidence)),) if evidence else ()


def _listed(
    unit: Unit, found: Sequence[Sentence], best: Sequence[tuple[float, Sentence]]
) -> tuple[str, tuple[Claim, ...]]:
    """The unit's items, or `partial` where it meets some of what is asked for."""
    tree, node, _, aim = unit
    above = frozenset(terms(tree[section_of(tree, node)].title))  # a title further up would let every section through
    whole = frozenset().union(*(s.words for s in found)) | above
    grouped = all(any(set(group) <= s.words for s in found) or set(group) <= above for group in aim.names)
    plain = [w for w in aim.plain if w in whole]
    needed = NEEDED if aim.names else ALONE
    if not grouped or len(plain) < needed * len(aim.plain):
        return "partial", ()
    share = _share(aim, whole)
    top = max((_share(aim, s.words | above) for s in found), default=0.0)
    sure = round(min(1.0, 0.6 * share + 0.4 * top), 6)
    weights = {s.start: weight for weight, s in best}
    strong = [s for s in found if s.score > 0 and _meets(aim, s.words | above)]
    items: dict[str, tuple[str, list[Sentence]]] = {}
    if aim.kind in ("section", "document"):
        proof = strong or [s for _, s in best[:1]] or list(found[:1])
        name = tree.document.title or tree.document.id
        title = tree[node].path[-1:] if aim.kind == "section" else (name,)
        text = (title or (tree.document.title,))[0] or tree.document.text[proof[0].start : proof[0].end]
        items[text] = (text, proof)
    else:
        text = tree.document.text
        for one in strong:
            item = best_item(tree, (one,), found, aim, alone=True)
            if item is not None:
                said = text[slice(*item)]
                items.setdefault(said.lower(), (said, []))[1].append(one)
        if not items:
            proof = [s for _, s in best[:1]] or list(found[:1])
            item = best_item(tree, proof, found, aim)
            if item is not None:
                said, holds = text[slice(*item)], [s for s in found if s.start <= item[0] < s.end]
                items[said.lower()] = (said, [*holds, *(s for s in proof if s not in holds)])
    if not items:
        return "partial", ()
    claims = []
    for text, proof in items.values():
        cited = [evidence_of(tree.document, s.start, s.end, weights.get(s.start, 0.0)) for s in proof[:EVIDENCE]]
        claims.append(Claim(text, sure, tuple(cited)))
    return "answered", tuple(claims)


def _meets(aim: Aim, words: frozenset[str]) -> bool:
    """Whether a sentence alone holds every name and enough of the rest."""
    plain = [w for w in aim.plain if w in words]
    needed = NEEDED if aim.names else ALONE
    return all(set(group) <= words for group in aim.names) and len(plain) >= needed * len(aim.plain)
