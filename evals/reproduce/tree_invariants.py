"""Whether every tree of a thousand real documents keeps the seven promises of a tree.

Each document is read, cut (`chunkers/structure`) and grown (`trees/segments`, `trees/clusters`, `trees/summaries`,
`trees/keywords`, `trees/cards`), and both trees are looked at:

- `covers`: the leaves joined are the text, character for character, what stands before the first heading included;
- `apart`: no two leaves share a character, none is empty;
- `ordered`: children stand in order and a node's range is that of its children, one after the other;
- `quoted`: titles, repeated ranges, notes taken from the text and the hits of a question are slices of it;
- `hashed`: building again gives the same bytes, packing and unpacking the same hashes, and a hash is a function of the
  node's own and of the places and hashes of its children;
- `single`: one root, one parent a node, no cycle;
- `bounded`: at most 12 children and 8 levels in the grown tree, more children only where so many leaves need them.

Documents of more than 30,000 characters are left out but for the first three of each set. With no violation in n
documents the share of documents with one is below `1 - 0.05 ** (1 / n)` at 95 % (Clopper and Pearson 1934).
"""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from chunkers.structure import StructureChunker
from evals.reproduce import SAMPLE, as_table
from rag.doctree import DocTree
from rag.loaders.read import documents, read
from rag.notes import notes_of
from rag.pipeline import bound
from rag.store.codec import pack_tree, unpack_tree
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.trees.cards import Cards
from rag.trees.clusters import Clusters
from rag.trees.keywords import Keywords
from rag.trees.merkle import own_hashes, subtree_hashes
from rag.trees.segments import Segments
from rag.trees.summaries import Summaries
from rag.types import Document, Failed, Query
from retrievers.bm25 import BM25
from retrievers.tree import TreeRetriever

__all__ = ["PROMISES", "broken", "grown", "real", "reproduce"]

PROMISES = ("covers", "apart", "ordered", "quoted", "hashed", "single", "bounded")
FOLDERS = ("docs_markdown",)  # files of many kinds
SETS = (
    *("contractnli", "covid_qa", "cuad_spans", "mmda", "qasper_small", "qmsum", "squad_articles", "squad_long"),
    *("squality", "govreport_small", "clapnq"),
)
CHARACTERS, LONGER = 30_000, 3  # of a document; documents of each set that may have more
WIDE, DEEP = 12, 8
CHUNKER, GROWERS = StructureChunker(), (Segments(), Clusters(), Summaries(), Keywords(), Cards())


def real(folder: Path) -> Iterator[tuple[str, Document]]:
    """(set, document) of all sets that a folder holds, in order; of `folder` itself where it holds none."""
    for name in FOLDERS:
        for found in documents([folder / name]) if (folder / name).exists() else ():
            if isinstance(found, Document) and found.text.strip():
                yield name, found
    files = [(name, folder / name / "corpus.jsonl") for name in SETS]
    there = [(name, file) for name, file in files if file.exists()]
    for name, file in there or [(folder.name, folder / "corpus.jsonl")]:
        for found in read(file):
            if not isinstance(found, Failed):
                yield name, found


def grown(document: Document) -> tuple[DocTree, DocTree]:
    """The tree as cut, and as grown."""
    tree = CHUNKER(document)
    whole = tree
    for grower in GROWERS:
        whole = grower(whole)
    return tree, whole


def broken(tree: DocTree, whole: DocTree) -> Counter[str]:
    """How often each promise is broken by the tree as cut and as grown."""
    found = Counter(dict.fromkeys(PROMISES, 0))
    for one in (tree, whole):
        found["covers"] += "".join(leaf.text for leaf in one.leaves()) != one.document.text
        leaves = [(leaf.start, leaf.end) for leaf in one.leaves()]
        found["apart"] += sum(a >= b for a, b in leaves)
        found["apart"] += sum(left[1] > right[0] for left, right in pairwise(leaves))
        found["ordered"] += _disordered(one)
        found["quoted"] += _misquoted(one)
        up = one.parent.tolist()
        found["single"] += up[0] != -1 or any(not 0 <= above < i for i, above in enumerate(up[1:], 1))
    found["quoted"] += 0 if found["single"] else _lost(whole)
    again = grown(tree.document)[1]
    found["hashed"] += (pack_tree(again) != pack_tree(whole)) + _unhashed(whole)
    found["bounded"] += _unbounded(whole)
    return found


