"""The single statements of each leaf, with the ranges they rest on: by rule, or by a language model and verified."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from pydantic import SkipValidation

from rag.doctree import DocTree, Node
from rag.errors import MissingWeights, ModelError
from rag.lexical import STOP, WORD, stem
from rag.models.llm import LLM, checked_llm
from rag.models.prompts import fenced, prompt
from rag.models.typed import typed
from rag.notes import Note, noted
from rag.pool import ordered
from rag.stage import Field, stage
from rag.trees.diff import moved, same_leaves
from rag.units import cut

__all__ = ["Propositions", "statements"]

NAME = "trees/propositions"
JOINT = re.compile(
    r"[;:]\s+|\s+[—–]\s+|,\s+(?=(?:and|but|or|nor|yet|so|while|whereas|although|though|because|since|unless|which|who|"
    r"whom|whose|where|when|after|before)\s)",
    re.IGNORECASE,
)
SHOWN = 24  # sentences in one call
MOST = 64  # facts a call may give
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "facts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"sentence": {"type": "integer"}, "text": {"type": "string"}},
                "required": ["sentence", "text"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["facts"],
    "additionalProperties": False,
}


def statements(text: str, start: int, end: int, least: int = 5) -> Iterator[tuple[int, int]]:
    """Ranges that state one thing each: sentences, divided before conjunctions and relatives and at semicolons.

    No range is shorter than `least` words unless its sentence is; white space at the ends is left out.
    """
    for a, b, _ in cut(text, start, end):
        begin = a
        for joint in JOINT.finditer(text, a, b):
            here = joint.end()
            if len(text[begin:here].split()) >= least and len(text[here:b].split()) >= least:
                yield from _stripped(text, begin, here)
                begin = here
        yield from _stripped(text, begin, b)


def _stripped(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    body = text[start:end]
    start += len(body) - len(body.lstrip())
    end = start + len(body.strip())
    if any(letter.isalnum() for letter in text[start:end]):
        yield start, end


@stage
class Propositions:
    """Note every single statement of a leaf, for retrievers that match statements one by one (`retrievers/notes`).

    Chen et al., "Dense X Retrieval: What Retrieval Granularity Should We Use?", EMNLP 2024,
    https://arxiv.org/abs/2312.06648, where a fine-tuned model writes self-contained facts and these are what is
    retrieved. Here they are an index view of a leaf that stays what is returned. Without a model a statement is a
    clause of the source, verbatim. A model writes facts and names the sentence of each; a fact counts as verified where
    every word that carries meaning and every number stands in the leaf, in the headings above it or in the document's
    title, and is kept unverified (so not searched) otherwise. A leaf whose answer cannot be used falls back to its
    clauses. After an edit only leaves that changed are asked about (`renew`).

    Args:
        tree: any tree.

    Returns:
        The same tree with `notes["propositions"]` at each leaf, and at the root, under `propositions-lost`, how many
        leaves fell back and why.
    """

    llm: SkipValidation[LLM | None] = Field(default=None, description="writes the facts; None takes clauses by rule")
    least: int = Field(default=5, ge=1, description="fewest words of a clause that is a statement of its own")
    workers: int = Field(default=4, ge=1, description="calls at once; changes no result")

    def __post_init__(self) -> None:
        """The model is checked by its type alone."""
        if self.llm is not None:
            checked_llm(self.llm, f"{NAME}: llm")

    @cached_property
    def _model(self) -> LLM:
        return checked_llm(self.llm, f"{NAME}: llm")

    def __call__(self, tree: DocTree, /) -> DocTree:
        """The tree with its statements."""
        return self._grow(tree, {})

    def renew(self, tree: DocTree, old: DocTree, /) -> DocTree:
        """As a call, with the facts of leaves that stood in the tree before taken from it.

        A leaf that fell back to its clauses is asked about again.

        Args:
            tree: the new tree.
            old: the tree of the same document before, grown with these settings.
        """
        kept: dict[int, tuple[Note, ...]] = {}
        for leaf, twin in same_leaves(old, tree).items() if self.llm is not None else ():
            rows = moved(old, "propositions", twin, int(tree.start[leaf] - old.start[twin]))
            if any(note.by == self._model.name for note in rows):
                kept[leaf] = rows
        return self._grow(tree, kept)

    def _grow(self, tree: DocTree, kept: Mapping[int, Sequence[Note]]) -> DocTree:
        leaves = tree.leaves()
        if self.llm is None:
            return noted(tree, "propositions", {leaf.index: self._clauses(leaf) for leaf in leaves})
        leaves = tuple(leaf for leaf in leaves if leaf.index not in kept)
        found = list(ordered(partial(self._asked), leaves, workers=self.workers))
        told_of = {leaf.index: rows for leaf, (rows, _) in zip(leaves, found, strict=True)}
        tree = noted(tree, "propositions", {**kept, **told_of})
        lost = [why for _, why in found if why]
        told = [Note(f"{lost.count(why)} leaves by rule: {why}", by=NAME) for why in sorted(set(lost))]
        return noted(tree, "propositions-lost", {0: told}) if told else tree

    def _clauses(self, leaf: Node) -> list[Note]:
        text = leaf.tree.document.text
        return [Note(text[a:b], ((a, b),), NAME, True) for a, b in statements(text, leaf.start, leaf.end, self.least)]

    def _asked(self, leaf: Node) -> tuple[list[Note], str]:
        """The facts of one leaf, and why they are clauses instead, else ""."""
        text = leaf.tree.document.text
        sentences = [pair for a, b, _ in cut(text, leaf.start, leaf.end) for pair in _stripped(text, a, b)]
        form = prompt("propositions")
        known = _stems(" ".join((*leaf.path, leaf.tree.document.title, leaf.text)))
        rows: list[Note] = []
        for first in range(0, len(sentences), SHOWN):
            shown = sentences[first : first + SHOWN]
            lines = "\n".join(f"[{i}] {' '.join(text[a:b].split())}" for i, (a, b) in enumerate(shown, 1))
            try:
                made = typed(
                    self._model,
                    form.fill(sources=fenced(lines)),
                    schema=SCHEMA,
                    parse=partial(_facts, shown=shown),
                    fallback=_none,
                    version=form.version,
                    max_tokens=48 * len(shown) + 64,
                )
            except MissingWeights:
                raise
            except ModelError as error:
                return self._clauses(leaf), type(error).__name__
            if not made.value:
                return self._clauses(leaf), made.problem or "it named no fact"
            rows += [Note(fact, (span,), self._model.name, _stems(fact) <= known) for span, fact in made.value]
        return rows, ""


def _none() -> list[tuple[tuple[int, int], str]]:
    return []


def _facts(value: Any, shown: list[tuple[int, int]]) -> list[tuple[tuple[int, int], str]]:
    """The facts of an answer with the ranges of their sentences, in source order, each once."""
    found: dict[tuple[tuple[int, int], str], None] = {}
    for one in value["facts"][:MOST]:
        number, fact = one["sentence"], " ".join(str(one["text"]).split())
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= len(shown):
            raise ValueError(f"sentence must be 1 to {len(shown)}")
        if fact:
            found[shown[number - 1], fact] = None
    return sorted(found, key=lambda pair: pair[0])


def _stems(text: str) -> set[str]:
    return {stem(word) for word in WORD.findall(text.lower()) if word not in STOP}
