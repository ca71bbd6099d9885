"""One node's summary by a language model: numbered sentences in, sentences with checked citations out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag.doctree import DocTree
from rag.errors import MissingWeights, ModelError
from rag.lexical import terms
from rag.models.calls import current
from rag.models.ledger import note
from rag.models.llm import LLM
from rag.models.prompts import fenced, prompt
from rag.models.tokens import Tokenizer
from rag.models.typed import typed
from rag.notes import Note
from rag.sentences import sentence_spans

__all__ = ["Teller"]

SUPPORT = 0.6  # share of a sentence's words that must stand in what it cites
DIGITS = re.compile(r"\d+")
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "sentences": {
            "type": "array",
            "minItems": 1,
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {
                    "text": {"type": "string", "maxLength": 400},
                    "cites": {"type": "array", "minItems": 1, "maxItems": 6, "items": {"type": "integer"}},
                },
                "required": ["text", "cites"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["sentences"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Source:
    """A sentence shown to the model, and the ranges of the document it stands for."""

    text: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Teller:
    """Asks for the summaries of one tree.

    Args:
        llm: the model.
        tree: the tree.
        tokens: of a summary at most.
        source_tokens: of the sentences shown at most.
        count: counts them.
    """

    llm: LLM
    tree: DocTree
    tokens: int
    source_tokens: int
    count: Tokenizer

    def tell(self, node: int, below: Mapping[int, Sequence[Note]]) -> tuple[Note, ...] | None:
        """A summary of a node from its children's, or from the text of those that are leaves.

        Args:
            node: an inner node.
            below: node -> summary, for its inner children at least.

        Returns:
            A note a sentence, of which one at least is verified; () where the model refused, did not answer in form,
            said nothing that holds, or said more than its source; None where it failed.
        """
        sources = self._sources(node, below)
        if not sources:
            return ()
        listed = "\n".join(f"{i}. {' '.join(one.text.split())}" for i, one in enumerate(sources, 1))
        words = max(8, self.tokens * 2 // 3)
        asked = prompt("tree-summary")
        try:
            found = typed(
                self.llm,
                asked.fill(
                    title=fenced(self.tree[node].title or "untitled", "title"), sources=fenced(listed), words=str(words)
                ),
                schema=SCHEMA,
                parse=lambda value: self._parsed(value, sources),
                fallback=lambda: None,
                version=asked.version,
                max_tokens=3 * self.tokens + 64,
            )
        except MissingWeights:
            raise
        except ModelError:
            current().ledger.add(fallbacks=1)
            note(fallbacks=1)
            return None
        return found.value or ()

    def _sources(self, node: int, below: Mapping[int, Sequence[Note]]) -> list[Source]:
        """What the children say, in order; each gets an equal share of the room, its first sentences."""
        text, children = self.tree.document.text, self.tree.child_ids[node]
        share = max(16, self.source_tokens // max(len(children), 1))
        found: list[Source] = []
        for child in children:
            if self.tree.child_ids[child]:
                said = [Source(n.text, n.spans) for n in below.get(child, ()) if n.ok is not False]
            else:
                ranges = sentence_spans(text, int(self.tree.start[child]), int(self.tree.end[child]))
                said = [Source(text[a:b].strip(), ((a, b),)) for a, b in ranges if text[a:b].strip()]
            room = share
            for one in said:
                room -= self.count.count(one.text) + 4
                if room < 0:
                    break
                found.append(one)
        return found[:200]

    def _parsed(self, value: Any, sources: Sequence[Source]) -> tuple[Note, ...] | None:
        """Notes of what holds and of what does not; an unknown number is an error of form."""
        rows: list[Note] = []
        for one in value["sentences"]:
            said, cites = str(one["text"]).strip(), [int(i) for i in one["cites"]]
            wrong = [i for i in cites if not 1 <= i <= len(sources)]
            if wrong:
                raise ValueError(f"'cites' must be numbers from 1 to {len(sources)}, got {wrong[0]}")
            if not said or not cites:
                raise ValueError("'text' and 'cites' must not be empty")
            spans = sorted({span for i in cites for span in sources[i - 1].spans})
            rows.append(Note(said, tuple(spans), self.llm.name, self._holds(said, spans)))
        good = [row for row in rows if row.ok]
        shown = " ".join(row.text for row in good)
        source = sum(self.count.count(one.text) for one in sources)
        if not good or self.count.count(shown) > min(self.tokens, source - 1):
            current().ledger.add(fallbacks=1)
            note(fallbacks=1)
            return None
        return tuple(rows)

    def _holds(self, said: str, spans: Sequence[tuple[int, int]]) -> bool:
        """Whether a sentence's numbers and most of its words stand in the ranges it cites."""
        cited = " ".join(self.tree.document.text[a:b] for a, b in spans)
        have, wanted = set(terms(cited)), terms(said)
        if not set(DIGITS.findall(said)) <= set(DIGITS.findall(cited)) or not wanted:
            return False
        return sum(word in have for word in wanted) >= SUPPORT * len(wanted)