def _disordered(tree: DocTree) -> int:
    wrong = 0
    for i, children in enumerate(tree.child_ids):
        borders = [tree.start[i], *(edge for c in children for edge in (tree.start[c], tree.end[c])), tree.end[i]]
        wrong += bool(children) and borders[::2] != borders[1::2]
    return wrong


def _misquoted(tree: DocTree) -> int:
    text = tree.document.text
    size = len(text)
    wrong = sum(not 0 <= a <= b <= size for a, b in tree.titles.tolist())
    wrong += sum(not 0 <= a < b <= size for ranges in tree.repeats.values() for a, b in ranges)
    for name in tree.notes:
        for node in tree.notes[name]:
            for note in notes_of(tree, name, node):
                wrong += any(not 0 <= a < b <= size for a, b in note.spans)
                if note.ok and note.spans:
                    wrong += note.text != text[slice(*note.spans[0])]
    return wrong


def _lost(tree: DocTree) -> int:
    """Hits of a question, in the words of the middle leaf, that are not slices of their node."""
    leaves = tree.leaves()
    store, retriever = in_memory([tree]), TreeRetriever(inner=BM25(k=20), k=20)
    for one in (retriever.inner, retriever):
        one.build(store.corpus, store.part(part_key(one)))
    words = leaves[len(leaves) // 2].text[:300].strip() if leaves else ""
    hits = bound(retriever, store)(Query("q", words or "-"))
    text = tree.document.text
    return sum(
        hit.pieces != tuple(text[a:b] for a, b in hit.spans)
        or any(a < hit.view.start or b > hit.view.end for a, b in hit.spans)
        for hit in hits
    )


def _unhashed(tree: DocTree) -> int:
    hashes, own = subtree_hashes(tree), own_hashes(tree)
    wrong = int(subtree_hashes(unpack_tree(tree.document, pack_tree(tree))) != hashes)
    made: dict[Any, bytes] = {}
    for i, children in enumerate(tree.child_ids):
        key = (own[i], tuple((int(tree.start[c] - tree.start[i]), hashes[c]) for c in children))
        wrong += made.setdefault(key, hashes[i]) != hashes[i]
    return wrong + (len(set(made.values())) != len(made))


def _unbounded(tree: DocTree) -> int:
    depth = [0] * len(tree)
    for i in range(1, len(tree)):
        depth[i] = depth[int(tree.parent[i])] + 1
    count = len(tree.leaf_ids)
    wide = max(WIDE, next(w for w in range(1, count + 2) if w**DEEP >= count))
    return sum(len(children) > wide for children in tree.child_ids) + sum(one > DEEP for one in depth)


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Every document; `--limit` takes that many of each set."""
    sets: dict[str, dict[str, int]] = {}
    over: Counter[str] = Counter()
    for name, document in real(Path(given.data or SAMPLE)):
        over[name] += len(document.text) > CHARACTERS
        if len(document.text) > CHARACTERS and over[name] > LONGER:
            continue
        row = sets.setdefault(
            name, dict.fromkeys(("documents", "characters", "nodes", "leaves", *PROMISES, "broken"), 0)
        )
        if given.limit and row["documents"] >= given.limit:
            continue
        tree, whole = grown(document)
        found = broken(tree, whole)
        row["documents"] += 1
        row["characters"] += len(document.text)
        row["nodes"] += len(whole)
        row["leaves"] += len(whole.leaf_ids)
        row["broken"] += any(found.values())
        for promise in PROMISES:
            row[promise] += found[promise]
        if row["documents"] % 50 == 0:
            tell(f"  {name}: {row['documents']}\n")
    total = {key: sum(row[key] for row in sets.values()) for key in next(iter(sets.values()))}
    n = total["documents"]
    upper = round(1 - 0.05 ** (1 / n), 5) if not total["broken"] else None
    head = "set|documents|characters|nodes|leaves|" + "|".join(PROMISES) + "|broken"
    lines = [[name, *(f"{value:,}" for value in row.values())] for name, row in (*sets.items(), ("all", total))]
    return {"seed": given.seed, "sets": sets, "all": total, "share_below": upper, "table": as_table(head, lines)}
