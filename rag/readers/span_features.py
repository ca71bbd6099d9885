"""What speaks for and against a span of a sentence as the answer to a question.

Features are about shapes, edges and distances, never about single words of answers, so that weights learned
from a thousand questions carry over to other texts. Most are crossed with the kind of answer asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag.lexical import STOP, stem
from rag.readers.question import WORDS, Asked, asked
from rag.readers.span_edges import COPULAS, FAR, QUOTES, bucket, cue, edge, steps
from rag.readers.spans import AUXILIARIES, LEADS, PREPOSITIONS, TIMES, UNITS, Token, look

__all__ = ["Sentence", "Wanted", "features", "prepare", "want", "worth"]

COARSE = {
    **dict.fromkeys(("date", "year", "span"), "time"),
    **dict.fromkeys(("number", "amount", "percent"), "figure"),
    **dict.fromkeys(("person", "place", "group"), "entity"),
}
FITTING = {
    "date": ("date", "year", "dated", "range"),
    "year": ("year",),
    "span": ("time", "range"),
    "number": ("number", "count", "unit"),
    "amount": ("money", "unit", "percent", "number"),
    "percent": ("percent",),
    "person": ("name",),
    "place": ("name",),
    "group": ("name",),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question as the features read it: its rules' reading, and the weight of each stem."""

    asked: Asked
    stems: Mapping[str, float]
    plural: bool


@dataclass(frozen=True, slots=True)
class Sentence:
    """What every span of one sentence shares.

    Args:
        words: of the sentence.
        near: positions of words of the question, with their weights, in order.
        left: what stands before each position, coarse and by word.
        right: what stands behind each position.
        places: positions of the focus, of the first and of the last word of the question.
    """

    words: Sequence[Token]
    near: tuple[tuple[int, float], ...]
    left: tuple[tuple[str, str], ...]
    right: tuple[str, ...]
    places: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


@lru_cache(maxsize=256)
def want(question: str) -> Wanted:
    """Read a question; names and numbers in it weigh more than other words, as they are rarer."""
    found: dict[str, float] = {}
    words = WORDS.findall(question)
    for at, word in enumerate(words):
        low = word.lower()
        if low not in STOP and low not in AUXILIARIES:
            rare = 1.5 if word[0].isdigit() or (at and word[0].isupper()) else 1.0
            found[stem(low)] = max(found.get(stem(low), 0.0), rare)
    wanted = asked(question)
    plural = any(stem(w.lower()) == wanted.focus and w.lower().endswith("s") for w in words)
    return Wanted(wanted, found, plural)


def prepare(words: Sequence[Token], wanted: Wanted) -> Sentence:
    """Find what all spans of a sentence share, once."""
    near = tuple((k, wanted.stems[w.stem]) for k, w in enumerate(words) if w.stem in wanted.stems and w.shape != "s")
    a = wanted.asked
    places = tuple(
        tuple(k for k, w in enumerate(words) if w.stem == one) if one else () for one in (a.focus, a.first, a.last)
    )
    left = tuple((edge(words[i - 1]), cue(words[i - 1])) if i else ("end", "") for i in range(len(words)))
    right = tuple(edge(words[j]) if j < len(words) else "end" for j in range(len(words) + 1))
    return Sentence(words, near, left, right, (places[0], places[1], places[2]))


def features(sentence: Sentence, i: int, j: int, wanted: Wanted) -> dict[str, float]:
    """Name -> value for words i to j, in a fixed order: one feature a line."""
    words, kind, focus = sentence.words, wanted.asked.kind, wanted.asked.focus
    seen = look(words, i, j)
    coarse = COARSE.get(kind, "other")
    found = _form(sentence, i, j, kind, seen)
    if kind in FITTING:
        found["fits" if seen in FITTING[kind] else "fits not"] = 1.0
        found[f"{coarse}|fits" if seen in FITTING[kind] else f"{coarse}|fits not"] = 1.0
    _inside(found, words[i:j], wanted)
    _near(found, sentence, i, j, (kind, coarse))
    _places(found, sentence, i, j)
    before, behind = (words[i - 1] if i else None), (words[j] if j < len(words) else None)
    if focus:
        _focus(found, kind, focus, (before, words[i], words[j - 1], behind))
    if before is not None:
        _before(found, kind, before, words[i], behind)
    if behind is not None:
        _behind(found, kind, words[j - 1], behind, wanted)
    if i == 0:
        found["opens"] = 1.0
    return found


