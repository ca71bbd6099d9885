"""What a question wants of a whole document: a fact, a list, a count, sections, a summary or a comparison.

By rule, from the question's own words, so that reading a leaf needs nothing but the leaf and the question.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rag.lexical import STOP, stem, terms
from rag.readers.question import asked
from rag.readers.spans import AUXILIARIES, MONTHS, PREPOSITIONS, Token, tokens

__all__ = ["AGGREGATE", "Aim", "aim_of"]

AGGREGATE = ("list", "count", "sections", "summary", "compare")  # these need the whole document


def _stems(nouns: str) -> frozenset[str]:
    """Stems of nouns, singular and plural."""
    return frozenset(stem(form) for noun in nouns.split() for form in (noun, f"{noun}s"))


SECTIONS = _stems(
    "chapter section part article clause page paragraph scene episode appendix annex meeting document report paper file"
    " entry record"
)
WHOLES = _stems("document report paper file meeting")
TIMES = _stems("time occasion event instance case occurrence incident")
SUMMARY = re.compile(
    r"\b(?:summari[sz]e|summary|overview|outline of|main (?:points|ideas|topics|themes|findings)"
    r"|key (?:points|takeaways|findings)"
    r"|gist|tl;?dr|plot of|in a nutshell|what (?:is|was) (?:this|the) [\w ]{1,40} about)\b",
    re.IGNORECASE,
)
COMPARE = re.compile(
    r"\b(?:compare[ds]?|comparison|contrast|differences? between|differ(?:s|ed)? from|how do(?:es)? .{1,80} differ"
    r"|versus|vs\.?)\b",
    re.IGNORECASE,
)
LIST = re.compile(
    r"\b(?:list|enumerate|key events|(?:name|give|find|identify|mention|describe|tell me|show me|provide|recall"
    r"|what (?:are|were)|which (?:are|were)) (?:me )?"
    r"(?:a list of |an? overview of )?(?:all|every|each|any and all)|all (?:of )?(?:the )?(?:unique"
    r"|different|distinct|various)|what all|every (?:single )?(?:time|place|date|person|one))\b",
    re.IGNORECASE,
)
PLURAL = re.compile(r"\b(?:what|which)\s+(?:(?:are|were|different|distinct|other|various|unique|the|all)\s+)*", re.I)
COUNT = re.compile(
    r"\b(?:how many(?P<distinct> (?:different|distinct|unique|separate|various|of the))?|(?:the )?number of"
    r"|how often(?= (?:did|was|were|has|have|had)\b)"  # "How often is it oiled?" asks for a span, every 300 hours
    r"|count(?: the| all| how many)?)\b",
    re.IGNORECASE,
)
FORM = frozenset(
    stem(w)
    for w in """list name give find identify mention mentioned mentions tell provide recall enumerate count
    describe describes described describing summarise summarize summary overview compare comparison contrast difference
    differences consider think reflect regarding concerning relate related relating please
    every each unique different distinct various separate several complete full
    place take took taken happen happens happened occur occurs occurred occurring appear appears appeared
    involve involves involved involving involve include includes included
    many much often number question answer main key point points book text story document
    speak speaks spoke spoken tell tells told talk talking see sees saw seen attend attended attending present found
    part something somebody someone anything anyone anybody thing things
    event events experience experiences unfold unfolded
    feature features featured contain contains contained discuss discusses discussed talk talks talked say says said
    """.split()  # noqa: SIM905 - reads as a list
)
KINDS = {
    "date": "date day time year month moment",
    "place": "place location spot venue site setting city town country where",
    "person": "person protagonist character individual man woman participant figure who name attendee speaker",
}
KIND_OF = {noun: kind for kind, nouns in KINDS.items() for noun in _stems(nouns)} | {stem("people"): "person"}
LINKS = frozenset(("of", "the", ",", "'s", "’s", "de", "van", "von", "st"))


class Aim(NamedTuple):
    """How a question is read.

    Args:
        aim: `fact`, `list`, `count`, `sections`, `summary` or `compare`.
        kind: of an item or an answer: `section`, `document`, or as `rag.readers.question.Asked.kind`; else `thing`.
        words: (stem, weight) of the words that carry its content, in order; names and numbers weigh 2.
        names: groups of stems that belong together (`May 11, 2026`, `Ezra Quill`); in lists all must be met.
        plain: the other stems.
    """

    aim: str
    kind: str
    words: tuple[tuple[str, float], ...]
    names: tuple[tuple[str, ...], ...]
    plain: tuple[str, ...]

    @property
    def total(self) -> float:
        """Sum of the weights."""
        return sum(weight for _, weight in self.words)


@lru_cache(maxsize=1024)
def aim_of(question: str) -> Aim:
    """Read a question."""
    aim, kind, dropped = _aim(question)
    words: dict[str, float] = {}
    names: list[tuple[str, ...]] = []
    taken: set[str] = set()
    found = tokens(question)
    for group in _names(question, found):
        stems = tuple(dict.fromkeys(stem(w.low) for w in group if w.shape != "p" and w.low not in LINKS))
        if stems and stems not in names:
            names.append(stems)
            taken.update(stems)
            words.update(dict.fromkeys(stems, 2.0))
    for low in (w.low for w in found if w.shape != "p"):
        for one in terms(low):
            heavy = low in AUXILIARIES or low in PREPOSITIONS or one in FORM or one in dropped
            if one not in taken and not heavy:
                words.setdefault(one, round(min(len(one), 8) / 8, 6))
    plain = tuple(w for w in words if w not in taken)
    return Aim(aim, kind, tuple(words.items()), tuple(names), plain)


def _aim(question: str) -> tuple[str, str, frozenset[str]]:  # noqa: PLR0911 - one rule a line
    """Aim, kind of item, and stems that name the kind asked for rather than content."""
    wanted = asked(question)
    if COMPARE.search(question):
        return "compare", "thing", frozenset()
    if SUMMARY.search(question):
        return "summary", "thing", SECTIONS | _stems("plot gist idea topic theme finding")
    counted = COUNT.search(question)
    if counted:
        noun = _noun(question, counted.end())
        if noun in TIMES or noun in SECTIONS or "often" in counted[0].lower():
            return "count", "document" if noun in WHOLES else "section", frozenset({noun})
        if counted["distinct"]:
            return "count", KIND_OF.get(noun, "thing"), frozenset({noun} & KIND_OF.keys())
        return "fact", wanted.kind, frozenset()
    listed = LIST.search(question)
    plural = PLURAL.search(question)
    for found in (listed, plural):
        if found is None:
            continue
        noun, raw = _noun(question, found.end()), _raw(question, found.end())
        if noun in SECTIONS and (listed or not re.search(r"\bis\b", raw)):
            return "sections", "document" if noun in WHOLES else "section", frozenset({noun})
        many = listed is not None or (raw.endswith("s") and not raw.endswith("ss")) or raw == "people"
        if many:
            kind = KIND_OF.get(noun, "thing")
            dropped = {noun} if noun in KIND_OF or noun in TIMES else set()
            return "list", kind, frozenset(dropped)
    return "fact", wanted.kind, frozenset()


def _raw(question: str, start: int) -> str:
    """The first noun behind a place, as written, in lower case."""
    nearby: list[str] = re.findall(r"[^\W_]+", question[start:].lower())[:6]
    for word in nearby:
        one = stem(word)
        known = one in KIND_OF or one in SECTIONS or one in TIMES
        if known or (word not in STOP and one not in FORM and word not in AUXILIARIES):
            return word
    return ""


def _noun(question: str, start: int) -> str:
    return stem(_raw(question, start))


def _names(question: str, found: list[Token]) -> list[list[Token]]:
    """Runs of capitalised words, numbers and months, joined over small words and commas."""
    groups: list[list[Token]] = []
    run: list[Token] = []
    for at, word in enumerate(found):
        begins = at == 0 or found[at - 1].text in ".?!:"
        strong = word.shape in "NYMCU" and not (
            begins and (word.low in STOP or stem(word.low) in FORM or (word.shape == "C" and not _later(found, at)))
        )
        named = strong and (word.text[0].isupper() or word.text[0].isdigit() or word.low in MONTHS)
        joins = bool(run) and word.low in LINKS and at + 1 < len(found) and found[at + 1].shape in "NYMCU"
        if named or joins:
            run.append(word)
        else:
            if run:
                groups.append(run)
            run = []
    if run:
        groups.append(run)
    return groups


def _later(found: list[Token], at: int) -> bool:
    """Whether the first word of a sentence begins a name: a capitalised word or a number follows it."""
    return at + 1 < len(found) and found[at + 1].shape in "CUNYM"
