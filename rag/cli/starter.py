"""The files of `rag init`: a pipeline, documents, questions, and a stage with its test."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["files"]

HEAD = """\
# A pipeline. Every setting of every stage: rag check pipeline.yaml --allow my_stages
# Every stage there is: rag show stages. One stage: rag show stage rerankers/mmr
"""
STAGE = '''\
"""Stages of this project. One is a frozen set of settings that can be called; `rag docs` tells more."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from rag import Drop, Field, Hits
from rag.stage import stage


@stage
class PerDocument:
    """Keep at most `most` hits of each document, so that one long document cannot fill the context.

    Args:
        hits: n >= 0, best first.

    Returns:
        The hits that stay, unchanged and in their order. Every other one is a drop with its reason.
    """

    most: int = Field(default=5, ge=1, description="hits kept of one document")

    def __call__(self, hits: Hits, /) -> Hits:
        """The first hits of each document."""
        seen: Counter[str] = Counter()
        kept, drops = [], list(hits.drops)
        for hit in hits:
            seen[hit.doc] += 1
            if seen[hit.doc] <= self.most:
                kept.append(hit)
            else:
                drops.append(Drop(hit, "my_stages:PerDocument", f"more than {self.most} of one document"))
        return replace(hits, items=tuple(kept), drops=tuple(drops))
'''
TEST = '''\
"""Run with `pytest`; no model is needed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import rag
from chunkers.structure import StructureChunker
from my_stages import PerDocument
from rag.testing import check_stage, example_queries, indexed
from retrievers.bm25 import BM25

HERE = Path(__file__).parent
SEARCH = indexed(StructureChunker(size=16), BM25(k=20))


def test_the_stage_keeps_the_contract() -> None:
    check_stage(PerDocument(most=1), hits=[SEARCH(query) for query in example_queries()])


def test_no_document_has_more_than_its_share() -> None:
    before = SEARCH(rag.Query("q", "When was the wall of the harbour rebuilt, and how deep is the berth?"))
    after = PerDocument(most=1)(before)
    assert max(Counter(hit.doc for hit in before).values()) > 1
    assert max(Counter(hit.doc for hit in after).values()) == 1
    assert len(after) + len(after.drops) == len(before)


def test_the_pipeline_file_is_valid() -> None:
    pipe = rag.load(HERE / "pipeline.yaml", allow=["my_stages"])
    assert any(isinstance(one, PerDocument) for one in pipe.stages)


def test_the_documents_can_be_searched() -> None:
    search = rag.Pipeline(chunker=StructureChunker(), stages=(BM25(k=3), PerDocument(most=1)))
    found = search.index(HERE / "docs").run("When does the last climb start?")
    assert found[0].doc == "lighthouse.md"
    assert "16:15" in found[0].text
'''
README = """\
# A start

    rag models pull                                                  # once: two small models, 70 MB
    rag index pipeline.yaml docs --out index --allow my_stages
    rag ask index "When does the last climb start?" --allow my_stages
    rag run pipeline.yaml --data questions --out runs/first --allow my_stages
    rag report runs/first                                            # one page: runs/first/report.html
    rag serve index --allow my_stages                                # a page to ask and look; ragtree[serve]
    pytest                                                           # tests the stage in my_stages.py

- `docs/`: your documents go here. Markdown, text, HTML, CSV; PDF and Word with `pip install 'ragtree[pdf,docx]'`.
- `pipeline.yaml`: the stages and their settings.
- `my_stages.py`: a stage of your own, used in the pipeline; `test_my_stages.py` tests it.
- `questions/`: a small dataset with exact evidence. `rag data synth` makes one from your documents.

`--allow my_stages` lets the pipeline use a module that is not installed; files from others reach installed stages only.
"""
DOCUMENTS = {
    "lighthouse.md": """\
# The lighthouse at Pellan Point

The lighthouse was built in 1871 by the engineer Maria Hoyle. Its lamp was first lit on 3 March 1872.

