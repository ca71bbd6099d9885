"""Rationales by rule: what a passage would have to be about to help with a question.

METEORA (https://arxiv.org/abs/2505.16014, section 3.1) lets a language model write them. Here they come from the
question itself (its clauses, names, numbers and phrases, and the kind of thing it asks for), from words that stand
out in the best passages (pseudo-relevance feedback: Rocchio 1971; Lavrenko and Croft, "Relevance-Based Language
Models", SIGIR 2001), from headings above the passages that share a word with the question, and from titles of documents
that the question or a best passage names: that is how the second hop of a question is found without a model. The first
rationale is always the question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from rag.lexical import terms
from rag.trees.entities import entities
from rag.trees.keyphrases import keyphrases

__all__ = ["KINDS", "Need", "distinct", "from_headings", "from_question", "from_titles", "roots"]

ALIKE = 0.85  # share of common words above which a rationale says what an earlier one says
KINDS: dict[str, tuple[re.Pattern[str], re.Pattern[str]]] = {  # what a question asks for -> how passages show it
    "date": (
        re.compile(r"\b(?:when|(?:what|which) (?:year|date|day|month|time)|how long ago|expir\w*)\b"),
        re.compile(r"\b(?:1[1-9]|20)\d\d\b|\b\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b|\b(?:years?|months?|days|weeks)\b"),
    ),
    "number": (
        re.compile(r"\bhow (?:many|much|old|long|far|deep|high|large|big|often)\b|\b(?:percent\w*|number|amount)\b"),
        re.compile(r"\d"),
    ),
    "cause": (
        re.compile(r"\b(?:why|what (?:cause[ds]?|led|made)|reasons?|because)\b"),
        re.compile(r"\b(?:because|due to|caused?|reasons?|therefore|as a result|led to|owing to|since)\b"),
    ),
    "meaning": (
        re.compile(r"^\W*(?:what (?:is|are|does|do)|define|who (?:is|was))\b|\bmean(?:ing|s)?\b|\bdefin\w+"),
        re.compile(r"\b(?:means?|is an?|are an?|was an?|refers? to|defined|known as|called|the term)\b"),
    ),
    "limit": (
        re.compile(r"\b(?:max\w*|min\w*|limit\w*|caps?|at (?:most|least)|exceed\w*|restrict\w*)\b"),
        re.compile(r"\b(?:exceed\w*|at (?:most|least)|up to|no (?:more|less) than|max\w*|min\w*|limit\w*)\b"),
    ),
}
SHORT = 4  # characters of a title that is looked for
BRACKETS = re.compile(r"\s*\([^()]*\)\s*$")
CLAUSE = re.compile(
    r"[;:?!]\s+|\.\s+(?=[A-Z])|,\s+(?:and|but|or|while|whereas|which|who|where|when|does|is|are|was)\s+|\s+(?:while|whereas)\s+"
    r"|\s+and\s+(?=(?:who|what|when|where|which|how|does|is|are|was|the)\b)",
    re.IGNORECASE,
)


class Need(NamedTuple):
    """One rationale.

    Args:
        label: a few words for a person who reads a trace.
        text: what to look for.
        source: `question`, `clause`, `name`, `phrase`, `kind`, `heading`, `named`, `linked`, `feedback` or `model`.
        kind: one of `KINDS` where passages are to show a kind of thing instead of words, else "".
        weight: what a passage of a document with this title holds, for `named` and `linked`.
    """

    label: str
    text: str
    source: str
    kind: str = ""
    weight: float = 1.0


def from_question(text: str, most: int = 8) -> list[Need]:
    """The question, then what it is made of: clauses, names and numbers, phrases, and the kind it asks for.

    Args:
        text: the question.
        most: rationales at most, the question counted.
    """
    found = [Need("question", text, "question")]
    clauses = [part.strip() for part in CLAUSE.split(text) if part and len(terms(part)) > 1]
    if len(clauses) > 1:
        found += [Need(_label(part), part, "clause") for part in clauses]
    low = text.lower()
    found += [Need(kind, "", "kind", kind) for kind, (asks, _) in KINDS.items() if asks.search(low)][:1]
    found += [Need(_label(text[e.start : e.end]), text[e.start : e.end], "name") for e in entities(text, 0, len(text))]
    found += [Need(_label(p.text), p.text, "phrase") for p in keyphrases(text, 0, len(text), k=most)]
    return distinct(found)[:most]


def from_headings(question: str, headings: Iterable[Sequence[str]], most: int = 3) -> list[Need]:
    """Headings that share a word with the question, the ones with most of them first.

    Args:
        question: the question.
        headings: for each passage its headings, outermost first, best passage first.
        most: at most so many.
    """
    wanted = set(terms(question))
    shares: dict[str, float] = {}
    for path in headings:
        for one in path:
            if one not in shares:
                words = roots(one)
                shares[one] = len(words & wanted) / len(words) if words else 0.0
    ranked = sorted((head for head in shares if shares[head] > 0), key=lambda head: -shares[head])
    return [Need(_label(head), head, "heading") for head in ranked[:most]]


def distinct(needs: Iterable[Need]) -> list[Need]:
    """Rationales in their order, without those that have no word and those an earlier one says (Jaccard > `ALIKE`)."""
    kept: list[Need] = []
    bags: list[frozenset[str]] = []
    for need in needs:
        bag = frozenset(terms(need.text)) or frozenset(re.findall(r"[^\W_]+", need.text.lower()))
        new = bag and all(len(bag & other) <= ALIKE * len(bag | other) for other in bags)
        if new or need.kind or need.source == "question":
            kept.append(need)
            bags.append(bag)
    return kept


def from_titles(text: str, titles: Iterable[str], source: str, weight: float = 1.0) -> list[Need]:
    """Titles that a text names, in the order in which they are given, each once.

    Args:
        text: the question or a passage, in small letters.
        titles: of documents.
        source: `named` for the question's, `linked` for a passage's.
        weight: how much a passage of such a document holds of the rationale.
    """
    return [Need(_label(one), one, source, weight=weight) for one in dict.fromkeys(titles) if names(text, one)]


def names(text: str, title: str) -> bool:
    """Whether a text in small letters names a title, as whole words.

    What stands in brackets behind a title is not looked for; titles of fewer than `SHORT` characters are never found.
    """
    wanted = _bare(title)
    if len(wanted) < SHORT:
        return False
    at = text.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        if not (text[at - 1 : at].isalnum() or text[end : end + 1].isalnum()):
            return True
        at = text.find(wanted, at + 1)
    return False


@lru_cache(maxsize=1 << 12)
def roots(text: str) -> frozenset[str]:
    """Stems of the words of a heading that carry meaning; headings come back with every passage below them."""
    return frozenset(terms(text))


@lru_cache(maxsize=1 << 12)
def _bare(title: str) -> str:
    return BRACKETS.sub("", title).strip().lower()


def _label(text: str) -> str:
    """The first words of a text."""
    words = text.split()
    return " ".join(words[:6]) + (" …" if len(words) > 6 else "")
