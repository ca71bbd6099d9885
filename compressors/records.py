"""Why each candidate of a bubble is in it or not, as JSON values, and the bubble built again from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from compressors.account import best_first, drops
from compressors.fit import assemble
from rag.errors import DataError
from rag.models.tokens import counter
from rag.readers.render import cost
from rag.units import ITEM, ROW, Unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from compressors.choosing import Made, Pool
    from rag.types import Hit, Hits

__all__ = ["chained", "digest", "records", "replayed"]


def digest(question: str, hits: Sequence[Hit], budget: int) -> str:
    """24 hex digits over all that a choice rests on: the question, the budget, every range, its text and score.

    Args:
        question: any text.
        hits: the evidence, best first.
        budget: tokens.
    """
    found = hashlib.blake2b(repr((question, budget)).encode("utf-8", "surrogatepass"), digest_size=12)
    for hit in hits:
        facts = (hit.key, hit.spans, round(hit.score, 9), hit.document.title, hit.path, hit.pieces)
        found.update(repr(facts).encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def records(
    pool: Pool, own: NDArray[Any], choice: Made, *, kept: Iterable[int], reasons: Mapping[int, str], budget: int
) -> list[dict[str, Any]]:
    """One record a candidate: what was chosen in the order it was chosen, then the others by relevance.

    Args:
        pool: n candidates.
        own: float64 (n,), what each scores by itself.
        choice: what was made of them.
        kept: those in the result.
        reasons: why each other is not.
        budget: tokens.

    Returns:
        n records. `gain` is what a unit added when it was chosen; of others, what it would still add to the chosen.
        `cost` is what it was charged: itself, and its hit's mark and headings where it is the first.
    """
    there, opened, left = set(kept), set[int](), budget
    found = []
    for step, unit in enumerate(choice.order + [u for u in range(len(pool.units)) if u in choice.twins]):
        at = pool.units[unit]
        hit = pool.hits[at.hit]
        chosen = step < choice.kept
        charged = pool.price.unit[unit] + (0 if at.hit in opened else pool.price.head[at.hit])
        if chosen:
            opened.add(at.hit)
            left -= charged
        found.append(
            {
                "id": hashlib.blake2b(repr((hit.doc, at.start, at.end)).encode(), digest_size=6).hexdigest(),
                "doc": hit.doc,
                "start": at.start,
                "end": at.end,
                "needs": None if at.needs is None else list(at.needs),
                "hit": at.hit,
                "grain": _grain(hit.document.text, at),
                "section": " > ".join(hit.path) or hit.document.title,
                "scores": {
                    "own": round(float(own[unit]), 6),
                    "hit": round(hit.score, 6),
                    "bridge": round(float(choice.bridge[unit]), 6),
                    "relevance": round(float(choice.relevance[unit]), 6),
                },
                "gain": round(choice.gains.get(unit, 0.0), 6),
                "tokens": pool.price.unit[unit],
                "cost": charged,
                "step": step,
                "left": left,
                "kept": unit in there,
                "decision": "selected" if unit in there else "superseded" if unit in choice.twins else "refused",
                "reason": reasons.get(unit, ""),
            }
        )
    return found


def _grain(text: str, unit: Unit) -> str:
    if ROW.match(text, unit.start, unit.end):
        return "row"
    return "item" if ITEM.match(text, unit.start, unit.end) else "sentence"


def replayed(hits: Hits, note: Mapping[str, Any], stage: str = "compressors/bubble") -> Hits:
    """The bubble built again from its note: nothing is scored and nothing is chosen.

    Args:
        hits: what the stage was given.
        note: what it wrote, with `explain`; also as JSON and back.
        stage: its name.

    Returns:
        The same `Hits`, byte for byte.

    Raises:
        DataError: the note has no records, or is of other hits.
    """
    if "records" not in note:
        raise DataError(f"{stage}: the note has no records. Run the stage with `explain: true`.")
    ranked = best_first(hits)
    given, found = note["input"], digest(hits.query.text, ranked, note["budget"])
    if given != found:
        raise DataError(f"{stage}: the records are of the input {given}, got {found}. Give the hits it was given.")
    rows = note["records"]
    pool = [Unit(one["hit"], one["start"], one["end"], one["needs"] and tuple(one["needs"])) for one in rows]
    items = assemble(ranked, pool, [k for k, one in enumerate(rows) if one["kept"]])
    reasons = {k: one["reason"] for k, one in enumerate(rows) if not one["kept"]}
    return replace(
        hits,
        items=items,
        drops=hits.drops + drops(stage, ranked, pool, reasons, f"not within {note['budget']} tokens"),
        tokens=cost(items, counter(note["settings"]["tokenizer"])),
        notes={**hits.notes, stage: dict(note)},
    )


def chained(note: Mapping[str, Any]) -> list[str]:
    """A note as JSON lines, the head first, then its records; each holds the digest of the line before.

    A line that is changed, left out or moved later no longer fits the line after it.
    """
    head = {key: value for key, value in note.items() if key != "records"}
    lines: list[str] = []
    for one in [head, *note.get("records", ())]:
        before = hashlib.blake2b(lines[-1].encode() if lines else b"", digest_size=12).hexdigest()
        lines.append(json.dumps({"before": before, **one}, sort_keys=True, ensure_ascii=True))
    return lines
