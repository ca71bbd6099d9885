"""Groups of a tree put over the next version of its document, so that an edit changes its own path alone."""

from __future__ import annotations

from difflib import SequenceMatcher
from hashlib import blake2b

from rag.doctree import KINDS, DocTree
from rag.trees.regroup import Made, regrouped

__all__ = ["grafted"]


def grafted(tree: DocTree, below: list[list[int]], old: DocTree, most: int, deepest: int) -> DocTree | None:
    """The new tree with the groups that the old one has above the same parts.

    Parts are matched in order by their text, and what stands between two matches by place; a new part joins the group
    of the one before it. Groups that lost all their parts vanish.

    Args:
        tree: the new tree, without groups.
        below: its children, those of sections that gave way with their parents; groups are added to it.
        old: the tree before, with groups.
        most: children of a node at most.
        deepest: nodes above a leaf at most.

    Returns:
        None where that breaks a limit, or where sections that need groups are new.
    """
    if any(KINDS[kind] == "group" for kind in tree.kind.tolist()):
        return None
    keys, old_keys = _keys(tree), _keys(old)
    made: list[Made] = []
    pairs = [(0, 0)]
    while pairs:
        node, twin = pairs.pop()
        parts, before = below[node], _parts(old, twin)
        home: dict[int, int] = {}
        for how, a, b, c, d in SequenceMatcher(
            None, [old_keys[i] for i in before], [keys[i] for i in parts], autojunk=False
        ).get_opcodes():
            if how in ("equal", "replace"):
                for was, now in zip(before[a:b], parts[c:d], strict=False):
                    home[now] = int(old.parent[was])
                    if below[now] and old.child_ids[was]:
                        pairs.append((now, was))
        if len(parts) > most:
            last = next(iter(home.values()), twin)
            held: dict[int, list[int]] = {}
            for part in parts:
                last = home.get(part, last)
                held.setdefault(last, []).append(part)
            below[node] = _above(old, twin, held, below, made)
            if sum(map(len, held.values())) != len(parts) or twin in held:
                return None
    grown = regrouped(tree, below, made)
    return grown if _within(grown, most, deepest) else None


def _above(old: DocTree, group: int, held: dict[int, list[int]], below: list[list[int]], made: list[Made]) -> list[int]:
    """Children of a node or group: its parts, or the groups below it that hold some."""
    if group in held:
        return held[group]
    found: list[int] = []
    for child in old.child_ids[group]:
        if KINDS[int(old.kind[child])] != "group":
            continue
        inside = _above(old, child, held, below, made)
        if inside:
            found.append(len(below))
            made.append(Made(level=int(old.level[child])))
            below.append(inside)
    return found


def _parts(old: DocTree, node: int) -> list[int]:
    """What stands below a node once groups are looked through, in order."""
    found: list[int] = []
    waiting = list(reversed(old.child_ids[node]))
    while waiting:
        one = waiting.pop()
        if KINDS[int(old.kind[one])] == "group":
            waiting += reversed(old.child_ids[one])
        else:
            found.append(one)
    return found


def _keys(tree: DocTree) -> list[bytes]:
    """A hash of the kind and the text of each node."""
    text = tree.document.text
    rows = zip(tree.start.tolist(), tree.end.tolist(), tree.kind.tolist(), strict=True)
    return [blake2b(f"{k} {text[a:b]}".encode("utf-8", "surrogatepass"), digest_size=16).digest() for a, b, k in rows]


def _within(tree: DocTree, most: int, deepest: int) -> bool:
    depth = [0] * len(tree)
    for i, up in enumerate(tree.parent.tolist()):
        depth[i] = depth[up] + 1 if up >= 0 else 0
    return max(map(len, tree.child_ids)) <= most and max(depth) <= deepest
