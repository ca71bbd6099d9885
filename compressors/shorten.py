"""Safe deletions inside a kept sentence: what hangs on a clause may go, never the clause, and never a fact.

Only whole discourse units go: brackets, attributions ("she said that"), relative clauses, purposes; and only between
marks, and where nothing that stays hangs on them. A unit stays if it holds a digit, a negation, a quotation, code or a
word of the question. Deleting tokens one by one, as prompt compression does, breaks grammar
and source offsets; here the rest are exact ranges, and a gap is shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from compressors.fit import Fitted, fit
from compressors.leaves import Leaves
from rag.discourse import ROLES, edus
from rag.lexical import terms

if TYPE_CHECKING:
    from rag.models.tokens import Tokenizer
    from rag.types import Hit

__all__ = ["SAFE", "Cuts", "cuts", "shortened"]

SAFE = frozenset(ROLES.index(name) for name in ("relative", "purpose", "attribution", "parenthesis"))
KEPT = re.compile(
    r"[\d\"“”„«»`|=<>{}_]|\b(?:no|not|never|nor|none|neither|without|unless|except|only|cannot)\b|n['’]t\b",
    re.IGNORECASE,
)
AHEAD = 12  # leaves that did not fit and are looked at
LEAST = 6  # tokens of a run that is worth a gap's two


class Cuts(NamedTuple):
    """What may go of one leaf.

    Args:
        stays: ranges of the document that stay, ascending.
        goes: ranges that may go, ascending.
    """

    stays: tuple[tuple[int, int], ...]
    goes: tuple[tuple[int, int], ...]


def shortened(
    question: str,
    hits: Sequence[Hit],
    found: Leaves,
    tried: Sequence[int],
    *,
    fitted: Fitted,
    budget: int,
    by: Tokenizer,
) -> tuple[Leaves, Fitted, dict[int, int]] | None:
    """Make room for more leaves by leaving out what may go of those that are kept.

    Args:
        question: its words stay.
        hits: the evidence.
        found: the leaves, whole sentences.
        tried: leaves in the order they are wanted.
        fitted: what fits without this.
        budget: tokens.
        by: the reader's tokenizer.

    Returns:
        The leaves, those that lost something cut into parts; what fits of them now; and part -> the part it was cut
        from. None where no more leaves fit than before. What may go stays where there is room for it after all.
    """
    ahead = [leaf for leaf in tried if leaf not in fitted.kept][:AHEAD]
    if not ahead:
        return None
    made = cuts(question, hits, found, [leaf for leaf in tried if leaf in fitted.kept] + ahead, by)
    pool, needs = list(found.pool), [tuple(mine) for mine in found.needs] or [()] * len(found.pool)
    sentence, paragraph = list(found.sentence), list(found.paragraph)
    parts: dict[int, int] = {}
    for leaf, one in made.items():
        first = one.stays[0]
        rest = [*one.stays[1:], *one.goes]
        at = len(pool)
        pool[leaf] = pool[leaf]._replace(start=first[0], end=first[1])
        pool += [pool[leaf]._replace(start=a, end=b) for a, b in rest]
        needs[leaf] = (*needs[leaf], *range(at, at + len(one.stays) - 1))
        needs += [(leaf, *needs[leaf])] * len(rest)
        sentence += [sentence[leaf]] * len(rest)
        paragraph += [paragraph[leaf]] * len(rest)
        parts |= dict.fromkeys(range(at, at + len(rest)), leaf)
    sizes = [1 if i in made else size for i, size in enumerate(found.sizes)] + [1] * len(parts)
    more = Leaves(pool, needs, sentence, paragraph, found.stuck, sizes)
    tight = fit(hits, pool, tried, budget, by, needs=needs)
    kept = [leaf for leaf in tried if leaf in tight.kept]
    if len(kept) <= len(fitted.kept):
        return None
    back = [part for leaf in kept for part in sorted(parts) if parts[part] == leaf and part not in tight.kept]
    return more, fit(hits, pool, [*kept, *back], budget, by, needs=needs), parts


def cuts(
    question: str, hits: Sequence[Hit], found: Leaves, wanted: Sequence[int], tokenizer: Tokenizer
) -> dict[int, Cuts]:
    """For each leaf of which something may go, what.

    Args:
        question: its words stay.
        hits: the evidence.
        found: the leaves, whole sentences.
        wanted: numbers of the leaves to look at.
        tokenizer: the reader's.
    """
    asked = frozenset(terms(question))
    by: dict[str, list[int]] = {}
    for leaf in wanted:
        if found.pool[leaf].needs is None:
            by.setdefault(hits[found.pool[leaf].hit].doc, []).append(leaf)
    made: dict[int, Cuts] = {}
    for leaves in by.values():
        text = hits[found.pool[leaves[0]].hit].document.text
        cut = edus(text, [(found.pool[n].start, found.pool[n].end) for n in leaves])
        bounds = np.searchsorted(cut.range, np.arange(len(leaves) + 1)).tolist()
        spans = list(zip(cut.start.tolist(), cut.end.tolist(), strict=True))
        host, role = cut.host.tolist(), cut.role.tolist()
        for leaf, low, high in zip(leaves, bounds, bounds[1:], strict=False):
            free = _free(text, spans, host, role, mine=range(low, high), asked=asked)
            goes = [run for run in _joined(spans, free) if tokenizer.count(text[slice(*run)]) >= LEAST]
            if goes:
                unit = found.pool[leaf]
                made[leaf] = Cuts(_rest(unit.start, unit.end, goes), tuple(goes))
    return made


def _free(
    text: str,
    spans: Sequence[tuple[int, int]],
    host: Sequence[int],
    role: Sequence[int],
    *,
    mine: range,
    asked: frozenset[str],
) -> list[int]:
    """The units of one sentence that may go, ascending."""
    free = {
        i
        for i in mine
        if role[i] in SAFE
        and host[i] >= 0
        and not KEPT.search(text, *spans[i])
        and _fenced(text, spans[i], (spans[mine.start][0], spans[mine.stop - 1][1]))
    }
    free -= {i for i in free if asked.intersection(terms(text[slice(*spans[i])]))}
    while stuck := {host[i] for i in mine if i not in free and host[i] in free}:
        free -= stuck
    return sorted(free)


def _fenced(text: str, span: tuple[int, int], sentence: tuple[int, int]) -> bool:
    """Whether marks stand at both ends of a unit: brackets around it, or commas or dashes, or the sentence's ends.

    Without them it may hold a part of its host: "the landlord who owns the house asked".
    """
    before = text[sentence[0] : span[0]].rstrip()
    body = text[slice(*span)].strip()
    bare = body.rstrip(".,;:!? ")
    if body[:1] in ("(", "[") and bare[-1:] in (")", "]"):
        return bare.count("(") + bare.count("[") == bare.count(")") + bare.count("]")
    opened = not before or before[-1] in ",;—–"
    closed = body[-1:] in (",", ";", "—", "–") or span[1] == sentence[1]
    return opened and closed and not any(mark in body for mark in "()[]")


def _joined(spans: Sequence[tuple[int, int]], units: Sequence[int]) -> list[tuple[int, int]]:
    """The ranges of units, touching ones joined."""
    found: list[tuple[int, int]] = []
    for unit in units:
        start, end = spans[unit]
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def _rest(start: int, end: int, goes: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """What of a range is left when others go."""
    edges = [start, *(edge for run in goes for edge in run), end]
    return tuple((a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b)
