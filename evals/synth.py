"""Questions with verbatim evidence, made from a user's own documents.

A document is cut in halves again and again at the sentence nearest the middle, as in AugCon's
context-split tree (Quan et al. 2024, https://arxiv.org/abs/2405.16579), and every node gives a question, so
some ask about a sentence and some about a page. Departures: cuts are exact offsets, not text a model wrote;
without a model a question is a sentence of the node with its rarest name or number left out, so the
evidence is that sentence; with one, the model returns question, answer and the evidence it copied, and what
is not found verbatim in the node is thrown away. A question is kept only when a search of all
documents by its words finds its own passage again (round trip), and no two ask for the same sentence.

These questions share words with their evidence more than people's do: use them to compare settings on
documents that have no questions yet, not to say how good an answer will be.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from evals.metrics.answers import words
from rag.errors import ConfigError, DataError, ModelError
from rag.lexical import STOP
from rag.sentences import sentence_spans
from rag.types import Document

if TYPE_CHECKING:
    from rag.models.llm import LLM

__all__ = ["Made", "Report", "context_splits", "synth"]

FACT = re.compile(
    r"(?<![\w.,])\d[\d,.]*\d(?![\w%])|(?<![\w.,])\d(?!\w)"  # a number
    r"|(?<=[a-z,;:] )[A-Z][\w'’-]+(?: (?:of |the |de )?[A-Z][\w'’-]+)*"
)
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"question": {"type": "string"}, "answer": {"type": "string"}, "evidence": {"type": "string"}},
    "required": ["question", "answer", "evidence"],
    "additionalProperties": False,
}
ASK = (
    "Write one question that this passage answers and that makes sense without it. Copy the sentence of the passage "
    "that holds the answer, letter by letter, as the evidence. Give the shortest answer.\n\n{passage}"
)
Progress = Callable[[int, int, str], None]


class Made(NamedTuple):
    """One question: where its evidence lies, and the node it was made from."""

    doc: str
    start: int
    end: int
    question: str
    answer: str
    depth: int
    way: str


@dataclass(frozen=True)
class Report:
    """What was made, and what was thrown away and why."""

    kept: int
    dropped: Mapping[str, int]


def context_splits(text: str, sentences: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """`(first sentence, one past the last, depth)` of every node, halves of halves, parents first."""
    todo = [(0, len(sentences), 0)]
    while todo:
        first, last, depth = todo.pop()
        if last <= first:
            continue
        yield first, last, depth
        if last - first > 1:
            middle = (sentences[first][0] + sentences[last - 1][1]) / 2
            cut = min(range(first + 1, last), key=lambda i: (abs(sentences[i][0] - middle), i))
            todo += [(cut, last, depth + 1), (first, cut, depth + 1)]


def synth(
    documents: Sequence[Document],
    out: str | Path,
    *,
    questions: int = 100,
    llm: LLM | None = None,
    seed: int = 0,
    top: int = 10,
    progress: Progress | None = None,
) -> Report:
    """Write a dataset folder with questions about the documents.

    Args:
        documents: what the questions are about; all of them become the corpus.
        out: the folder; must not be there.
        questions: at most so many, spread over the documents.
        llm: writes the questions; without one they are gaps in sentences.
        seed: which nodes are asked about first.
        top: ranks of the round trip's search.
        progress: called with (done, total, label).

    Raises:
        ConfigError: fewer than one question is asked for.
        DataError: the folder is there, or no question could be made.
    """
    if questions < 1:
        raise ConfigError(f"synth: questions must be >= 1, got {questions}.")
    folder = Path(out)
    if folder.exists():
        raise DataError(f"{folder}: is there already. Choose another --out.")
    cut = {d.id: [s for s in _sentences(d.text) if 40 <= s[1] - s[0] <= 600] for d in documents}
    rarity = Counter(w for d in documents for w in words(d.text).split())
    search = _search(documents, cut)
    kept: list[Made] = []
    dropped: Counter[str] = Counter()
    taken: set[tuple[str, int]] = set()
    for document, nodes in _turns(documents, cut, seed):
        if len(kept) == questions:
            break
        sentences = cut[document.id]
        made = _ask(document, sentences, nodes, llm, seed) if llm else _gap(document, sentences, nodes, rarity)
        if made is None:
            dropped["nothing to ask"] += 1
        elif (made.doc, made.start) in taken:
            dropped["asked before"] += 1
        elif not any(d == made.doc and s < made.end and made.start < e for d, s, e in search(made.question, top)):
            dropped["not found again"] += 1
        else:
            taken.add((made.doc, made.start))
            kept.append(made)
            if progress is not None:
                progress(len(kept), questions, "questions")
    if not kept:
        raise DataError(f"synth: no question could be made from {len(documents)} documents: too little prose.")
    _write(folder, documents, kept)
    return Report(len(kept), dict(sorted(dropped.items())))


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Sentences without the white space after them."""
    for start, end in sentence_spans(text):
        yield start, start + len(text[start:end].rstrip())


