"""Text that gives orders to the machine that reads it.

Retrieved text is data, yet a language model cannot tell it from orders (Greshake et al., "Not what you've signed up
for", AISec 2023, https://arxiv.org/abs/2302.12173). Orders betray themselves by what they do: they cancel earlier
instructions, speak to a machine, imitate the marks of a conversation, change its part, dictate the answer, forbid to
tell the reader, or ask for what is secret. Each is a sign with a weight; signs of different kinds that stand near each
other add up, and at 1 the text is suspect. Text that was hidden needs half.

What documentation says about such attacks is not one: signs inside quotation marks or code, and in sentences that
speak of attacks and examples, count a third. So an order that is quoted like an example is missed; what is quoted is
also what a model obeys least.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from rerankers.abroad import ABROAD, ASIAN_LETTER
from rerankers.gates import ABROAD_GATE, GATES, seen
from rerankers.hidden import View, views
from rerankers.phrases import SIGNS

__all__ = ["SUSPECT", "Order", "order", "strength"]

SUSPECT = 1.0
UNSEEN = 0.5  # for text that was hidden
NEAR = 320  # characters within which signs add up
TOLD_OF = 0.3  # of a sign that is quoted or told of
TALK = re.compile(
    r"\b(?:prompt[- ]?injection|injection|injected|jailbreak\w*|attack\w*|adversar\w+|malicious\w*|exploit\w*|"
    r"payload\w*|"
    r"red[- ]team\w*|vulnerab\w+|mitigat\w+|threat\w*|e\.g\.|for example|for instance|such as|example\w*|"
    r"phras\w+|wording|"
    r"classif\w+|detect\w*|guardrail\w*|moderat\w+|researcher\w*|paper\w*|dataset\w*|Angriff\w*|Beispiel\w*|"
    r"attaque\w*|exemple\w*|ataque\w*|ejemplo\w*)\b",  # codespell:ignore
    re.IGNORECASE,
)
QUOTED = re.compile(
    r"```[^`]{1,600}```|`[^`\n]{1,200}`|\"[^\"\n]{1,400}\"|“[^”\n]{1,400}”|«[^»\n]{1,400}»|‘[^’\n]{8,400}’"
    r"|„[^“”\n]{1,400}[“”]|「[^」\n]{1,200}」"
)
BEFORE = 240  # characters in front of a sign that may speak of attacks, within its sentence
STOP = re.compile(r"[.!?。！？]+[\"'”’)\]]*\s|\n\n|-->|>")


class Order(NamedTuple):
    """Why a passage is suspect.

    Args:
        view: how the text was found, see `rerankers.hidden.View`.
        signs: kinds of signs, in alphabetical order.
        weight: their sum.
    """

    view: str
    signs: tuple[str, ...]
    weight: float


def order(text: str) -> Order | None:
    """The strongest order to a machine in a passage, seen or hidden; None where there is none.

    Args:
        text: the passage.
    """
    best: Order | None = None
    for view in views(text):
        found = strength(view)
        if found.weight >= (SUSPECT if view.kind == "text" else UNSEEN) and (
            best is None or found.weight > best.weight
        ):
            best = found
    return best


def strength(view: View) -> Order:
    """What the signs of one reading add up to, at the place where they are strongest."""
    words = seen(view.text)
    text = words.low
    quoted = [m.span() for m in QUOTED.finditer(text)] if view.kind == "text" else []
    marks = []
    for kind, (weight, pattern) in SIGNS.items():
        if not GATES[kind].opens(words):
            continue
        for match in pattern.finditer(text):
            told = view.kind == "text" and _told_of(text, match.start(), match.end(), quoted)
            marks.append((match.start(), kind, weight * (TOLD_OF if told else 1.0)))
    for match in ABROAD.finditer(text) if ABROAD_GATE.opens(words) or ASIAN_LETTER.search(text) else ():
        told = view.kind == "text" and _told_of(text, match.start(), match.end(), quoted)
        marks.append((match.start(), "abroad", TOLD_OF if told else 1.0))
    marks.sort()
    best = Order(view.kind, (), 0.0)
    begin = 0
    for end, (at, _, _) in enumerate(marks):
        while at - marks[begin][0] > NEAR:
            begin += 1
        by_kind: dict[str, float] = {}
        for _, kind, weight in marks[begin : end + 1]:
            by_kind[kind] = max(weight, by_kind.get(kind, 0.0))
        total = round(sum(by_kind.values()), 3)
        if total > best.weight:
            best = Order(view.kind, tuple(sorted(by_kind)), total)
    return best


def _told_of(text: str, start: int, end: int, quoted: list[tuple[int, int]]) -> bool:
    """Whether words at a place are quoted, or stand in a sentence that speaks of attacks or examples."""
    if any(a <= start and end <= b for a, b in quoted):
        return True
    low = max((m.end() for m in STOP.finditer(text, max(0, start - BEFORE), start)), default=max(0, start - BEFORE))
    return bool(TALK.search(text, low, start))
