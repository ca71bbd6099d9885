"""What every chunker that follows structure stands on: the units of a document, and the tree of what was chosen.

A document is read as blocks, blocks are divided into units (`chunkers.cuts`), units into stretches that lie in one
section and hold no unit over the cap. A chunker decides where to cut each stretch; everything else is common: caps in
real tokens, repeated header rows, sections, recounting for tokenizers whose counts do not add up, the tree.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from chunkers.cuts import Cuts, find_cuts
from chunkers.measure import EXACT, Ruler, ruler
from chunkers.oversize import parts
from chunkers.sections import OPENERS, Leaf, Run, Section, build, runs, sections
from rag.doctree import CODE, DocTree
from rag.loaders.blocks import Blocks
from rag.loaders.lines import code_points
from rag.loaders.scan import scanned
from rag.models.tokens import counter
from rag.notes import Note, noted
from rag.types import Block, Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Format", "Scaffold", "Stretch", "Units", "blocks_of", "remarked"]

Format: TypeAlias = Literal["auto", "markdown", "plain"]
OPENING = frozenset(np.flatnonzero(OPENERS).tolist())
MARKDOWN = re.compile(r"\n(?:#{1,6} \S|```|~~~)")


class Stretch(NamedTuple):
    """Neighbouring units that may share a chunk.

    Args:
        marks: ascending indices of the cuts around its n units, n + 1 of them.
        run: the run it belongs to; `run.owner` is its section, -1 for the text itself.
    """

    marks: list[int]
    run: Run


@dataclass(frozen=True, eq=False)
class Units:
    """The units of one stretch as arrays; unit k lies between cuts k and k + 1.

    Args:
        at: int64 (n + 1,), places of the cuts in the text.
        left: int64 (n + 1,), right: int64 (n + 1,): the chunk from cut i to cut j has `left[i] + right[j]` tokens,
            with what is repeated in front of it.
        price: float64 (n + 1,), of cutting there (`chunkers.prices`).
        kind: uint8 (n,), of each unit, index into `rag.doctree.KINDS`.
    """

    at: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    price: NDArray[np.float64]
    kind: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.at) - 1

    def longest(self, cap: int) -> NDArray[np.int64]:
        """int64 (n,), how many units a chunk from each cut on may have: at least 1, at most what the cap holds."""
        reach = np.maximum.accumulate(self.right)
        last = np.searchsorted(reach, cap - self.left[:-1], side="right") - 1
        most: NDArray[np.int64] = np.maximum(last - np.arange(len(self)), 1)
        return most

    def tokens(self, low: int, high: int, width: int) -> NDArray[np.int64]:
        """int64 (high - low, width), tokens of the chunks of 1 to `width` units from cuts low to high - 1 on.

        Behind the end of the stretch the last cut stands in.
        """
        begin = np.arange(low, high)
        ends = np.minimum(begin[:, None] + np.arange(1, width + 1), len(self))
        counts: NDArray[np.int64] = self.left[begin][:, None] + self.right[ends]
        return counts

    def spans(self) -> list[tuple[int, int]]:
        """The range of each unit."""
        return list(itertools.pairwise(self.at.tolist()))


@dataclass(frozen=True, eq=False)
class Scaffold:
    """A document, measured and divided, before anything is chosen.

    Args:
        document: the source, not empty.
        measured: its text, tokenised.
        blocks: its structure.
        cuts: all places where it may be cut.
        sections: its sections, in source order.
        stretches: what is to be cut, in source order; between them lie barriers and units over the cap.
        hard: the units over the cap and the runs they lie in.
        size: tokens wished for in a chunk.
        cap: most tokens of a chunk.
    """

    document: Document
    measured: Ruler
    blocks: Blocks
    cuts: Cuts
    sections: list[Section]
    stretches: list[Stretch]
    hard: list[tuple[int, Run]]
    size: int
    cap: int

    @classmethod
    def of(
        cls,
        document: Document,
        *,
        size: int,
        cap: int,
        least: int,
        tokenizer: str = "cl100k",
        format: Format = "auto",  # noqa: A002 - the name of the setting
        blocks: Blocks | None = None,
    ) -> Scaffold:
        """Measure and divide a document that is not empty.

        Args:
            document: the source; its blocks are used where it has some.
            size: tokens wished for in a chunk.
            cap: most tokens of a chunk.
            least: sections of fewer tokens are not cut and may share a chunk with their neighbours.
            tokenizer: whose tokens count.
            format: how text without blocks is read.
            blocks: its structure, where neither the loader's nor that of a scan is wanted.
        """
        text = document.text
        measured = ruler(text, code_points(text), counter(tokenizer))
        blocks = blocks_of(document, format) if blocks is None else blocks
        cuts = find_cuts(measured, blocks, size, cap)
        found = sections(cuts, blocks)
        stretches: list[Stretch] = []
        hard: list[tuple[int, Run]] = []
        for run in runs(cuts, blocks, found, least):
            marks, low = run.cuts, 0
            if cuts.hard:
                for k in range(len(marks) - 1):
                    if marks[k] in cuts.hard:
                        if k > low:
                            stretches.append(Stretch(marks[low : k + 1], run))
                        hard.append((marks[k], run))
                        low = k + 1
            if len(marks) - low > 1:
                stretches.append(Stretch(marks[low:], run))
        return cls(document, measured, blocks, cuts, found, stretches, hard, size, cap)

    @cached_property
    def columns(self) -> Columns:
        """The cuts as lists, which are faster to read one by one."""
        c = self.cuts
        kind = self.blocks.kind[np.minimum(c.block, len(self.blocks) - 1)]
        return Columns(*(a.tolist() for a in (c.at, c.left, c.right, c.extra, c.price, kind)))

    def units(self, stretch: Stretch) -> Units:
        """The units of a stretch as arrays."""
        marks = np.array(stretch.marks)
        kind = self.blocks.kind[np.minimum(self.cuts.block[marks[:-1]], len(self.blocks) - 1)]
        c = self.cuts
        return Units(c.at[marks], c.left[marks], c.right[marks], c.price[marks], kind)

    def tree(self, chosen: Sequence[Sequence[int]]) -> DocTree:
        """The tree whose leaves are the chosen chunks.

        Args:
            chosen: for each stretch the ascending positions in its `marks` at which chunks begin, 0 first; no chunk
                of more than one unit may exceed the cap.
        """
        leaves: list[Leaf] = []
        for starts, stretch in zip(chosen, self.stretches, strict=True):
            self._leaves(starts, stretch, leaves)
        at, kind = self.columns.at, self.columns.kind
        for unit, run in self.hard:
            start = at[unit]
            for end, tokens in self.cuts.hard[unit]:
                leaves.append(Leaf(start, end, run.owner, kind[unit], tokens))
                start = end
        if self.measured.tokenizer.name not in EXACT:
            leaves = self._recount(leaves)
        return build(self.document, self.cuts, self.sections, leaves, self.measured.tokenizer.name)

    def _leaves(self, starts: Sequence[int], stretch: Stretch, leaves: list[Leaf]) -> None:
        """Append the leaves of one stretch."""
        c, repeated = self.columns, self.cuts.repeats
        marks, run = stretch
        for i, j in zip(starts, [*starts[1:], len(marks) - 1], strict=True):
            first, last = marks[i], marks[j]
            owner = run.whole.get(first, run.owner) if j == i + 1 else run.owner
            repeats = (repeated[first],) if first in repeated else ()
            tokens = c.left[first] - c.extra[first] + c.right[last]
            leaves.append(Leaf(c.at[first], c.at[last], owner, c.kind_of(first, last), tokens, repeats))

    def _recount(self, leaves: list[Leaf]) -> list[Leaf]:
        """Count every leaf anew, for tokenizers of which it is not known that slices can be added up."""
        text, tokenizer = self.measured.text, self.measured.tokenizer
        done: list[Leaf] = []
        for leaf, tokens in zip(leaves, tokenizer.counts([text[x.start : x.end] for x in leaves]), strict=True):
            room = self.cap - sum(tokenizer.count(text[a:b]) for a, b in leaf.repeats)
            if tokens <= room:
                done.append(replace(leaf, tokens=tokens))
                continue
            start = leaf.start
            for end, held in parts(self.measured, leaf.start, leaf.end, self.size, self.cap):
                done.append(Leaf(start, end, leaf.owner, leaf.kind, held))
                start = end
        return done


class Columns(NamedTuple):
    """The arrays of cuts as lists."""

    at: list[int]
    left: list[int]
    right: list[int]
    extra: list[int]
    price: list[float]
    kind: list[int]

    def kind_of(self, first: int, last: int) -> int:
        """The kind that all units but headings and signatures share; text where they differ."""
        kinds = set(self.kind[first:last])
        if len(kinds) > 1:
            kinds -= OPENING
        return kinds.pop() if len(kinds) == 1 else CODE["text"]


def blocks_of(document: Document, form: Format = "auto") -> Blocks:
    """The blocks of a document: the loader's, or those that a scan of its text finds; one where it finds none."""
    if document.blocks:
        return Blocks.of(document.blocks)
    text = document.text
    media_type = document.media_type if form == "auto" else f"text/{form}"
    blocks = scanned(text, media_type)
    if blocks is None:
        from rag.loaders import markdown, plain

        blocks = (markdown if form == "auto" and _looks_like_markdown(text) else plain).scan(text)
    return blocks if len(blocks) else Blocks.of([Block(0, len(text), "text", 0, (0, len(text)))])


def _looks_like_markdown(text: str) -> bool:
    """Whether a text of no stated type has Markdown headings or fences, at least two."""
    found = MARKDOWN.finditer(text)  # the first character of the pattern makes this search fast
    return next(found, None) is not None and next(found, None) is not None


def remarked(tree: DocTree, by: str, reasons: Sequence[str], margins: Mapping[int, float] | None = None) -> DocTree:
    """The tree with what was given up, and how sure each cut is.

    Args:
        tree: of a chunker.
        by: the chunker's name, such as `chunkers/intent`.
        reasons: what was given up and why, for the document (note `chunker` of the root); no line, no note.
        margins: start of a chunk -> by how much the best way to begin it beat the next (note `margin` of the leaf).
    """
    if reasons:
        tree = noted(tree, "chunker", {0: [Note(reason, by=by) for reason in reasons]})
    if margins:
        starts = tree.start[tree.leaf_ids].tolist()
        rows = zip(tree.leaf_ids.tolist(), starts, strict=True)
        found = {leaf: [Note(f"{margins[start]:.4g}", by=by)] for leaf, start in rows if start in margins}
        tree = noted(tree, "margin", found)
    return tree