def _turns(
    documents: Sequence[Document], cut: Mapping[str, list[tuple[int, int]]], seed: int
) -> Iterator[tuple[Document, tuple[int, int, int]]]:
    """Nodes of all documents in turn, so that a long one does not ask every question."""
    rows = []
    for document in documents:
        nodes = sorted(
            context_splits(document.text, cut[document.id]),
            key=lambda n: hashlib.sha256(f"{seed}\0{document.id}\0{n}".encode()).digest(),
        )
        rows.append((document, nodes))
    for turn in range(max((len(nodes) for _, nodes in rows), default=0)):
        yield from ((document, nodes[turn]) for document, nodes in rows if turn < len(nodes))


def _gap(
    document: Document, sentences: Sequence[tuple[int, int]], node: tuple[int, int, int], rarity: Mapping[str, int]
) -> Made | None:
    """The node's sentence with the rarest fact, and that fact left out."""
    first, last, depth = node
    best: tuple[int, int, int, re.Match[str]] | None = None
    for start, end in sentences[first:last]:
        sentence = document.text[start:end]
        if "\n" in sentence.strip() or sentence.count("|") > 1:
            continue
        for match in FACT.finditer(sentence):
            content = [w for w in words(match.group()).split() if w not in STOP]
            if not content or sentence.count(match.group()) > 1:
                continue
            rank = (min(rarity.get(w, 0) for w in content), start, end, match)
            if best is None or rank[:2] < best[:2]:
                best = rank
    if best is None:
        return None
    _, start, end, match = best
    sentence = document.text[start:end]
    asked = f"What is missing: {sentence[: match.start()]}_____{sentence[match.end() :]}"
    return Made(document.id, start, end, " ".join(asked.split()), match.group(), depth, "gap")


def _ask(
    document: Document, sentences: Sequence[tuple[int, int]], node: tuple[int, int, int], llm: LLM, seed: int
) -> Made | None:
    """A question a model wrote, if the evidence it names is in the node letter by letter."""
    from rag.models.llm import Message

    first, last, depth = node
    begin, stop = sentences[first][0], min(sentences[last - 1][1], sentences[first][0] + 4000)
    passage = document.text[begin:stop]
    try:
        reply = llm.complete([Message("user", ASK.format(passage=passage))], schema=SCHEMA, max_tokens=300, seed=seed)
        said = json.loads(reply.text)
        question, answer, evidence = (str(said[k]).strip() for k in ("question", "answer", "evidence"))
    except (ModelError, ValueError, KeyError, TypeError):
        return None
    at = passage.find(evidence)
    if not evidence or at < 0 or not question or words(answer) not in words(evidence):
        return None
    return Made(document.id, begin + at, begin + at + len(evidence), question, answer, depth, "model")


def _search(
    documents: Sequence[Document], cut: Mapping[str, list[tuple[int, int]]]
) -> Callable[[str, int], set[tuple[str, int, int]]]:
    """Best sentences of all documents for a question's words, by BM25."""
    import bm25s

    places = [(d.id, start, end) for d in documents for start, end in cut[d.id]]
    texts = {d.id: d.text for d in documents}
    model = bm25s.BM25()
    tokens = [[w for w in words(texts[doc][s:e]).split() if w not in STOP] or ["_"] for doc, s, e in places]
    if places:
        model.index(tokens, show_progress=False)

    def search(question: str, top: int) -> set[tuple[str, int, int]]:
        asked = [w for w in words(question.removeprefix("What is missing:")).split() if w not in STOP]
        if not asked or not places:
            return set()
        scores = model.get_scores(asked)
        order = sorted(range(len(places)), key=lambda i: (-float(scores[i]), i))[:top]
        return {places[i] for i in order if scores[i] > 0}

    return search


def _write(folder: Path, documents: Sequence[Document], kept: Sequence[Made]) -> None:
    folder.mkdir(parents=True)
    texts = {d.id: d.text for d in documents}
    corpus = [{"id": d.id, "title": d.title, "text": d.text, "metadata": dict(d.metadata)} for d in documents]
    ids = [hashlib.sha256(f"{m.doc}\0{m.start}\0{m.question}".encode()).hexdigest()[:12] for m in kept]
    queries = [
        {"id": q, "text": m.question, "answers": [m.answer], "type": m.way, "depth": m.depth}
        for q, m in zip(ids, kept, strict=True)
    ]
    spans = [
        {"query_id": q, "doc_id": m.doc, "start": m.start, "end": m.end, "text": texts[m.doc][m.start : m.end]}
        for q, m in zip(ids, kept, strict=True)
    ]
    for name, rows in (("corpus", corpus), ("queries", queries), ("spans", spans)):
        body = "".join(json.dumps(row, ensure_ascii=True, default=str) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(body, encoding="utf-8")
    pairs = [f"{q}\t{m.doc}\t1" for q, m in zip(ids, kept, strict=True)]
    (folder / "qrels.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *pairs]) + "\n", encoding="utf-8")
