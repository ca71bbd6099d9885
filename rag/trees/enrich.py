"""Notes that a language model writes on leaves: one call for a few leaves, every note verified, else offline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import SkipValidation

from rag import trace
from rag.doctree import DocTree, Node
from rag.errors import TooLong
from rag.models.llm import LLM, checked_llm
from rag.models.prompts import fenced, prompt
from rag.models.tokens import counter
from rag.models.typed import Typed, typed
from rag.notes import Note, noted, notes_of
from rag.stage import Field, Grower, stage
from rag.trees.context import Context
from rag.trees.diff import moved, same_leaves
from rag.trees.enrich_check import Evidence, copied, listed
from rag.trees.enrich_gist import Gist
from rag.trees.entities import Entities
from rag.trees.keywords import Keywords
from rag.trees.kinds import LEAVES, Kinds
from rag.trees.questions import Questions

__all__ = ["FIELDS", "Enrich"]

NAME = "trees/enrich"
Name = Literal["keywords", "entities", "kind", "gist", "questions", "context"]
Said = Mapping[int, Mapping[str, Any]]
MOST, ASKED = 8, 3  # words or phrases of a list; questions
TEXTS: Mapping[str, Any] = {"type": "array", "items": {"type": "string", "maxLength": 80}, "maxItems": MOST}
SENTENCE: Mapping[str, Any] = {"type": "string", "maxLength": 400}
QUESTION: Mapping[str, Any] = {
    "type": "object",
    "properties": {"question": {"type": "string", "maxLength": 200}, "quote": {"type": "string", "maxLength": 200}},
    "required": ["question", "quote"],
    "additionalProperties": False,
}
FIELDS: Mapping[str, tuple[Grower, Mapping[str, Any], str, str]] = {  # offline way, schema, what is asked, its form
    "keywords": (Keywords(), TEXTS, "up to 8 words or phrases it is about, copied from it", '["..."]'),
    "entities": (Entities(), TEXTS, "up to 8 names, dates, amounts or identifiers, copied from it", '["..."]'),
    "kind": (Kinds(), {"type": "string", "enum": list(LEAVES)}, f"one of {', '.join(LEAVES)}", '"..."'),
    "gist": (Gist(), SENTENCE, "one sentence that says what it tells", '"..."'),
    "questions": (
        Questions(),
        {"type": "array", "items": QUESTION, "maxItems": ASKED},
        f"up to {ASKED} questions that it answers, each with the words that answer it, copied letter for letter",
        '[{"question": "...", "quote": "..."}]',
    ),
    "context": (
        Context(),
        SENTENCE,
        "one short sentence that says what part of the document it is and which person, thing or matter it is about",
        '"..."',
    ),
}


@stage
class Enrich:
    """Let a language model note keywords, entities, kind, gist, questions and context of leaves, and check each note.

    Metadata by a language model for retrieval: Mishra et al., 2025, https://arxiv.org/abs/2512.05411; with `questions`
    alone this is doc2query (Nogueira et al., 2019), with `context` alone contextual retrieval (Anthropic, 2024).
    Departures: several leaves a call, each known by its number; what is said to be copied must stand in the leaf, word
    for word; a sentence may name no number and no name that is not in the leaf (`gist`) or the document (`context`),
    and most of its words must stand there; what fails is kept with `ok` False and never indexed; nothing stands in for
    what is missing. Windows never cross documents, so a document can put words into its own notes alone.

    An answer that fits no form is repaired once; then, and for a leaf that the answer leaves out, the offline growers
    of the same fields speak, and `by` says so. Without `llm` they speak for all. A model that cannot be reached, or a
    spent budget, is an error: the document is then not indexed.

    After an edit only leaves that changed, or where the model failed the time before, are asked about (`renew`).

    Args:
        tree: any tree.

    Returns:
        The tree with the chosen fields. A note of `enrich` at the root counts windows, fallbacks, leaves left out,
        notes verified and notes rejected.
    """

    fields: tuple[Name, ...] = Field(default=("keywords", "questions", "context"), min_length=1, description="which")
    llm: SkipValidation[LLM | None] = Field(default=None, description="a language model, or llama-index's; none: rules")
    window: int = Field(default=4, ge=1, le=32, description="leaves a call")
    window_tokens: int = Field(
        default=2000, ge=64, description="of all leaves of a call, in cl100k; one leaf always goes"
    )
    max_tokens: int = Field(default=1024, ge=32, description="of one answer")

    def __post_init__(self) -> None:
        """Check the model by its type."""
        if self.llm is not None:
            object.__setattr__(self, "llm", checked_llm(self.llm, f"{NAME}: llm"))

    def __call__(self, tree: DocTree, /) -> DocTree:
        """The tree with notes."""
        return self._grow(tree, {})

    def renew(self, tree: DocTree, old: DocTree, /) -> DocTree:
        """As a call, with what the model said of leaves that stood in the tree before taken from it.

        Args:
            tree: the new tree.
            old: the tree of the same document before, grown with these settings.
        """
        kept: dict[int, dict[str, Sequence[Note]]] = {}
        for leaf, twin in same_leaves(old, tree).items() if self.llm is not None else ():
            by = int(tree.start[leaf] - old.start[twin])
            rows: dict[str, Sequence[Note]] = {name: moved(old, name, twin, by) for name in self.fields}
            if self.llm is not None and any(note.by == self.llm.name for row in rows.values() for note in row):
                kept[leaf] = rows
        return self._grow(tree, kept)

    def _grow(self, tree: DocTree, kept: Mapping[int, Mapping[str, Sequence[Note]]]) -> DocTree:
        offline = {name: FIELDS[name][0](tree) for name in self.fields}
        found: dict[str, dict[int, Sequence[Note]]] = {
            name: {leaf: rows[name] for leaf, rows in kept.items()} for name in self.fields
        }
        tally: Counter[str] = Counter()
        whole = Evidence(f"{tree.document.title}\n{tree.document.text}")
        with trace.span(NAME) as opened:
            for leaves in self._windows([leaf for leaf in tree.leaves() if leaf.index not in kept]):
                said = self._said(leaves, tally)
                for leaf in leaves:
                    mine = said.get(leaf.index)
                    tally["left out"] += mine is None and bool(said)
                    for name in self.fields:
                        told = [] if mine is None else self._notes(leaf, name, mine.get(name), whole)
                        found[name][leaf.index] = (
                            told if mine is not None else notes_of(offline[name], name, leaf.index)
                        )
                        tally["verified"] += sum(note.ok is True for note in told)
                        tally["rejected"] += sum(note.ok is False for note in told)
            opened.facts.update(tally)
        for name in self.fields:
            if name == "kind":
                found[name][0] = notes_of(offline[name], name, 0)
            tree = noted(tree, name, found[name])
        if self.llm is None:
            return tree
        counts = ("windows", "fallbacks", "left out", "verified", "rejected")
        line = ", ".join(f"{tally[name]} {name}" for name in counts)
        return noted(tree, "enrich", {0: [Note(line, (), NAME, None)]})

    def _windows(self, leaves: list[Node]) -> Iterator[list[Node]]:
        """Leaves in order, as many a call as the limits let through."""
        if self.llm is None:
            yield leaves
            return
        costs = counter("cl100k").counts([leaf.text for leaf in leaves])
        window: list[Node] = []
        total = 0
        for leaf, cost in zip(leaves, costs, strict=True):
            if window and (len(window) == self.window or total + cost > self.window_tokens):
                yield window
                window, total = [], 0
            window.append(leaf)
            total += cost
        if window:
            yield window

    def _said(self, leaves: Sequence[Node], tally: Counter[str]) -> Said:
        """What the model said, by leaf; {} where there is no model or its answer was of no use."""
        spoken = [leaf for leaf in leaves if any(map(str.isalnum, leaf.text))]
        if self.llm is None or not spoken:
            return {}
        tally["windows"] += 1
        form = prompt("enrich")
        wanted = "\n".join(f"- {name}: {FIELDS[name][2]}" for name in self.fields)
        shape = ", ".join(['"id": 1', *(f'"{name}": {FIELDS[name][3]}' for name in self.fields)])
        title = leaves[0].tree.document.title
        shown = [f"Document: {title}"] if title else []
        for number, leaf in enumerate(spoken, 1):
            above = f" ({' › '.join(leaf.path)})" if leaf.path else ""
            shown.append(f"Passage {number}{above}:\n{leaf.text.strip()}")
        try:
            answer: Typed[Said] = typed(
                self.llm,
                form.fill(sources=fenced("\n\n".join(shown), "passages"), wanted=wanted, form=f"{{{shape}}}"),
                schema=self._schema(len(spoken)),
                parse=lambda value: self._parsed(value, spoken),
                fallback=_nothing,
                version=form.version,
                max_tokens=self.max_tokens,
            )
        except TooLong:
            tally["fallbacks"] += 1
            return {}
        tally["fallbacks"] += answer.way == "fallback"
        return answer.value

    def _schema(self, leaves: int) -> Mapping[str, Any]:
        number = {"type": "integer", "minimum": 1, "maximum": leaves}
        properties: dict[str, Any] = {"id": number} | {name: FIELDS[name][1] for name in self.fields}
        entry = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        passages = {"type": "array", "items": entry, "minItems": leaves, "maxItems": leaves}
        return {
            "type": "object",
            "properties": {"passages": passages},
            "required": ["passages"],
            "additionalProperties": False,
        }

    def _parsed(self, value: Any, leaves: Sequence[Node]) -> Said:
        """Entries by leaf; the first of two with one number counts, one with an unknown number does not."""
        if not isinstance(value, dict) or not isinstance(value["passages"], list):
            raise ValueError('an object with the list "passages" was asked for')
        found: dict[int, Mapping[str, Any]] = {}
        for entry in value["passages"]:
            if not isinstance(entry, dict):
                raise ValueError("every entry of passages must be an object")
            number = entry["id"]
            if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= len(leaves):
                found.setdefault(
                    leaves[number - 1].index, {name: _formed(name, entry.get(name)) for name in self.fields}
                )
        if not found:
            raise ValueError("no entry has the number of a passage")
        return found

    def _notes(self, leaf: Node, name: str, said: Any, whole: Evidence) -> list[Note]:
        """The notes of one field, each verified or marked as failed."""
        by, text = self.llm.name if self.llm is not None else NAME, leaf.tree.document.text
        if not said:
            return []
        if name == "kind":
            return [Note(said, (), by, None)]
        if name in ("gist", "context"):
            near = Evidence("\n".join((leaf.tree.document.title, *leaf.path, leaf.text))) if name == "gist" else whole
            return [Note(said, ((leaf.start, leaf.end),), by, near.supports(said))]
        notes = []
        for one in said:
            copy, shown = (one["quote"], one["question"]) if name == "questions" else (one, None)
            span = copied(copy, text, leaf.start, leaf.end)
            told = shown if shown is not None else copy if span is None else text[span[0] : span[1]]
            fits = span is not None and (shown is None or whole.supports(shown, 0.5))
            notes.append(Note(told, () if span is None else (span,), by, fits))
        return notes


def _nothing() -> Said:
    return {}


def _formed(name: str, value: Any) -> Any:
    """A field of an answer in its form, None where it is missing; ValueError where it is of another form."""
    if value is None:
        return None
    if name in ("keywords", "entities"):
        return listed(value, MOST)
    if name == "questions":
        if not isinstance(value, list):
            raise ValueError("questions must be a list")
        pairs = {(str(one["question"]).strip(), str(one["quote"]).strip()): None for one in value}
        return [{"question": asked, "quote": quote} for asked, quote in list(pairs)[:ASKED] if asked and quote]
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text")
    body = " ".join(value.split())
    if name == "kind" and body and body not in LEAVES:
        raise ValueError(f"kind must be one of {', '.join(LEAVES)}")
    return body
