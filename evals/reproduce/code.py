"""From what a function says it does to the function: source code cut by syntax against source code cut as text.

The corpus is the standard library of the Python that runs this (packages below), doc strings of functions taken out;
a question is the first paragraph of a doc string of at least six words, the gold is the function's lines. So the
question's words are not in the text, as when somebody asks for code in their own words. All chunks are ranked by BM25
and taken in rank order until the next does not fit. Rows differ in how files are cut (the `code` rows by the syntax
tree; at the same size), and in whether names are divided into their words.

Functions of fewer than three or more than 200 lines are left out, and of equal questions all but the first. The set
was not used to choose a setting.

Mean recall of gold characters, 400 questions over 105 files of Python 3.11.7, in points:

        tokens of context                           256   512  1024  2048
        recursive                                  19.3  33.4  49.1  61.5
        recursive, names divided                   19.3  33.3  49.7  62.8
        structure, read as text                    19.0  35.6  50.9  64.3
        structure, read as code                    24.6  39.5  53.7  65.8
        structure, read as code, names divided     26.9  41.6  56.8  68.4
        the same, pruned                           28.5  41.0  54.9  66.4

Paired with recursive at the same size, names divided in both, code read as code gains 7.5 points at 256 tokens (95 %:
3.9 to 11.1), 8.3 at 512 (4.6 to 12.2), 7.1 at 1,024 (3.7 to 10.7) and 5.7 at 2,048 (2.6 to 8.8). Part of that are the
signatures, which are indexed with every chunk of their function. `compressors/prune` on the first 20 chunks keeps more
than whole chunks do at 256 tokens and less from 512 on; that difference was not tested for chance.
"""

from __future__ import annotations

import ast
import platform
import random
import sysconfig
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chunkers.recursive import RecursiveChunker
from chunkers.structure import StructureChunker
from compressors.prune import Prune
from evals.metrics.spans import recall
from evals.observe import fill
from evals.reproduce import as_table
from evals.stats import interval, paired
from rag.models.tokens import counter
from rag.pipeline import bound
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Hits, Query
from retrievers.bm25 import BM25

if TYPE_CHECKING:
    from rag.types import Hit

__all__ = ["PACKAGES", "Task", "reproduce", "tasks"]

PACKAGES = (
    *(
        "asyncio",
        "concurrent",
        "email",
        "http",
        "importlib",
        "json",
        "logging",
        "multiprocessing",
        "unittest",
        "urllib",
    ),
    "xml",
)
QUESTIONS = 400
BUDGETS = (256, 512, 1024, 2048)
SIZE = 200
ROWS: dict[str, tuple[Any, bool]] = {
    "recursive": (RecursiveChunker(size=SIZE), False),
    "recursive, names divided": (RecursiveChunker(size=SIZE), True),
    "structure, read as text": (StructureChunker(size=SIZE, max_size=SIZE, format="plain"), True),
    "structure, read as code": (StructureChunker(size=SIZE, max_size=SIZE), False),
    "structure, read as code, names divided": (StructureChunker(size=SIZE, max_size=SIZE), True),
}
BASE, OURS = "recursive, names divided", "structure, read as code, names divided"


class Task(NamedTuple):
    """A question and the range of the function it was the doc string of."""

    question: str
    doc: str
    start: int
    end: int


def tasks(root: Path, packages: tuple[str, ...] = PACKAGES) -> tuple[list[Document], list[Task]]:
    """The files below `root` without the doc strings of their functions, and every question they give."""
    documents: list[Document] = []
    found: list[Task] = []
    seen: set[str] = set()
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            if {"test", "tests", "__pycache__", "idle_test"} & set(path.parts):
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            name = path.relative_to(root).as_posix()
            stripped, asked = _without(text)
            if not asked:
                continue
            documents.append(Document(name, stripped, path.name, "text/x-python"))
            for question, start, end in asked:
                if question not in seen:
                    seen.add(question)
                    found.append(Task(question, name, start, end))
    return documents, found


