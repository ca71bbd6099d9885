"""Themes across a document: chunks grouped by what they say and not by where they stand, several groups a chunk."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import SkipValidation

from rag.doctree import DocTree
from rag.models.embed import Embedder, HashEmbedder
from rag.notes import Note, noted
from rag.optional import require
from rag.stage import Field, stage
from rag.store.corpus import indexed_text
from rag.trees.salient import salient

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Mixtures", "mixture", "reduced"]

NAME = "trees/mixtures"
TRIED = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)  # groups, two chunks a group on the mean; each number is a fit
FLOOR = 1e-4  # added to variances, so that equal chunks do not end in a point

Range = tuple[int, int]


@stage
class Mixtures:
    """Note themes: groups of chunks from anywhere in the document, each with a summary and all its ranges.

    RAPTOR's soft clustering (Sarthi et al., ICLR 2024, https://arxiv.org/abs/2401.18059, section 3): Gaussian mixtures
    over vectors of fewer dimensions, their number by the lowest BIC, a chunk in every group that it belongs to with a
    probability above `share`, and groups of groups until `dims` + 1 or fewer are left. Departures: dimensions are
    principal components instead of UMAP's; one pass instead of a global and a local one; eleven numbers of groups are
    tried instead of fifty; summaries are sentences of the group; and themes are an overlay of notes, never nodes,
    so that the tree keeps one parent a node and leaves that tile the text. Every edit makes all themes new, and the
    work grows with the square of the dimensions: `trees/clusters` is the way by default.

    Args:
        tree: any tree.

    Returns:
        The tree with two fields. `overlay` at the root: a note a theme, the lowest level first; its text is the theme's
        sentences, its ranges the ordered union of its chunks. `themes` at every leaf: the notes of the lowest level
        that it is part of, for retrievers (`fields`). Fewer than `dims` + 2 chunks have none.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """

    embedder: SkipValidation[Embedder] | None = Field(
        default=None, description="whose vectors are grouped; None hashes words"
    )
    dims: int = Field(default=10, ge=2, le=64, description="principal components")
    share: float = Field(default=0.1, gt=0, lt=1, description="probability from which a chunk belongs to a group")
    levels: int = Field(default=3, ge=1, le=8, description="levels of groups at most")
    tokens: int = Field(default=100, ge=8, description="tokens of a theme's sentences at most")
    seed: int = Field(default=224, ge=0, description="of the mixtures' beginnings; RAPTOR's")
    tokenizer: str = Field(default="cl100k", description="whose tokens count")

    @cached_property
    def _mixture(self) -> Any:
        return require("sklearn.mixture", extra="mixtures", by=NAME).GaussianMixture

    def __call__(self, tree: DocTree, /) -> DocTree:
        """The tree with its themes."""
        leaves = tree.leaf_ids.tolist()
        if len(leaves) < self.dims + 2:
            return tree
        embedder = self.embedder or HashEmbedder()
        vectors: NDArray[Any] = np.asarray(embedder.embed([indexed_text(tree, leaf) for leaf in leaves]), np.float64)
        held = [frozenset([i]) for i in range(len(leaves))]
        overlay: list[Note] = []
        themes: dict[int, list[Note]] = {}
        for level in range(self.levels):
            if len(held) <= self.dims + 1:
                break
            groups = mixture(self._mixture, reduced(vectors, self.dims), self.share, self.seed)
            if len(groups) >= len(held):
                break
            above = [frozenset().union(*(held[i] for i in group)) for group in groups]
            notes = [self._note(tree, [leaves[i] for i in sorted(one)]) for one in above]
            overlay += notes
            if level == 0:
                for one, note in zip(above, notes, strict=True):
                    for i in sorted(one):
                        themes.setdefault(leaves[i], []).append(note)
            vectors = np.stack([vectors[list(group)].mean(axis=0) for group in groups])
            held = above
        return noted(noted(tree, "overlay", {0: overlay}), "themes", themes)

    def _note(self, tree: DocTree, leaves: Sequence[int]) -> Note:
        """The sentences of some leaves, with the ordered union of their ranges."""
        union: list[Range] = []
        for leaf in leaves:
            start, end = int(tree.start[leaf]), int(tree.end[leaf])
            if union and start <= union[-1][1]:
                union[-1] = (union[-1][0], max(end, union[-1][1]))
            else:
                union.append((start, end))
        text = tree.document.text
        said = salient(text, union, tokens=self.tokens, tokenizer=self.tokenizer)
        return Note(" ".join(text[a:b] for a, b in said), tuple(union), NAME, True)


def reduced(vectors: NDArray[np.float64], dims: int) -> NDArray[np.float64]:
    """The first principal components, each turned so that its largest entry is positive.

    Args:
        vectors: float64 (n, d).
        dims: components at most.

    Returns:
        float64 (n, min(dims, n, d)).
    """
    centred = vectors - vectors.mean(axis=0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    found: NDArray[np.float64] = (left * size)[:, :dims]
    largest = found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])]
    return np.round(found * np.where(largest < 0, -1.0, 1.0), 9)


def mixture(kind: Any, points: NDArray[np.float64], share: float, seed: int) -> list[tuple[int, ...]]:
    """Groups of points by the mixture with the lowest BIC.

    Args:
        kind: scikit-learn's GaussianMixture.
        points: float64 (n, d).
        share: probability from which a point belongs to a group.
        seed: of the fits.

    Returns:
        Indices of each group, ascending, groups in the order of their first point and each once; every point is in one.
    """
    best, least = None, np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fits that did not settle lose by their BIC
        for number in (one for one in TRIED if one <= max(1, len(points) // 2)):
            fit = kind(number, covariance_type="diag", reg_covar=FLOOR, random_state=seed).fit(points)
            bic = float(fit.bic(points))
            if bic < least - 1e-6:
                best, least = fit, bic
    chance = best.predict_proba(points) if best is not None else np.ones((len(points), 1))
    member = (chance > share) | (chance == chance.max(axis=1, keepdims=True))
    groups = {tuple(np.flatnonzero(column).tolist()) for column in member.T}
    return sorted(group for group in groups if group)
