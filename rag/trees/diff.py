"""What an edit did to a tree: which nodes are as they were, which are new, gone, or stale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rag.doctree import DocTree
from rag.notes import Note, notes_of
from rag.trees.merkle import own_hashes, subtree_hashes

__all__ = ["Difference", "difference", "moved", "same_leaves", "twins"]


@dataclass(frozen=True)
class Difference:
    """Nodes of two trees by what became of them.

    Args:
        kept: nodes of the new tree that stood in the old one with all below them, leaves and inner ones.
        added: leaves of the new tree that the old one did not have.
        removed: leaves of the old tree that the new one does not have.
        stale: inner nodes of the new tree with something below them that changed, so that what was said about them
            may be wrong.
    """

    kept: tuple[int, ...]
    added: tuple[int, ...]
    removed: tuple[int, ...]
    stale: tuple[int, ...]

    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {name: len(nodes) for name, nodes in vars(self).items()}


def difference(old: DocTree, new: DocTree, *, notes: Sequence[str] = ()) -> Difference:
    """Compare by content: a passage that moved is kept, one of two equal passages that vanished is removed.

    Args:
        old: the tree before.
        new: the tree now.
        notes: fields whose notes count as content.
    """
    before, now = subtree_hashes(old, notes=notes), subtree_hashes(new, notes=notes)
    have = Counter(before)
    leaves, old_leaves = set(new.leaf_ids.tolist()), old.leaf_ids.tolist()
    kept: list[int] = []
    added: list[int] = []
    stale: list[int] = []
    for i, one in enumerate(now):
        if have[one] > 0:
            have[one] -= 1
            kept.append(i)
        else:
            (added if i in leaves else stale).append(i)
    left = Counter(now)
    removed = []
    for i in old_leaves:
        if left[before[i]] > 0:
            left[before[i]] -= 1
        else:
            removed.append(i)
    return Difference(tuple(kept), tuple(added), tuple(removed), tuple(stale))


def twins(old: DocTree, new: DocTree, *, notes: Sequence[str] = ()) -> dict[int, int]:
    """Node of the new tree -> the first node of the old one that is equal with all below it."""
    at: dict[bytes, int] = {}
    for i, one in enumerate(subtree_hashes(old, notes=notes)):
        at.setdefault(one, i)
    return {i: at[one] for i, one in enumerate(subtree_hashes(new, notes=notes)) if one in at}


def same_leaves(old: DocTree, new: DocTree) -> dict[int, int]:
    """Leaf of the new tree -> the first leaf of the old one with its text, below the same headings and title."""
    if old.document.title != new.document.title:
        return {}

    def keyed(tree: DocTree) -> dict[int, tuple[bytes, tuple[str, ...]]]:
        own = own_hashes(tree)
        return {leaf: (own[leaf], tree[leaf].path) for leaf in tree.leaf_ids.tolist()}

    at: dict[tuple[bytes, tuple[str, ...]], int] = {}
    for leaf, key in keyed(old).items():
        at.setdefault(key, leaf)
    return {leaf: at[key] for leaf, key in keyed(new).items() if key in at}


def moved(old: DocTree, name: str, node: int, by: int) -> tuple[Note, ...]:
    """The notes of a field at a node of the old tree, their ranges `by` code points further on."""
    rows = notes_of(old, name, node)
    return tuple(note._replace(spans=tuple((a + by, b + by) for a, b in note.spans)) for note in rows)
