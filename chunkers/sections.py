"""From blocks and cuts to sections, and from sections and segments to a tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag.doctree import CODE, DocTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chunkers.cuts import Cuts
    from rag.loaders.blocks import Blocks
    from rag.types import Document

__all__ = ["OPENERS", "Leaf", "Run", "Section", "build", "runs", "sections"]

HEADING = CODE["heading"]
SUPPLEMENT = CODE["supplement"]
OPENERS = np.zeros(len(CODE), dtype=bool)  # kinds of block that open a section of their level
OPENERS[[HEADING, *(CODE[k] for k in ("function", "class", "group"))]] = True


@dataclass
class Section:
    """A heading and everything up to the next of its level or above.

    Args:
        first: index of the cut it begins at.
        last: index of the cut it ends at.
        up: index of the section above, -1 for the text itself.
        title: range of the heading without its marks.
        begins: index of the cut its node begins at: `first`, or earlier where it took in a heading above
            it that had too little text of its own.
        kind: of its node: section, or function, class, group of code.
    """

    first: int
    last: int
    up: int
    title: tuple[int, int]
    begins: int
    kind: int = CODE["section"]


@dataclass(frozen=True)
class Run:
    """Neighbouring units of one section that are packed together.

    Args:
        owner: index of the section whose children the segments become, -1 for the text itself.
        cuts: ascending indices of the cuts that are allowed, the end of the run last.
        whole: cut -> section that may stand alone as a segment from this cut on.
    """

    owner: int
    cuts: list[int]
    whole: dict[int, int]


@dataclass(frozen=True)
class Leaf:
    """A chunk: its range, its tokens and where it hangs."""

    start: int
    end: int
    owner: int
    kind: int
    tokens: int
    repeats: tuple[tuple[int, int], ...] = ()


def sections(cuts: Cuts, blocks: Blocks) -> list[Section]:
    """The sections in source order; a skipped level makes no difference, the nearest lower one is above.

    Running heads and feet behind the text are in no section.
    """
    heads = np.flatnonzero(OPENERS[blocks.kind])
    places = blocks.start[heads]
    if len(heads) and heads[0] == 0:
        places = np.concatenate(([0], places[1:]))
    first = np.searchsorted(cuts.at, places)
    levels = blocks.level[heads].tolist()
    titles = blocks.inner[heads].tolist()
    kinds = np.where(blocks.kind[heads] == HEADING, CODE["section"], blocks.kind[heads]).tolist()
    found: list[Section] = []
    above: list[tuple[int, int]] = []  # open sections: level, index
    end = _tail(cuts, blocks)
    columns = zip(places.tolist(), first.tolist(), levels, titles, kinds, strict=True)
    for place, cut, level, (a, b), kind in columns:
        if cuts.at[cut] != place or cut >= end:
            continue  # the heading lost its cut; it is text then
        while above and above[-1][0] >= level:
            found[above.pop()[1]].last = cut
        found.append(Section(cut, end, above[-1][1] if above else -1, (a, b), cut, kind))
        above.append((level, len(found) - 1))
    return found


def _tail(cuts: Cuts, blocks: Blocks) -> int:
    """The cut at which running heads and feet begin that stand behind the text; the last cut where there are none."""
    last = len(blocks)
    while last > 0 and blocks.kind[last - 1] == SUPPLEMENT:
        last -= 1
    return int(np.searchsorted(cuts.at, blocks.start[last])) if 0 < last < len(blocks) else len(cuts.at) - 1


def runs(cuts: Cuts, blocks: Blocks, found: Sequence[Section], min_size: int) -> list[Run]:
    """Divide the units among the sections.

    A section of fewer than `min_size` tokens is not cut, and may share a segment with its neighbours under the
    same heading. A heading with too little text of its own goes in front of the first section below it, and
    headings without any text go in front of the next section.

    Args:
        cuts: all cuts.
        blocks: the structure.
        found: the sections, in source order; `begins` of some is moved forward.
        min_size: tokens.

    Returns:
        Runs in source order that tile the units.
    """
    left, right = cuts.left.tolist(), cuts.right.tolist()
    below: list[list[int]] = [[] for _ in range(len(found) + 1)]  # the text itself comes last
    for index, section in enumerate(found):
        below[section.up].append(index)
    body = np.append(0, np.cumsum(blocks.kind[cuts.block[:-1]] != HEADING)).tolist()  # units with text before a cut
    tail = _tail(cuts, blocks)
    done: list[Run] = []
    work = [(-1, 0)]
    while work:
        owner, begin = work.pop()
        stop = found[owner].last if owner >= 0 else tail
        kids = below[owner]
        marks = list(range(begin, found[kids[0]].first if kids else stop))
        whole: dict[int, int] = {}
        for kid in kids:
            first = found[kid].first
            if left[first] + right[found[kid].last] < min_size:
                marks.append(first)
                whole[first] = kid
                continue
            lead = first
            light = bool(marks) and left[marks[0]] + right[first] < min_size
            if light and (not whole or body[first] == body[marks[0]]):
                lead = found[kid].begins = marks[0]
            elif marks:
                done.append(Run(owner, [*marks, first], whole))
            work.append((kid, lead))
            marks, whole = [], {}
        if marks:
            done.append(Run(owner, [*marks, stop], whole))
    if tail < len(cuts.at) - 1:
        done.append(Run(-1, list(range(tail, len(cuts.at))), {}))
    done.sort(key=lambda run: run.cuts[0])
    return done


def build(document: Document, cuts: Cuts, found: Sequence[Section], leaves: Sequence[Leaf], tokenizer: str) -> DocTree:
    """The tree of these leaves below their sections, in preorder.

    Args:
        document: the source.
        cuts: all cuts.
        found: the sections, in source order.
        leaves: the chunks, in source order.
        tokenizer: name of the counter.
    """
    depth = [0] * (len(found) + 1)  # of the text itself, at index -1: 0
    for index, section in enumerate(found):
        depth[index] = depth[section.up] + 1
    used: set[int] = set()
    for leaf in leaves:
        owner = leaf.owner
        while owner >= 0 and owner not in used:
            used.add(owner)
            owner = found[owner].up
    at = cuts.at.tolist()
    size = len(document.text)
    rows: list[tuple[int, int, int, int]] = [(0, -size, 0, -1)]  # start, -end, depth, what
    rows += [(at[found[k].begins], -at[found[k].last], depth[k], k) for k in used]
    deepest = max(depth) + 1
    rows += [(leaf.start, -leaf.end, deepest, k) for k, leaf in enumerate(leaves)]
    rows.sort()
    number = {row[3]: index for index, row in enumerate(rows) if row[2] < deepest}
    count = len(rows)
    kind = np.full(count, CODE["section"], dtype=np.uint8)
    kind[0] = CODE["root"]
    parent = np.full(count, -1, dtype=np.int64)
    level = np.zeros(count, dtype=np.int16)
    titles = np.zeros((count, 2), dtype=np.int64)
    tokens = np.full(count, -1, dtype=np.int32)
    repeats: dict[int, tuple[tuple[int, int], ...]] = {}
    for index, (_, _, deep, what) in enumerate(rows[1:], start=1):
        if deep < deepest:
            section = found[what]
            parent[index], level[index], titles[index] = number[section.up], deep, section.title
            kind[index] = section.kind
            continue
        leaf = leaves[what]
        parent[index], level[index] = number[leaf.owner], depth[leaf.owner]
        kind[index], tokens[index] = leaf.kind, leaf.tokens
        if leaf.repeats:
            repeats[index] = leaf.repeats
    start = np.array([row[0] for row in rows], dtype=np.int64)
    end = np.array([-row[1] for row in rows], dtype=np.int64)
    return DocTree(document, start, end, parent, kind, level, titles, tokens, tokenizer, repeats)
