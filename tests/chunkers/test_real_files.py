"""Every chunker that runs offline on real documents: documentation, an RFC, a contract, papers, a yearly report, PDF."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evals.reproduce.spans import broken, cap_of, offline
from rag.errors import RagError
from rag.loaders.read import read
from rag.types import Document

DATA = Path(__file__).parents[1] / "data"
FILES = sorted(path.name for path in DATA.iterdir() if path.is_file() and path.name != "SOURCES.md")
SHORT = 16_000  # characters of a document that every chunker cuts
CHUNKERS = offline()


def document(name: str) -> Document:
    (found,) = read(DATA / name)
    return found


def beginning(one: Document) -> Document:
    """The first part of a long document, with the blocks that end in it."""
    kept = tuple(block for block in one.blocks if block.end <= SHORT)
    return replace(one, text=one.text[:SHORT], blocks=kept)


@pytest.mark.parametrize("name", FILES)
def test_chunks_that_follow_structure_keep_every_property_on_a_whole_file(name: str) -> None:
    structure = CHUNKERS["structure"]
    tree = structure(document(name))
    assert broken(tree, cap_of(structure)) == []
    assert tree.digest() == structure(document(name)).digest()


@pytest.mark.parametrize("chunker", sorted(set(CHUNKERS) - {"structure"}))
def test_every_chunker_keeps_every_property_on_the_beginning_of_each_file(chunker: str) -> None:
    for name in FILES:
        tree = CHUNKERS[chunker](beginning(document(name)))
        assert broken(tree, cap_of(CHUNKERS[chunker])) == [], name


def test_what_is_broken_is_named() -> None:
    tree = CHUNKERS["structure"](document("paper.md"))
    assert set(broken(tree, 20)) == {"cap"}
    starts = tree.start.copy()
    starts[tree.leaf_ids[3]] += 1
    assert {"tree", "tiling"} <= set(broken(replace(tree, start=starts), None))


def test_a_study_without_a_folder_says_what_it_needs() -> None:
    from argparse import Namespace

    from evals.reproduce import spans

    with pytest.raises(RagError, match="--data"):
        spans.reproduce(Namespace(data=None, limit=None, seed=0), len)
