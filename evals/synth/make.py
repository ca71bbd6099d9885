"""Make a dataset from documents: draft questions all over them, keep those that find their way back."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chunkers.structure import StructureChunker
from evals.metrics.answers import f1
from evals.readers.records import Doc, Imported, Judgement, Question, Record, SpanOf, write
from evals.synth.parts import Part, context_split
from evals.synth.templates import Draft, drafts, rouge
from rag.errors import DataError
from rag.models.prompts import fenced, prompt
from rag.models.typed import typed
from rag.pipeline import bound
from rag.readers.extractive import Extractive
from rag.sentences import sentence_spans
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Failed, Query
from retrievers.bm25 import BM25

if TYPE_CHECKING:
    from rag.doctree import DocTree
    from rag.models.llm import LLM

__all__ = ["Synthesis", "synthesise"]

PROSE = frozenset({"text", "list", "quote"})
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"question": {"type": "string"}, "sentence": {"type": "integer"}, "answer": {"type": "string"}},
    "required": ["question", "sentence", "answer"],
    "additionalProperties": False,
}
Tell = Callable[[int, int, str], object]


@dataclass
class Synthesis:
    """How questions are made and which are kept.

    The tree is AugCon's idea (`evals.synth.parts`); what is kept must pass a round trip: BM25 over the documents'
    chunks finds a chunk with the evidence among the first `depth`, and the extractive reader, which scores
    sentences by words alone, gives the answer from those. A question too like its evidence, or like another of its
    document, is dropped.

    Args:
        count: questions wanted; fewer come where the documents give no more.
        seed: another seed, another choice of places.
        depth: chunks in which the evidence must be.
        copy: most ROUGE-L with the evidence.
        same: most ROUGE-L with another question of the document.
        llm: drafts questions; templates do where it is None or does not answer in form.
        dropped: why drafts were dropped, counted while it runs.
    """

    count: int = 100
    seed: int = 0
    depth: int = 5
    copy: float = 0.9
    same: float = 0.7
    llm: LLM | None = None
    dropped: Counter[str] = field(default_factory=Counter)

    def __call__(self, documents: Sequence[Document], progress: Tell | None = None) -> Iterator[Record]:
        """The documents, then their questions, each with its evidence."""
        trees = [StructureChunker()(document) for document in documents]
        store = in_memory(trees)
        ranker = BM25(k=self.depth)
        ranker.build(store.corpus, store.part(part_key(ranker)))
        finder, reader = bound(ranker, store), Extractive(scorer=None, threshold=-1e9)
        yield from (Doc(d.id, d.text, d.title, {"media_type": d.media_type, **d.metadata}) for d in documents)
        places = [(tree, sentences, part) for tree in trees for sentences, part in _places(tree)]
        places.sort(key=lambda one: self._draw(one[0].document.id, one[1][one[2].first][0]))
        kept: dict[str, list[str]] = {}
        made = 0
        for tree, sentences, part in places:
            if made == self.count:
                return
            for (start, end), draft in self._drafts(tree, sentences, part):
                document = tree.document
                evidence = document.text[start:end]
                answer = evidence[draft.start : draft.end]
                reason = self._fault(draft.question, evidence, kept.get(document.id, []))
                if reason is None:
                    hits = finder(Query("draft", draft.question))
                    if not any(h.doc == document.id and h.start < end and start < h.end for h in hits):
                        reason = "evidence not found"
                    elif f1(reader(hits).text, [answer]) < 0.5:
                        reason = "answer not given"
                if reason is not None:
                    self.dropped[reason] += 1
                    continue
                kept.setdefault(document.id, []).append(draft.question)
                query = f"synth-{hashlib.sha256(f'{document.id} {start} {draft.question}'.encode()).hexdigest()[:12]}"
                whole = {"level": part.depth, "context": [sentences[part.first][0], sentences[part.last - 1][1]]}
                yield Question(query, draft.question, (answer,), draft.kind, more=whole)
                yield SpanOf(query, document.id, start, end, evidence)
                yield Judgement(query, document.id)
                made += 1
                if progress is not None:
                    progress(made, self.count, "questions")
                break  # one a place, so that questions come from everywhere

    def _fault(self, question: str, evidence: str, others: Sequence[str]) -> str | None:
        if rouge(question, evidence) > self.copy:
            return "copy of its evidence"
        if any(rouge(question, other) > self.same for other in others):
            return "like another question"
        return None

    def _draw(self, doc: str, start: int) -> str:
        return hashlib.sha256(f"{self.seed} {start} {doc}".encode("utf-8", "surrogatepass")).hexdigest()

    def _drafts(
        self, tree: DocTree, sentences: Sequence[tuple[int, int]], part: Part
    ) -> Iterator[tuple[tuple[int, int], Draft]]:
        text = tree.document.text
        inside = sentences[part.first : part.last]
        if self.llm is not None:
            listed = "\n".join(f"{i}. {' '.join(text[a:b].split())}" for i, (a, b) in enumerate(inside, 1))
            found = typed(
                self.llm,
                prompt("synth").fill(sources=fenced(listed)),
                schema=SCHEMA,
                parse=partial(_parsed, text=text, sentences=inside),
                fallback=lambda: None,
                version=prompt("synth").version,
            )
            if found.value is not None:
                yield found.value
            self.dropped["language model out of form"] += found.value is None
        for start, end in inside:
            for draft in drafts(text[start:end]):
                yield (start, end), draft


def _parsed(value: Any, *, text: str, sentences: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], Draft] | None:
    """A draft from a model's JSON; its answer must be in the sentence it names."""
    number, answer, question = int(value["sentence"]), str(value["answer"]).strip(), str(value["question"]).strip()
    if not 1 <= number <= len(sentences) or not question or not answer:
        raise ValueError(f"'sentence' must be 1 to {len(sentences)}; question and answer must not be empty")
    start, end = sentences[number - 1]
    at = text[start:end].find(answer)
    if at < 0:
        raise ValueError("'answer' must be copied exactly from the sentence")
    return (start, end), Draft(question, at, at + len(answer), "generated")


def _places(tree: DocTree) -> Iterator[tuple[list[tuple[int, int]], Part]]:
    """The smallest contexts of a document, each with the sentences it is counted in."""
    text = tree.document.text
    sentences = [
        (start + len(text[start:end]) - len(text[start:end].lstrip()), start + len(text[start:end].rstrip()))
        for leaf in tree.leaves()
        if leaf.kind in PROSE
        for start, end in sentence_spans(text, leaf.start, leaf.end)
        if text[start:end].strip()
    ]
    for part in context_split(text, sentences):
        if part.leaf:
            yield sentences, part


def synthesise(paths: Sequence[str | Path], out: str | Path, made: Synthesis, progress: Tell | None = None) -> Imported:
    """Read documents and write a dataset of them.

    Raises:
        DataError: no document can be read, or none gives a question.
    """
    from rag.loaders.read import documents

    read = list(documents(paths))
    found = [one for one in read if isinstance(one, Document) and one.text.strip()]
    if not found:
        failed = [str(one) for one in read if isinstance(one, Failed)]
        raise DataError(f"{', '.join(map(str, paths))}: no document can be read{': ' + failed[0] if failed else ''}.")
    done = write(made(found, progress), out)
    if not done.counts["questions"]:
        raise DataError(
            f"{out}: the documents gave no question that stands the round trip; dropped: {dict(made.dropped)}."
        )
    return done
