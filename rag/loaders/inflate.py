"""How large the compressed parts of a PDF are, found out before anything opens it.

A megabyte of a compressed page can stand for a gigabyte, which a PDF library unpacks whole. Streams are
unpacked here piece by piece, counted and thrown away. Pictures are passed over: reading text does
not unpack them. What this does not see: one stream that a page refers to many times.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator

__all__ = ["expanded"]

STREAM = re.compile(rb"stream\r?\n")
FLATE = re.compile(rb"/(?:FlateDecode|Fl)\b")
PIECE, STEP = 1 << 16, 1 << 22
LOOK_BACK = 1024  # bytes before a stream in which its dictionary is looked for
CHAIN = 4  # filters in a row


def expanded(data: bytes, limit: int) -> int:
    """Bytes of all Flate streams of a PDF that are no pictures, unpacked.

    Args:
        data: the file.
        limit: counting stops beyond it.

    Returns:
        The sum, or some number above `limit`.
    """
    total = 0
    for found in STREAM.finditer(data):
        head = data[max(0, found.start() - LOOK_BACK) : found.start()].rpartition(b"endobj")[2]
        filters = len(FLATE.findall(head))
        if data[found.start() - 3 : found.start()] == b"end" or not filters or b"/Image" in head:
            continue
        end = data.find(b"endstream", found.end())
        pieces: Iterable[bytes] = _pieces(data, found.end(), len(data) if end < 0 else end)
        for _ in range(min(filters, CHAIN)):
            pieces = _inflate(pieces)
        for piece in pieces:
            total += len(piece)
            if total > limit:
                return total
    return total


def _pieces(data: bytes, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, PIECE):
        yield data[at : min(at + PIECE, end)]


def _inflate(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack; a broken stream gives what stands before the break, as readers do."""
    state = zlib.decompressobj()
    for piece in pieces:
        rest = piece
        while rest and not state.eof:
            try:
                out = state.decompress(rest, STEP)
            except zlib.error:
                return
            yield out
            rest = state.unconsumed_tail
