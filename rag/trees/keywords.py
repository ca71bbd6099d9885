"""Keywords: the phrases that set each leaf apart from the rest of its document."""

from __future__ import annotations

from rag.doctree import DocTree
from rag.notes import Note, noted
from rag.stage import Field, stage
from rag.trees.keyphrases import background_of, keyphrases

__all__ = ["Keywords"]

NAME = "trees/keywords"


@stage
class Keywords:
    """Note the key phrases of every leaf, as they stand in it.

    A phrase weighs by how often it stands in the leaf and how few leaves of the document have its words; the formula
    and its sources are in `rag.trees.keyphrases`. A grower sees one document, so the collection is the document: the
    notes of a document do not change when others come or go.

    What it adds is measured in `evals/reproduce/enrichment.py`.

    Args:
        tree: any tree.

    Returns:
        The tree with the field `keywords`: at most k notes a leaf, heaviest first, each a slice of the leaf; its spans
        are every place where the phrase stands there, so the first of them gives its text.
    """

    k: int = Field(default=8, ge=1, le=64, description="phrases of a leaf at most")

    def __call__(self, tree: DocTree, /) -> DocTree:
        """The tree with keywords."""
        text, leaves = tree.document.text, tree.leaves()
        background = background_of(text, ((leaf.start, leaf.end) for leaf in leaves))
        found = {
            leaf.index: [
                Note(phrase.text, phrase.spans, NAME, True)
                for phrase in keyphrases(text, leaf.start, leaf.end, k=self.k, background=background)
            ]
            for leaf in leaves
        }
        return noted(tree, "keywords", found)
