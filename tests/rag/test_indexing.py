from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from small_index import Lengths, Pieces, Shout, build, computed, doc, snapshot

from rag.errors import LoadError, RagError, StoreError, StoreMismatch
from rag.store.corpus import in_memory
from rag.store.folder import open_store
from rag.store.parts import part_key
from rag.types import Document


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "index"


def three() -> list[Document]:
    return [doc("b", "the second text"), doc("a", "the first text, longer"), doc("c", "third")]


def test_an_index_on_disk_and_one_in_memory_say_the_same(out: Path) -> None:
    kept, _ = build(three(), out)
    held, _ = build(three())
    assert snapshot(kept) == snapshot(held)
    assert [i for i, _ in kept.documents()] == ["a", "b", "c"]
    assert "".join(kept.corpus.texts()) == "the first text, longerthe second textthird"


def test_the_index_does_not_depend_on_the_order_of_its_sources(out: Path, tmp_path: Path) -> None:
    one, _ = build(three(), out)
    two, _ = build(three()[::-1], tmp_path / "other")
    assert snapshot(one) == snapshot(two)
    assert one.manifest.documents == two.manifest.documents


def test_an_opened_index_gives_back_documents_trees_and_configuration(out: Path) -> None:
    document = doc("a", "one \ud800 two\r\n", title="T", metadata={"year": 2020, "tags": ["x", None]})
    build([document], out, config="version: 1\n")
    with open_store(out) as store:
        assert store.document("a") == document
        assert store.tree("a") == Pieces()(document)
        assert store.config == "version: 1\n"
        assert store.manifest.config_digest
        assert store.manifest.counts["characters"] == len(document.text)
        assert store.documents() == [("a", document.sha256)]
        store.verify()
        again = pickle.loads(pickle.dumps(store))
        assert snapshot(again) == snapshot(store)
        again.close()


def test_notes_of_growers_are_kept(out: Path) -> None:
    store, _ = build(three(), out, growers=(Shout(),))
    assert store.tree("c").notes == {"shout": {1: "THIRD"}}


def test_nothing_is_done_when_nothing_changed(out: Path) -> None:
    build(three(), out)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.npy")} | {
        out / "manifest.json": (out / "manifest.json").stat().st_ino
    }
    store, report = build(three(), out)
    after = {p: p.stat().st_mtime_ns for p in out.rglob("*.npy")} | {
        out / "manifest.json": (out / "manifest.json").stat().st_ino
    }
    assert not report.published
    assert report.unchanged == 3
    assert store.manifest.generation == 1
    assert before == after
    assert "nothing to do" in report.summary()


def test_one_changed_document_of_a_thousand_is_the_only_one_cut_and_computed_again(out: Path) -> None:
    documents = [doc(f"d{i:04}", f"text number {i} of a thousand") for i in range(1000)]
    first, _ = build(documents, out)
    rows = first.leaves.row.tolist()
    documents[500] = doc("d0500", "text number X of a thousand")
    store, report = build(documents, out)
    assert report.changed == ("d0500",)
    assert not report.added
    assert not report.deleted
    assert [i for i, (x, y) in enumerate(zip(rows, store.leaves.row.tolist(), strict=True)) if x != y] == [500]
    assert computed(store) == report.new_leaves == 1  # the one leaf of 8 characters that says X
    assert store.document("d0500").text == "text number X of a thousand"


def test_a_deleted_document_leaves_every_part(out: Path) -> None:
    build(three(), out)
    store, report = build([], out, delete=["b"])
    assert report.deleted == ("b",)
    assert computed(store) == 0
    assert snapshot(store) == snapshot(build([d for d in three() if d.id != "b"])[0])
    with pytest.raises(StoreError, match="no document 'b'"):
        store.document("b")


def test_deleting_what_is_not_there_is_an_error_and_changes_nothing(out: Path) -> None:
    before = snapshot(build(three(), out)[0])
    with pytest.raises(RagError, match="no document 'x' among the 3"):
        build([], out, delete=["x"])
    assert snapshot(open_store(out)) == before


def test_a_deleted_id_is_passed_over_in_the_sources(out: Path) -> None:
    build(three(), out)
    store, report = build(three(), out, delete=["a"])
    assert report.deleted == ("a",)
    assert [i for i, _ in store.documents()] == ["b", "c"]


def test_a_paragraph_that_moved_to_another_document_is_not_computed_again(out: Path) -> None:
    build([doc("a", "12345678abcdefgh"), doc("z", "more")], out)
    store, report = build([doc("b", "abcdefgh12345678")], out, delete=["a"])
    assert report.added == ("b",)
    assert computed(store) == 0
    assert store.corpus.reuse.tolist() == [-1] * len(store.corpus)  # an opened index has nothing before it


