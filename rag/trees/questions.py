"""Questions a leaf answers, by rule: those it asks, what its headings stand for, and what its sentences tell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from rag.doctree import DocTree, Node
from rag.lexical import STOP, stem
from rag.notes import Note, noted
from rag.sentences import sentence_spans
from rag.stage import Field, stage

__all__ = ["Asked", "Questions", "questions"]

NAME = "trees/questions"
NOUN = r"(?:(?:The |An? )?[^\W\d_][\w’'()/&-]*(?: (?:of the |of |and |for |the |in )?[\w’'()/&-]+){0,5}?)"
DEFINES = re.compile(
    rf"\s*({NOUN}) (is|are|was|were) ((?:an?|the|one of|any|that|those|used|defined|known|called)\b[^\n]{{4,300}})"
)
MEANS = re.compile(rf"\s*[\"“]({NOUN})[\"”] (?:shall )?(?:means?|refers? to|has the meaning)\b")
DID = re.compile(
    r"\s*((?:The )?[A-Z][\w’'-]*(?: (?:of|the|and|de|van|von|[A-Z][\w’'.-]*))* ?[A-Z]?[\w’'-]*) "
    r"((?:[a-z]+ed|became|began|made|took|gave|won|led|built|wrote|held|found|grew|fell|rose|sold|bought)"
    r" [^\n]{8,200})"
)
WHEN = re.compile(
    r"\s*(?:In|On|Since|By|During) (?:(?:early|late|mid) )?((?:[A-Z][a-z]+ )?(?:\d{1,2},? )?(?:1[0-9]|20)\d\d),? "
    r"([a-zA-Z][^\n]{8,200})"
)
COUNT = re.compile(r"(?<![\w.,$€£-])\d[\d,.]*\d? (?=[a-z]{3,})")
CLAUSE = re.compile(r"[;:—]|, (?:and|but|which|who|while|although|so|because|where) |[.!](?:\s|$)")
GERUND = re.compile(r"([A-Z]?[a-z]+ing)\b(.*)", re.DOTALL)
VERB = frozenset(
    """add build call change check choose configure connect convert create debug define delete deploy disable download
    enable export find fix format get import install list load make manage merge move open parse read remove rename
    render replace run save search send set sort split start stop test update upload use validate view write""".split()  # noqa: SIM905 - reads as a list
)
LEANING = frozenset(
    """it its they he she this that these those we you i there here such both his her their our some many most all each
    when if as while although however also but and then thus so in on at by for from with what who""".split()  # noqa: SIM905 - reads as a list
)
BARE = re.compile(
    r"\W*(?:\d+(?:\.\d+)*\.?\s*)?(?:introduction|overview|background|notes?|see also|references|external links|contents"
    r"|conclusions?|abstract|summary|results?|discussion|methods?|appendix.*|chapter.*|section.*|part.*|article.*"
    r"|\d+|[ivxl]+)\W*",
    re.IGNORECASE,
)


class Asked(NamedTuple):
    """A question and the range of the text that it was made from or that answers it."""

    text: str
    start: int
    end: int


def questions(text: str, start: int, end: int) -> Iterator[Asked]:
    """Questions from the sentences of a range: the ones it asks, then what, who, when and how many.

    Every content word of a question stands in its sentence; a sentence that leans on its neighbours gives none.
    """
    for a, b in sentence_spans(text, start, end):
        body = text[a:b]
        begin = a + len(body) - len(body.lstrip("#=*->|• \t\r\n\ufeff"))
        stop = a + len(body.rstrip())
        sentence = " ".join(text[begin:stop].split())
        if not 3 <= len(sentence.split()) <= 60:
            continue
        if sentence.rstrip("\"'”’)")[-1:] in ("?", "？", "؟"):
            yield Asked(sentence, begin, stop)
            continue
        for made in _told(sentence):
            yield Asked(made, begin, stop)


def _told(sentence: str) -> Iterator[str]:
    """Questions that a sentence answers."""
    first = re.split(r"\W", sentence.lower(), maxsplit=1)[0]
    when = WHEN.match(sentence)
    if when:
        yield f"When did it happen that {_clause(when[2])}?"
    if first in LEANING or len(sentence.split()) < 5:
        return
    means = MEANS.match(sentence)
    if means:
        yield f"What does {means[1]} mean?"
        return
    defines = DEFINES.match(sentence)
    if defines and defines[1].split()[-1].lower() not in STOP:
        yield f"What {defines[2]} {_inner(defines[1])}?"
    did = None if defines else DID.match(sentence)
    if did and did[1].lower() not in STOP:
        yield f"Who or what {_clause(did[2])}?"
    number = COUNT.search(sentence)
    if number and not when:
        left = CLAUSE.split(sentence[: number.start()])[-1]
        right = _clause(sentence[number.end() :])
        yield f"How many {' '.join((right, left)).strip()}?"


def _heading(leaf: Node) -> Iterator[Asked]:
    """What the nearest telling heading above a leaf stands for."""
    tree = leaf.tree
    for node in (leaf, *reversed(leaf.ancestors)):
        head = " ".join(node.title.split())
        if not head or BARE.fullmatch(head):
            continue
        start, end = map(int, tree.titles[node.index])
        yield Asked(_asked(head), start, end)
        return


def _asked(head: str) -> str:
    plain = re.sub(r"^(?:\d+(?:\.\d+)*\.?|[IVXL]+\.|[a-z]\))\s+", "", head).rstrip(" .:")
    if plain.endswith("?"):
        return plain
    first, _, rest = plain.partition(" ")
    gerund = GERUND.fullmatch(plain)
    if gerund and rest and any(stem(first.lower()) == stem(verb) for verb in VERB):
        return f"How do I {_base(first.lower())}{gerund[2]}?"
    if first.lower() in VERB and rest:
        return f"How do I {first.lower()} {rest}?"
    if plain.lower().startswith("how to "):
        return f"How do I {plain[7:]}?"
    return f"What is {plain}?"


def _base(gerund: str) -> str:
    wanted = stem(gerund)
    return next((verb for verb in sorted(VERB) if stem(verb) == wanted), gerund)


def _inner(phrase: str) -> str:
    first, blank, rest = phrase.partition(" ")
    return first.lower() + blank + rest if first in ("The", "A", "An") else phrase


def _clause(text: str) -> str:
    found = CLAUSE.search(text)
    return text[: found.start() if found else None].strip(" .,;:")


@stage
class Questions:
    """Note questions that every leaf answers, each with the sentence it rests on.

    Document expansion by predicted questions is doc2query (Nogueira, Yang, Lin and Cho, 2019,
    https://arxiv.org/abs/1904.08375), where a trained model writes them; here rules do: a question the leaf asks, its
    nearest telling heading turned into one, and for sentences that define, date, count or tell who did something, the
    question with that part left open. The form a language model writes is `trees/enrich`. What they add is measured in
    `evals/reproduce/enrichment.py`.

    Args:
        tree: any tree.

    Returns:
        The tree with the field `questions`: at most k notes a leaf, the heading's first, then in source order; each
        rests on one range of the document, a sentence of the leaf or a heading above it.
    """

    k: int = Field(default=4, ge=1, le=64, description="questions of a leaf at most")
    headings: bool = Field(default=True, description="also turn the nearest heading into a question")

    def __call__(self, tree: DocTree, /) -> DocTree:
        """The tree with questions."""
        return noted(tree, "questions", {leaf.index: self._notes(leaf) for leaf in tree.leaves()})

    def _notes(self, leaf: Node) -> list[Note]:
        text = leaf.tree.document.text
        found: dict[str, Note] = {}
        for source in (_heading(leaf) if self.headings else (), questions(text, leaf.start, leaf.end)):
            for one in source:
                if len(found) == self.k:
                    return list(found.values())
                found.setdefault(one.text.lower(), Note(one.text, ((one.start, one.end),), NAME, True))
        return list(found.values())
