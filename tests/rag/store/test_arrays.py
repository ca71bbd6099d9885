from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rag.errors import StoreError
from rag.store.arrays import FolderPart, read_array, write_array
from rag.store.corpus import MemoryPart

KINDS = st.sampled_from(["<i8", "<i4", "|u1", "<f4", "<f8", "|b1", "<U3", "|S5", "<u8"])


@given(array=KINDS.flatmap(lambda k: hnp.arrays(np.dtype(k), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))))
def test_an_array_comes_back_as_it_went_in(
    array: np.ndarray[Any, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("a") / "array.npy"
    write_array(path, array)
    again = read_array(path)
    assert again.dtype == array.dtype
    assert again.shape == array.shape
    assert again.tobytes() == array.tobytes()
    assert not again.flags.writeable
    assert np.load(path, allow_pickle=False).tobytes() == array.tobytes()


def test_views_in_any_order_are_written_as_they_look(tmp_path: Path) -> None:
    array = np.arange(24).reshape(4, 6)
    for view in (array.T, array[::2, ::-1], np.asfortranarray(array)):
        write_array(tmp_path / "v.npy", view)
        assert read_array(tmp_path / "v.npy").tolist() == view.tolist()


def test_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be an array of numbers or fixed-width text, got object"):
        write_array(tmp_path / "o.npy", np.array([{}, None], dtype=object))
    np.save(tmp_path / "p.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(StoreError, match="damaged, not an npy file"):
        read_array(tmp_path / "p.npy")


def test_a_part_in_a_folder_and_one_in_memory_behave_alike(tmp_path: Path) -> None:
    for part in (FolderPart(tmp_path), MemoryPart()):
        part.save("numbers", np.arange(3))
        part.save_json("facts", {"é": [1, None]})
        assert part.load("numbers").tolist() == [0, 1, 2]
        assert part.load_json("facts") == {"é": [1, None]}
        assert part.old is None
        with pytest.raises(ValueError, match="read-only"):
            part.load("numbers")[0] = 9
    assert FolderPart(tmp_path).path("graph.faiss") == tmp_path / "graph.faiss"


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a b", "é"])
def test_a_name_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    part = FolderPart(tmp_path)
    for call in (
        part.load,
        part.load_json,
        part.path,
        lambda n: part.save(n, np.zeros(1)),
        lambda n: part.save_json(n, 1),
    ):
        with pytest.raises(ValueError, match="must match"):
            call(name)


def test_what_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    part = FolderPart(tmp_path)
    with pytest.raises(StoreError, match=r"none\.npy: not in this index"):
        part.load("none")
    with pytest.raises(StoreError, match=r"none\.json: not in this index"):
        part.load_json("none")
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "bad.json").write_bytes(b"{")
    with pytest.raises(StoreError, match="damaged"):
        part.load("bad")
    with pytest.raises(StoreError, match="damaged"):
        part.load_json("bad")
