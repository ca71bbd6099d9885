"""Sections for text that has no headings: runs of chunks on one topic."""

from __future__ import annotations

from pydantic import SkipValidation

from rag.doctree import DocTree
from rag.models.embed import Embedder
from rag.stage import Field, stage
from rag.trees.cohesion import depths, signal
from rag.trees.regroup import Made, regrouped
from rag.trees.watershed import runs

__all__ = ["Segments"]


@stage
class Segments:
    """Put the chunks of a long stretch without headings into sections, cut where the topic changes.

    TextTiling's signal (Hearst, Computational Linguistics 23(1), 1997) on chunks instead of token blocks: a cut is a
    gap between chunks whose valley is deeper than those around it. Its threshold, mean less half a standard
    deviation of the whole text, gives way to a wished length, so that an edit moves the cuts around it only.

    How near the cuts come to headings that were hidden is measured in `evals/reproduce/structure.py`.

    Args:
        tree: any tree.

    Returns:
        The same leaves; a node whose children are leaves only, `most` or more, has `group` nodes between.
    """

    length: int = Field(default=8, ge=2, description="chunks wished for in a section")
    most: int = Field(default=20, ge=4, description="chunks of a section at most")
    width: int = Field(default=3, ge=1, le=16, description="chunks compared on each side of a gap")
    embedder: SkipValidation[Embedder] | None = Field(
        default=None, description="compare chunks by their vectors; None by the words they share"
    )

    def __post_init__(self) -> None:
        if self.most < self.length:
            raise ValueError(f"most must be >= length, got {self.most} < {self.length}")

    def __call__(self, tree: DocTree, /) -> DocTree:
        """The tree with sections where it had none."""
        below = [list(children) for children in tree.child_ids]
        long = [i for i, kids in enumerate(below) if len(kids) >= self.most and not any(below[kid] for kid in kids)]
        if not long:
            return tree
        valleys = depths(signal(tree, self.width, self.embedder)).tolist()
        number = {leaf: i for i, leaf in enumerate(tree.leaf_ids.tolist())}
        made: list[Made] = []
        for node in long:
            kids = below[node]
            first = number[kids[0]]
            cuts = runs(valleys[first : first + len(kids) - 1], self.most, self.length // 2)
            below[node] = []
            for low, high in zip(cuts, [*cuts[1:], len(kids)], strict=True):
                below[node].append(len(tree) + len(made))
                made.append(Made(level=int(tree.level[node])))
                below.append(kids[low:high])
        return regrouped(tree, below, made)
