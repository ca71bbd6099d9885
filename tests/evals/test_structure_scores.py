"""Trees against the blocks of their documents."""

from itertools import pairwise

import pytest

from chunkers.structure import StructureChunker
from evals.structure import gold_outline, measure, score_tree, tree_outline
from rag.doctree import flat
from rag.loaders.markdown import scan
from rag.types import Document

TEXT = """# One

First words here. Second sentence here.

## Two

| a | b |
| - | - |
| 1 | 2 |

Third sentence. Fourth sentence.
"""


def spans_of(text, cuts):
    edges = [0, *cuts, len(text)]
    return list(pairwise(edges))


def test_cuts_at_every_block_agree_with_the_blocks():
    blocks = scan(TEXT)
    tree = flat(Document("d", TEXT), spans_of(TEXT, [b.start for b in blocks[1:]]))
    found = score_tree(tree, blocks)
    assert (found["boundary_f1"], found["pk"], found["window_diff"], found["integrity"]) == (1.0, 0.0, 0.0, 1.0)
    assert (found["ted"], found["exact"]) == (2.0, 0.0)  # a flat tree has no headings


def test_a_cut_through_the_table_breaks_one_block_of_three():
    blocks = scan(TEXT)
    tree = flat(Document("d", TEXT), spans_of(TEXT, [TEXT.index("| 1 |")]))
    found = score_tree(tree, blocks)
    assert found["integrity"] == pytest.approx(2 / 3)
    assert score_tree(tree, blocks, cap=20) == {k: v for k, v in found.items() if k != "integrity"}
    assert found["boundary_f1"] < 0.5
    assert found["window_diff"] > 0


def test_the_structure_chunker_finds_every_heading():
    blocks = scan(TEXT)
    tree = StructureChunker(size=40)(Document("d", TEXT, media_type="text/markdown", blocks=tuple(blocks)))
    assert tree_outline(tree) == gold_outline(blocks)
    assert score_tree(tree, blocks)["exact"] == 1.0


def test_means_say_how_many_documents_they_are_of():
    plain = Document("p", "Only one sentence.")
    pairs = [(flat(Document("d", TEXT), spans_of(TEXT, [20])), scan(TEXT)), (flat(plain, [(0, 18)], tokens=[4]), ())]
    found = measure(pairs)
    assert found.scores["ted"] == {"value": 2.0, "low": 2.0, "high": 2.0, "n": 1}
    assert (found.sizes.chunks, found.sizes.mean) == (1, 4.0)
