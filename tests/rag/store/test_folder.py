from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from pathlib import Path

import pytest

from rag.doctree import DocTree, flat
from rag.errors import StoreError
from rag.indexing import index
from rag.store.folder import open_store
from rag.types import Document


class Halves:
    """Two leaves a document."""

    def __call__(self, document: Document, /) -> DocTree:
        half = len(document.text) // 2
        return flat(document, [(0, half), (half, len(document.text))])

    def __repr__(self) -> str:
        return "Halves()"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "index"
    index(Halves(), (), (), [Document("a", "some text"), Document("b", "more text")], out=folder)[0].close()
    return folder


def test_a_folder_without_an_index_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"not an index: it has no manifest\.json\. Make one with `rag index"):
        open_store(tmp_path)
    with pytest.raises(StoreError, match="no such folder"):
        open_store(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="must be a folder, got a file"):
        open_store(tmp_path / "file")


def test_an_index_is_not_written_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="must be a folder, got a file"):
        index(Halves(), (), (), [Document("a", "text")], out=tmp_path / "file")
    assert (tmp_path / "file").read_text() == "x"


def test_an_index_of_a_newer_version_is_refused(out: Path) -> None:
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps(manifest | {"format": 2}))
    for attempt in (lambda: open_store(out), lambda: index(Halves(), (), (), [Document("c", "text")], out=out)):
        with pytest.raises(StoreError, match=r"must have format <= 1, got 2: a newer ragtree wrote it"):
            attempt()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"format": 1}', b'{"format": "1"}', b'{"format": 0}', b"\xff\xfe"]
)
def test_a_damaged_manifest_is_refused(out: Path, content: bytes) -> None:
    (out / "manifest.json").write_bytes(content)
    for attempt in (lambda: open_store(out), lambda: index(Halves(), (), (), [Document("c", "text")], out=out)):
        with pytest.raises(StoreError, match=r"manifest\.json: (damaged|not the manifest)"):
            attempt()


def test_a_cut_or_missing_file_is_noticed_on_opening(out: Path) -> None:
    path = out / "gen-000001" / "corpus" / "node.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(StoreError, match=rf"node\.npy: damaged, must have {len(whole)} bytes, got {len(whole) - 1}"):
        open_store(out)
    path.unlink()
    with pytest.raises(StoreError, match=r"node\.npy: missing"):
        open_store(out)


def test_a_missing_or_foreign_database_is_noticed_on_opening(out: Path) -> None:
    for extra in out.glob("documents.sqlite-*"):
        extra.unlink()
    (out / "documents.sqlite").write_bytes(b"not a database, only some bytes" * 10)
    with pytest.raises(StoreError, match=r"documents\.sqlite: cannot be opened \(file is not a database\)"):
        open_store(out)
    with pytest.raises(StoreError, match=r"its database is damaged \(file is not a database\)"):
        index(Halves(), (), (), [Document("c", "text")], out=out)
    (out / "documents.sqlite").unlink()
    with pytest.raises(StoreError, match=r"documents\.sqlite: missing"):
        open_store(out)
    with pytest.raises(StoreError, match=r"documents\.sqlite: missing"):
        index(Halves(), (), (), [Document("c", "text")], out=out)


def test_a_changed_byte_is_noticed_when_the_document_is_read(out: Path) -> None:
    link = sqlite3.connect(out / "documents.sqlite")
    (body,) = link.execute("SELECT document FROM bodies WHERE row = 1").fetchone()
    with link:
        link.execute("UPDATE bodies SET document = ? WHERE row = 1", (body.replace(b"some", b"same"),))
    link.close()
    with open_store(out) as store:
        assert store.document("b").text == "more text"
        with pytest.raises(StoreError, match="document 'a' is damaged"):
            store.document("a")


def test_verify_finds_a_changed_byte_in_an_array(out: Path) -> None:
    path = out / "gen-000001" / "corpus" / "keys.npy"
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    with open_store(out) as store:
        store.verify()
    path.write_bytes(bytes(whole))
    with open_store(out) as store, pytest.raises(StoreError, match=r"keys\.npy: damaged, its sha256 differs"):
        store.verify()


def test_verify_finds_a_document_that_is_not_the_one_of_the_manifest(out: Path) -> None:
    link = sqlite3.connect(out / "documents.sqlite")
    with link:
        link.execute("UPDATE documents SET sha256 = 'other' WHERE row = 1")
    link.close()
    with open_store(out) as store, pytest.raises(StoreError, match="not the documents of its manifest"):
        store.verify()


def test_a_second_writer_is_told_who_writes_and_readers_are_not_disturbed(out: Path) -> None:
    handle = os.open(out / "writer.lock", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(StoreError, match=rf"another process \(pid {os.getpid()}\) is writing this index"):
            index(Halves(), (), (), [Document("c", "text")], out=out)
        with open_store(out) as store:
            assert len(store.documents()) == 2
    finally:
        os.close(handle)
    index(Halves(), (), (), [Document("c", "text")], out=out)[0].close()


def test_a_folder_that_was_moved_opens_as_before(out: Path, tmp_path: Path) -> None:
    moved = out.rename(tmp_path / "with space #1?%20é")
    with open_store(moved) as store:
        assert store.document("a").text == "some text"


def test_the_same_documents_give_the_same_manifest_on_any_machine(out: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    index(Halves(), (), (), [Document("b", "more text"), Document("a", "some text")], out=other)[0].close()
    one, two = (json.loads((folder / "manifest.json").read_text()) for folder in (out, other))
    assert one.pop("files").keys() == two.pop("files").keys()
    assert one == two
    again = tmp_path / "again"
    index(Halves(), (), (), [Document("a", "some text"), Document("b", "more text")], out=again)[0].close()
    assert (again / "manifest.json").read_bytes() == (out / "manifest.json").read_bytes()


def test_an_index_on_a_medium_that_cannot_be_written_opens(out: Path, tmp_path: Path) -> None:
    import subprocess

    medium = tmp_path / "medium"
    medium.mkdir()
    for extra in out.glob("documents.sqlite-*"):
        assert extra.name.endswith("-shm") or not extra.stat().st_size
        extra.unlink()
    mounted = subprocess.run(["mount", "--bind", out, medium], check=False, capture_output=True).returncode == 0
    if not mounted or subprocess.run(["mount", "-o", "remount,ro,bind", medium], check=False).returncode:
        pytest.skip("a read-only medium can be mounted by root alone")
    try:
        with open_store(medium) as store:
            assert store.document("a").text == "some text"
        with pytest.raises(StoreError, match="cannot be written"):
            index(Halves(), (), (), [Document("c", "text")], out=medium)
    finally:
        subprocess.run(["umount", "-l", medium], check=True)
