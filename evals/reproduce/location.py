"""Questions that say where: node recall of location search against plain search, on documents with pages.

Two kinds of questions over the same documents, each asked of its own document. `made`: from templates, with gold from
the structure: the leaves of the named page, section, table or figure that hold the named word, which also stands
elsewhere in the document; leaves are those of `chunkers/structure` with `even` at 0.3. Half of the templates were
written after the rules and never used to change them (`held out`). `asked`: the set's own questions that name a place,
where a leaf counts that holds the answer word for word.

Made questions are circular in one respect: sections and their order come from the same outline that the rules read.
Pages, tables and figures do not.
"""

from __future__ import annotations

import random
import re
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.reproduce import as_table
from evals.stats import interval, paired
from rag.lexical import STOP
from rag.pipeline import bound, retrievers_of
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Hits, Query
from retrievers.bm25 import BM25
from retrievers.hybrid import Hybrid
from retrievers.location import LocationRetriever
from retrievers.places import places

if TYPE_CHECKING:
    from rag.doctree import DocTree
    from rag.stage import Retriever

__all__ = ["Made", "make", "reproduce"]

K = 5
A_KIND = 60  # questions of each kind and side
NTH = ("first", "second", "third", "fourth", "fifth")
TEMPLATES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # known while the rules were written, held out
    "page": (
        ("What is said about {word} on page {n}?", "What does page {n} say about {word}?"),
        (
            "Regarding {word}, which statement appears on p. {n}?",
            "I remember reading of {word} on the {nth} page: what was it?",
        ),
    ),
    "last page": (
        ("What is said about {word} on the last page?",),
        ("Does the final page mention {word}, and how?",),
    ),
    "section": (
        ("What does the {nth} section say about {word}?", 'What does the section "{title}" say about {word}?'),
        ("Under the heading \"{title}\", how is {word} discussed?", "How does {word} come up in section {n}?"),
    ),
    "table": (
        ("What does Table {n} show?",),
        ("Which values are listed in table no. {n}?",),
    ),
    "figure": (
        ("What does Figure {n} show?",),
        ("Describe what can be seen in Fig. {n}.",),
    ),
}  # fmt: skip


class Made(NamedTuple):
    """A question made from a document's structure.

    Args:
        kind: of place.
        held: whether its template was held out.
        query: asked of its own document alone.
        gold: indices of the leaves in the document's tree.
    """

    kind: str
    held: bool
    query: Query
    gold: frozenset[int]


def make(trees: Sequence[DocTree], seed: int, each: int = A_KIND) -> list[Made]:
    """Questions of every kind and side, as many as there are up to `each`, drawn by the seed."""
    rng = random.Random(seed)
    found: list[Made] = []
    for kind, sides in TEMPLATES.items():
        places_: list[tuple[str, dict[str, Any], frozenset[int]]] = []
        for tree in trees:
            options = list(_PLACES[kind](tree))
            rng.shuffle(options)
            places_ += [(tree.document.id, facts, gold) for facts, gold in options[:4]]
        rng.shuffle(places_)
        for held, templates in enumerate(sides):
            for i, (doc, facts, gold) in enumerate(places_[held * each : (held + 1) * each]):
                text = templates[i % len(templates)].format(**facts)
                found.append(Made(kind, bool(held), Query(f"{kind} {held} {i}", text, scope=(doc,)), gold))
    return found


def _pages(tree: DocTree) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b, *_ in tree.document.metadata.get("pages", ())]


def _words(text: str) -> list[str]:
    """Words of five letters or more, each once, in order."""
    return list(dict.fromkeys(w for w in re.findall(r"\b[a-z]{5,14}\b", text.lower()) if w not in STOP))


def _holding(tree: DocTree, start: int, end: int, word: str) -> frozenset[int]:
    """Leaves with a word inside a range."""
    pattern = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
    at = [m.start() for m in pattern.finditer(tree.document.text, start, end)]
    return frozenset(n.index for n in tree.leaves() if any(n.start <= i < n.end for i in at))


def _topics(tree: DocTree, start: int, end: int) -> Iterator[tuple[str, frozenset[int]]]:
    """Words of a range that stand outside it at least twice."""
    text = tree.document.text.lower()
    inside = text[start:end]
    for word in _words(inside)[:200:9]:
        if text.count(word) - inside.count(word) >= 2:
            yield word, _holding(tree, start, end, word)


def _page(tree: DocTree) -> Iterator[tuple[dict[str, Any], frozenset[int]]]:
    pages = _pages(tree)
    for i, (a, b) in enumerate(pages[:5]):
        if len(pages) > 2:
            for word, gold in list(_topics(tree, a, b))[:2]:
                yield {"n": i + 1, "nth": NTH[i], "word": word}, gold


