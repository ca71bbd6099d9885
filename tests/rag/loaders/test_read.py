from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import ConfigError, LoadError
from rag.loaders.heading import markdown_title
from rag.loaders.limits import Limits
from rag.loaders.read import documents, read
from rag.loaders.walk import Skipped
from rag.types import Document, Failed

DATA = Path(__file__).parents[2] / "data"


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["commonmark_spec.md", "languages.txt", "spy_in_the_elevator.txt", "paper.md"])
def test_text_formats_come_unchanged(name: str) -> None:
    (document,) = read(DATA / name)
    assert document.text.encode() == (DATA / name).read_bytes()
    assert document.id == name
    assert document.blocks == ()


@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_every_text_survives(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    for name in ("a.md", "a.txt"):
        path = put(tmp_path_factory.getbasetemp(), name, text.encode())
        assert read(path)[0].text.encode() == text.encode()


@pytest.mark.parametrize(
    ("name", "data", "media_type"),
    [
        ("a.MD", b"# x", "text/markdown"),
        ("a.mdx", b"# x", "text/markdown"),
        ("a.rst", b"x\n=", "text/x-rst"),
        ("a.py", b"x = 1", "text/x-python"),
        ("a.csv", b"a,b", "text/csv"),
        ("LICENSE", b"text", "text/plain"),
        ("a.xhtml", b"<p>x", "text/html"),
        ("page", b"\n<!DOCTYPE HTML><p>x", "text/html"),
        ("a.txt", b"<html><p>x", "text/plain"),
    ],
)
def test_the_type_is_what_name_and_first_bytes_say(tmp_path: Path, name: str, data: bytes, media_type: str) -> None:
    assert read(put(tmp_path, name, data))[0].media_type == media_type


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"empty\.md: is empty \(0 bytes\)"):
        read(put(tmp_path, "empty.md", b""))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"none\.md: no such file"):
        read(tmp_path / "none.md")
    with pytest.raises(LoadError, match="is a folder"):
        read(tmp_path)


def test_an_archive_is_refused_and_nothing_is_expanded(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("word/document.xml", b"\0" * 50_000_000)
    for name, data, kind in (
        ("bomb.xlsx", packed.getvalue(), "zip archive"),
        ("bomb.zip", packed.getvalue(), "zip archive"),
        ("bomb.txt", packed.getvalue(), "zip archive"),
        ("bomb.md.gz", gzip.compress(b"\0" * 50_000_000), "gzip archive"),
    ):
        with pytest.raises(LoadError, match=f"{kind}.*not opened or expanded.*What is read:") as caught:
            read(put(tmp_path, name, data), limits=Limits(max_seconds=0.5))
        assert name in str(caught.value)


def test_binary_files_of_no_known_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="a NUL byte at offset 2"):
        read(put(tmp_path, "a.xyz", b"ab\0\1\2"))
    with pytest.raises(LoadError, match="a picture, which is not opened"):
        read(put(tmp_path, "a.txt", b"\x89PNG\r\n\x1a\n"))


def test_a_file_over_the_limits_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, "a.txt", b"x" * 101)
    with pytest.raises(LoadError, match=r"at most 100 bytes are read, got 101 or more"):
        read(path, limits=Limits(max_bytes=100))
    with pytest.raises(LoadError, match=r"may have 100 characters, got 101 or more"):
        read(path, limits=Limits(max_chars=100))
    assert len(read(path, limits=Limits(max_bytes=101, max_chars=101))) == 1


def test_time_is_limited(tmp_path: Path) -> None:
    path = put(tmp_path, "a.html", b"<p>x" * 20_000)
    with pytest.raises(LoadError, match=r"took longer than the 1e-06 seconds allowed"):
        read(path, limits=Limits(max_seconds=1e-6))


@pytest.mark.parametrize("value", [0, -1, "many", True])
def test_a_limit_must_be_a_positive_number(value: object) -> None:
    with pytest.raises(ConfigError, match=r"limits\.max_bytes: must be a number > 0"):
        Limits(max_bytes=value)  # type: ignore[arg-type]


def test_a_bad_document_among_good_ones_is_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    put(tmp_path, "a.md", b"# A")
    put(tmp_path, "b.md", b"\xff\xfe\xff")
    put(tmp_path, "c.pdf", b"no pdf")
    put(tmp_path, "d.html", b"<p>d")
    put(tmp_path, "e.png", b"\x89PNG")
    put(tmp_path, "f.txt", b"")
    put(tmp_path, "g.jsonl", b'{"id": "g1", "text": "x"}\noops\n{"id": "a.md", "text": "y"}')
    put(tmp_path, "h.txt", b"h")
    got = [(type(item), item.id) for item in documents([tmp_path])]
    assert got == [
        (Document, "a.md"),
        (Failed, "b.md"),
        (Failed, "c.pdf"),
        (Document, "d.html"),
        (Skipped, "e.png"),
        (Failed, "f.txt"),
        (Document, "g1"),
        (Failed, "g.jsonl:2"),
        (Failed, "a.md"),
        (Document, "h.txt"),
    ]


def test_a_pdf_without_its_extra_is_reported_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.pdf", (DATA / "crates.pdf").read_bytes())
    put(tmp_path, "b.md", b"b")
    monkeypatch.setattr("rag.optional.find_spec", lambda name: None)
    pdf, good = documents([tmp_path])
    assert isinstance(pdf, Failed)
    assert "pip install 'ragtree[pdf]'" in str(pdf.error)
    assert isinstance(good, Document)


def test_ids_are_paths_below_the_folder_and_can_be_given_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    put(tmp_path / "sub", "x.md", b"x")
    assert [item.id for item in documents([tmp_path])] == ["sub/x.md"]
    assert read(tmp_path / "sub" / "x.md", id="mine")[0].id == "mine"


def test_no_message_quotes_the_document_or_spans_lines(tmp_path: Path) -> None:
    for name, data in (
        ("a\nb.txt", b"topsecret \xff"),
        ("b.html", b"<div>topsecret" * 20_000),
        ("c.txt", b"topsecret\0"),
    ):
        with pytest.raises(LoadError) as caught:
            read(put(tmp_path, name, data))
        assert "topsecret" not in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# One `two` **three** #\n# Four", "One two three"),
        ("\ufeff# One", "One"),
        ("Big\n===\n\ntext", "Big"),
        ("text\n\n## Sub\n\n# Main\n", "Main"),
        ("\n\n## Opens\n\n# Later", "Opens"),
        ("```\n# comment\n```\ntext\n\n# Real", "Real"),
        ("~~~\n# a\n```\n# b\n~~~\n# Real {#anchor}", "Real"),
        ("---\ntitle: 'Front: matter'\n---\n# Head", "Front: matter"),
        ('+++\ntitle = "Toml"\n+++\n', "Toml"),
        ("---\r\ntags: [a]\r\n---\r\n# Head\r\n", "Head"),
        ("---\ntitle: C# in depth # draft\n---\n", "C# in depth"),
        ("---\nnever closed\n\n# Head", "Head"),
        ("- item\n===\n", ""),
        ("#nospace\n", ""),
        ("", ""),
    ],
)
def test_the_title_of_markdown_is_what_it_calls_itself(text: str, title: str) -> None:
    assert markdown_title(text) == title
