"""One record for each passage, from which the selection can be built again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rag.types import Drop, Hit, Hits
from rerankers.rationales import Need

__all__ = ["Decision", "Picked", "Reason", "applied", "decided", "replayed"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a hit was chosen.

    Args:
        rule: what chose it.
        text: one line for a person.
        needs: numbers of the rationales it was taken for.
        added: by a rationale or a neighbour, behind the cut.
    """

    rule: str
    text: str
    needs: tuple[int, ...] = ()
    added: bool = False


@dataclass(frozen=True, slots=True)
class Picked:
    """What was chosen of ranked hits.

    Args:
        chosen: index of a hit -> why.
        after: the new score of every hit.
        needs: the rationales.
        unmet: numbers of those that no passage stands out for.
        cut: the rule of the cut.
        size: the first so many were weighed; the others bear on nothing.
        ordered: the chosen stand in their order; else they are put in order of the new score.
    """

    chosen: Mapping[int, Reason]
    after: Sequence[float]
    needs: Sequence[Need] = ()
    unmet: tuple[int, ...] = ()
    cut: str = ""
    size: int = 1 << 60
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one hit.

    Args:
        doc: id of its document.
        start: first code point of its node.
        end: one past the last.
        action: `kept`, `added` or `dropped`.
        rule: what decided.
        reason: one line for a person.
        needs: numbers of the rationales it was taken for, the question being 0.
        before: its score as it came; None where that was no finite number.
        after: its score now.
    """

    doc: str
    start: int
    end: int
    action: str
    rule: str
    reason: str
    needs: tuple[int, ...]
    before: float | None
    after: float

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: getattr(self, name) for name in self.__slots__} | {"needs": list(self.needs)}


def decided(ranked: Sequence[Hit], picked: Picked) -> list[Decision]:
    """A decision on every hit: the chosen in their order, then the others as they rank."""
    after = picked.after
    order = list(picked.chosen) if picked.ordered else sorted(picked.chosen, key=lambda i: (-after[i], i))
    made = []
    for i in (*order, *(i for i in range(len(ranked)) if i not in picked.chosen)):
        hit = ranked[i]
        why = picked.chosen.get(i)
        if why is None:
            action, rule, text = "dropped", "cut", f"{after[i]:.3f}, behind the cut"
            if not math.isfinite(hit.score):
                rule, text = "not a number", f"its score is {hit.score}"
            elif i >= picked.size:
                rule, text = "floor", "holds no word of a rationale and scores below all that do"
        else:
            action, rule, text = "added" if why.added else "kept", why.rule, why.text
        before = hit.score if math.isfinite(hit.score) else None
        needs = why.needs if why else ()
        made.append(Decision(*hit.key, action, rule, text, needs, before, round(float(after[i]), 9)))
    return made


def applied(hits: Hits, decisions: Iterable[Decision], stage: str) -> Hits:
    """The hits that were kept or added, in the order of the decisions, and a drop for each of the others.

    Args:
        hits: what was decided on.
        decisions: one for each hit, in the order of the output.
        stage: name of the stage that decided.

    Raises:
        KeyError: a decision is about no hit.
    """
    known: dict[tuple[str, int, int], list[Hit]] = {}
    for hit in hits:
        known.setdefault(hit.key, []).append(hit)
    kept: list[Hit] = []
    drops: list[Drop] = []
    for one in decisions:
        hit = known[one.doc, one.start, one.end].pop(0)
        if one.action == "dropped":
            drops.append(Drop(hit, stage, one.reason))
        else:
            scores = {**hit.scores, stage: one.after}
            kept.append(replace(hit, score=one.after, scores=scores, why=one.reason))
    return replace(hits, items=tuple(kept), drops=hits.drops + tuple(drops))


def replayed(hits: Hits, records: Sequence[Mapping[str, Any]], stage: str) -> Hits:
    """The selection, built again from its records as they stand in a trace; see `applied`."""
    made = [Decision(**{**one, "needs": tuple(one["needs"])}) for one in records]
    return applied(hits, made, stage)
