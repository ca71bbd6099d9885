"""Regulations whose answer depends on their place: flat, collapsed, beam and authority bundle on TreeBench's pool.

TreeBench (https://github.com/whitepaper27/TreeBench, data CC BY 4.0) asks about US federal regulations. The trees of
its corpus are not published, so the pool is closed: the texts that are evidence for some question, hung into one tree
a title by the path that their ids spell (part, subpart, section, paragraph). Relevant are the texts that are evidence
for the question. Questions quote what they ask about, so words are strong; those that share no run of eight words with
their evidence are shown apart.
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.datasets import load
from evals.reproduce import as_table
from evals.stats import interval, paired
from rag.doctree import CODE, DocTree
from rag.pipeline import bound, retrievers_of
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Query
from retrievers.bm25 import BM25
from retrievers.tree import TreeRetriever

if TYPE_CHECKING:
    from evals.datasets import Dataset, Item

__all__ = ["CASES", "leaks", "reproduce", "titles"]

K = 10
RUN = 8  # words
FLAT = BM25(k=50)
CASES: Mapping[str, Any] = {
    "flat": FLAT,
    "collapsed": TreeRetriever(inner=FLAT, k=K, rescue=0),
    "beam": TreeRetriever(inner=FLAT, strategy="beam", k=K, rescue=5),
    "beam, bundle 1": TreeRetriever(inner=FLAT, strategy="beam", k=K, rescue=5, bundle=1),
    "beam, bundle 2": TreeRetriever(inner=FLAT, strategy="beam", k=K, rescue=5, bundle=2),
}
STEP = re.compile(r"^(title|subtitle|chapter|subchap|part|subpart|subjgrp|section|para)_(.*)$")
NAMES = {"subchap": "Subchapter", "subjgrp": "Group", "section": "§", "para": "Paragraph"}


def titles(data: Dataset) -> tuple[list[DocTree], dict[tuple[str, int], str]]:
    """One tree a title of the regulations, and for each of its leaves the text it is.

    A leaf is one text of the pool with the headings in front that begin there.
    """
    by_source: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for doc in data.places:
        record = data.record(doc)
        source, _, rest = str(record["metadata"]["node_id"]).partition("__")
        steps = tuple(_step(one) for one in rest.split("__"))
        by_source.setdefault(source, []).append((steps, doc))
    trees: list[DocTree] = []
    which: dict[tuple[str, int], str] = {}
    for source, rows in sorted(by_source.items()):
        known = {path[-1 - path[-1].startswith("Paragraph")]: path for path, _ in rows if len(path) > 1}
        placed = []
        for path, doc in rows:
            home = known.get(path[-1], path) if len(path) == 1 else path
            cut = next((i for i, one in enumerate(home) if one == path[-1]), len(home) - 1) if len(path) == 1 else None
            placed.append((home[: cut + 1] if cut is not None else home, doc))
        placed.sort(key=lambda row: (_sortable(row[0]), row[1]))
        tree, leaves = _tree(source, placed, data)
        trees.append(tree)
        which |= {(source, node): doc for node, doc in leaves}
    return trees, which


def _step(one: str) -> str:
    match = STEP.match(one.replace("§_", ""))
    return one if match is None else f"{NAMES.get(match[1], match[1].capitalize())} {match[2]}"


def _sortable(path: Sequence[str]) -> tuple[tuple[Any, ...], ...]:
    return tuple(
        tuple((not n.isdigit(), int(n) if n.isdigit() else n) for n in re.findall(r"\d+|\D+", p)) for p in path
    )


def _tree(
    source: str, rows: Sequence[tuple[Sequence[str], str]], data: Dataset
) -> tuple[DocTree, list[tuple[int, str]]]:
    """Headings and texts as one document, with its tree."""
    parts: list[str] = []
    start, end, parent, kind, level, heads = [0], [0], [-1], [0], [0], [(0, 0)]
    open_: list[tuple[str, int]] = []
    leaves: list[tuple[int, str]] = []
    at = 0
    for path, doc in rows:
        shared = 0
        while shared < min(len(open_), len(path)) and open_[shared][0] == path[shared]:
            shared += 1
        del open_[shared:]
        begin = at
        for name in path[shared:]:
            parent.append(open_[-1][1] if open_ else 0)
            open_.append((name, len(start)))
            start.append(begin)
            end.append(begin)
            kind.append(CODE["section"])
            level.append(len(open_))
            heads.append((at, at + len(name)))
            parts.append(f"{name}\n")
            at += len(name) + 1
        body = f"{data.text(doc).strip()}\n\n"
        parts.append(body)
        at += len(body)
        leaves.append((len(start), doc))
        parent.append(open_[-1][1])
        start.append(begin)
        end.append(at)
        kind.append(CODE["text"])
        level.append(len(open_))
        heads.append((0, 0))
        for _, node in open_:
            end[node] = at
    end[0] = at
    tree = DocTree(
        Document(source, "".join(parts)),
        np.array(start),
        np.array(end),
        np.array(parent),
        np.array(kind, np.uint8),
        np.array(level, np.int16),
        np.array(heads),
        np.full(len(start), -1, np.int32),
    )
    tree.check()
    return tree, leaves


def leaks(item: Item, data: Dataset) -> bool:
    """Whether a question shares a run of eight words with its evidence."""
    words = re.findall(r"\w+", item.text.lower())
    runs = {tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1)}
    for doc in item.qrels:
        text = re.findall(r"\w+", data.text(doc).lower())
        if any(tuple(text[i : i + RUN]) in runs for i in range(len(text) - RUN + 1)):
            return True
    return False


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Evidence recall at 10 of each search, paired with flat BM25 by question."""
    data = load(given.data)
    items = [item for item in data.items if item.qrels][: given.limit]
    trees, which = titles(data)
    store = in_memory(trees)
    for case in CASES.values():
        for one in retrievers_of(case):
            one.build(store.corpus, store.part(part_key(one)))
    found: dict[str, list[float]] = {}
    for name, case in CASES.items():
        tell(f"{name}\n")
        ready = bound(case, store)
        found[name] = []
        for item in items:
            hits = ready(Query(item.id, item.text)).items[:K]
            docs = {which[hit.doc, hit.node] for hit in hits}
            found[name].append(100 * len(docs & set(item.qrels)) / len(item.qrels))
    quoted = np.array([leaks(item, data) for item in items])
    result: dict[str, Any] = {"n": len(items), "unquoted": int((~quoted).sum()), "k": K, "seed": given.seed, "rows": {}}
    rows = []
    for name, values in found.items():
        scores, flat = np.array(values), np.array(found["flat"])
        row: dict[str, Any] = {
            "recall": _round(interval(scores, seed=given.seed)),
            "complete": round(100 * float((scores == 100).mean()), 1),
            "against_flat": _round(paired(flat, scores, seed=given.seed)),
            "unquoted": _round(interval(scores[~quoted], seed=given.seed)),
            "unquoted_against_flat": _round(paired(flat[~quoted], scores[~quoted], seed=given.seed)),
            "types": {
                kind: round(float(np.mean([s for s, item in zip(values, items, strict=True) if item.type == kind])), 1)
                for kind in sorted({item.type for item in items})
            },
        }
        result["rows"][name] = row
        gain = row["against_flat"]
        rows.append(
            [
                name,
                f"{row['recall'][0]:.1f}",
                f"{row['complete']:.1f}",
                f"{gain[0]:+.1f} ({gain[1]:+.1f} to {gain[2]:+.1f})",
                f"{row['unquoted'][0]:.1f}",
                f"{row['unquoted_against_flat'][0]:+.1f}",
            ]
        )
    result["table"] = as_table("search|recall@10|complete|against flat, 95 %|unquoted|against flat", rows)
    return result


def _round(value: Any) -> list[float]:
    """Mean or difference, low and high."""
    return [round(float(value[i]), 2) for i in range(3)]
