from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from rag.doctree import flat
from rag.store.cache import Column, TreeCache
from rag.store.codec import pack_document, pack_tree
from rag.types import Document


def packed(ordinal: int, size: int = 1000) -> tuple[str, bytes, bytes]:
    document = Document(f"d{ordinal}", chr(97 + ordinal % 26) * size)
    return document.id, pack_document(document), pack_tree(flat(document, [(0, size)]))


def test_trees_are_read_once_while_they_fit_and_the_oldest_go_first() -> None:
    read: list[int] = []

    def load(ordinal: int) -> tuple[str, bytes, bytes]:
        read.append(ordinal)
        return packed(ordinal)

    trees = TreeCache(load, limit=3 * 1200)
    for ordinal in (0, 1, 2, 0, 3, 0, 1):
        assert trees(ordinal).document.id == f"d{ordinal}"
    assert read == [0, 1, 2, 3, 1]  # 3 pushed 1 out, because 0 had been used again


def test_one_tree_is_kept_however_large() -> None:
    trees = TreeCache(lambda i: packed(i, 50_000), limit=10)
    assert trees(4) is trees(4)


def test_threads_may_read_at_once() -> None:
    trees = TreeCache(packed, limit=20 * 1200)
    wanted = [i * 7 % 50 for i in range(2000)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: trees(i).document.id, wanted))
    assert found == [f"d{i}" for i in wanted]
    assert trees._size == sum(1000 + 64 * 2 for _ in trees._kept)


def test_a_column_is_read_when_it_is_asked_for() -> None:
    read: list[int] = []

    def load() -> list[str]:
        read.append(1)
        return ["a", "b"]

    column = Column(2, load)
    assert len(column) == 2
    assert not read
    assert list(column) == ["a", "b"]
    assert column[1:] == ["b"]
    assert column[-1] == "b"
    assert read == [1]