def test_title_metadata_and_type_count_as_content(out: Path) -> None:
    build([doc("a", "same text")], out)
    for changed in (
        doc("a", "same text", title="T"),
        doc("a", "same text", title="T", metadata={"k": 1}),
        doc("a", "same text", title="T", metadata={"k": 1}, media_type="text/markdown"),
    ):
        store, report = build([changed], out)
        assert report.changed == ("a",)
        assert store.document("a") == changed


def test_other_metadata_computes_no_leaf_again_and_another_title_all(out: Path) -> None:
    build([doc("a", "same text")], out)
    assert computed(build([doc("a", "same text", metadata={"k": 1})], out)[0]) == 0
    assert computed(build([doc("a", "same text", metadata={"k": 1}, title="T")], out)[0]) == 2


def test_another_chunker_cuts_documents_again_that_are_not_given(out: Path) -> None:
    build(three(), out)
    store, report = build([], out, chunker=Pieces(size=4))
    assert report.recut
    assert report.published
    assert snapshot(store) == snapshot(build(three(), chunker=Pieces(size=4))[0])


def test_another_retriever_gets_its_part_and_the_others_are_taken_over(out: Path) -> None:
    build(three(), out)
    both = (Lengths(), Lengths(scale=2))
    store, report = build([], out, retrievers=both)
    assert report.published
    assert not report.changed
    assert not report.recut
    assert snapshot(store) == snapshot(build(three(), retrievers=both)[0])
    assert computed(store, Lengths()) == len(store.corpus)  # carried over, with what it said at first
    assert sorted(store.manifest.parts) == sorted(map(part_key, both))
    store.verify()
    fewer, _ = build([], out, retrievers=(Lengths(scale=2),))
    assert fewer.manifest.parts == (part_key(Lengths(scale=2)),)


def test_another_model_computes_everything_again(out: Path) -> None:
    build(three(), out, fingerprint={"model": "one"})
    assert not build(three(), out, fingerprint={"model": "one"})[1].published
    store, report = build(three(), out, fingerprint={"model": "two"})
    assert report.recut
    assert computed(store) == len(store.corpus)
    assert store.manifest.fingerprint == {"model": "two"}


def test_settings_that_shape_no_index_change_the_text_in_the_manifest_alone(out: Path) -> None:
    build(three(), out, config="k: 1\n")
    store, report = build(three(), out, config="k: 2\n")
    assert not report.published
    assert store.manifest.generation == 1
    assert store.config == open_store(out).config == "k: 2\n"


def test_a_part_that_was_not_built_is_named(out: Path) -> None:
    kept, _ = build(three(), out)
    held, _ = build(three())
    for store in (kept, held):
        with pytest.raises(StoreMismatch, match=r"must have been built with 'other', got 'lengths'"):
            store.part("other")


def test_a_document_that_cannot_be_cut_is_reported_and_the_rest_indexed(out: Path) -> None:
    store, report = build([*three(), doc("bad", "please refuse")], out)
    assert [f.id for f in report.failures] == ["bad"]
    assert "this text is refused" in str(report.failures[0])
    assert "please" not in str(report.failures[0])
    assert store.failures() == [
        {"id": "bad", "error": "StageError", "message": str(report.failures[0].error)},
    ]
    assert [i for i, _ in store.documents()] == ["a", "b", "c"]
    later, _ = build(three(), out)
    assert later.failures() == []
    assert not (out / "failures.jsonl").exists()


def test_a_document_that_cannot_be_read_any_more_keeps_its_last_version(out: Path) -> None:
    before = snapshot(build(three(), out)[0])
    store, report = build([doc("a", "now refuse"), *three()[2:]], out)
    assert [f.id for f in report.failures] == ["a"]
    assert snapshot(store) == before


def test_a_document_that_the_new_settings_cannot_cut_is_left_out(out: Path) -> None:
    build([doc("a", "fine"), doc("b", "refuse")], out, chunker=Whole())
    store, report = build([], out)
    assert report.deleted == ("b",)
    assert [f.id for f in report.failures] == ["b"]
    assert [i for i, _ in store.documents()] == ["a"]


def test_when_every_document_fails_the_old_index_stays(out: Path) -> None:
    before = snapshot(build(three(), out)[0])
    with pytest.raises(RagError, match=r"none of 2 documents could be indexed; the first, x: StageError: "):
        build([doc("x", "refuse"), doc("y", "refuse")], out)
    assert snapshot(open_store(out)) == before
    assert [f["id"] for f in open_store(out).failures()] == ["x", "y"]


@pytest.mark.parametrize("sources", [[], [doc("a", "")]], ids=["no document", "no text"])
def test_an_empty_corpus_is_an_error_and_leaves_no_folder(sources: list[Document], out: Path) -> None:
    for where in (out, None):
        with pytest.raises(RagError, match="nothing to index"):
            build(sources, where)
    assert not out.exists()


