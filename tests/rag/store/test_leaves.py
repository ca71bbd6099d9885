from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rag.store.leaves import Leaves, gather, reused

DOCS = st.dictionaries(st.integers(1, 8), st.lists(st.integers(0, 5), max_size=4), max_size=5)


def leaves(docs: dict[int, list[int]]) -> Leaves:
    """Documents by row; each leaf has a number that stands for its content."""
    rows = sorted(docs)
    keys = [b"".join(n.to_bytes(8, "big") + bytes(8) for n in docs[row]) for row in rows]
    nodes = [np.arange(1, len(docs[row]) + 1, dtype="<i4").tobytes() for row in rows]
    return gather(rows, nodes, keys)


def test_leaves_stand_in_the_order_of_their_documents() -> None:
    found = leaves({3: [7, 8], 5: [], 9: [7]})
    assert found.row.tolist() == [3, 5, 9]
    assert found.doc.tolist() == [0, 0, 2]
    assert found.node.tolist() == [1, 2, 1]
    assert (found.doc.dtype, found.node.dtype, found.row.dtype) == (np.int32, np.int32, np.int64)


def test_no_documents_give_empty_arrays() -> None:
    none = leaves({})
    assert len(none.row) == len(none.doc) == len(none.node) == len(none.keys) == 0
    assert reused(none, leaves({1: [1]})).tolist() == []
    assert reused(leaves({1: [1]}), none).tolist() == [-1]


@given(old=DOCS, fresh=DOCS)
def test_a_leaf_is_found_again_when_and_only_when_its_content_was_there(
    old: dict[int, list[int]], fresh: dict[int, list[int]]
) -> None:
    new = {row: old.get(row, content) for row, content in fresh.items()}  # a row never changes
    before, after = leaves(old), leaves(new)
    flat_before = [n for row in sorted(old) for n in old[row]]
    flat_after = [(row, n) for row in sorted(new) for n in new[row]]
    found = reused(after, before).tolist()
    for (row, content), at in zip(flat_after, found, strict=True):
        assert (at >= 0) == (content in flat_before)
        if at >= 0:
            assert flat_before[at] == content
            if row not in old:
                assert at == flat_before.index(content)
    for row in new.keys() & old.keys():
        kept = [at for (r, _), at in zip(flat_after, found, strict=True) if r == row]
        assert [int(before.row[before.doc[at]]) for at in kept] == [row] * len(kept)