def worth(found: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Sum of the weighted features."""
    get = weights.get
    return sum(get(name, 0.0) * value for name, value in found.items())


def _form(sentence: Sentence, i: int, j: int, kind: str, seen: str) -> dict[str, float]:
    """Shape, length and edges, alone and crossed with the kind of answer."""
    (beside, said), end = sentence.left[i], sentence.right[j]
    length = bucket(j - i)
    return {
        f"{kind}|{seen}": 1.0,
        f"look|{seen}": 1.0,
        f"{kind}|length|{length}": 1.0,
        f"{seen}|length|{length}": 1.0,
        f"left|{beside}": 1.0,
        f"right|{end}": 1.0,
        f"{kind}|left|{beside}": 1.0,
        f"{kind}|right|{end}": 1.0,
        f"{seen}|left|{beside}": 1.0,
        f"{seen}|right|{end}": 1.0,
        f"sides|{beside}|{end}": 1.0,
        f"cue|{said}": 1.0,
        f"{kind}|cue|{said}": 1.0,
        f"first|{sentence.words[i].shape}": 1.0,
        f"last|{sentence.words[j - 1].shape}": 1.0,
    }


def _inside(found: dict[str, float], span: Sequence[Token], wanted: Wanted) -> None:
    """What the span holds that answers seldom hold, and how much of it the question has said already."""
    prepositions = known = content = 0
    for w in span:
        if w.shape not in "sp":
            content += 1
            known += w.stem in wanted.stems
        elif w.text == ",":
            found["comma inside"] = 1.0
        elif w.low in ("and", "or"):
            found["and inside"] = 1.0
            if wanted.plural:
                found["and inside, plural"] = 1.0
        elif w.low in AUXILIARIES:
            found["verb inside"] = 1.0
        elif w.low in PREPOSITIONS:
            found["of inside" if w.low == "of" else "preposition inside"] = 1.0
            prepositions += 1
        elif w.text in "()":
            found["bracket inside"] = 1.0
        elif w.shape == "s":
            found["stop inside"] = 1.0
    found["prepositions"] = min(prepositions, 3)
    found["known"] = known / max(content, 1)
    found[f"known {min(known, 3)}"] = 1.0
    if known == content:
        found["all known"] = 1.0
    if known and span[0].stem in wanted.stems:
        found["opens known"] = 1.0
    if known and span[-1].stem in wanted.stems:
        found["closes known"] = 1.0


def _places(found: dict[str, float], sentence: Sentence, i: int, j: int) -> None:
    """How far the focus, the first and the last word of the question stand, and on which side."""
    for name, spots in zip(("focus", "first", "last"), sentence.places, strict=True):
        gap = min((i - k if k < i else k - j + 1 for k in spots if not i <= k < j), default=FAR)
        side = "left" if any(k < i for k in spots) else "right"
        if gap < FAR:
            found[f"{name}|{side}|{steps(gap)}"] = 1.0


def _focus(
    found: dict[str, float], kind: str, focus: str, words: tuple[Token | None, Token, Token, Token | None]
) -> None:
    """Whether the focus of the question is the word before, the first, the last or the word behind."""
    before, first, last, behind = words
    if last.stem == focus:
        found["ends with focus"] = 1.0
        found[f"{kind}|ends with focus"] = 1.0
    elif first.stem == focus:
        found["begins with focus"] = 1.0
    if behind is not None and behind.stem == focus:
        found["before focus"] = 1.0
    if before is not None and before.stem == focus:
        found["behind focus"] = 1.0


def _before(found: dict[str, float], kind: str, before: Token, first: Token, behind: Token | None) -> None:
    """What the word before the span tells, alone or as one of a pair around it."""
    if before.shape in "CUNYM" and first.shape in "CUNYM":
        found[f"cut left|{before.shape}{first.shape}"] = 1.0
    if before.text in QUOTES and behind is not None and behind.text in QUOTES:
        found["quoted"] = 1.0
        found[f"{kind}|quoted"] = 1.0
    if before.text == "(" and behind is not None and behind.text == ")":
        found["bracketed"] = 1.0
    if before.low == "-" or before.text in "–—":
        found["dash left"] = 1.0
    if before.text == "," and behind is not None and behind.text in ",.":
        found[f"{kind}|apposition"] = 1.0
    if before.low in LEADS and first.shape == "N":
        found["lead left out"] = 1.0
    if before.low in COPULAS:
        found["behind copula"] = 1.0


def _behind(found: dict[str, float], kind: str, last: Token, behind: Token, wanted: Wanted) -> None:
    """What the word behind the span tells: a name or a unit cut off, a verb that follows."""
    if behind.shape in "CUNYM" and last.shape in "CUNYM":
        found[f"cut right|{last.shape}{behind.shape}"] = 1.0
    if last.shape == "N" and behind.shape in "wCU":
        found[f"{kind}|unit left out"] = 1.0
        if behind.stem in wanted.stems:
            found["unit in question"] = 1.0
        if behind.low in TIMES or behind.low in UNITS:
            found["real unit left out"] = 1.0
    if last.shape == "w" and behind.shape == "w":
        found["cut word"] = 1.0
    if behind.low == "of":
        found["of behind"] = 1.0
    if behind.low in COPULAS:
        found[f"{kind}|before copula"] = 1.0


def _near(found: dict[str, float], sentence: Sentence, i: int, j: int, kinds: tuple[str, str]) -> None:
    """How close the words of the question stand, by side."""
    left = right = FAR
    pull = 0.0
    sides = 0
    for k, weight in sentence.near:
        if k < i:
            left = i - k
            pull += weight / (1 + left)
            sides |= 1
        elif k >= j:
            gap = k - j + 1
            right = min(right, gap)
            pull += weight / (1 + gap)
            sides |= 2
    found[f"left gap|{steps(left)}"] = 1.0
    found[f"right gap|{steps(right)}"] = 1.0
    found["pull"] = pull
    for kind in kinds:
        found[f"{kind}|gap|{steps(min(left, right))}"] = 1.0
        found[f"{kind}|pull"] = pull
    found[f"{kinds[1]}|left gap|{steps(left)}"] = 1.0
    found[f"{kinds[1]}|right gap|{steps(right)}"] = 1.0
    found[f"words|{('none', 'left', 'right', 'both')[sides]}"] = 1.0
    found[f"{kinds[0]}|words|{('none', 'left', 'right', 'both')[sides]}"] = 1.0
