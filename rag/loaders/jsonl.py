"""Corpora in the layout of BEIR: one JSON object a line, read as a stream.

The layout is that of Thakur et al., "BEIR", NeurIPS 2021 Datasets, https://arxiv.org/abs/2104.08663:
`_id`, `title`, `text`, `metadata`. Here `id` is read too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from rag.errors import LoadError
from rag.loaders.limits import Limits, shown
from rag.types import Document, Failed

__all__ = ["iter_corpus", "scan_corpus"]

BOM = b"\xef\xbb\xbf"


def iter_corpus(path: str | Path, *, limits: Limits = Limits()) -> Iterator[Document]:  # noqa: B008 - frozen
    """Every record of a corpus as a document, in file order; the first bad line ends it.

    Raises:
        LoadError: a line is malformed or an id comes twice; says `file:line`.
    """
    for item in scan_corpus(path, limits=limits):
        if isinstance(item, Failed):
            raise item.error
        yield item


def scan_corpus(path: str | Path, *, limits: Limits = Limits()) -> Iterator[Document | Failed]:  # noqa: B008 - frozen
    """Every record of a corpus, with a `Failed` in the place of each bad line.

    One line is in memory at a time, beside the ids seen.

    Args:
        path: a `.jsonl` file; UTF-8, blank lines are passed over.
        limits: `max_bytes` and `max_chars` hold for each line.

    Raises:
        LoadError: the file is missing, unreadable or empty.

    Yields:
        A document for each record. Keys beside `_id`, `id`, `title`, `text`, `metadata` join the
        metadata where it has no such key. `media_type` of the metadata or of the record is the
        document's; without one it is `text/plain`.
    """
    path = Path(path)
    seen: dict[str, int] = {}
    with _opened(path) as file:
        number = 0
        while line := file.readline(limits.max_bytes + 1):
            number += 1
            where = f"{shown(path)}:{number}"
            try:
                if len(line) > limits.max_bytes:
                    while line and not line.endswith(b"\n"):  # leave the rest of it unread
                        line = file.readline(limits.max_bytes)
                    limits.bytes_ok(where, limits.max_bytes + 1)
                if number == 1:
                    line = line.removeprefix(BOM)
                if not line.strip():
                    continue
                document = _document(_object(line.rstrip(b"\r\n"), where), where, limits)
                first = seen.setdefault(document.id, number)
                if first != number:
                    raise LoadError(
                        f"{where}: id {document.id!r} is that of line {first}, and ids must differ. Rename or drop one."
                    )
            except LoadError as error:
                yield Failed(f"{shown(path.name)}:{number}", error)
            else:
                yield document


def _opened(path: Path) -> BinaryIO:
    try:
        file = path.open("rb")
        if not os.fstat(file.fileno()).st_size and path.is_file():
            file.close()
            raise LoadError(f"{shown(path)}: is empty (0 bytes); a corpus has one record a line. Write it again.")
    except OSError as error:
        raise LoadError(f"{shown(path)}: cannot be read: {error.strerror}. Check name and permissions.") from error
    return file


def _object(line: bytes, where: str) -> Mapping[str, Any]:
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise LoadError(
            f"{where}: not UTF-8 (byte {line[error.start]:#04x} at column {error.start + 1}). Save the file as UTF-8."
        ) from None
    except json.JSONDecodeError as error:
        raise LoadError(f"{where}: not JSON at column {error.colno}: {error.msg}. One object a line is read.") from None
    except RecursionError:
        raise LoadError(f"{where}: JSON nested too deep. A record has id, title, text and metadata.") from None
    except ValueError as error:
        raise LoadError(f"{where}: not JSON that can be read: {error}.") from None
    if not isinstance(value, dict):
        raise LoadError(f"{where}: a record must be a JSON object, got {_kind(value)}.")
    return value


def _document(record: Mapping[str, Any], where: str, limits: Limits) -> Document:
    name = record.get("_id", record.get("id"))
    if isinstance(name, bool) or not isinstance(name, (str, int)) or name == "":
        got = "none" if name is None else repr(name) if name == "" else _kind(name)
        raise LoadError(f"{where}: a record needs an '_id' or 'id', a string or a whole number, got {got}.")
    text = record.get("text")
    if not isinstance(text, str):
        got = "none" if "text" not in record else _kind(text)
        raise LoadError(f"{where}: record {str(name)!r} needs a 'text', a string, got {got}.")
    limits.chars_ok(where, len(text))
    title = record.get("title") or ""
    if not isinstance(title, str):
        raise LoadError(f"{where}: 'title' of record {str(name)!r} must be a string, got {_kind(title)}.")
    own = record.get("metadata") or {}
    if not isinstance(own, dict):
        raise LoadError(f"{where}: 'metadata' of record {str(name)!r} must be an object, got {_kind(own)}.")
    rest = {k: v for k, v in record.items() if k not in ("_id", "id", "title", "text", "metadata", "media_type")}
    metadata = {**rest, **own}
    media_type = metadata.pop("media_type", record.get("media_type")) or "text/plain"
    if not isinstance(media_type, str):
        raise LoadError(f"{where}: 'media_type' of record {str(name)!r} must be a string, got {_kind(media_type)}.")
    return Document(str(name), text, title, media_type, (), metadata)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
