"""Hashes of subtrees: two nodes with one hash hold the same text, cut and ordered in the same way.

A Merkle tree over the outline (Merkle, "A digital signature based on a conventional encryption function", CRYPTO
1987): a node's hash is made of its own and of the hashes of its children with where each begins, so an edit changes
the hashes on the path from the edited leaf to the root and no others. Where the node stands in its document is not
part of it: text that only moved keeps its hash, and what was said about it is still right after a shift.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from rag.doctree import KINDS, DocTree

__all__ = ["own_hashes", "subtree_hashes"]

SIZE = 16  # bytes


def own_hashes(tree: DocTree, *, notes: Sequence[str] = ()) -> list[bytes]:
    """The hash of each node by itself: kind, heading, and for a leaf its text and what it repeats.

    Args:
        tree: any tree.
        notes: fields whose notes count as part of their nodes.
    """
    text, size = tree.document.text, len(tree)
    starts, ends, kinds = tree.start.tolist(), tree.end.tolist(), tree.kind.tolist()
    titles = tree.titles.tolist()
    leaf = set(tree.leaf_ids.tolist())
    found: list[bytes] = []
    for i in range(size):
        a, b = titles[i]
        pieces = [KINDS[kinds[i]], text[a:b]]
        if i in leaf:
            pieces.append(text[starts[i] : ends[i]])
            pieces += [text[c:d] for c, d in tree.repeats.get(i, ())]
        for name in notes:
            rows = tree.notes.get(name, {}).get(i)
            if rows:
                moved = [[row[0], [[c - starts[i], d - starts[i]] for c, d in row[1]], *row[2:]] for row in rows]
                pieces.append(json.dumps([name, moved]))
        found.append(_digest(piece.encode("utf-8", "surrogatepass") for piece in pieces))
    return found


def subtree_hashes(tree: DocTree, *, notes: Sequence[str] = ()) -> list[bytes]:
    """The hash of each node with all below it, in linear time.

    Args:
        tree: any tree.
        notes: fields whose notes count.

    Returns:
        16 bytes a node, a function of its own hash and of (place, hash) of each child in order; the place is where
        the child begins, counted from its parent's beginning.
    """
    own = own_hashes(tree, notes=notes)
    starts = tree.start.tolist()
    done: list[bytes] = [b""] * len(tree)
    below = tree.child_ids
    for i in range(len(tree) - 1, -1, -1):
        pieces = [own[i]]
        for child in below[i]:
            pieces += [(starts[child] - starts[i]).to_bytes(8, "little"), done[child]]
        done[i] = _digest(pieces)
    return done


def _digest(pieces: Iterable[bytes]) -> bytes:
    state = blake2b(digest_size=SIZE)
    for piece in pieces:
        state.update(len(piece).to_bytes(8, "little"))
        state.update(piece)
    return state.digest()
