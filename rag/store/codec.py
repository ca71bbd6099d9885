"""Documents and trees as bytes, without pickle.

A packed value is four magic bytes, the length of a JSON header, the header, and a body: the
text in UTF-8 for a document, the arrays in little-endian order for a tree. Lone surrogates
survive (`surrogatepass`), and arrays are views into the bytes: reading copies nothing.

JSON has no tuples and no integer keys, so a tree that was packed and unpacked holds lists where
it held tuples in metadata and notes. Indexing always goes through this door, in memory too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.doctree import DocTree
from rag.errors import RagError, StoreError
from rag.types import Block, Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["document_digest", "leaf_keys", "pack_document", "pack_tree", "unpack_document", "unpack_tree"]

DOCUMENT, TREE = b"RTD1", b"RTT1"
ARRAYS: tuple[tuple[str, str], ...] = (  # widest first, so that all are aligned
    ("start", "<i8"),
    ("end", "<i8"),
    ("parent", "<i8"),
    ("titles", "<i8"),
    ("tokens", "<i4"),
    ("level", "<i2"),
    ("kind", "|u1"),
)
KEY = np.dtype("<u8")


def _json(value: Any, where: str) -> bytes:
    try:
        return json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise RagError(f"{where} must be JSON values: {error}. Use str keys, no NaN, lists and plain types.") from error


def _frame(magic: bytes, header: bytes, body: Sequence[bytes]) -> bytes:
    pad = b" " * (-(len(header) + 8) % 8)
    return b"".join((magic, (len(header) + len(pad)).to_bytes(4, "little"), header, pad, *body))


def _open(magic: bytes, packed: bytes) -> tuple[Any, int]:
    size = int.from_bytes(packed[4:8], "little")
    if packed[:4] != magic or len(packed) < 8 + size:
        raise StoreError(f"not a packed {'document' if magic == DOCUMENT else 'tree'}: {len(packed)} bytes")
    return json.loads(packed[8 : 8 + size].decode("ascii")), 8 + size


def pack_document(document: Document) -> bytes:
    """Everything of a document but its id."""
    where = f"document {document.id!r}: metadata"
    head = [document.title, document.media_type, dict(document.metadata), list(document.blocks)]
    return _frame(DOCUMENT, _json(head, where), (document.text.encode("utf-8", "surrogatepass"),))


def document_digest(packed: bytes) -> str:
    """Hex digest of text, title, media type, metadata and blocks: what decides "unchanged"."""
    return sha256(packed).hexdigest()


def unpack_document(id_: str, packed: bytes) -> Document:
    """The document that `pack_document` packed."""
    (title, media_type, metadata, blocks), at = _open(DOCUMENT, packed)
    return Document(
        id=id_,
        text=str(memoryview(packed)[at:], "utf-8", "surrogatepass"),
        title=title,
        media_type=media_type,
        blocks=tuple(_block(block) for block in blocks),
        metadata=metadata,
    )


def _block(packed: Sequence[Any]) -> Block:
    start, end, kind, level, inner, page, box = packed
    return Block(start, end, kind, level, tuple(inner), page, None if box is None else tuple(box))


def pack_tree(tree: DocTree) -> bytes:
    """Everything of a tree but its document."""
    where = f"document {tree.document.id!r}: notes of its tree"
    repeats = [[int(node), list(ranges)] for node, ranges in sorted(tree.repeats.items())]
    notes = [[name, [[int(i), v] for i, v in sorted(by.items())]] for name, by in sorted(tree.notes.items())]
    header = _json([len(tree), tree.tokenizer, repeats, notes], where)
    return _frame(TREE, header, [np.ascontiguousarray(getattr(tree, n), dtype=t).tobytes() for n, t in ARRAYS])


def unpack_tree(document: Document, packed: bytes) -> DocTree:
    """The tree that `pack_tree` packed; its arrays are read-only views into the bytes."""
    (size, tokenizer, repeats, notes), at = _open(TREE, packed)
    # One view for the wide arrays: this runs for every document that a question touches.
    wide = np.frombuffer(packed, "<i8", 5 * size, at)
    at += wide.nbytes
    return DocTree(
        document=document,
        tokenizer=tokenizer,
        repeats={node: tuple((start, end) for start, end in ranges) for node, ranges in repeats},
        notes={name: dict(by) for name, by in notes},
        start=wide[:size],
        end=wide[size : 2 * size],
        parent=wide[2 * size : 3 * size],
        titles=wide[3 * size :].reshape(size, 2),
        tokens=np.frombuffer(packed, "<i4", size, at),
        level=np.frombuffer(packed, "<i2", size, at + 4 * size),
        kind=np.frombuffer(packed, "|u1", size, at + 6 * size),
    )


def leaf_keys(tree: DocTree) -> NDArray[np.uint64]:
    """uint64 (m, 2): what identifies each leaf by content.

    Title of the document, headings above, text, repeated ranges and what the notes of the leaf say: two leaves
    with one key look alike to every retriever, so what was computed for one serves the other. Where a note rests is
    left out: after an edit the leaves behind it say the same from another place.
    """
    text = tree.document.text
    paths: dict[int, bytes] = {}
    noted: Mapping[int, list[Any]] = _notes_by_node(tree)
    found = bytearray()
    for leaf in tree.leaf_ids.tolist():
        up = int(tree.parent[leaf])
        if up not in paths:
            paths[up] = _joined((tree.document.title, *tree[up].path))
        own = tuple(map(int, tree.titles[leaf]))
        pieces = [text[own[0] : own[1]], text[int(tree.start[leaf]) : int(tree.end[leaf])]]
        pieces += [text[start:end] for start, end in tree.repeats.get(leaf, ())]
        state = blake2b(paths[up], digest_size=16)
        state.update(_joined(pieces))
        if leaf in noted:
            said = [[name, _said(value)] for name, value in noted[leaf]]
            state.update(_json(said, f"document {tree.document.id!r}: notes of its tree"))
        found += state.digest()
    return np.frombuffer(bytes(found), dtype=KEY).reshape(-1, 2)


def _notes_by_node(tree: DocTree) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for name, by_node in sorted(tree.notes.items()):
        for node, value in by_node.items():
            found.setdefault(node, []).append([name, value])
    return found


def _said(value: Any) -> Any:
    """What retrievers read of a row of notes: the texts, and which of them failed; other values are kept whole."""
    if isinstance(value, (list, tuple)) and all(isinstance(one, (list, tuple)) and len(one) == 4 for one in value):
        return [[text, ok] for text, _, _, ok in value]
    return value


def _joined(pieces: Sequence[str]) -> bytes:
    coded = [piece.encode("utf-8", "surrogatepass") for piece in pieces]
    return b"".join(b for one in coded for b in (len(one).to_bytes(8, "little"), one))
