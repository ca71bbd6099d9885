"""An outline that somebody gives: a person, a table of contents, a language model."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rag.doctree import DocTree
from rag.errors import RagError
from rag.notes import Note, noted
from rag.stage import Field, stage
from rag.trees.regroup import Made, regrouped

__all__ = ["Entry", "Outline", "entries"]

NAME = "trees/outline"
Range = tuple[int, int]
MOST = 200_000  # entries of one outline
DEEPEST = 64  # levels; deeper ones are taken for that


@dataclass(frozen=True, slots=True)
class Entry:
    """A section: its level from 1, its title, and the code point it begins at."""

    level: int
    title: str
    start: int


@stage
class Outline:
    """Hang the leaves below the sections of a given outline.

    An outline is a list, in `metadata["outline"]` of the document or in a JSON file that maps ids of documents to
    lists. An entry is `{"title", "start", "level"}`, or `{"title", "start", "id", "parent"}` where sections name the
    one above. It is checked before it is used: levels, ids, cycles, and that offsets lie in the text and ascend. With
    `repair` what is wrong is left out or put in order, and a note at the root (`repairs`) says what was done; else it
    is an error. A document without an outline stays as it is.

    Leaves never move, so a section begins with the leaf that its offset lies in; one that would hold no leaf of its
    own, because the next one begins in the same leaf, is left out: its title is kept in the note `headings` of the
    section above. A title that stands at its offset is a range of the text, any other a note (`title`).
    """

    file: Path | None = Field(default=None, description="JSON: id of a document -> its outline")
    repair: bool = Field(default=True, description="leave out what is wrong and say so; False makes it an error")

    @cached_property
    def _given(self) -> Mapping[str, Any]:
        if self.file is None:
            return {}
        try:
            found = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise RagError(f"{NAME}: file {str(self.file)!r}: cannot be read as JSON: {_line(error)}.") from error
        if not isinstance(found, dict):
            raise RagError(
                f"{NAME}: file {str(self.file)!r}: must be an object, id -> list, got {type(found).__name__}."
            )
        return found

    def __call__(self, tree: DocTree, /) -> DocTree:
        """The tree with the outline's sections; those it had are left out."""
        doc = tree.document
        given = self._given.get(doc.id, doc.metadata.get("outline"))
        if given is None or not len(tree.leaf_ids):
            return tree
        found, problems = entries(given, len(doc.text))
        if problems and not self.repair:
            more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
            raise RagError(f"{NAME}: document {doc.id!r}: {problems[0]}{more}. Correct it, or set `repair`.")
        grown = _hung(tree, found)
        return noted(grown, "repairs", {0: [Note(one, (), NAME, None) for one in problems]}) if problems else grown


def entries(given: Any, size: int) -> tuple[list[Entry], list[str]]:
    """Read an outline: what can be used, in the order of the text, and what was wrong.

    Args:
        given: JSON values.
        size: code points of the text.
    """
    if not isinstance(given, list):
        return [], [f"outline: must be a list, got {type(given).__name__}"]
    problems: list[str] = []
    if len(given) > MOST:
        problems.append(f"outline: must have at most {MOST:,} entries, got {len(given):,}")
    rows: list[tuple[int, Mapping[str, Any]]] = []
    for i, one in enumerate(given[:MOST]):
        start = one.get("start") if isinstance(one, Mapping) else None
        if not isinstance(one, Mapping) or not isinstance(one.get("title", ""), str):
            problems.append(f"outline[{i}]: must be an object with a title and a start")
        elif not isinstance(start, int) or isinstance(start, bool) or not 0 <= start < size:
            problems.append(f"outline[{i}].start: must be 0 to {size - 1}, got {_short(start)}")
        else:
            rows.append((i, one))
    levels = _levels(rows, problems)
    found = [Entry(levels[i], str(one.get("title", "")).strip(), int(one["start"])) for i, one in rows if i in levels]
    for before, after in itertools.pairwise(found):
        if after.start < before.start:
            problems.append(f"outline: offsets must ascend, {after.start} comes after {before.start}")
    return sorted(found, key=lambda one: one.start), problems


