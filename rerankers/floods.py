"""Floods: several documents that say one thing in other words, all close to the question.

An attacker who wants a wrong answer to one question plants a handful of passages that restate it as a statement, so
that all of them are retrieved and outvote the true one (PoisonedRAG: Zou et al., USENIX Security 2025,
https://arxiv.org/abs/2402.07867). Such passages are nearer to each other than passages of one subject are. TrustRAG
(https://arxiv.org/abs/2501.00879) splits embeddings in two by k-means and drops the tighter half; here no model is
needed, and a passage is only blamed for what it shares with others beyond the question's own words.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["COPY", "alike", "floods"]

COPY = 0.8  # words in common from which two passages are copies: mirrors and boilerplate, no flood
AIMED = 0.6  # share of the question's words that a passage of a flood holds
JOINS = 0.4  # the same, of a passage that joins a flood found without it
DENSE = 0.1  # share of its own words that are the question's
NEAR = 0.2  # words in common from which two passages say the same
CLAIM = 0.7  # share of the group that holds a word of its claim
TRUE_TO = 0.5  # share of the claim that a member holds


@dataclass(frozen=True, eq=False)
class _Group:
    """Passages under suspicion, and what decides it."""

    bags: Sequence[frozenset[str]]
    sources: Sequence[str]
    question: frozenset[str]

    def claim(self, members: Sequence[int]) -> frozenset[str]:
        """Words beyond the question's that most members hold."""
        counts = Counter(word for i in members for word in self.bags[i] - self.question)
        return frozenset(word for word, count in counts.items() if count >= CLAIM * len(members))

    def true(self, members: list[int], least: int) -> list[int]:
        """Those that make the group's claim; none where too few do."""
        while len({self.sources[i] for i in members}) >= least:
            claim = self.claim(members)
            kept = [i for i in members if len(claim & self.bags[i]) >= TRUE_TO * len(claim)] if claim else []
            if kept == members:
                return members
            members = kept
        return []

    def joining(self, members: Sequence[int]) -> list[int]:
        """Others that make the claim of a flood and are near to one of its members."""
        claim = self.claim(members)
        return [
            i
            for i, bag in enumerate(self.bags)
            if i not in members
            and _aimed(self.question, bag, JOINS)
            and len(claim & bag) >= TRUE_TO * len(claim)
            and any(NEAR <= alike(bag, self.bags[j]) < COPY for j in members)
        ]


def alike(a: frozenset[str], b: frozenset[str]) -> float:
    """Words in common, as a share of the words of both (Jaccard)."""
    either = len(a | b)
    return len(a & b) / either if either else 0.0


def floods(
    question: frozenset[str], bags: Sequence[frozenset[str]], sources: Sequence[str], least: int = 3
) -> list[tuple[int, ...]]:
    """Groups of passages that make one claim about the question in other words.

    Two passages are linked when they come from different sources, hold six of ten of the question's words, consist to a
    tenth of them, and share a fifth of their words, of which one is not the question's; copies are not linked. Of each
    connected group those stay that are linked to `least - 1` others and hold half of the words that seven of ten
    members share beyond the question. Passages that hold four of ten of the question's words and half of that claim,
    and are near to one member, join.

    Args:
        question: stems of the question's words.
        bags: stems of the words of n passages.
        sources: of each passage, its document's id.
        least: sources a flood has at least.

    Returns:
        Groups of ascending indices, in order of their first; the order of the input decides nothing else.
    """
    if not question:
        return []
    aimed = [i for i, bag in enumerate(bags) if _aimed(question, bag)]
    linked: dict[int, set[int]] = {i: set() for i in aimed}
    for i, j in itertools.combinations(aimed, 2):
        if sources[i] != sources[j] and NEAR <= alike(bags[i], bags[j]) < COPY and (bags[i] & bags[j]) - question:
            linked[i].add(j)
            linked[j].add(i)
    group = _Group(bags, sources, question)
    found = []
    left = list(aimed)
    while left:
        members = _connected(left[0], linked)
        left = [i for i in left if i not in members]
        close = [i for i in sorted(members) if len(linked[i]) >= least - 1]
        blamed = group.true(close, least)
        if blamed:
            joined = sorted({*blamed, *group.joining(blamed)})
            found.append(tuple(joined))
            left = [i for i in left if i not in joined]
    return found


def _aimed(question: frozenset[str], bag: frozenset[str], share: float = AIMED) -> bool:
    shared = len(question & bag)
    return shared >= share * len(question) and shared >= DENSE * len(bag)


def _connected(start: int, linked: dict[int, set[int]]) -> set[int]:
    found, waiting = {start}, [start]
    while waiting:
        for other in linked[waiting.pop()] - found:
            found.add(other)
            waiting.append(other)
    return found