def _last(tree: DocTree) -> Iterator[tuple[dict[str, Any], frozenset[int]]]:
    pages = _pages(tree)
    if len(pages) > 2:
        for word, gold in list(_topics(tree, *pages[-1]))[:2]:
            yield {"word": word}, gold


def _section(tree: DocTree) -> Iterator[tuple[dict[str, Any], frozenset[int]]]:
    tops = [n for n in tree if n.title and n.parent is not None and n.parent.index == 0]
    if 3 <= len(tops) <= 30:
        for i, node in enumerate(tops[:5]):
            if '"' in node.title or len(node.title) > 70 or len(node.title.split()) > 10:
                continue
            for word, gold in list(_topics(tree, node.start, node.end))[:1]:
                yield {"n": i + 1, "nth": NTH[i], "title": node.title, "word": word}, gold


def _captions(tree: DocTree, names: str) -> Iterator[tuple[dict[str, Any], frozenset[int]]]:
    found: dict[int, set[int]] = {}
    for match in re.finditer(rf"(?im)^[^\S\n]*(?:{names})\.?\s*(\d{{1,2}})\b(?!\.\d)", tree.document.text):
        found.setdefault(int(match.group(1)), set()).add(match.start(1))
    for n, at in sorted(found.items()):
        yield {"n": n}, frozenset(x.index for x in tree.leaves() if any(x.start <= i < x.end for i in at))


_PLACES: dict[str, Callable[[DocTree], Iterator[tuple[dict[str, Any], frozenset[int]]]]] = {
    "page": _page,
    "last page": _last,
    "section": _section,
    "table": lambda tree: _captions(tree, "table"),
    "figure": lambda tree: _captions(tree, "figure|fig"),
}


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Node recall at 5 by kind and side, and of the set's own questions."""
    data = load(given.data)
    chunker = StructureChunker(even=0.3)
    trees = []
    for doc in data.places:
        record = data.record(doc)
        trees.append(chunker(Document(doc, record["text"], record.get("title") or "", metadata=record["metadata"])))
    store = in_memory(trees)
    result: dict[str, Any] = {"k": K, "seed": given.seed, "rows": {}}
    made = make(trees, given.seed)[:: 1 if given.limit is None else max(1, 600 // given.limit)]
    own = [item for item in data.items if item.scope and item.answers and places(item.text)]
    rows: list[list[str]] = []
    rankings: dict[str, Retriever] = {"words": BM25(), "words and vectors": Hybrid()}
    for ranking, inner in rankings.items():
        tell(f"{ranking}\n")
        search = LocationRetriever(inner=inner, k=100)
        for one in retrievers_of(search):
            one.build(store.corpus, store.part(part_key(one)))
        ready = bound(search, store)
        scores: dict[str, list[tuple[float, float]]] = {}
        for question in made:
            pair = (_recall(ready.inner(question.query), question.gold), _recall(ready(question.query), question.gold))
            side = "held out" if question.held else "known"
            for row in ("all made", f"{side}", f"{question.kind}, {side}"):
                scores.setdefault(row, []).append(pair)
        for item in own:
            texts = (
                [hit.text.lower() for hit in ready.inner(item.query())],
                [h.text.lower() for h in ready(item.query())],
            )
            if any(_said(one, item.answers) for one in texts):
                scores.setdefault("asked", []).append(
                    (100.0 * _said(texts[0][:K], item.answers), 100.0 * _said(texts[1][:K], item.answers))
                )
        table: dict[str, Any] = result["rows"].setdefault(ranking, {})
        for row, pairs in sorted(scores.items()):
            plain, placed = [p for p, _ in pairs], [p for _, p in pairs]
            gain = paired(plain, placed, seed=given.seed)
            table[row] = {
                "n": len(pairs),
                "plain": round(interval(plain, seed=given.seed).value, 1),
                "location": round(interval(placed, seed=given.seed).value, 1),
                "gain": [round(v, 1) for v in gain[:3]],
            }
            low, high = table[row]["gain"][1:]
            rows.append(
                [f"{ranking}: {row}", str(len(pairs)), f"{table[row]['plain']:.1f}", f"{table[row]['location']:.1f}",
                 f"{gain.delta:+.1f} ({low:+.1f} to {high:+.1f})"]
            )  # fmt: skip
    result["table"] = as_table("questions|n|plain|location|gain, 95 %", rows)
    return result


def _recall(hits: Hits, gold: frozenset[int]) -> float:
    return 100.0 * len({hit.node for hit in hits.items[:K]} & gold) / len(gold)


def _said(texts: Sequence[str], answers: Sequence[str]) -> bool:
    return any(answer.strip().lower() in text for text in texts for answer in answers if answer.strip())
