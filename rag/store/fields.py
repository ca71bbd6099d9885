"""Fields beside a leaf's text: its notes and the headings above it, read out and counted apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.notes import note_text, notes_of
from rag.store import postings
from rag.store.terms import TermCounts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.doctree import DocTree
    from rag.store.corpus import Corpus, Part

__all__ = [
    "PATH",
    "FieldCounts",
    "field_text",
    "field_texts",
    "load",
    "note_rows",
    "prefixed",
    "save",
    "split",
    "unite",
]

PATH = "path"  # the field that is there without any grower: title and headings
COUNTS, LENGTHS = "field-counts", "field-lengths"


def field_text(tree: DocTree, node: int, field: str) -> str:
    """One field of a leaf as text: notes that failed verification are left out; "" where there is nothing.

    Args:
        tree: the leaf's tree.
        node: its index there.
        field: a name of `tree.notes`, or `path` for the document's title and the headings above.
    """
    if field != PATH:
        return note_text(tree, field, node, "\n")
    heads = [head for head in (tree.document.title, *tree[node].path) if head]
    return "\n".join(head for i, head in enumerate(heads) if head not in heads[:i])


def field_texts(corpus: Corpus, leaves: Sequence[int] | NDArray[np.int64] | None, field: str) -> Iterator[str]:
    """`field_text` of the given leaves (default all), one after the other."""
    for leaf in range(len(corpus)) if leaves is None else leaves:
        yield field_text(corpus.tree(int(corpus.doc[leaf])), int(corpus.node[leaf]), field)


def note_rows(
    corpus: Corpus, leaves: Sequence[int] | NDArray[np.int64], fields: Sequence[str], most: int, *, path: bool = False
) -> Iterator[tuple[int, str]]:
    """(leaf, text) of each note of the given leaves and fields, `most` a leaf at most; failed and blank ones left out.

    A note that says what another note of its leaf says is given once. With `path` the document's title and the headings
    stand in front of each, as they do in front of a leaf's text.
    """
    for leaf in leaves:
        tree, node = corpus.tree(int(corpus.doc[leaf])), int(corpus.node[leaf])
        found: dict[str, None] = {}
        for field in fields:
            texts = (
                [field_text(tree, node, PATH)]
                if field == PATH
                else [note.text for note in notes_of(tree, field, node) if note.ok is not False]
            )
            found.update(dict.fromkeys(text for text in texts if text.strip()))
        above = field_text(tree, node, PATH) if path else ""
        for text in list(found)[:most]:
            yield int(leaf), f"{above}\n{text}" if above and text != above else text


def prefixed(
    corpus: Corpus, leaves: Sequence[int] | NDArray[np.int64], fields: Sequence[str], *, path: bool, tokens: int
) -> Iterator[str]:
    """Text of the given leaves with their notes in front, one after the other.

    Args:
        corpus: the leaves.
        leaves: indices into it.
        fields: whose notes, in order; see `note_rows` for which.
        path: also put the document's title and the headings in front, before the notes.
        tokens: of all notes of a leaf at most, in cl100k; a note that does not fit is left out whole.
    """
    from rag.models.tokens import counter

    count = counter("cl100k").counts
    for leaf, body in zip(leaves, corpus.texts(leaves, path=path), strict=True):
        said = [text for _, text in note_rows(corpus, [int(leaf)], fields, len(fields) * 256)]
        left, kept = tokens, []
        for text, cost in zip(said, count(said), strict=True):
            if cost <= left:
                kept.append(text)
                left -= cost
        own = corpus.tree(int(corpus.doc[leaf]))[int(corpus.node[leaf])].text
        front = body[: len(body) - len(own)]
        yield front + "".join(f"{text}\n" for text in kept) + own if kept else body


@dataclass(frozen=True, eq=False)
class FieldCounts:
    """How often each term stands in each field of each leaf, ordered by term and then by leaf.

    Args:
        terms: the distinct terms of all fields, in code point order.
        indptr: int64 (v + 1,), where each term's entries begin.
        leaf: int32 (e,), ascending within a term.
        count: uint (f, e), how often in each field; 0 where not, never in all fields.
        length: int32 (f, n), terms in each field of each leaf.
    """

    terms: Sequence[str]
    indptr: NDArray[np.int64]
    leaf: NDArray[np.int32]
    count: NDArray[Any]
    length: NDArray[np.int32]


def unite(fields: Sequence[TermCounts]) -> FieldCounts:
    """The counts of several fields over one vocabulary.

    Args:
        fields: f >= 1 counts of the same n leaves.
    """
    leaves = len(fields[0].length)
    terms = sorted({term for one in fields for term in one.terms})
    order = {term: i for i, term in enumerate(terms)}
    keys = []
    for one in fields:
        places = np.array([order[term] for term in one.terms], dtype=np.int64)
        row = np.repeat(places, np.diff(one.indptr))
        keys.append(row * max(leaves, 1) + one.text)
    every = np.unique(np.concatenate(keys))
    most = max(int(one.count.max(initial=0)) for one in fields)
    count = np.zeros((len(fields), len(every)), dtype=np.min_scalar_type(most))
    for i, (one, key) in enumerate(zip(fields, keys, strict=True)):
        count[i, np.searchsorted(every, key)] = one.count
    term, leaf = np.divmod(every, max(leaves, 1))
    return FieldCounts(
        terms=terms,
        indptr=np.searchsorted(term, np.arange(len(terms) + 1)).astype(np.int64),
        leaf=leaf.astype(np.int32),
        count=count,
        length=np.stack([one.length for one in fields]).astype(np.int32),
    )


def split(counts: FieldCounts) -> list[TermCounts]:
    """Each field by itself; the inverse of `unite` but for terms that a field does not use."""
    row = np.repeat(np.arange(len(counts.terms)), np.diff(counts.indptr))
    found = []
    for count, length in zip(counts.count, counts.length, strict=True):
        used = np.flatnonzero(count)
        indptr = np.searchsorted(row[used], np.arange(len(counts.terms) + 1)).astype(np.int64)
        found.append(TermCounts(counts.terms, indptr, counts.leaf[used], count[used], length))
    return found


def save(part: Part, counts: FieldCounts) -> None:
    """Keep counts as arrays; terms, indptr and leaves under the names `rag.store.postings` gives them."""
    total = np.minimum(counts.count.sum(axis=0, dtype=np.int64), 65_535)
    plain = TermCounts(
        counts.terms,
        counts.indptr,
        counts.leaf,
        total.astype(np.min_scalar_type(int(total.max(initial=0)))),
        counts.length.sum(axis=0, dtype=np.int32),
    )
    postings.save(part, plain)
    part.save(COUNTS, counts.count)
    part.save(LENGTHS, counts.length)


def load(part: Part) -> FieldCounts:
    """The counts that were kept."""
    plain = postings.load(part)
    count, length = np.asarray(part.load(COUNTS)), np.asarray(part.load(LENGTHS))
    return FieldCounts(plain.terms, plain.indptr, plain.text, count, length)
