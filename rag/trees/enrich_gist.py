"""The gist of a leaf: the one or two of its sentences that say most of it."""

from __future__ import annotations

from rag.doctree import DocTree
from rag.notes import Note, noted
from rag.stage import Field, stage
from rag.trees.salient import salient

__all__ = ["Gist"]

NAME = "trees/gist"


@stage
class Gist:
    """Note the most telling sentences of every leaf, as they stand in it.

    Chosen by `rag.trees.salient`, where the sources are. A leaf that is hardly longer than its gist gets none. What it
    adds is measured in `evals/reproduce/enrichment.py`.

    Args:
        tree: any tree.

    Returns:
        The tree with the field `gist`: at most `sentences` notes a leaf, in source order, each a slice of the leaf;
        `tokens` of cl100k together at most.
    """

    sentences: int = Field(default=1, ge=1, le=16, description="of a leaf at most")
    tokens: int = Field(default=64, ge=8, le=512, description="of one leaf's gist at most, in cl100k")

    def __call__(self, tree: DocTree, /) -> DocTree:
        """The tree with gists."""
        text = tree.document.text
        found: dict[int, list[Note]] = {}
        for leaf in tree.leaves():
            spans = salient(text, [(leaf.start, leaf.end)], tokens=self.tokens, k=self.sentences)
            wordy = any(map(str.isalpha, leaf.text))
            if wordy and sum(b - a for a, b in spans) < 0.8 * len(leaf.text.strip()):
                found[leaf.index] = [Note(text[a:b], ((a, b),), NAME, True) for a, b in spans]
        return noted(tree, "gist", found)
