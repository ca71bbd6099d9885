"""Bytes -> text, with an encoding that is known and never guessed."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from rag.errors import LoadError

__all__ = ["Decoded", "declared", "decode"]

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
WIDE = ("utf-16", "utf-32")  # of either byte order, which the mark tells
ALLOWED = re.compile(
    r"utf-(8|16-[lb]e|32-[lb]e)|cp(125\d|437|85\d|86\d|874|932|949|950)|iso8859-\d+|koi8-[rut]|mac-\w+"
    r"|gb2312|gbk|gb18030|hz|big5|big5hkscs|shift_jis\w*|euc_\w+|iso2022_\w+|johab|tis-620"
)
DECLARATION = re.compile(
    rb"""<\?xml\s[^>]{0,200}?\bencoding\s*=\s*["']\s*([\w.:-]{1,40})
        |<meta\s[^>]{0,400}?\bcharset\s*=\s*["']?\s*([\w.:-]{1,40})""",
    re.IGNORECASE | re.VERBOSE,
)
HEAD = 4096  # bytes searched for a declaration; browsers look at 1,024


class Decoded(NamedTuple):
    """A text and the codec that gives its bytes back."""

    text: str
    encoding: str


def decode(data: bytes, *, name: str, encoding: str | None = None, markup: bool = False) -> Decoded:
    """Decode a file.

    In this order: the encoding the caller names; a byte-order mark; UTF-8, when every byte is valid;
    for markup the charset its head declares, which is decoded strictly. Nothing is tried beyond that:
    a single-byte codec fits any bytes, so trying some would be guessing. Line ends, tabs, no-break
    spaces and the mark (as U+FEFF) stay as they are.

    Unlike the HTML standard, valid UTF-8 goes before a declaration, because a stale `charset` beside
    real UTF-8 is common and the opposite is all but impossible; ISO-2022, which is seven-bit, excepted.

    Args:
        data: the whole file.
        name: how messages call it.
        encoding: a codec's name, when the caller knows it.
        markup: whether to look for an HTML or XML declaration.

    Returns:
        The text and its codec: `text.encode(encoding) == data` for UTF-8, UTF-16, UTF-32 and
        single-byte codecs.

    Raises:
        LoadError: the bytes do not fit; names the first that does not and how to say the encoding.
    """
    given = None if encoding is None else _codec(encoding, name)
    if given is not None and given not in WIDE:
        return Decoded(_strict(data, given, name, "given"), given)
    for mark, codec in BOMS:
        if data.startswith(mark) and (given is None or codec.startswith(given)):
            return Decoded(_strict(data, codec, name, "of the byte-order mark"), codec)
    if given is not None:
        raise LoadError(f"{name}: {given} needs a byte-order mark, and there is none. Name {given}-le or {given}-be.")
    said = declared(data) if markup else None
    if said is not None and b"\x1b" in data and (codec := _codec(said, name)).startswith("iso2022"):
        return Decoded(_strict(data, codec, name, "declared"), codec)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if said is None:
            raise LoadError(
                f"{name}: not UTF-8 (byte {data[error.start]:#04x} at offset {error.start:,}), and no byte-order mark"
                f"{' or charset' if markup else ''} says what else. Name it (encoding='cp1252'), or save as UTF-8."
            ) from None
        codec = _codec(said, name)
        return Decoded(_strict(data, codec, name, "declared"), codec)
    if (nul := text.find("\0")) >= 0:
        at = len(text[:nul].encode("utf-8"))
        raise LoadError(
            f"{name}: a NUL byte at offset {at:,}: not text, or UTF-16 without a byte-order mark. "
            "If it is text, name its encoding, such as encoding='utf-16-le'."
        )
    return Decoded(text, "utf-8")


def declared(data: bytes) -> str | None:
    """The charset that the head of an HTML or XML file names, or None."""
    found = DECLARATION.search(data[:HEAD])
    if found is None:
        return None
    label = (found[1] or found[2]).decode("ascii", "replace").lower()
    # the encoding standard: a file whose ASCII can be read is not UTF-16, and Latin-1 means its superset
    if label.startswith("utf-16"):
        return "utf-8"
    return "cp1252" if label in ("iso-8859-1", "iso8859-1", "latin1", "latin-1", "ascii", "us-ascii") else label


def _codec(label: str, name: str) -> str:
    try:
        codec = codecs.lookup(label).name
    except (LookupError, ValueError):
        codec = ""
    codec = {"ascii": "utf-8", "utf-8-sig": "utf-8"}.get(codec, codec)
    if codec not in WIDE and not ALLOWED.fullmatch(codec):
        raise LoadError(
            f"{name}: {label!r} is not a text encoding known here. Name one, such as encoding='utf-8' or 'cp1252'."
        )
    return codec


def _strict(data: bytes, codec: str, name: str, how: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        raise LoadError(
            f"{name}: not in the encoding {how}, {codec}: byte {data[error.start]:#04x} at offset {error.start:,}. "
            "Name the right one with encoding=..., or save as UTF-8."
        ) from None