def _levels(rows: Sequence[tuple[int, Mapping[str, Any]]], problems: list[str]) -> dict[int, int]:
    """Level of each entry, from its own or from the ids above it; those in a cycle have none."""
    ids: dict[Any, int] = {}
    up: dict[int, Any] = {}
    found: dict[int, int] = {}
    for i, one in rows:
        name = one.get("id")
        if name is not None:
            if str(name) in ids:
                problems.append(f"outline[{i}].id: must differ from the others, got {_short(name)} again")
            ids.setdefault(str(name), i)
        if one.get("parent") is not None:
            up[i] = str(one["parent"])
        elif "level" in one:
            level = one["level"]
            if isinstance(level, bool) or not isinstance(level, int) or level < 1:
                problems.append(f"outline[{i}].level: must be >= 1, got {_short(level)}")
                level = 1
            found[i] = min(level, DEEPEST)
        else:
            found[i] = 1
    for i in up:
        path: list[int] = []
        seen: set[int] = set()
        at = i
        while at not in found:
            if at in seen:
                problems.append(f"outline[{i}].parent: goes round in a circle over {len(path)} entries")
                break
            path.append(at)
            seen.add(at)
            above = ids.get(up[at])
            if above is None:
                problems.append(f"outline[{at}].parent: no entry has the id {_short(up[at])}")
                break
            at = above
        base = found.get(at, 0)  # a circle is cut where it was entered
        for k, place in enumerate(reversed(path), 1):
            found[place] = min(base + k, DEEPEST)
    return found


def _hung(tree: DocTree, found: Sequence[Entry]) -> DocTree:
    """The leaves below these sections; a section that gets none is left out, and its title noted above."""
    text, size, leaves = tree.document.text, len(tree), tree.leaf_ids
    first = (np.searchsorted(tree.start[leaves], [one.start for one in found], side="right") - 1).tolist()
    below: list[list[int]] = [[] for _ in range(size)]
    made: list[Made] = []
    up: list[int] = []
    stack: list[tuple[int, int]] = [(0, 0)]  # level, node
    done = 0
    for one, at in zip(found, first, strict=True):
        below[stack[-1][1]] += leaves[done:at].tolist()
        done = at
        while stack[-1][0] >= one.level:
            stack.pop()
        number = size + len(made)
        made.append(Made("section", _range(text, one), len(stack)))
        up.append(stack[-1][1])
        below.append([])
        below[stack[-1][1]].append(number)
        stack.append((one.level, number))
    below[stack[-1][1]] += leaves[done:].tolist()
    gone: set[int] = set()
    told: dict[str, dict[int, list[Note]]] = {"title": {}, "headings": {}}
    for k in range(len(found) - 1, -1, -1):
        number, title, span = size + k, found[k].title, made[k].title
        if gone.issuperset(below[number]):
            gone.add(number)
            above = told["headings"].setdefault(up[k], [])  # last first, until all are there
            above += [*told["headings"].pop(number, []), _note(title, span)]
        elif title and span == (0, 0):
            told["title"][number] = [_note(title, span)]
    below = [[child for child in children if child not in gone] for children in below]
    grown = regrouped(tree, below, made)
    order = _numbers(below)
    for name, rows in told.items():
        if rows:
            grown = noted(grown, name, {order[node]: one[::-1] for node, one in rows.items()})
    return grown


def _range(text: str, one: Entry) -> Range:
    """Where a title stands, if it stands at its offset."""
    there = bool(one.title) and text.startswith(one.title, one.start)
    return (one.start, one.start + len(one.title)) if there else (0, 0)


def _note(title: str, span: Range) -> Note:
    return Note(title, (span,) if span != (0, 0) else (), NAME, True if span != (0, 0) else None)


def _numbers(below: Sequence[Sequence[int]]) -> dict[int, int]:
    """Draft number of each node -> its index in the tree."""
    found: dict[int, int] = {}
    waiting = [0]
    while waiting:
        node = waiting.pop()
        found[node] = len(found)
        waiting += reversed(below[node])
    return found


def _short(value: Any) -> str:
    return repr(value)[:60]


def _line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:160]
