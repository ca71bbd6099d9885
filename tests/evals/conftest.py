"""A small dataset, a small pipeline, and stages that fail when told to."""

import json
from pathlib import Path

import pytest

from evals.datasets import load
from rag.doctree import DocTree, flat
from rag.errors import MissingWeights, RagError
from rag.pipeline import Pipeline
from rag.stage import Field, stage
from rag.types import Answer, Citation, Document, Hits, Query

SUBJECTS = ("lease", "orchard", "harbour", "library", "glacier", "bakery", "museum", "railway", "lantern", "vineyard")


@stage
class Lines:
    """Every line is a chunk."""

    def __call__(self, document: Document, /) -> DocTree:
        spans, at = [], 0
        for line in document.text.splitlines(keepends=True):
            spans.append((at, at + len(line)))
            at += len(line)
        return flat(document, spans)


@stage
class Words:
    """Rank leaves by shared words; no index of its own."""

    k: int = Field(default=5)
    shapes_index = ()

    def build(self, corpus, part, /):
        part.save_json("size", len(corpus))

    def bind(self, store, /):
        copy = Words(k=self.k)
        copy.__dict__["corpus"] = store.corpus
        return copy

    def __call__(self, query: Query, /) -> Hits:
        corpus = self.__dict__["corpus"]
        asked = set(query.text.lower().strip("?").split())
        mask = corpus.mask(query)
        scores = []
        for i, text in enumerate(corpus.texts()):
            shared = len(asked & set(text.lower().strip(".\n").split()))
            if shared and (mask is None or mask[i]):
                scores.append((-shared, i))
        hits = [corpus.hit(i, -float(s), "words") for s, i in sorted(scores)[: self.k]]
        return Hits(query, tuple(hits))


@stage
class First:
    """Answer with the first hit's last word; fail, or abstain, when told to."""

    fails: tuple[str, ...] = Field(default=())
    silent: bool = Field(default=False)
    weights: str = Field(default="")

    def __call__(self, hits: Hits, /) -> Answer:
        if hits.query.id in self.fails:
            raise RagError(f"question {hits.query.id!r}: told to fail")
        if self.weights:
            raise MissingWeights(f"model {self.weights!r} is not here: run `rag models pull {self.weights}`")
        if self.silent or not hits.items:
            return Answer(hits.query, "", "abstained", context=hits)
        hit = hits[0]
        text = hit.text.strip().rstrip(".").split()[-1]
        start = hit.start + hit.document.text[hit.start : hit.end].index(text)
        return Answer(hits.query, text, "answered", (Citation.of(hit.document, start, start + len(text)),), hits)


def write_dataset(folder: Path, questions: int = 40) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    corpus, queries, qrels, spans = [], [], ["query-id\tcorpus-id\tscore"], []
    for d, subject in enumerate(SUBJECTS):
        lines = [f"Fact {n} about the {subject} number {n} is value{d}x{n}.\n" for n in range(10)]
        corpus.append({"id": f"d{d}", "title": subject, "text": "".join(lines)})
        for n in range(10):
            if len(queries) == questions:
                continue
            query = f"q{d}-{n}"
            gold = f"value{d}x{n}"
            queries.append(
                {
                    "id": query,
                    "text": f"fact {n} about the {subject} number {n}",
                    "answers": [gold],
                    "type": "even" if n % 2 == 0 else "odd",
                }
            )
            qrels.append(f"{query}\td{d}\t1")
            start = "".join(lines).index(gold)
            spans.append({"query_id": query, "doc_id": f"d{d}", "start": start, "end": start + len(gold), "text": gold})
    for name, rows in (("corpus", corpus), ("queries", queries), ("spans", spans)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "qrels.tsv").write_text("\n".join(qrels) + "\n")
    return folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("facts"))


@pytest.fixture
def data(folder):
    return load(folder)


@pytest.fixture
def pipeline():
    return Pipeline(chunker=Lines(), stages=(Words(), First()))


@pytest.fixture
def failing():
    def made(*ids: str, **settings) -> Pipeline:
        return Pipeline(chunker=Lines(), stages=(Words(), First(fails=ids, **settings)))

    return made