def test_deleting_the_last_document_is_refused(out: Path) -> None:
    before = snapshot(build([doc("a", "text")], out)[0])
    with pytest.raises(RagError, match="no text would be left"):
        build([], out, delete=["a"])
    assert snapshot(open_store(out)) == before


def test_two_documents_with_one_id_are_named_and_the_first_is_kept(out: Path) -> None:
    store, report = build([doc("a", "first"), doc("b", "other"), doc("a", "second")], out)
    (failure,) = report.failures
    assert failure.id == "a"
    assert "id 'a' came before" in str(failure.error)
    assert store.document("a").text == "first"


def test_metadata_that_is_no_json_is_reported(out: Path) -> None:
    _, report = build(
        [doc("a", "text"), doc("b", "text", metadata={"when": object()}), doc("c", "t", metadata={"x": float("nan")})],
        out,
    )
    assert [f.id for f in report.failures] == ["b", "c"]
    assert all("must be JSON values" in str(f) for f in report.failures)


def test_a_retriever_that_fails_leaves_the_old_index(out: Path) -> None:
    before = snapshot(build(three(), out)[0])
    with pytest.raises(RuntimeError, match="cannot build"):
        build([doc("new", "text")], out, retrievers=(Lengths(fail=True),))
    assert snapshot(open_store(out)) == before
    assert sorted(p.name for p in out.glob("gen-*")) == ["gen-000001"]
    assert build([doc("new", "text")], out)[1].added == ("new",)


def test_a_reader_keeps_its_generation_through_one_update_and_is_told_after_two(out: Path) -> None:
    reader, _ = build(three(), out)
    before = snapshot(reader)
    fresh = open_store(out)  # has read nothing yet
    build([doc("a", "changed"), doc("d", "new")], out)
    assert snapshot(fresh) == before == snapshot(reader)
    late = open_store(out)
    build([doc("a", "changed once more")], out)
    build([doc("a", "and again")], out)
    with pytest.raises(StoreError, match="[Oo]pen (it|the index) again"):
        snapshot(late)
    assert sorted(p.name for p in out.glob("gen-*")) == ["gen-000003", "gen-000004"]


def test_the_index_in_memory_grows_from_its_base_and_leaves_it_alone() -> None:
    base, _ = build(three())
    before = snapshot(base)
    more, report = build([doc("a", "the first text, changed"), doc("d", "fourth")], base=base)
    assert report.changed == ("a",)
    assert report.added == ("d",)
    assert computed(more) == 2 + 0  # one leaf of `a`, one of `d`
    assert snapshot(base) == before
    fresh, _ = build([doc("a", "the first text, changed"), *three()[::2], doc("d", "fourth")])
    assert snapshot(more) == snapshot(fresh)
    assert more.part(more.manifest.parts[0]).old is None
    same, report = build(three(), base=base)
    assert same is base
    assert not report.published


def test_a_base_of_another_kind_is_refused() -> None:
    with pytest.raises(RagError, match="base: must be an index in memory, got MemoryStore"):
        build(three(), base=in_memory([]))


