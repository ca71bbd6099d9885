"""Documents that nobody writes: caps and coverage hold, in time that grows with the length alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from chunkers.structure import StructureChunker
from rag.errors import LoadError
from rag.loaders.html import parse
from rag.loaders.read import read
from rag.models.tokens import counter
from rag.types import Document

pytestmark = pytest.mark.slow  # texts of ten million characters
STRUCTURE = StructureChunker(size=64)


def seconds(media_type: str, text: str) -> float:
    """CPU time to cut a text; what every tree must keep is checked on the way."""
    began = time.process_time()
    tree = STRUCTURE(Document("d", text, media_type=media_type))
    spent = time.process_time() - began
    tree.check()
    leaves = tree.leaves()
    assert sum(leaf.end - leaf.start for leaf in leaves) == len(text)
    count = counter("cl100k")
    for leaf in (*leaves[:40], *leaves[-40:]):
        again = sum(count.count(text[a:b]) for a, b in leaf.repeats)
        assert leaf.tokens == count.count(leaf.text)
        assert leaf.tokens + again <= STRUCTURE.cap
    return spent


MD, RST, PY, JS, CSV, TXT, JSONL = (
    *("text/markdown", "text/x-rst", "text/x-python", "text/javascript", "text/csv", "text/plain", "application/jsonl"),
)
BAD = {
    "one line, markdown": (MD, lambda n: "word " * (n // 5)),
    "one line, rst": (RST, lambda n: "word " * (n // 5)),
    "one line, python": (PY, lambda n: "x = [" + "1, " * (n // 3) + "]"),
    "one line, javascript": (JS, lambda n: "f(" + "a+b," * (n // 4) + "0)"),
    "one line, csv": (CSV, lambda n: "a,b," * (n // 4)),
    "one line of letters": (TXT, lambda n: "x" * n),
    "headings, markdown": (MD, lambda n: "# a\n" * (n // 4)),
    "headings, rst": (RST, lambda n: "ab\n==\n\n" * (n // 7)),
    "functions": (PY, lambda n: "def f(): pass\n" * (n // 14)),
    "nested lists": (MD, lambda n: "".join("  " * (i % 1000) + "- a\n" for i in range(n // 1000))),
    "nested quotes, rst": (RST, lambda n: "".join(" " * i + "a\n\n" for i in range(int((2 * n) ** 0.5)))),
    "nested braces": (JS, lambda n: "{\n" * (n // 4) + "}\n" * (n // 4)),
    "nested parentheses": (PY, lambda n: "x = " + "(" * (n // 2) + ")" * (n // 2)),
    "nested functions": (PY, lambda n: "".join(" " * i + "def f():\n" for i in range(int((2 * n) ** 0.5)))),
    "a table wider than the cap": (MD, lambda n: "|a" * 300 + "|\n" + "|-" * 300 + "|\n" + ("|b" * 300 + "|\n") * (n // 601)),
    "a wide csv": (CSV, lambda n: ("name," * 300 + "\n") + ("12," * 300 + "\n") * (n // 901)),
    "an open quote, csv": (CSV, lambda n: 'a,b\n"' + "1,2\n" * (n // 4)),
    "a code block over the cap": (MD, lambda n: "```py\n" + "x = 1\n" * (n // 6) + "```\n"),
    "an open fence": (MD, lambda n: "~~~\n" + "```\n" * (n // 4)),
    "an open comment": (JS, lambda n: "/* " + "a\n" * (n // 2)),
    "titles": (TXT, lambda n: "Title Here\n\n" * (n // 12)),
    "numbered titles": (TXT, lambda n: "".join(f"{k}.1 Title\n\nIt is a sentence of some words.\n\n" for k in range(n // 45))),
    "fences that nothing closes": (TXT, lambda n: "```x\n" * (n // 5)),
    "definitions": (MD, lambda n: "Term\n: one\n\n: two\n\n" * (n // 20)),
    "right to left": (TXT, lambda n: "שלום עולם, זה משפט ארוך. " * (n // 25)),
    "right to left, rst": (RST, lambda n: "כותרת\n=====\n\nשלום עולם. זה משפט.\n\n" * (n // 34)),
    "records": (JSONL, lambda n: '{"a": 1}\n' * (n // 9)),
    "half surrogates": (PY, lambda n: "x = '\ud800'\n" * (n // 8)),
    "carriage returns": (PY, lambda n: "def f():\r    return 1\r" * (n // 22)),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_caps_and_coverage_hold_in_linear_time(name: str) -> None:
    media_type, made = BAD[name]
    small, large = made(12_000), made(96_000)
    first = max(min(seconds(media_type, small) for _ in range(2)), 0.01)
    assert seconds(media_type, large) < 4 * (len(large) / len(small)) * first + 0.2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one line, markdown", "one line of letters", "one line, javascript"])
def test_an_unbroken_line_of_ten_megabytes(name: str) -> None:
    media_type, made = BAD[name]
    assert seconds(media_type, made(10_000_000)) < 120


@pytest.mark.slow
@pytest.mark.parametrize(("media_type", "row"), [(MD, "# a\n"), (RST, "ab\n==\n\n")])
def test_a_million_headings(media_type: str, row: str) -> None:
    assert seconds(media_type, row * 1_000_000) < 240


def test_html_nested_a_thousand_deep_keeps_its_text() -> None:
    for tag in ("div", "ul><li", "table><tr><td", "blockquote", "details><summary"):
        text, blocks, _ = parse(f"<{tag}>a " * 1000)
        assert text.count("a") == 1000
        STRUCTURE(Document("d", text, media_type="text/html", blocks=blocks)).check()


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.py", "a.csv", "a.rst", "a.js", "a.unknown"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x7fELF\x02\x01\x01\0", "a program"),
        (bytes(range(256)) * 8, "not UTF-8|NUL"),
        (b"text \0 and more", "a NUL byte"),
        ("grün".encode() + "grün".encode("latin-1"), "not UTF-8"),
        ("à".encode("utf-16-le"), "not UTF-8|NUL"),
    ],
)
def test_binary_called_text_and_mixed_encodings_are_refused_in_one_line(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(LoadError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)
