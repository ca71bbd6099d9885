"""Notes: what growers add to a tree beside the text, with where it came from.

A tree's leaves are slices and stay so. Summaries, keywords, questions and the like are *notes*: kept beside the nodes
by name, never mixed with the source, each with the ranges it rests on, its producer and whether it was verified. What
an index makes of them (a field of its own, a prefix, another vector) is decided by the retriever.

A field of a node holds a row of notes: a summary has one a sentence, keywords one a word, questions one a question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from rag.doctree import DocTree

__all__ = ["Note", "note_text", "noted", "notes_of"]


class Note(NamedTuple):
    """One thing said about a node.

    Args:
        text: what is said; equal to the joined ranges where it was taken from the text.
        spans: half-open ranges of the document that it rests on, ordered; () where nothing is known.
        by: what made it: a stage's name (`trees/keywords`) or a model's.
        ok: True where it is verbatim or was verified against `spans`, False where verification failed and it was
            kept for show only, None where nothing was checked.
    """

    text: str
    spans: tuple[tuple[int, int], ...] = ()
    by: str = ""
    ok: bool | None = None


def notes_of(tree: DocTree, name: str, node: int) -> tuple[Note, ...]:
    """The notes of a field at a node, in the order they were made; () where there are none.

    Args:
        tree: any tree, fresh or read from an index.
        name: the field: `summary`, `keywords`, `entities`, `questions`, `context` and so on.
        node: index of the node.
    """
    rows = tree.notes.get(name, {}).get(node, ())
    return tuple(Note(text, tuple((a, b) for a, b in spans), by, ok) for text, spans, by, ok in rows)


def note_text(tree: DocTree, name: str, node: int, sep: str = " ") -> str:
    """The notes of a field as one text, those that failed verification left out."""
    return sep.join(row[0] for row in tree.notes.get(name, {}).get(node, ()) if row[3] is not False)


def noted(tree: DocTree, name: str, by_node: Mapping[int, Sequence[Note]]) -> DocTree:
    """The tree with one more field; a field of that name is replaced, nodes without notes are left out."""
    rows = {
        node: [[n.text, [[a, b] for a, b in n.spans], n.by, n.ok] for n in by_node[node]]
        for node in sorted(by_node)
        if by_node[node]
    }
    return replace(tree, notes={**tree.notes, name: rows})
