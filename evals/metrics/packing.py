"""What packing a context left behind: supports, partners of what was kept, and room.

Support recall counts gold ranges that came through whole, as supporting-fact recall does (HotpotQA, Yang et al.,
EMNLP 2018, https://arxiv.org/abs/1809.09600). The dangling rate is the share of kept units whose partner, without
which they cannot be read, is missing; here a sentence that begins with a word that points back, and the sentence
before it (Mann and Thompson 1988 call the pair nucleus and satellite; the rule is a word list, not a parser).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from evals.metrics.spans import missing
from evals.ranges import by_document, cut, length
from rag.sentences import sentence_spans

__all__ = ["POINTS_BACK", "dangling", "dangling_sentences", "partners", "realised", "support_recall"]

Range = tuple[int, int]
Triple = Sequence[Any]
POINTS_BACK = frozenset(
    "this that these those it its he him his she her they them their such both former latter "  # noqa: SIM905
    "however therefore thus hence otherwise instead likewise similarly moreover furthermore conversely "
    "consequently nevertheless nonetheless but so then".split()
)


def support_recall(found: Iterable[Triple], gold: Sequence[Triple], text: Callable[[str], str]) -> float:
    """SupR: gold ranges that are in the context whole / gold ranges; white space inside may be missing."""
    wanted = [(str(doc), int(start), int(end)) for doc, start, end in gold]
    lost = set(missing(found, wanted, text))
    return sum(one not in lost for one in wanted) / len(wanted) if wanted else 0.0


def realised(tokens: int, budget: int) -> float:
    """Tokens of the context / budget."""
    return tokens / budget if budget else 0.0


def dangling(held: Iterable[int], needs: Mapping[int, int]) -> float | None:
    """Share of the kept units that need a partner and do not have it; None when nothing was kept.

    Args:
        held: kept units.
        needs: unit -> the unit it cannot be read without.
    """
    kept = set(held)
    return sum(unit in needs and needs[unit] not in kept for unit in kept) / len(kept) if kept else None


def partners(text: str, units: Sequence[Range]) -> dict[int, int]:
    """Sentences that begin with a word that points back -> the sentence before, where no blank line parts them."""
    found: dict[int, int] = {}
    for i in range(1, len(units)):
        start, end = units[i]
        words = text[start:end].split(None, 1)
        gap = text[units[i - 1][0] : start]
        if words and words[0].strip(",;:").lower() in POINTS_BACK and "\n\n" not in gap[len(gap.rstrip()) :]:
            found[i] = i - 1
    return found


def dangling_sentences(found: Iterable[Triple], text: Callable[[str], str]) -> float | None:
    """Dangling: the rate over all sentences of which a visible character is in the context."""
    held: list[tuple[str, int]] = []
    needs: dict[tuple[str, int], tuple[str, int]] = {}
    for doc, ranges in by_document(found).items():
        source = text(doc)
        units = [(s, s + len(source[s:e].rstrip())) for s, e in sentence_spans(source)]
        begun = [(start, end) for start, end in units if length(cut([(start, end)], ranges))]
        numbers = {unit: i for i, unit in enumerate(units)}
        held += [(doc, numbers[unit]) for unit in begun]
        needs |= {(doc, unit): (doc, partner) for unit, partner in partners(source, units).items()}
    keys = {key: i for i, key in enumerate(dict.fromkeys([*held, *needs, *needs.values()]))}
    return dangling((keys[key] for key in held), {keys[a]: keys[b] for a, b in needs.items()})