## Opening hours

Visitors may climb the tower from May to September, Tuesday to Sunday, between 10:00 and 17:00.
The last climb starts at 16:15. The tower is closed in winds above 60 km/h.

## Tickets

| ticket | price |
| --- | --- |
| adults | 6 euros |
| children under 14 | 3 euros |
""",
    "harbour.md": """\
# Pellan harbour

The harbour has two berths. The north berth is 4 metres deep, the south berth 9 metres.

## The harbour office

The office opens at 7:30 on weekdays. Ships longer than 90 metres must book a pilot two days ahead.

## History

A storm broke the outer wall in 1911. It was rebuilt in granite by 1913.
""",
    "ferry.txt": """\
The ferry to Skarn Island

The ferry leaves Pellan at 8:00 and 14:30 and takes fifty minutes. Bicycles travel free of charge.
Dogs must be kept on a lead. There is no ferry on 24 December.
""",
}
TITLES = {"lighthouse.md": "The lighthouse at Pellan Point", "harbour.md": "Pellan harbour", "ferry.txt": "ferry"}
MEDIA = {"md": "text/markdown", "txt": "text/plain"}
QUESTIONS = (  # question, answer, document, evidence; the last one has none
    ("Who built the lighthouse at Pellan Point?", "Maria Hoyle", "lighthouse.md", "the engineer Maria Hoyle"),
    ("When does the last climb start?", "16:15", "lighthouse.md", "The last climb starts at 16:15."),
    ("What does a ticket cost for adults?", "6 euros", "lighthouse.md", "| adults | 6 euros |"),
    ("How deep is the south berth?", "9 metres", "harbour.md", "the south berth 9 metres"),
    ("When was the outer wall rebuilt?", "1913", "harbour.md", "It was rebuilt in granite by 1913."),
    ("How long does the ferry take?", "fifty minutes", "ferry.txt", "takes fifty minutes"),
    ("Who painted the ceiling of the town hall?", "", "", ""),
)


def files(recipe: str) -> dict[str, str]:
    """Path in the folder -> content, for a project whose pipeline starts from a recipe."""
    made = {
        "README.md": README,
        "pipeline.yaml": _pipeline(recipe),
        "my_stages.py": STAGE,
        "test_my_stages.py": TEST,
        **{f"docs/{name}": text for name, text in DOCUMENTS.items()},
    }
    queries, spans, grades, corpus = [], [], ["query-id\tcorpus-id\tscore"], []
    for number, (text, answer, doc, evidence) in enumerate(QUESTIONS, start=1):
        query = f"q{number}"
        kind = "extractive" if answer else "unanswerable"
        queries.append({"id": query, "text": text, "answers": [answer] if answer else [], "type": kind})
        if doc:
            start = DOCUMENTS[doc].index(evidence)
            spans.append({"query_id": query, "doc_id": doc, "start": start, "end": start + len(evidence)})
            grades.append(f"{query}\t{doc}\t1")
    for doc, text in DOCUMENTS.items():
        kind = MEDIA[doc.rpartition(".")[2]]
        corpus.append({"id": doc, "title": TITLES[doc], "text": text, "metadata": {"media_type": kind}})
    return made | {
        "questions/queries.jsonl": _lines(queries),
        "questions/spans.jsonl": _lines(spans),
        "questions/corpus.jsonl": _lines(corpus),
        "questions/qrels.tsv": "\n".join(grades) + "\n",
    }


def _pipeline(recipe: str) -> str:
    """The recipe written out, with the project's own stage behind its search."""
    import yaml

    from rag.config import read

    value: dict[str, Any] = dict(read(recipe).value)
    value["description"] = f"The recipe {recipe}, with a stage of this project behind its search."
    first, *rest = value["stages"]
    value["stages"] = [first, {"use": "my_stages:PerDocument", "most": 20}, *rest]
    return HEAD + yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)


def _lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
