"""Many hits made at once are the hits made one by one."""

from __future__ import annotations

import numpy as np

from rag.doctree import flat
from rag.store.corpus import in_memory
from rag.types import Document


def test_hits_made_at_once_are_those_made_one_by_one() -> None:
    trees = [flat(Document(f"d{i}", "one two "), [(0, 4), (4, 8)]) for i in range(3)]
    corpus = in_memory(trees).corpus
    leaves, scores = np.array([5, 0, 3]), np.array([3, 2.5, -1], dtype=np.float32)
    each = tuple(corpus.hit(leaf, score, "a/b") for leaf, score in zip(leaves.tolist(), scores.tolist(), strict=True))
    assert corpus.hits(leaves, scores, "a/b") == each
    assert corpus.hits(leaves[:0], scores[:0], "a/b") == ()
