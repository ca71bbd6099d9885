"""Leaves below the sentence: the discourse units of a document, under their sentences and sections."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.scaffold import Format, Scaffold
from rag.discourse import ROLES, Edus, edus
from rag.doctree import CODE, DocTree, flat
from rag.models.tokens import counter
from rag.notes import Note, noted
from rag.stage import Field, stage
from rag.types import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DiscourseChunker"]

NAME = "chunkers/discourse"
PROSE = np.zeros(
    len(CODE), dtype=bool
)  # kinds of block that have discourse units; tables, code and headings stay whole
PROSE[[CODE[kind] for kind in ("text", "list", "quote", "footnote", "turn", "supplement")]] = True
LINKS = ("host", "antecedent", "definition")


@stage
class DiscourseChunker:
    """Cut a document into elementary discourse units, each under its sentence, each with what it needs.

    The tree of `chunkers/structure` with sentences, list items, tables and blocks of code as chunks, in which every
    sentence that has several units (`rag.discourse`) becomes a node above them. Units below sentences as what a context
    is packed from follow the EDU-based context compressor, https://arxiv.org/abs/2512.14244; its code takes what a
    caller cuts at marks for units, ours are clauses, learned from a corpus, with links between them.

    Notes of a leaf: `role`, what it is in its sentence (one of `rag.discourse.ROLES`), and `needs`, one for each range
    that it should not be shown without: `host` clause, `antecedent`, `definition`, and the `heading` above it.

    A unit of 8 tokens says little by itself: for search take `retrievers/tree` over these leaves or the chunks of
    `chunkers/structure`, and let a compressor choose among units.

    The cap is hard: a sentence above it is cut at clauses, words or graphemes as `chunkers/structure` does.

    Args:
        document: any text; its blocks are used where it has some.

    Returns:
        A tree whose leaves are the units.
    """

    size: int | None = Field(
        default=None, ge=1, description="tokens up to which units of a sentence share a leaf; None: every unit alone"
    )
    max_size: int = Field(default=240, ge=16, description="most tokens of a leaf")
    tokenizer: str = Field(default="cl100k", description="whose tokens count")
    format: Format = Field(default="auto", description="how text without blocks is read")

    def __call__(self, document: Document, /) -> DocTree:
        """The document's outline; its leaves are the units."""
        if not document.text:
            return flat(document, (), tokenizer=self.tokenizer)
        cap = self.max_size
        scaffold = Scaffold.of(document, size=cap, cap=cap, least=0, tokenizer=self.tokenizer, format=self.format)
        tree = scaffold.tree([range(len(marks) - 1) for marks, _ in scaffold.stretches])
        text = document.text
        wanted = [
            leaf
            for leaf in tree.leaf_ids.tolist()
            if PROSE[tree.kind[leaf]]
            and leaf not in tree.repeats
            and not text[tree.start[leaf] : tree.end[leaf]].isspace()
        ]
        found = edus(text, list(zip(tree.start[wanted].tolist(), tree.end[wanted].tolist(), strict=True)))
        firsts = self._groups(text, found)
        tree, leaves = _divided(
            tree, np.array(wanted, dtype=np.int64), found, firsts, self._counts(text, found, firsts)
        )
        return _explained(tree, leaves, found, firsts)

    def _counts(self, text: str, found: Edus, firsts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of each group of units."""
        ends = found.end[np.append(firsts[1:], len(found.start)) - 1] if len(firsts) else found.end
        pairs = zip(found.start[firsts].tolist(), ends.tolist(), strict=True)
        return np.array(counter(self.tokenizer).counts([text[a:b] for a, b in pairs]), dtype=np.int64)

    def _groups(self, text: str, found: Edus) -> NDArray[np.int64]:
        """int64, the first unit of each leaf."""
        count = len(found.start)
        if self.size is None or count == 0:
            return np.arange(count)
        tokens = self._counts(text, found, np.arange(count)).tolist()
        place = list(zip(found.range.tolist(), found.sentence.tolist(), strict=True))
        firsts, held = [0], tokens[0]
        for unit in range(1, count):
            held += tokens[unit]
            if place[unit] != place[unit - 1] or held > self.size:
                firsts.append(unit)
                held = tokens[unit]
        return np.array(firsts, dtype=np.int64)


def _divided(
    tree: DocTree, wanted: NDArray[np.int64], found: Edus, firsts: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[DocTree, NDArray[np.int64]]:
    """The tree with the groups of units below the leaves that hold several, and the leaf of each group.

    Args:
        tree: whose leaves are sentences.
        wanted: int64 (r,), the leaves that were read, one a range of `found`.
        found: their units.
        firsts: int64 (g,), first unit of each group; a group lies in one range.
        counts: int64 (g,), tokens of each group.
    """
    of = found.range[firsts] if len(firsts) else firsts
    size = np.bincount(of, minlength=len(wanted))
    over = np.zeros(len(wanted), dtype=bool)
    cap = tree.tokens[wanted]
    np.logical_or.at(over, of, counts > cap[of])  # a slice of more tokens than the whole: the whole is kept
    split = (size > 1) & ~over
    extra = np.zeros(len(tree), dtype=np.int64)
    extra[wanted[split]] = size[split]
    new = np.arange(len(tree)) + np.cumsum(extra) - extra
    mine = split[of] if len(of) else np.zeros(0, dtype=bool)
    below = np.ones(len(tree) + int(extra.sum()), dtype=bool)
    below[new] = False
    above = np.repeat(wanted[split], size[split])
    ends = np.append(found.start[firsts][1:], 0)
    last = np.append(of[1:] != of[:-1], True)[: len(of)]
    ends = np.where(last, tree.end[wanted[of]] if len(of) else ends[:0], ends[: len(of)])
    kind = tree.kind.copy()
    inner = wanted[split]
    kind[inner[kind[inner] == CODE["text"]]] = CODE["sentence"]

    def grown(old: NDArray[Any], added: NDArray[Any] | int) -> NDArray[Any]:
        array = np.empty((len(below), *old.shape[1:]), dtype=old.dtype)
        array[new], array[below] = old, added
        return array

    leaves = new[wanted[of]] if len(of) else of
    leaves = leaves.copy()
    leaves[mine] = np.flatnonzero(below)
    up = np.where(tree.parent >= 0, new[tree.parent], -1)
    return replace(
        tree,
        start=grown(tree.start, found.start[firsts][mine]),
        end=grown(tree.end, ends[mine]),
        parent=grown(up, new[above]),
        kind=grown(kind, tree.kind[above]),
        level=grown(tree.level, tree.level[above]),
        titles=grown(tree.titles, 0),
        tokens=grown(tree.tokens, counts[mine]),
        repeats={int(new[leaf]): ranges for leaf, ranges in tree.repeats.items()},
    ), leaves


def _explained(tree: DocTree, leaves: NDArray[np.int64], found: Edus, firsts: NDArray[np.int64]) -> DocTree:
    """The tree with the notes `role` and `needs`."""
    headings = _headings(tree)
    roles: dict[int, list[Note]] = {}
    needs: dict[int, list[Note]] = {}
    bounds = itertools.pairwise([*firsts.tolist(), len(found.start)])
    start, end = found.start.tolist(), found.end.tolist()
    links = [(name, getattr(found, name).tolist()) for name in LINKS]
    role = found.role.tolist()
    for leaf, (low, high) in zip(leaves.tolist(), bounds, strict=True):
        roles.setdefault(leaf, [Note(ROLES[role[low]], by=NAME)])
        rows = {
            Note(name, ((start[to], end[to]),), NAME): None
            for unit in range(low, high)
            for name, targets in links
            if (to := targets[unit]) >= 0 and not low <= to < high
        }
        needs.setdefault(leaf, []).extend(rows)
    for leaf, title in headings.items():
        needs.setdefault(leaf, []).append(Note("heading", (title,), NAME))
    return noted(noted(tree, "role", roles), "needs", needs)


def _headings(tree: DocTree) -> dict[int, tuple[int, int]]:
    """For each leaf under a heading the range of that heading, where it does not hold it."""
    titles, parents = tree.titles.tolist(), tree.parent.tolist()
    nearest: list[tuple[int, int]] = []
    for (a, b), up in zip(titles, parents, strict=True):
        nearest.append((a, b) if b > a else nearest[up] if up >= 0 else (0, 0))
    return {
        leaf: (a, b)
        for leaf in tree.leaf_ids.tolist()
        for a, b in (nearest[leaf],)
        if b > a and not (tree.start[leaf] <= a and b <= tree.end[leaf])
    }
