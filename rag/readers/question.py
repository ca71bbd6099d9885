"""What kind of answer a question asks for, by rule."""

from __future__ import annotations

import re
from typing import NamedTuple

from rag.lexical import STOP, stem

__all__ = ["Asked", "asked", "english"]

WORDS = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
ASKS = re.compile(r"\b(who|whom|whose|when|where|why|how|what|which)\b", re.IGNORECASE)
YES_NO = re.compile(
    r"\s*(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should|may|must)\b", re.IGNORECASE
)
DEFINES = re.compile(
    r"\s*(?:what\s+(?:is|are|was|were)|what['’]s|define|what\s+does\s+(?=.{1,80}\bmean\b))\s+(?:an?\s+|(?!the\b))"
    r"((?:[^\W_]|[-'’ _`&.!*()/])+?)(?:\s+mean)?\s*[?.!]*\s*",
    re.IGNORECASE,
)
TELLS = re.compile(r"\s*what\s+(?:do|does|did|can|could|will|would|should|happens?|happened)\b", re.IGNORECASE)
AFTER_HOW = {
    "many": "number",
    "much": "amount",
    "long": "span",
    "old": "span",
    "often": "span",
    "far": "amount",
    "tall": "amount",
    "high": "amount",
    "big": "amount",
    "large": "amount",
    "deep": "amount",
    "fast": "amount",
    "heavy": "amount",
    "wide": "amount",
    "hot": "amount",
    "cold": "amount",
    "few": "number",
}
NOUNS = {
    "person": "person actor actress author writer singer president king queen leader founder director man woman poet"
    " character player scientist emperor composer minister name inventor producer artist philosopher politician",
    "place": "city country state town place location region river capital island continent province county village"
    " area nation district building stadium street university venue hometown",
    "date": "date day month decade century time season era period",
    "year": "year",
    "percent": "percentage percent proportion fraction share",
    "number": "number population ratio score total",
    "amount": "amount age cost price rate temperature distance height size length weight speed value degree salary"
    " revenue budget fee income depth width area",
    "group": "company organization organisation team band party club agency group institution newspaper network army"
    " airline college school religion ethnicity tribe language nationality",
}
KIND_OF = {stem(noun): kind for kind, nouns in reversed(NOUNS.items()) for noun in nouns.split()}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ENGLISH = _words(
    "who whom whose what which when where why how the of is are does did do to from by with and were has have"
)
OTHERS = _words(
    "ist sind der die das und wie wer wo wann que el los las cual quien como donde cuando est sont les des quel quelle"
    " qui quand il gli che chi dove quando care cine unde este sunt het een hoe wie waar jest czy kto gdzie"
)
SKIP = _words("a an the of is are was were did does do in on at s type kind sort many other two three four five")
OFFICE = _words("name title word term phrase")


class Asked(NamedTuple):
    """What a question wants.

    Args:
        kind: person, place, date, year, number, amount (with its unit), percent, span (of time), reason, manner,
            group, thing or yes-no.
        focus: stem of the noun asked for (`what city` -> `city`), "" where there is none.
        form: `definition` (what is X), `tells` (what does X do) or `fact`; the first two ask for a sentence.
        subject: stems of the X of a definition, else empty.
        first: stem of the first word of meaning behind the focus, "" where there is none.
        last: stem of the last word of meaning, "" where there is none.
    """

    kind: str
    focus: str
    form: str = "fact"
    subject: tuple[str, ...] = ()
    first: str = ""
    last: str = ""


def asked(question: str) -> Asked:
    """Read the question word, and the noun behind it; the first question word of a long question counts."""
    kind, focus = _kind(question)
    marks = ASKS.search(question)
    rest = [w.lower() for w in WORDS.findall(question[marks.end() :] if marks else question)]
    content = [stem(w) for w in rest if w not in STOP and w not in SKIP and w not in AFTER_HOW]
    behind = content[content.index(focus) + 1 :] if focus in content else content
    form = "fact"
    subject: tuple[str, ...] = ()
    if kind == "thing":
        defines = DEFINES.fullmatch(question)
        if defines:
            subject = tuple(stem(w.lower()) for w in WORDS.findall(defines[1]) if w.lower() not in STOP)
            if 0 < len(subject) <= 3 and not re.search(r"\b(?:of|for|in|that|which|called|by)\b", defines[1]):
                form = "definition"
        elif TELLS.match(question):
            form = "tells"
    return Asked(
        kind,
        focus,
        form,
        subject if form == "definition" else (),
        behind[0] if behind else "",
        behind[-1] if behind else "",
    )


def english(question: str) -> bool:
    """Whether nothing tells that the question is in another language: letters beyond ASCII, or its small words.

    One small word of English settles it, so that foreign names do no harm.
    """
    words = frozenset(w.lower() for w in WORDS.findall(question))
    return bool(words & ENGLISH) or (question.isascii() and not words & OTHERS)


def _kind(question: str) -> tuple[str, str]:  # noqa: PLR0911 - one rule a line
    """Kind and focus."""
    first = ASKS.search(question)
    if first is None:
        return ("yes-no" if YES_NO.match(question) else "thing"), ""
    if YES_NO.match(question) and first.start() > 0:
        return "yes-no", ""
    word = first.group().lower()
    after = [w.lower() for w in WORDS.findall(question[first.end() :])]
    if word == "how":
        kind = AFTER_HOW.get(after[0], "manner") if after else "manner"
        return kind, next((stem(w) for w in after[1:2]), "") if kind in ("number", "span", "amount") else ""
    if word in ("who", "whom", "whose"):
        return "person", ""
    if word in ("when", "where", "why"):
        return {"when": "date", "where": "place", "why": "reason"}[word], ""
    nouns = [stem(w) for w in after if w not in SKIP][:4]
    direct = bool(after) and after[0] not in SKIP  # `what city ...` rather than `what is the city`
    reach = nouns[:3] if direct else nouns[:2]
    for noun in reach:
        if noun in KIND_OF:
            return KIND_OF[noun], noun
    return "thing", nouns[0] if nouns and (direct or len(nouns) > 1) else ""
