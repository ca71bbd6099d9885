"""One file -> its documents, by what its name and its first bytes say it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rag.errors import LoadError, MissingExtra
from rag.loaders.decode import decode
from rag.loaders.heading import markdown_title, rst_title
from rag.loaders.jsonl import iter_corpus, scan_corpus
from rag.loaders.jsonlines import is_corpus
from rag.loaders.languages import LANGUAGES, SUFFIXES
from rag.loaders.limits import Clock, Limits, shown
from rag.loaders.walk import Found, Skipped, walk
from rag.types import Document, Failed

__all__ = ["documents", "read"]

PLAIN, MARKDOWN, HTML, PDF, JSONL = "text/plain", "text/markdown", "text/html", "application/pdf", "application/jsonl"
RST, CSV, TSV, SOURCE = "text/x-rst", "text/csv", "text/tab-separated-values", "text/x-code"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
OTHER_SOURCES = "kt kts scala swift lua pl pm r jl dart ex exs erl hs ml mli clj groovy m mm sql vb zig"
TYPES: Mapping[str, str] = {
    **SUFFIXES,
    **dict.fromkeys((f".{name}" for name in OTHER_SOURCES.split()), SOURCE),
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd", ".mdx"), MARKDOWN),
    **dict.fromkeys((".html", ".htm", ".xhtml"), HTML),
    **dict.fromkeys((".txt", ".text"), PLAIN),
    **dict.fromkeys((".rst", ".rest"), RST),
    ".csv": CSV,
    **dict.fromkeys((".tsv", ".tab"), TSV),
    ".pdf": PDF,
    ".docx": DOCX,
    ".jsonl": JSONL,
}
MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", PDF),
    (b"PK\x03\x04", "a zip archive (docx, xlsx, pptx, epub and odt are ones)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a", "a rar archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file"),
    (b"{\\rtf", "an RTF file"),
    (b"SQLite format 3\0", "a database"),
    (b"\x7fELF", "a program"),
    (b"\x89PNG\r\n", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
)
READ = "plain text and code, .md, .rst, .html, .csv, .tsv, .pdf, .docx, .jsonl"

Parse = Callable[[bytes, str, str | None, Limits], tuple[str, str, Any, Mapping[str, Any]]]


def read(
    path: str | Path,
    *,
    id: str | None = None,  # noqa: A002 - what a document calls it
    encoding: str | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> list[Document]:
    """Read a file: one document, or every record of a JSONL corpus.

    Text formats keep their text unchanged, so that offsets are offsets into the decoded file; their
    blocks are left to the chunker. HTML and PDF give the text that was extracted and its blocks.

    Args:
        path: the file.
        id: id of the document; default the file's name. Records keep their own.
        encoding: of text formats, where the file does not say it.
        limits: what one document may take.

    Raises:
        LoadError: missing, unreadable, empty, of a kind that is not read, over a limit or broken.
        MissingExtra: the format needs an extra that is not installed.
    """
    path = Path(path)
    kind = _kind(path)
    if kind == JSONL and is_corpus(path):
        return list(iter_corpus(path, limits=limits))
    data = _bytes(path, limits)
    text, title, blocks, facts = PARSERS[kind](data, shown(path), encoding, limits)
    limits.chars_ok(shown(path), len(text))
    return [Document(shown(path.name) if id is None else id, text, title, kind, blocks, facts)]


def documents(
    paths: Iterable[str | Path],
    *,
    encoding: str | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Iterator[Document | Failed | Skipped]:
    """Every document that files and folders hold, one at a time, in the order of `walk`.

    A file or record that cannot be read, or whose id came before, is yielded as `Failed`, and the
    rest goes on.

    Raises:
        LoadError: a given path does not exist.
    """
    seen: dict[str, str] = {}
    for found in walk(paths):
        if not isinstance(found, Found):
            yield found
            continue
        for item in _read(found, encoding, limits):
            if isinstance(item, Document):
                first = seen.setdefault(item.id, shown(found.path))
                if first != shown(found.path):
                    message = (
                        f"{shown(found.path)}: id {item.id!r} came before, in {first}, and ids must differ. Rename one."
                    )
                    yield Failed(item.id, LoadError(message))
                    continue
            yield item


def _read(found: Found, encoding: str | None, limits: Limits) -> Iterator[Document | Failed]:
    try:
        if _kind(found.path) == JSONL and is_corpus(found.path):
            yield from scan_corpus(found.path, limits=limits)
        else:
            yield from read(found.path, id=found.id, encoding=encoding, limits=limits)
    except (LoadError, MissingExtra) as error:
        yield Failed(found.id, error)


def _kind(path: Path) -> str:
    """The media type: what the first bytes say beyond doubt, else what the name says, else plain text."""
    named = TYPES.get(path.suffix.lower(), PLAIN)
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "no such file" if not path.exists() else "not a regular file"
            raise LoadError(f"{shown(path)}: {what}. Give the path of a file.")
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError as error:
        raise LoadError(f"{shown(path)}: cannot be read: {error.strerror}. Check its permissions.") from error
    if not head:
        raise LoadError(f"{shown(path)}: is empty (0 bytes); a document needs text. Remove it, or write it again.")
    for magic, kind in MAGIC:
        if head.startswith(magic):
            if kind == PDF or (named == DOCX and head.startswith(b"PK\x03\x04")):
                return PDF if kind == PDF else DOCX
            raise LoadError(f"{shown(path)}: {kind}, which is not opened or expanded. What is read: {READ}.")
    if named == DOCX:
        raise LoadError(f"{shown(path)}: not a .docx: it is no zip archive. Save it as .docx again.")
    if named == PDF and b"%PDF-" not in head:
        raise LoadError(f"{shown(path)}: not a PDF: no %PDF- header in its first 1,024 bytes. Export it again.")
    if path.suffix.lower() not in TYPES and head.lstrip(b"\xef\xbb\xbf \t\r\n")[:14].lower().startswith(
        (b"<!doctype html", b"<html")
    ):
        return HTML
    return named


def _bytes(path: Path, limits: Limits) -> bytes:
    try:
        with path.open("rb") as file:
            limits.bytes_ok(shown(path), path.stat().st_size)
            data = file.read(limits.max_bytes + 1)
    except OSError as error:
        raise LoadError(f"{shown(path)}: cannot be read: {error.strerror}. Check its permissions.") from error
    limits.bytes_ok(shown(path), len(data))
    return data


def _text(
    data: bytes, name: str, encoding: str | None, limits: Limits, *, title: Callable[[str, str], str]
) -> tuple[str, str, Any, Any]:
    text, codec = decode(data, name=name, encoding=encoding)
    limits.chars_ok(name, len(text))
    return text, title(text, name), (), {"encoding": codec}


def _named(_text: str, name: str) -> str:
    """The name of a file, which is what code is called by."""
    return name.rpartition("/")[2]


def _docx(data: bytes, name: str, encoding: str | None, limits: Limits) -> tuple[str, str, Any, Any]:
    from rag.loaders.docx import extract

    made = extract(data, name=name, clock=Clock(name, limits), limits=limits)
    return made.text, made.title, made.blocks, made.metadata


def _html(data: bytes, name: str, encoding: str | None, limits: Limits) -> tuple[str, str, Any, Any]:
    from rag.loaders.html import extract

    markup, codec = decode(data, name=name, encoding=encoding, markup=True)
    page = extract(markup, clock=Clock(name, limits), limits=limits)
    facts: dict[str, Any] = {"encoding": codec}
    if page.left_out:
        facts["left_out"] = dict(page.left_out)
    return page.text, page.title, page.blocks, facts


def _pdf(data: bytes, name: str, encoding: str | None, limits: Limits) -> tuple[str, str, Any, Any]:
    from rag.loaders.pdf import extract

    page = extract(data, name=name, clock=Clock(name, limits), limits=limits)
    return page.text, page.title, page.blocks, page.facts


PARSERS: Mapping[str, Parse] = {
    **dict.fromkeys((PLAIN, CSV, TSV, JSONL), partial(_text, title=lambda text, name: "")),
    MARKDOWN: partial(_text, title=lambda text, name: markdown_title(text)),
    RST: partial(_text, title=lambda text, name: rst_title(text)),
    **dict.fromkeys((*LANGUAGES, SOURCE), partial(_text, title=_named)),
    DOCX: _docx,
    HTML: _html,
    PDF: _pdf,
}
