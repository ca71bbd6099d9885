from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag.errors import LoadError
from rag.loaders.jsonl import iter_corpus, scan_corpus
from rag.loaders.limits import Limits
from rag.types import Document, Failed


def corpus(tmp_path: Path, *lines: str | bytes) -> Path:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return path


def test_records_become_documents_with_all_they_say(tmp_path: Path) -> None:
    path = corpus(
        tmp_path,
        '{"_id": "a", "title": "T", "text": "x\\r\\ny", "metadata": {"year": 1999}, "source": "here"}',
        "",
        '{"id": 7, "text": "", "title": null, "metadata": {"media_type": "text/markdown"}}\r',
    )
    first, second = iter_corpus(path)
    assert first == Document("a", "x\r\ny", "T", "text/plain", (), {"source": "here", "year": 1999})
    assert second == Document("7", "", "", "text/markdown", (), {})


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"id": "b", "text": "x"', r":2: not JSON at column 24"),
        ("[1]", r":2: a record must be a JSON object, got a list"),
        ('{"text": "x"}', r":2: a record needs an '_id' or 'id'.*got none"),
        ('{"id": true, "text": "x"}', r"got true or false"),
        ('{"id": "", "text": "x"}', r"got ''"),
        ('{"id": "b"}', r":2: record 'b' needs a 'text', a string, got none"),
        ('{"id": "b", "text": ["x"]}', r"got a list"),
        ('{"id": "b", "text": "x", "title": 3}', r"'title' of record 'b' must be a string, got a number"),
        ('{"id": "b", "text": "x", "metadata": []' + "}", None),
        ('{"id": "b", "text": "x", "metadata": "m"}', r"'metadata' of record 'b' must be an object, got a string"),
        ('{"id": "a", "text": "x"}', r":2: id 'a' is that of line 1"),
        (b'{"id": "b", "text": "\xff"}', r":2: not UTF-8 \(byte 0xff at column 22\)"),
        ("[" * 100_000, r":2: JSON nested too deep"),
        ('{"id": "b", "text": "x", "n": ' + "9" * 5000 + "}", r":2: not JSON that can be read"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_a_bad_line_is_named_and_the_others_are_read(tmp_path: Path, line: str | bytes, says: str | None) -> None:
    path = corpus(tmp_path, '{"id": "a", "text": "x"}', line, '{"id": "c", "text": "z"}')
    if says is None:
        assert len(list(iter_corpus(path))) == 3
        return
    with pytest.raises(LoadError, match=says):
        list(iter_corpus(path))
    items = list(scan_corpus(path))
    assert [type(item) for item in items] == [Document, Failed, Document]
    assert isinstance(items[1], Failed)
    assert items[1].id == "corpus.jsonl:2"
    assert "\n" not in str(items[1].error)


def test_a_byte_order_mark_and_no_last_line_end_are_fine(tmp_path: Path) -> None:
    path = corpus(tmp_path, b'\xef\xbb\xbf{"id": "a", "text": "x"}')
    assert [d.id for d in iter_corpus(path)] == ["a"]


def test_line_separators_inside_a_string_do_not_split_it(tmp_path: Path) -> None:
    text = "a\u2028b\u0085c\x0bd"
    path = corpus(tmp_path, json.dumps({"id": "a", "text": text}, ensure_ascii=False))
    assert next(iter_corpus(path)).text == text


def test_a_line_over_the_limit_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    big = json.dumps({"id": "a", "text": "x" * 1000})
    path = corpus(tmp_path, big, '{"id": "b", "text": "y"}')
    first, second = scan_corpus(path, limits=Limits(max_bytes=200))
    assert isinstance(first, Failed)
    assert "at most 200 bytes" in str(first.error)
    assert isinstance(second, Document)
    (failed, _) = scan_corpus(path, limits=Limits(max_chars=999))
    assert "999 characters" in str(failed)


def test_a_missing_an_empty_and_a_blank_corpus(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"none\.jsonl: cannot be read: No such file"):
        list(iter_corpus(tmp_path / "none.jsonl"))
    with pytest.raises(LoadError, match="cannot be read: Is a directory"):
        list(iter_corpus(tmp_path))
    with pytest.raises(LoadError, match=r"is empty \(0 bytes\)"):
        list(iter_corpus(corpus(tmp_path)))
    assert list(iter_corpus(corpus(tmp_path, "", " ", "\r"))) == []


def test_a_corpus_is_read_as_a_stream(tmp_path: Path) -> None:
    path = corpus(tmp_path, '{"id": "a", "text": "x"}', "broken")
    assert next(iter_corpus(path)).id == "a"
