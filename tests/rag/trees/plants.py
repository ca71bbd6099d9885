"""Random trees to test growers on."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from rag.doctree import CODE, DocTree
from rag.types import Document

WORDS = ["harbour", "ship", "deep", "wall", "granite", "storm", "the", "of", "1911", "港", "ß", "\U0001f6a2", "berth"]
sentences = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(lambda w: " ".join(w).capitalize() + ". ")
leaf_texts = st.lists(
    st.tuples(st.integers(0, 6), st.lists(sentences, min_size=1, max_size=4).map("".join)), max_size=60
)


def planted(rows, *, titled=True, doc="d"):
    """A tree of leaves under sections: a row is the depth of its section (0: none of its own) and its text."""
    nodes, text = [], ""
    root = [0, 0, -1, "root", 0, (0, 0)]
    nodes.append(root)
    stack = [0]
    for depth, body in rows:
        if depth:
            while len(stack) > depth:
                stack.pop()
            title = f"Head {depth}"
            at = (len(text), len(text) + len(title)) if titled else (0, 0)
            nodes.append([len(text), 0, stack[-1], "section", len(stack), at])
            stack.append(len(nodes) - 1)
            body = f"{title}\n{body}"
        nodes.append([len(text), len(text) + len(body), stack[-1], "text", len(stack) - 1, (0, 0)])
        text += body
    ends = [n[1] for n in nodes]
    for i in range(len(nodes) - 1, 0, -1):
        up = nodes[i][2]
        ends[up] = max(ends[up], ends[i])
    ends[0] = len(text)
    return DocTree(
        Document(doc, text),
        np.array([n[0] for n in nodes], dtype=np.int64),
        np.array(ends, dtype=np.int64),
        np.array([n[2] for n in nodes], dtype=np.int64),
        np.array([CODE[n[3]] for n in nodes], dtype=np.uint8),
        np.array([n[4] for n in nodes], dtype=np.int16),
        np.array([n[5] for n in nodes], dtype=np.int64).reshape(-1, 2),
        np.full(len(nodes), -1, dtype=np.int32),
    )


trees = leaf_texts.map(planted)


def shape(tree):
    """Greatest fan-out and depth."""
    depth = [0] * len(tree)
    for i in range(1, len(tree)):
        depth[i] = depth[int(tree.parent[i])] + 1
    return max(map(len, tree.child_ids)), max(depth)


def leaves(tree):
    return [(leaf.start, leaf.end, leaf.kind) for leaf in tree.leaves()]
