from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from crashing import filled, index
from small_index import doc, snapshot

from rag.errors import StoreError
from rag.store.folder import open_store

OLD = [doc("a", "the first text"), doc("b", "the second text")]
LARGE = [doc(f"d{i}", f"document {i}, rather long. " * 200) for i in range(200)]


@pytest.mark.parametrize("limit", [100, 3_000, 20_000, 100_000, 400_000, 1_000_000])
def test_a_file_that_cannot_grow_leaves_the_old_index_and_says_what_to_do(tmp_path: Path, limit: int) -> None:
    out = tmp_path / "index"
    with index(out, OLD) as store:
        before = snapshot(store)
    said = filled(out, [*OLD, *LARGE], limit)
    assert said.startswith(f"StoreError: {out}: ")
    assert "What was indexed before is unchanged." in said
    assert "start again" in said
    assert "\n" not in said
    with open_store(out) as store:
        store.verify()
        assert snapshot(store) == before
    with index(out, [*OLD, *LARGE]) as store:
        assert store.manifest.counts["documents"] == 202


def test_a_first_build_that_finds_no_room_leaves_no_index(tmp_path: Path) -> None:
    out = tmp_path / "index"
    assert filled(out, LARGE, 50_000).startswith(f"StoreError: {out}: ")
    with pytest.raises(StoreError, match="Make one with"):
        open_store(out)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if mount is None or subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "none", disk], check=False).returncode:
        pytest.skip("a small disk can be mounted by root alone; limits on file size are tested above")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_leaves_the_old_index_and_says_what_to_do(small_disk: Path) -> None:
    out = small_disk / "index"
    with index(out, OLD) as store:
        before = snapshot(store)
    with pytest.raises(
        StoreError, match=r"the disk is full.* What was indexed before is unchanged\. .*start again"
    ) as caught:
        index(out, [*OLD, *LARGE])
    assert str(out) in str(caught.value)
    with open_store(out) as store:
        store.verify()
        assert snapshot(store) == before
    with index(out, [*OLD, doc("c", "a small one")]) as store:
        assert store.manifest.counts["documents"] == 3