def _without(text: str) -> tuple[str, list[tuple[str, int, int]]]:
    """The code without its functions' doc strings; for each that had one the question and its range there."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError:
        return text, []
    lines = text.splitlines(keepends=True)
    cut: set[int] = set()
    rows: list[tuple[str, int, int]] = []
    for node, question in _documented(tree):
        body = node.body[0]
        if len(node.body) < 2 or body.lineno == node.lineno:
            continue
        cut.update(range(body.lineno - 1, body.end_lineno or body.lineno))
        if 3 <= (node.end_lineno or 0) - (body.end_lineno or 0) + 1 <= 200 and len(question.split()) >= 6:
            rows.append((question, node.lineno - 1, node.end_lineno or 0))
    place = np.cumsum([0, *(0 if i in cut else len(line) for i, line in enumerate(lines))]).tolist()
    kept = "".join(line for i, line in enumerate(lines) if i not in cut)
    return kept, [(question, place[a], place[b]) for question, a, b in sorted(rows, key=lambda row: row[1])]


def _documented(tree: ast.AST) -> Iterator[tuple[Any, str]]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (said := ast.get_docstring(node)):
            yield node, " ".join(said.split("\n\n")[0].split())


def _ranked(chunker: Any, identifiers: bool, documents: list[Document], asked: list[Task]) -> list[Hits]:
    bm25 = BM25(k=100, identifiers=identifiers)
    store = in_memory([chunker(document) for document in documents])
    bm25.build(store.corpus, store.part(part_key(bm25)))
    search = bound(bm25, store)
    return [search(Query(str(i), task.question)) for i, task in enumerate(asked)]


def _recall(shown: tuple[Hit, ...] | list[Hit], task: Task) -> float:
    ranges = [(hit.doc, a, b) for hit in shown for a, b in hit.spans]
    return float(recall(ranges, [(task.doc, task.start, task.end)]))


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Recall of gold characters of each row at each budget, and paired differences to cutting as text."""
    root = Path(given.data or sysconfig.get_path("stdlib"))
    documents, every = tasks(root)
    asked = random.Random(0).sample(every, min(QUESTIONS, len(every)))
    tokenizer = counter("cl100k")
    scores: dict[str, list[list[float]]] = {}
    for name, (chunker, identifiers) in ROWS.items():
        tell(f"{name}\n")
        ranked = _ranked(chunker, identifiers, documents, asked)
        scores[name] = [
            [_recall(fill(hits, budget, tokenizer), task) for hits, task in zip(ranked, asked, strict=True)]
            for budget in BUDGETS
        ]
        if name == OURS:
            tell("pruned\n")
            top = [Hits(hits.query, hits.items[:20]) for hits in ranked]
            scores["the same, pruned"] = [
                [_recall(Prune(budget=budget)(hits).items, task) for hits, task in zip(top, asked, strict=True)]
                for budget in BUDGETS
            ]
    rows = {name: [_told(interval(values)) for values in by_budget] for name, by_budget in scores.items()}
    against = {
        name: [_told(paired(scores[BASE][i], by_budget[i])) for i in range(len(BUDGETS))]
        for name, by_budget in scores.items()
        if name != BASE
    }
    lines = [[name, *(f"{v:.1f} ({low:.1f} to {high:.1f})" for v, low, high in row)] for name, row in rows.items()]
    for name, row in against.items():
        shown = (f"{v:+.1f} ({low:+.1f} to {high:+.1f})" for v, low, high in row)
        lines.append([f"{name} - {BASE}", *shown])
    return {
        "python": platform.python_version(),
        "files": len(documents),
        "n": len(asked),
        "seed": 0,
        "size": SIZE,
        "budgets": BUDGETS,
        "rows": rows,
        "against": against,
        "table": as_table("recall, points (95 %)|" + "|".join(f"{b} tok" for b in BUDGETS), lines),
    }


def _told(found: Any) -> list[float]:
    return [round(100 * float(x), 2) for x in found[:3]]
