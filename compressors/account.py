"""What compressors of units share: the order hits are read in, and a reason for every range that is left out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from compressors.fit import Fitted, merged
from rag.errors import StoreMismatch
from rag.models.tokens import Tokenizer
from rag.types import Drop, Hit, Hits
from rag.units import Unit, clauses

__all__ = ["accounted", "alike", "best_first", "drops", "one_text", "short_enough"]

BYTES = 4  # of a character in UTF-8, at most


def best_first(hits: Hits) -> list[Hit]:
    """The hits by score, of equals by place, whatever order they came in; a score that is no number is the lowest."""
    return sorted(
        hits.items,
        key=lambda hit: (math.inf if math.isnan(hit.score) else -round(hit.score, 9), hit.key, hit.spans),
    )


def one_text(name: str, hits: Iterable[Hit]) -> None:
    """Refuse hits in which one document name stands for two texts, as hits of two indexes may.

    Raises:
        StoreMismatch: names the stage and the document.
    """
    known: dict[str, str] = {}
    for hit in hits:
        text = hit.document.text
        if known.setdefault(hit.doc, text) is not text and known[hit.doc] != text:
            raise StoreMismatch(
                f"{name}: document {hit.doc!r} has two texts among the hits, of {len(known[hit.doc])} and {len(text)}"
                " characters. Ask one index, or give the documents names of their own."
            )


def short_enough(hits: Sequence[Hit], pool: Sequence[Unit], budget: int, tokenizer: Tokenizer) -> list[Unit]:
    """The pool with every unit that alone exceeds the budget cut into clauses."""
    found: list[Unit] = []
    for unit in pool:
        text = hits[unit.hit].document.text
        small = BYTES * (unit.end - unit.start) <= budget  # no tokenizer has more tokens than bytes
        if small or tokenizer.count(text[unit.start : unit.end]) <= budget:
            found.append(unit)
        else:
            found += [unit._replace(start=a, end=b) for a, b in clauses(text, unit.start, unit.end)]
    return found


def alike(hits: Sequence[Hit], pool: Sequence[Unit], order: Sequence[int], copies: int) -> dict[int, int]:
    """Units whose words so many earlier ones of the order say exactly, and the first of these.

    Args:
        hits: the evidence.
        pool: units of these hits.
        order: units, best first.
        copies: how often the same words may stand; at least 1.
    """
    said: dict[str, list[int]] = {}
    found: dict[int, int] = {}
    for i in order:
        text = " ".join(hits[pool[i].hit].document.text[pool[i].start : pool[i].end].split())
        same = said.setdefault(text, [])
        if len(same) >= copies:
            found[i] = same[0]
        else:
            same.append(i)
    return found


def drops(
    name: str, hits: Sequence[Hit], pool: Sequence[Unit], reasons: Mapping[int, str], otherwise: str
) -> tuple[Drop, ...]:
    """For each hit what is left out of it, once a reason.

    Args:
        name: of the stage.
        hits: the evidence.
        pool: units of these hits.
        reasons: unit -> why it is left out.
        otherwise: why, where there are no units at all.
    """
    lost: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for unit, reason in reasons.items():
        lost.setdefault((pool[unit].hit, reason), []).append((pool[unit].start, pool[unit].end))
    if not pool:
        lost = {(i, otherwise): list(hit.spans) for i, hit in enumerate(hits)}
    return tuple(
        Drop(replace(hits[i], spans=merged(ranges)), name, reason) for (i, reason), ranges in sorted(lost.items())
    )


def accounted(
    name: str,
    hits: Hits,
    ranked: Sequence[Hit],
    pool: Sequence[Unit],
    *,
    fitted: Fitted,
    budget: int,
    reasons: Mapping[int, str],
    notes: Mapping[str, object],
) -> Hits:
    """What fits as `Hits`: its size, its note, and a drop for all that does not stand in it.

    Args:
        name: of the stage.
        hits: what came in.
        ranked: its hits, as the units number them.
        pool: the units.
        fitted: what is kept of them.
        budget: tokens.
        reasons: unit -> why it was not even tried; one that is not here did not fit.
        notes: for this stage's name.
    """
    full = f"not within {budget} tokens"
    lost = {i: reasons.get(i, full) for i in range(len(pool)) if i not in fitted.kept}
    facts = {"units": len(pool), "kept": len(fitted.kept), "repairs": fitted.repairs, "budget": budget, **notes}
    return replace(
        hits,
        items=fitted.items,
        drops=hits.drops + drops(name, ranked, pool, lost, full),
        tokens=fitted.tokens,
        notes={**hits.notes, name: facts},
    )
