"""A small language for looking into trees: a few commands on leaves, run by the library, each bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from rag.lexical import terms
from rag.stage import Retriever
from rag.store.corpus import Corpus
from rag.types import Hit, Query

__all__ = ["COMMANDS", "Command", "commands", "run"]

COMMANDS = ("search", "grep", "children", "neighbours", "section")
TEXTED = ("search", "grep")
MOST = 20  # leaves that a step gives at most
LONGEST = 300  # characters of a text


class Command(NamedTuple):
    """One step.

    Args:
        do: one of `COMMANDS`.
        text: what to look for, of `search` and `grep`.
        of: position, from 0, of the earlier step it goes on from, of the others.
    """

    do: str
    text: str = ""
    of: int = 0


def commands(value: Any, most: int) -> tuple[Command, ...]:
    """Read steps from JSON values.

    Raises:
        ValueError: there is none or too many, a command is unknown, or a step goes on from itself or a later one.
    """
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise ValueError(f"there must be 1 to {most} steps")
    found: list[Command] = []
    for i, row in enumerate(value):
        do = row.get("do") if isinstance(row, dict) else None
        if do not in COMMANDS:
            raise ValueError(f"step {i + 1}: must do one of {', '.join(COMMANDS)}")
        if do in TEXTED:
            text = row.get("text")
            if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
                raise ValueError(f"step {i + 1}: needs a text of at most {LONGEST} characters")
            found.append(Command(do, " ".join(text.split())))
        else:
            of = row.get("of")
            if not isinstance(of, int) or isinstance(of, bool) or not 1 <= of <= i:
                raise ValueError(f"step {i + 1}: may only go on from the steps before it")
            found.append(Command(do, of=of - 1))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _Place:
    """What commands look into."""

    corpus: Corpus
    inner: Retriever
    query: Query


def run(steps: Sequence[Command], inner: Retriever, corpus: Corpus, query: Query) -> list[tuple[Hit, ...]]:
    """Run the steps in order: for each at most 20 leaves, in the scope and filters of the question.

    Args:
        steps: from `commands`.
        inner: what `search` and `grep` ask.
        corpus: the leaves.
        query: its scope and filters hold; its text is not read.
    """
    place = _Place(corpus, inner, query)
    found: list[tuple[Hit, ...]] = []
    for step in steps:
        if step.do in TEXTED:
            found.append(RUNS[step.do](place, step.text)[:MOST])
        else:
            found.append(tuple(_distinct(STEPS[step.do](place, found[step.of])))[:MOST])
    return found


def _search(place: _Place, text: str) -> tuple[Hit, ...]:
    return place.inner(replace(place.query, text=text)).items


def _grep(place: _Place, text: str) -> tuple[Hit, ...]:
    """What the search finds and holds every word, its title and headings read with it."""
    wanted = set(terms(text))
    found = place.inner(replace(place.query, text=text)).items
    return tuple(hit for hit in found if wanted <= set(terms(" ".join((hit.document.title, *hit.path, hit.text)))))


def _leaf(hit: Hit, node: int) -> Hit:
    tree = hit.tree
    return Hit(tree, node, ((int(tree.start[node]), int(tree.end[node])),), hit.score, hit.scores, hit.why)


def _leaves_of(hit: Hit, top: int) -> list[Hit]:
    """The leaves below a node."""
    tree = hit.tree
    start, end = int(tree.start[top]), int(tree.end[top])
    return [_leaf(hit, int(n)) for n in tree.leaf_ids if start <= tree.start[n] and tree.end[n] <= end]


def _section(place: _Place, hits: Sequence[Hit]) -> Iterable[Hit]:
    """All leaves of the sections that hold the hits."""
    for hit in hits:
        up = int(hit.tree.parent[hit.node])
        yield from _leaves_of(hit, max(up, 0))


def _children(place: _Place, hits: Sequence[Hit]) -> Iterable[Hit]:
    """The leaves below the hits and below the sections beside them: a level deeper than the section itself."""
    for hit in hits:
        up = max(int(hit.tree.parent[hit.node]), 0)
        for child in hit.tree.child_ids[up]:
            if hit.tree.child_ids[child]:
                yield from _leaves_of(hit, child)
        yield hit


def _neighbours(place: _Place, hits: Sequence[Hit]) -> Iterable[Hit]:
    """Each hit with the leaf before it and the one behind it."""
    for hit in hits:
        ids = hit.tree.leaf_ids.tolist()
        at = ids.index(hit.node) if hit.node in ids else -1
        yield hit
        if at >= 0:
            yield from (_leaf(hit, ids[i]) for i in (at - 1, at + 1) if 0 <= i < len(ids))


def _distinct(hits: Iterable[Hit]) -> Iterable[Hit]:
    seen: set[tuple[str, int, int]] = set()
    for hit in hits:
        if hit.key not in seen:
            seen.add(hit.key)
            yield hit
            if len(seen) >= MOST:
                return


RUNS: Mapping[str, Callable[[_Place, str], tuple[Hit, ...]]] = {"search": _search, "grep": _grep}
STEPS: Mapping[str, Callable[[_Place, Sequence[Hit]], Iterable[Hit]]] = {
    "children": _children,
    "neighbours": _neighbours,
    "section": _section,
}
