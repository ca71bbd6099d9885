"""Outvoted claims: two passages say the same but for a value, and the rest of the evidence sides with one.

A planted passage that keeps the style of the corpus differs from a true one in a name, a number or a date. Passages of
different documents are laid side by side, sentence by sentence; where the words around are the same, what was
replaced are the rival values. Each value is then weighed by the other evidence that mentions it. METEORA (arXiv
2505.16014, section 3.3) asks a language model for contradictions and lets an early false passage condemn later true
ones; here the order of passages has no say and a tie condemns nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from rag.lexical import terms
from rag.sentences import sentence_spans

__all__ = ["Evidence", "Rivals", "Side", "rivals", "settled", "words_of"]

WORD = re.compile(r"\w+(?:[.,:'’-]\w+)*")
TWIN = 0.75  # words in common, as a share of the smaller passage's
COPIED = 0.9  # the same, of passages that are copies but for a value, wherever in them it stands
FRAME = 0.5  # share of the words of a sentence that stand in its twin, in order
LONGEST = 8  # words of a value
BEARS = 0.4  # share of the question's words that a passage and its title hold
ROOTS = 2  # other hits of its document that count for a passage
TOPIC = 2  # words of the topic that a passage needs to have a say
NAMED = 0.5  # share of a value's words that a mention of it holds
MOST = 3  # values in which twins differ; more, and they are two texts


@dataclass(frozen=True, slots=True)
class Side:
    """One of two rivals: a passage and the words it alone has."""

    at: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rivals:
    """Two passages that are the same but for their values."""

    one: Side
    other: Side


def rivals(
    question: frozenset[str], texts: Sequence[str], sources: Sequence[str], titles: Sequence[str] | None = None
) -> list[Rivals]:
    """Pairs of passages of different sources that differ in a few values only.

    Passages about two subjects may be written alike (two films, two products). Where the title of each is among its
    own values and not the other's, the subject is what differs, and the pair is left alone. So are passages that hold
    few of the question's words, and sentences that hold none: what they say has no bearing on it.

    Args:
        question: stems of the question's words; none for pairs of any bearing.
        texts: n passages.
        sources: of each, its document's id.
        titles: of each, its document's title; None where there are none.

    Returns:
        Pairs in ascending order of their places.
    """
    bags = [frozenset(terms(text)) for text in texts]
    heads = [frozenset(terms(title)) for title in titles] if titles else [frozenset[str]()] * len(bags)
    bear = [i for i, bag in enumerate(bags) if len(question & (bag | heads[i])) >= BEARS * len(question)]
    found = []
    for at, i in enumerate(bear):
        bag = bags[i]
        for j in bear[at + 1 :]:
            small = min(len(bag), len(bags[j]))
            if sources[i] == sources[j] or not small or len(bag & bags[j]) < TWIN * small:
                continue
            values = _values(question, texts[i], texts[j])
            if not values and len(bag & bags[j]) >= COPIED * small:
                values = _values(frozenset(), texts[i], texts[j])
            if values and not (titles and _subjects(titles[i], titles[j], values)):
                found.append(Rivals(Side(i, values[0]), Side(j, values[1])))
    return found


@dataclass(frozen=True, eq=False)
class Evidence:
    """All passages, as witnesses.

    Args:
        bags: `words_of` each with its headings.
        voices: of each passage, the number of its voice.
        weight: of each passage, the trust in its source.
        sources: of each passage, its document's id.
    """

    bags: Sequence[frozenset[str]]
    voices: Sequence[int]
    weight: Sequence[float]
    sources: Sequence[str]

    def rooted(self, at: int) -> int:
        """How many other passages of its document stand beside a passage, at most `ROOTS`."""
        return min(ROOTS, sum(source == self.sources[at] for source in self.sources) - 1)


def settled(
    pair: Rivals, topic: frozenset[str], evidence: Evidence, fit: Callable[[Sequence[str]], float] | None = None
) -> tuple[int | None, str]:
    """Which of two rivals the evidence speaks against.

    Every voice that mentions words of one side's values alone counts its weight for it, the rivals themselves
    included once each. Passages that repeat each other are one voice. A passage whose document says more on the subject
    is better rooted than one that stands alone: up to two other hits of its document count for it, too. A tie goes to
    the side whose values fit the question better, where `fit` can tell, else to none.

    Args:
        pair: the rivals.
        topic: stems of the question and of the rivals' headings; a passage without any of them has no say.
        evidence: the passages.
        fit: values -> how well they suit the question; higher is better.

    Returns:
        The place of the losing passage, or None; and what decided.
    """
    bags, voices, weight = evidence.bags, evidence.voices, evidence.weight
    one, other = _mentions(pair.one.values, pair.other.values), _mentions(pair.other.values, pair.one.values)
    own = {voices[pair.one.at], voices[pair.other.at]}
    said: Mapping[int, dict[int, float]] = {0: {}, 1: {}}
    for i, bag in enumerate(bags):
        sides = [side for side, values in enumerate((one, other)) if any(_named(value, bag) for value in values)]
        if voices[i] not in own and len(sides) == 1 and len(topic & bag) >= TOPIC:
            said[sides[0]][voices[i]] = max(weight[i], said[sides[0]].get(voices[i], 0.0))
    votes = [
        weight[at] + evidence.rooted(at) + sum(said[side][voice] for voice in sorted(said[side]))
        for side, at in enumerate((pair.one.at, pair.other.at))
    ]
    if votes[0] != votes[1]:
        loser = pair.one.at if votes[0] < votes[1] else pair.other.at
        return loser, f"outvoted {max(votes):g} to {min(votes):g}"
    if fit is not None:
        fits = [round(fit(side.values), 6) for side in (pair.one, pair.other)]
        if fits[0] != fits[1]:
            return (pair.one.at if fits[0] < fits[1] else pair.other.at), "its values suit the question less"
    return None, "undecided"


def words_of(text: str) -> frozenset[str]:
    """The stems of a passage, and its figures whole: `1.17` is no mention of 17."""
    return frozenset(terms(text)) | {word for word in WORD.findall(text) if word[:1].isdigit()}


def _mentions(values: tuple[str, ...], others: tuple[str, ...]) -> list[tuple[frozenset[str], frozenset[str]]]:
    """Of each value what a mention must hold: some of these words, or all of those (a figure, the end of a name)."""
    common = frozenset(terms(" ".join(others)))
    found = []
    for value in values:
        figures = frozenset(word for word in WORD.findall(value) if word[:1].isdigit())
        if figures:
            found.append((frozenset[str](), figures))
            continue
        stems = [word for word in terms(value) if word not in common]
        name = value[:1].isupper() and value.split()[-1][:1].isupper()
        found.append((frozenset(stems), frozenset(stems[-1:] if name else ())))
    return found


def _named(value: tuple[frozenset[str], frozenset[str]], bag: frozenset[str]) -> bool:
    some, every = value
    return bool(every and every <= bag) or bool(some and len(some & bag) >= NAMED * len(some))


def _values(question: frozenset[str], a: str, b: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """What was replaced between two texts, each side's values in order; None where too much or nothing was."""
    mine, theirs = _sentences(a), _sentences(b)
    known = {tuple(w.lower() for w in words) for words in theirs}
    left: list[str] = []
    right: list[str] = []
    for words in mine:
        small = [w.lower() for w in words]
        if tuple(small) in known or (question and question.isdisjoint(terms(" ".join(words)))):
            continue
        matched = [(_frame(small, other), other) for other in theirs]
        best, twin = max(matched, key=lambda one: one[0], default=(0.0, []))
        if best < FRAME:
            continue
        for tag, a0, a1, b0, b1 in SequenceMatcher(
            None, small, [w.lower() for w in twin], autojunk=False
        ).get_opcodes():
            if tag != "replace" or "".join(small[a0:a1]) == "".join(twin[b0:b1]).lower():
                continue
            if terms(" ".join(words[a0:a1])) and terms(" ".join(twin[b0:b1])):
                left.append(" ".join(words[a0:a1]))
                right.append(" ".join(twin[b0:b1]))
                if max(a1 - a0, b1 - b0) > LONGEST:
                    return None
    one, other = tuple(dict.fromkeys(left)), tuple(dict.fromkeys(right))
    if not one or _apart(one, other) > MOST or not set(terms(" ".join(one))) ^ set(terms(" ".join(other))):
        return None
    return one, other


def _apart(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many values differ, a name and a part of it counted once: on the side where there are fewer."""
    counts = []
    for side in (one, other):
        bags = sorted({frozenset(terms(value)) for value in side}, key=lambda bag: (-len(bag), sorted(bag)))
        counts.append(sum(not any(bag <= larger for larger in bags[:i]) for i, bag in enumerate(bags)))
    return min(counts)


def _sentences(text: str) -> list[list[str]]:
    found = [WORD.findall(text[start:end]) for start, end in sentence_spans(text)]
    return [words for words in found if len(words) > 2]


def _frame(small: list[str], other: list[str]) -> float:
    """Share of the words of the longer sentence that stand in both, order apart: a cheap bound on the alignment."""
    rest = [w.lower() for w in other]
    shared = len(set(small) & set(rest))
    return shared / max(len(set(small)), len(set(rest)))


def _subjects(one: str, other: str, values: tuple[tuple[str, ...], tuple[str, ...]]) -> bool:
    a, b = frozenset(terms(one)), frozenset(terms(other))
    if not a or not b or a == b:
        return False
    mine, theirs = (frozenset(terms(" ".join(side))) for side in values)
    return bool((a - b) & mine) or bool((b - a) & theirs)
