"""Summaries and key phrases of every inner node, bottom up, each with the ranges it rests on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar, Literal

from pydantic import SkipValidation

from rag.doctree import DocTree
from rag.models.llm import LLM, checked_llm
from rag.models.tokens import counter
from rag.notes import Note, noted, notes_of
from rag.stage import Field, stage
from rag.trees.cascade import Phrase, heights, key_phrases, key_sentences, leading
from rag.trees.diff import moved, twins
from rag.trees.telling import Teller

__all__ = ["Summaries"]

NAME = "trees/summaries"
Row = tuple[Note, ...]


@stage
class Summaries:
    """Note what each section is about: a few of its sentences, and its key phrases.

    The cascade is that of ToM (EMNLP 2025, https://arxiv.org/abs/2511.00489) and MoDora (SIGMOD 2026,
    https://arxiv.org/abs/2602.23061): a node is summarised from what its children say. By default nothing is
    generated: sentences are chosen (`rag.trees.salient`), so a summary is a list of slices. Key phrases flow up
    under MoDora's budget, which grows with a node's height and with the logarithm of what is below; here they are
    phrases of the text, weighed by the share of children that have them.

    With a language model a node's summary is asked for as JSON, each sentence with the numbers of the sentences it
    rests on. Numbers that were not given are an error of form: one repair, then the node's own sentences. A sentence
    whose words do not stand in what it cites is kept for show only (`ok` False), and a node of which no sentence
    holds, or whose summary is not shorter than its source, gets its own sentences as well. `by` tells which it was,
    node by node, and the ledger counts the fallbacks. Calls go through `rag.models.calls`: with a cache a run that
    was cut off goes on where it ended.

    Leaves get no summary, they are short; a node with no more tokens than a summary is its own. What is said of a
    node depends on what is below it and on nothing else, so after an edit only the nodes above it are summarised
    again (`renew`); with `refresh` lazy these get their own sentences and no model is asked, until an index is brought
    up to date with `refresh` eager: then the model is asked about them and about no others.

    Chosen sentences against the beginning of the document, ROUGE-1 / ROUGE-2 F1 with the reference summaries: 33.1 /
    5.5 against 27.7 / 4.6 on 25 SQuALITY stories, 23.0 / 3.1 against 18.1 / 3.6 on 31 QMSum meetings; on 7 government
    reports, which open with their own summary, the beginning wins: 50.8 / 25.8 against 55.7 / 30.9.

    Args:
        tree: any tree.

    Returns:
        The tree with the fields `summary` and `keywords` on inner nodes. A summary is a note a sentence, joined by
        blanks at most `tokens` long; other notes of those names, such as the keywords of leaves, stay.
    """

    refreshing: ClassVar[tuple[str, ...]] = ("refresh",)  # changing it leaves what was said as it is

    tokens: int = Field(default=100, ge=8, description="tokens of a summary at most")
    keywords: bool = Field(default=True, description="note key phrases as well")
    growth: float = Field(default=2.0, ge=0, description="key phrases for each doubling of what is below")
    llm: SkipValidation[LLM] | None = Field(default=None, description="writes the summaries; None chooses sentences")
    source_tokens: int = Field(default=1500, ge=64, description="tokens of a node that the model is shown at most")
    refresh: Literal["eager", "lazy"] = Field(
        default="eager", description="what is stale after an edit: ask the model again, or choose sentences"
    )
    tokenizer: str = Field(default="cl100k", description="whose tokens count")

    def __post_init__(self) -> None:
        """Take a llama-index model as well."""
        if self.llm is not None:
            object.__setattr__(self, "llm", checked_llm(self.llm, f"{NAME}: llm"))

    def __call__(self, tree: DocTree, /) -> DocTree:
        """The tree with its summaries and key phrases."""
        return self._grow(tree, {}, told=True)

    def renew(self, tree: DocTree, old: DocTree, /) -> DocTree:
        """As a call, with the summaries of subtrees that stood in the tree before taken from it.

        A node where the model could not be reached the time before is asked about again, unless `refresh` is lazy;
        one where its answer was of no use is not: the same words would be said about the same text.

        Args:
            tree: the new tree.
            old: the tree of the same document before, grown with these settings.
        """
        same = twins(old, tree)
        kept: dict[int, Row] = {}
        for node, twin in same.items():
            rows = moved(old, "summary", twin, int(tree.start[node] - old.start[twin]))
            said = self.llm is None or any(row.by in (self.llm.name, self._instead()) for row in rows)
            if rows and (said or self.refresh == "lazy"):
                kept[node] = rows
        return self._grow(tree, kept, told=self.refresh == "eager")

    def _instead(self) -> str:
        """Who speaks where the model answered and nothing of it could be used."""
        return f"{NAME} instead of {self.llm.name if self.llm else 'none'}"

    def _grow(self, tree: DocTree, kept: Mapping[int, Row], *, told: bool) -> DocTree:
        inner = [i for i, children in enumerate(tree.child_ids) if children]
        if not inner:
            return tree
        todo = {i for i in inner if i not in kept}
        lead = leading(tree)
        summary: dict[int, Row] = dict(kept)
        whole = self._whole(tree, todo)
        text = tree.document.text
        chosen = key_sentences(tree, lead, todo - whole.keys(), self.tokens, self.tokenizer)
        own = {node: tuple(Note(text[a:b], ((a, b),), NAME, True) for a, b in spans) for node, spans in chosen.items()}
        summary |= whole
        if self.llm is not None and told:
            teller = Teller(self.llm, tree, self.tokens, self.source_tokens, counter(self.tokenizer))
            for node in sorted(todo - whole.keys(), reverse=True):  # children first
                if node in own:
                    found = teller.tell(node, summary)
                    mark = NAME if found is None else self._instead()
                    summary[node] = found or tuple(row._replace(by=mark) for row in own[node])
        summary = own | summary
        grown = noted(tree, "summary", _beside(tree, "summary", summary, inner))
        if not self.keywords:
            return grown
        phrases = {i: _rows(found) for i, found in key_phrases(tree, lead, self.growth).items()}
        return noted(grown, "keywords", _beside(tree, "keywords", phrases, inner))

    def _whole(self, tree: DocTree, nodes: Collection[int]) -> dict[int, Row]:
        """Nodes that are no longer than a summary, each as the summary of itself."""
        text, high = tree.document.text, heights(tree)
        found: dict[int, Row] = {}
        count = counter(self.tokenizer)
        for node in sorted(nodes):
            start, end = int(tree.start[node]), int(tree.end[node])
            if end - start > 12 * self.tokens or high[node] < 2:
                continue
            body = text[start:end].strip()
            if body and count.count(body) <= self.tokens:
                begin = start + text[start:end].index(body[0])
                found[node] = (Note(body, ((begin, begin + len(body)),), NAME, True),)
        return found


def _rows(found: Collection[Phrase]) -> Row:
    return tuple(Note(one.text, one.spans, NAME, True) for one in found)


def _beside(tree: DocTree, name: str, new: Mapping[int, Row], inner: Collection[int]) -> dict[int, Row]:
    """New notes of inner nodes beside the notes that other nodes have under the same name."""
    mine = set(inner)
    others = {node: notes_of(tree, name, node) for node in tree.notes.get(name, {}) if node not in mine}
    return {**others, **new}
