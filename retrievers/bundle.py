"""The texts that govern a passage: scope, exceptions and definitions above or beside it, and what it refers to."""

from __future__ import annotations

import re

import numpy as np

from rag.doctree import DocTree

__all__ = ["governing", "numbers", "references"]

CUES = re.compile(
    r"\b(?:except(?:ion|ions)?\b|unless\b|subject to\b|notwithstanding\b|provided(?:,)? (?:that|however)\b"
    r"|(?:does|shall) not apply\b|applies (?:only )?to\b|for (?:the )?purposes? of\b|as used in\b|definitions?\b"
    r"|the term\b|[\"”']\s+(?:means|shall mean)\b|means\b|scope\b)",
    re.IGNORECASE,
)
LABEL = r"\d+(?:\.\d+)*[a-z]?(?:-\d+[a-z]?)?(?:\(\w{1,4}\))*|[IVXLC]{1,7}\b|[A-Z]\b"
REFERENCE = re.compile(
    rf"(?:§+\s*|\b(?:sections?|sec\.|articles?|clauses?|chapters?|parts?|paragraphs?|annex|appendix|schedule|exhibit)\s+)"
    rf"({LABEL}|\(\w{{1,4}}\)(?:\(\w{{1,4}}\))*)",
    re.IGNORECASE,
)
TITLE = re.compile(
    r"\s*(?:§+\s*|(?:section|sec\.|article|clause|chapter|part|paragraph|annex|appendix|schedule|exhibit)\s+)?"
    rf"({LABEL}|\(\w{{1,4}}\))",
    re.IGNORECASE,
)
LONGEST = 4000  # characters of a passage that are looked at


def references(text: str) -> tuple[str, ...]:
    """Labels a passage refers to (`section 3.2`, `§ 217.207`, `paragraph (b)`), in order, each once, in lower case."""
    return tuple(dict.fromkeys(m.group(1).lower() for m in REFERENCE.finditer(text[:LONGEST])))


def numbers(tree: DocTree) -> dict[str, list[int]]:
    """Label at the beginning of a heading (`3.2`, `217.207`, `iv`, `(b)`) -> the nodes that have it, in order."""
    text, found = tree.document.text, dict[str, list[int]]()
    for node in np.flatnonzero(tree.titles[:, 1] > tree.titles[:, 0]).tolist():
        a, b = map(int, tree.titles[node])
        match = TITLE.match(text, a, b)
        if match is not None:
            found.setdefault(match.group(1).lower(), []).append(node)
    return found


def governing(tree: DocTree, node: int, limit: int) -> list[int]:
    """Leaves that decide how a leaf is to be read.

    In this order: leaves that what it refers to begins with, cued leaves of its own section, cued leaves at the head
    of the sections above it (nearest first). A cue is a word of scope, exception or definition.

    Args:
        tree: the outline.
        node: index of the leaf.
        limit: leaves at most.

    Returns:
        Indices of leaves, each once, the leaf itself left out.
    """
    text, kids = tree.document.text, tree.child_ids
    start, end = tree.start, tree.end
    found: dict[int, None] = {}

    def cued(one: int) -> bool:
        return CUES.search(text, int(start[one]), min(int(end[one]), int(start[one]) + LONGEST)) is not None

    wanted = references(text[int(start[node]) : int(end[node])])
    labels = numbers(tree) if wanted else {}
    for label in wanted:
        nodes = labels.get(label, [])
        if len(nodes) == 1:  # an ambiguous label points nowhere
            found.setdefault(_first_leaf(tree, nodes[0]))
    up = int(tree.parent[node])
    first = True
    while up >= 0 and len(found) <= limit:
        own = [one for one in kids[up][:64] if not kids[one]]
        for one in own if first else own[:2]:
            if one != node and cued(one):
                found.setdefault(one)
        first, up = False, int(tree.parent[up])
    found.pop(node, None)
    return list(found)[:limit]


def _first_leaf(tree: DocTree, node: int) -> int:
    while tree.child_ids[node]:
        node = tree.child_ids[node][0]
    return node