def test_progress_counts_documents_and_then_leaves(out: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    store, _ = build(three(), out, progress=lambda *call: seen.append(call))
    assert [call for call in seen if call[2] == "documents"] == [(i, 3, "documents") for i in (1, 2, 3)]
    assert seen[-1] == (len(store.corpus), len(store.corpus), part_key(Lengths()))


@pytest.mark.slow
def test_processes_give_the_same_index_in_the_same_order(out: Path, tmp_path: Path) -> None:
    documents = [doc(f"d{i}", f"{i} words " * (i % 7 + 1)) for i in range(300)]
    documents[50] = doc("d50", "refuse")
    one, first = build(documents, out)
    two, second = build(documents, tmp_path / "other", workers=2)
    assert snapshot(one) == snapshot(two)
    assert [str(f) for f in first.failures] == [str(f) for f in second.failures]
    assert one.leaves.row.tolist() == two.leaves.row.tolist()


def test_the_report_is_json(out: Path) -> None:
    _, report = build([*three(), doc("bad", "refuse")], out)
    told = json.loads(json.dumps(report.as_dict()))
    assert told["added"] == 3
    assert told["documents"] == 3
    assert told["failures"][0]["id"] == "bad"
    assert report.summary().startswith("3 documents, ")


class Whole:
    """Any text as one leaf."""

    def __call__(self, document: Document, /) -> object:
        from rag.doctree import flat

        return flat(document, [(0, len(document.text))])

    def __repr__(self) -> str:
        return "Whole()"


# Files and folders


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("text of a")
    (folder / "sub" / "b.md").write_text("# B\n\ntext of b\n")
    return folder


def test_a_folder_is_read_and_what_vanished_from_it_is_deleted(docs: Path, out: Path) -> None:
    store, _ = build([docs], out)
    assert [i for i, _ in store.documents()] == ["a.txt", "sub/b.md"]
    (docs / "a.txt").unlink()
    (docs / "c.txt").write_text("text of c")
    store, report = build([docs], out)
    assert report.deleted == ("a.txt",)
    assert report.added == ("c.txt",)
    assert report.unchanged == 1


def test_what_is_not_given_again_stays(docs: Path, out: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.txt").write_text("text of x")
    build([docs, doc("object", "text")], out)
    _store, report = build([other], out)
    assert report.added == ("x.txt",)
    assert not report.deleted
    assert report.documents == 4


def test_a_folder_given_once_by_its_name_and_once_by_a_file_in_it_is_read_once(docs: Path, out: Path) -> None:
    _, report = build([docs, docs / "a.txt"], out)
    assert not report.failures
    assert report.documents == 2


@pytest.fixture
def other(tmp_path: Path) -> Path:
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "a.txt").write_text("another a")
    return folder


def test_files_of_one_name_in_folders_given_together_are_all_indexed(docs: Path, other: Path, out: Path) -> None:
    store, report = build([docs, other], out)
    assert not report.failures
    assert store.document("a.txt").text == "text of a"
    assert store.document("other/a.txt").text == "another a"


@pytest.mark.parametrize("again", [("docs", "other"), ("other", "docs"), ("other",), ("docs",)])
def test_a_file_keeps_its_id_whatever_is_given_beside_it(
    docs: Path, other: Path, out: Path, again: tuple[str, ...]
) -> None:
    build([docs, other], out)
    store, report = build([docs.parent / name for name in again], out)
    assert [*report.added, *report.changed, *report.deleted, *report.failures] == []
    assert [i for i, _ in store.documents()] == ["a.txt", "other/a.txt", "sub/b.md"]


def test_a_file_keeps_its_id_when_its_namesake_is_gone(docs: Path, other: Path, out: Path) -> None:
    build([docs, other], out)
    (docs / "a.txt").unlink()
    store, report = build([docs, other], out)
    assert report.deleted == ("a.txt",)
    assert store.document("other/a.txt").text == "another a"


def test_a_broken_file_is_reported_and_its_last_version_kept(docs: Path, out: Path) -> None:
    before = snapshot(build([docs], out)[0])
    (docs / "a.txt").write_bytes(b"caf\xe9 \xff\xfe\x00\x81")
    store, report = build([docs], out)
    assert [f.id for f in report.failures] == ["a.txt"]
    assert snapshot(store) == before
    (docs / "a.txt").write_bytes(b"")
    assert [f.id for f in build([docs], out)[1].failures] == ["a.txt"]


def test_a_missing_path_is_refused_before_anything_is_written(docs: Path, out: Path) -> None:
    with pytest.raises(LoadError, match="no such file or folder"):
        build([docs, docs / "nowhere"], out)
    assert not out.exists()


def test_an_index_inside_its_own_source_is_not_read(docs: Path) -> None:
    (docs / "refused.txt").write_text("refuse")
    store, _report = build([docs], docs / "index")
    assert (docs / "index" / "failures.jsonl").exists()
    again, second = build([docs], docs / "index")
    assert snapshot(again) == snapshot(store)
    assert not second.published


def test_records_that_left_a_corpus_are_deleted_and_bad_lines_are_reported(tmp_path: Path, out: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    lines = [json.dumps({"_id": f"r{i}", "title": "T", "text": f"record {i}"}) for i in range(4)]
    (data / "corpus.jsonl").write_text("\n".join(lines))
    store, _ = build([data], out)
    assert [i for i, _ in store.documents()] == ["r0", "r1", "r2", "r3"]
    (data / "corpus.jsonl").write_text("\n".join([*lines[:2], "{broken"]))
    _, report = build([data], out)
    assert len(report.failures) == 1
    assert not report.deleted
    (data / "corpus.jsonl").write_text("\n".join(lines[:2]))
    assert build([data], out)[1].deleted == ("r2", "r3")


def test_a_name_that_is_no_utf8_is_indexed(tmp_path: Path, out: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9.txt")).write_text("text")
    store, _report = build([folder], out)
    assert len(store.documents()) == 1
    assert not build([folder], out)[1].published


def test_arrays_are_mapped_and_cannot_be_written(out: Path) -> None:
    build(three(), out)
    store = open_store(out)
    array = store.part(store.manifest.parts[0]).load("lengths")
    assert not array.flags.owndata
    assert not array.flags.writeable
    assert type(array) is np.ndarray
