"""Situating context: what a leaf's reader should know from elsewhere in its document, word for word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from rag.doctree import DocTree, Node
from rag.models.tokens import counter
from rag.notes import Note, noted
from rag.sentences import sentence_spans
from rag.stage import Field, stage
from rag.trees.entities import entities

__all__ = ["DEFINES", "LEANS", "Context"]

NAME = "trees/context"
Part = Literal["path", "lead", "names"]
Range = tuple[int, int]
LOOK = 4  # sentences at the beginning of a section among which its lead is chosen
HEAD = 4_000  # characters of a section looked at for its lead
DEFINES = re.compile(
    r"\s*(?:(?:The|An?|This|These|Our|We|In this)\b[^.:;]{0,80}?|[^\s.,:;][^.,:;]{1,80}?)\s"
    r"(?:is|are|was|were|refers? to|means|describes?|denotes|provides?|presents?|consists? of|contains?)\s"
)
LEANS = re.compile(
    r"\W{0,8}(?:it|its|they|their|them|he|his|him|she|her|this|these|those|that|such|both|there|here|the (?:former"
    r"|latter|same|company|agreement|party|parties|author|authors|study|method|model|system|city|team|film|band))\b",
    re.IGNORECASE,
)


class _Name(NamedTuple):
    """A name of the document: how often it stands there, and everywhere it does."""

    text: str
    places: list[Range]


@stage
class Context:
    """Note beside every leaf what places it in its document: the lead of its section or document, and names.

    The extractive form of contextual retrieval (Anthropic, "Introducing Contextual Retrieval", 2024,
    https://www.anthropic.com/news/contextual-retrieval), where a language model writes such a text for each chunk. Here
    nothing is written: `lead` is the sentence of the section's beginning that defines or introduces its matter, the
    document's where the leaf holds that sentence itself; `names` are the document's most frequent names that the leaf
    lacks, and where the leaf opens with a pronoun or the like, the last names before it; `path` is the title and the
    headings above, which retrievers put in front by themselves (`path: true`), so it is off here. The form a language
    model writes is `trees/enrich`.

    What it adds is measured in `evals/reproduce/enrichment.py`.

    Args:
        tree: any tree.

    Returns:
        The tree with the field `context`: for each leaf at most one note a part and name, `tokens` of cl100k together
        at most; each a slice of the document outside the leaf with its range, the path alone without one.
    """

    parts: tuple[Part, ...] = Field(default=("lead", "names"), min_length=1, description="of path, lead, names")
    tokens: int = Field(default=60, ge=8, le=512, description="of one leaf's context at most, in cl100k")
    names: int = Field(default=4, ge=1, le=32, description="names at most")

    def __call__(self, tree: DocTree, /) -> DocTree:
        """The tree with context."""
        every = _names(tree) if "names" in self.parts else []
        frequent = sorted(every, key=lambda one: (-len(one.places), one.places[0]))[: 4 * self.names]
        order = sorted((place, i) for i, one in enumerate(every) for place in one.places)
        leads: dict[int, Range | None] = {}
        found: dict[int, list[Note]] = {}
        at = 0
        for leaf in tree.leaves():
            while at < len(order) and order[at][0][1] <= leaf.start:
                at += 1
            before = [every[i] for _, i in reversed(order[max(0, at - 8) : at])]
            notes: list[Note] = []
            for part in self.parts:
                if part == "path":
                    notes += _path(leaf)
                elif part == "lead":
                    notes += self._lead(leaf, leads)
                else:
                    notes += self._names(leaf, frequent, before)
            found[leaf.index] = self._fitting(notes)
        return noted(tree, "context", found)

    def _fitting(self, notes: Sequence[Note]) -> list[Note]:
        """The notes that fit the cap, in order; one that does not is left out."""
        left, kept = self.tokens, []
        for note, cost in zip(notes, counter("cl100k").counts([note.text for note in notes]), strict=True):
            if cost <= left:
                kept.append(note)
                left -= cost
        return kept

    def _lead(self, leaf: Node, leads: dict[int, Range | None]) -> list[Note]:
        """The nearest lead above the leaf that does not lie in it."""
        tree = leaf.tree
        for node in (*reversed(leaf.ancestors),):
            if node.index and not node.title:
                continue
            if node.index not in leads:
                leads[node.index] = _lead_of(tree, node, self.tokens)
            span = leads[node.index]
            if span is not None and (span[1] <= leaf.start or span[0] >= leaf.end):
                return [Note(tree.document.text[span[0] : span[1]], (span,), NAME, True)]
        return []

    def _names(self, leaf: Node, frequent: Sequence[_Name], before: Sequence[_Name]) -> list[Note]:
        text, body = leaf.tree.document.text, leaf.text
        leaning = before[:2] if LEANS.match(body) else []
        chosen: dict[str, Note] = {}
        for one in (*leaning, *frequent):
            if one.text in body or one.text in chosen or len(chosen) == self.names:
                continue
            earlier = [place for place in one.places[:1] if place[1] <= leaf.start]
            span = (earlier or one.places[:1])[0]
            chosen[one.text] = Note(text[span[0] : span[1]], (span,), NAME, True)
        return list(chosen.values())


def _path(leaf: Node) -> list[Note]:
    tree = leaf.tree
    heads = [(tree.document.title, None), *((n.title, n.index) for n in (*leaf.ancestors, leaf))]
    said = [(head, node) for head, node in heads if head]
    if not said:
        return []
    spans = [tuple(map(int, tree.titles[node])) for _, node in said if node is not None]
    line = " › ".join(dict.fromkeys(head for head, _ in said))
    return [Note(line, tuple((a, b) for a, b in spans), NAME, True)]


def _names(tree: DocTree) -> list[_Name]:
    """Names and identifiers of the document that stand in it at least twice, in the order of their first place."""
    text = tree.document.text
    places: dict[str, list[Range]] = {}
    for one in entities(text, 0, len(text)):
        if one.kind in ("name", "identifier"):
            places.setdefault(text[one.start : one.end], []).append((one.start, one.end))
    counts = Counter({name: len(spans) for name, spans in places.items()})
    return [_Name(name, places[name]) for name in places if counts[name] > 1]


def _lead_of(tree: DocTree, node: Node, cap: int) -> Range | None:
    """The sentence of a section's beginning that introduces its matter; None where there is no prose.

    The first that defines something, else the first of at least six words that leans on nothing before it.
    """
    text = tree.document.text
    first = max(node.start, int(tree.titles[node.index][1]))
    sentences = []
    for a, b in sentence_spans(text, first, min(node.end, first + HEAD))[: 2 * LOOK]:
        body = text[a:b]
        begin, stop = a + len(body) - len(body.lstrip("#=*->| \t\r\n\ufeff")), a + len(body.rstrip())
        if len(text[begin:stop].split()) >= 6 and text[begin:stop].rstrip("\"'”’)*_]")[-1:] in ".!?。":
            sentences.append((begin, stop))
    sentences = sentences[:LOOK]
    fits = [n <= cap for n in counter("cl100k").counts([text[a:b] for a, b in sentences])]
    fitting = [(a, b) for (a, b), fit in zip(sentences, fits, strict=True) if fit and not LEANS.match(text, a, b)]
    defining = [(a, b) for a, b in fitting if DEFINES.match(text, a, b)]
    return next(iter((*defining, *fitting)), None)
