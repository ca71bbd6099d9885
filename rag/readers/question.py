"""What kind of answer a question asks for, by rule."""

from __future__ import annotations

import re
from typing import NamedTuple

from rag.lexical import stem

__all__ = ["Asked", "asked"]

WORDS = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
ASKS = re.compile(r"\b(who|whom|whose|when|where|why|how|what|which)\b", re.IGNORECASE)
YES_NO = re.compile(
    r"\s*(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should|may|must)\b", re.IGNORECASE
)
AFTER_HOW = {
    "many": "number",
    "much": "number",
    "long": "span",
    "old": "span",
    "often": "span",
    "far": "number",
    "tall": "number",
    "high": "number",
    "big": "number",
    "large": "number",
    "deep": "number",
    "fast": "number",
    "heavy": "number",
    "wide": "number",
    "few": "number",
}
NOUNS = {
    "person": "person actor actress author writer singer president king queen leader founder director man woman poet"
    " character player scientist emperor composer minister name inventor producer artist philosopher politician",
    "place": "city country state town place location region river capital island continent province county village"
    " area nation district building stadium street university venue hometown",
    "date": "year date day month decade century time season era period",
    "number": "number percentage percent amount population age cost price rate temperature distance height size length"
    " weight total ratio score speed proportion fraction value degree",
    "group": "company organization organisation team band party club agency group institution newspaper network army"
    " airline college school religion ethnicity tribe language nationality",
}
KIND_OF = {stem(noun): kind for kind, nouns in NOUNS.items() for noun in nouns.split()}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SKIP = _words("a an the of is are was were did does do in on at s type kind sort many other")


class Asked(NamedTuple):
    """What a question wants.

    Args:
        kind: person, place, date, number, span (of time), reason, manner, group, thing or yes-no.
        focus: stem of the noun asked for (`what city` -> `city`), "" where there is none.
    """

    kind: str
    focus: str


def asked(question: str) -> Asked:  # noqa: PLR0911 - one rule a line
    """Read the question word, and the noun behind it; the last question word of a long question counts."""
    marks = list(ASKS.finditer(question))
    if not marks:
        return Asked("yes-no" if YES_NO.match(question) else "thing", "")
    first = marks[0]
    if YES_NO.match(question) and first.start() > 0:
        return Asked("yes-no", "")
    word = first.group().lower()
    after = [w.lower() for w in WORDS.findall(question[first.end() :])]
    if word == "how":
        kind = AFTER_HOW.get(after[0], "manner") if after else "manner"
        return Asked(kind, next((stem(w) for w in after[1:2]), "") if kind in ("number", "span") else "")
    if word in ("who", "whom", "whose"):
        return Asked("person", "")
    if word in ("when", "where", "why"):
        return Asked({"when": "date", "where": "place", "why": "reason"}[word], "")
    nouns = [stem(w) for w in after if w not in SKIP][:4]
    direct = bool(after) and after[0] not in SKIP  # `what city ...` rather than `what is the city`
    reach = nouns[:3] if direct else nouns[:2]
    for noun in reach:
        if noun in KIND_OF:
            return Asked(KIND_OF[noun], noun)
    return Asked("thing", nouns[0] if nouns and (direct or len(nouns) > 1) else "")
