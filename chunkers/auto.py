"""Run several chunkers on a document, score their chunks without any question, keep the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SkipValidation

from chunkers.labelfree import Material, Scores, material, scores
from chunkers.recursive import RecursiveChunker
from chunkers.sentences import SentenceChunker
from chunkers.structure import StructureChunker
from chunkers.vectors import checked_embedder
from rag.doctree import DocTree, flat
from rag.errors import ConfigError, MissingExtra, MissingWeights, RagError
from rag.models.embed import Embedder, HashEmbedder
from rag.notes import Note, noted
from rag.stage import Chunker, Field, fields_of, stage
from rag.types import Document

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["AutoChunker"]

NAME = "chunkers/auto"
FATAL = (ConfigError, MissingExtra, MissingWeights)  # would repeat itself on every document


def _default() -> tuple[Chunker, ...]:
    return StructureChunker(), SentenceChunker(size=160), RecursiveChunker(size=160)


@stage
class AutoChunker:
    """Keep, for each document, the chunks that look best by size, cohesion, coherence and whole blocks.

    Adaptive Chunking (ekimetrics/adaptive-chunking, LREC 2026): several splitters a document, label-free scores, the
    best mean wins. The scores and the departures are in `chunkers.labelfree`. Another departure: of candidates within
    `margin` of the best the earliest is kept, so that a whim of the scores does not cost a document its sections. The
    table is kept with the tree: the note `auto` of the root has a line for every candidate, the kept one first, the
    others by their means, with chunks and scores; `rag tree` and `rag chunk` show it. A candidate that fails on a
    document is left out and named there; where all fail, the first one's error is raised.

    Measured on five sets (`python -m evals.reproduce auto`): the scores do not tell which chunker finds more. Among
    four of one size 41 % of the pairs of a document stand in the order of their recall (95 %: 33 to 49; 50 is chance);
    over sizes the order is reversed, tau -0.36 to -0.71, since long chunks cohere and short ones find. So candidates
    ought to have one size, and the table is worth more than the choice, which gains 0.1 points of recall in 512 tokens
    on structure alone (-0.5 to +1.0, 335 questions): none that can be told from chance.

    Args:
        document: any text.

    Returns:
        The winner's tree, with the table.
    """

    candidates: tuple[Chunker, ...] = Field(default_factory=_default, min_length=1, description="chunkers to try")
    least: int = Field(default=48, ge=0, description="tokens of a chunk of allowed size, at least")
    most: int = Field(default=512, ge=1, description="at most")
    margin: float = Field(default=0.02, ge=0, description="by which a later candidate must beat an earlier one")
    embedder: SkipValidation[Embedder] = Field(default_factory=HashEmbedder, description="vectors of the sentences")

    def __post_init__(self) -> None:
        """Check the limits, and the embedder by its type."""
        if self.most < self.least:
            raise ValueError(f"most must be >= least, got {self.most} < {self.least}")
        object.__setattr__(self, "embedder", checked_embedder(self.embedder, NAME))

    def __call__(self, document: Document, /) -> DocTree:
        """The best outline of a document."""
        if not document.text:
            return flat(document, ())
        known = material(document, self.embedder, self.most, "cl100k")
        tried = [self._tried(chunker, document, known) for chunker in self.candidates]
        good = [i for i, one in enumerate(tried) if isinstance(one, tuple)]
        if not good:
            raise next(one for one in tried if isinstance(one, RagError))
        rows: list[tuple[float, int, str]] = []
        for i, (label, one) in enumerate(zip(_labels(self.candidates), tried, strict=True)):
            rows.append(
                (-one[1].mean, i, _line(label, *one)) if isinstance(one, tuple) else (1.0, i, f"{label}: {one}")
            )
        least = min(rows)[0] + self.margin
        kept = min((row for row in rows if row[0] <= least), key=lambda row: row[1])
        best = tried[kept[1]]
        assert isinstance(best, tuple)
        told = [kept, *(row for row in sorted(rows) if row is not kept)]
        return noted(best[0], "auto", {0: [Note(line, by=NAME) for _, _, line in told]})

    def _tried(self, chunker: Chunker, document: Document, known: Material) -> tuple[DocTree, Scores] | RagError:
        try:
            tree = chunker(document)
        except FATAL:
            raise
        except RagError as error:
            return error
        return tree, scores(tree, known, self.least, self.most)


def _labels(candidates: Sequence[Chunker]) -> list[str]:
    """Each chunker's name, with its size where it has one; equal ones numbered."""
    names: list[str] = []
    for one in candidates:
        size = fields_of(one).get("size")
        name = type(one).__name__ + (f"({size})" if size is not None else "")
        names.append(name if name not in names else f"{name} #{len(names) + 1}")
    return names


def _line(label: str, tree: DocTree, found: Scores) -> str:
    cells = " ".join(f"{name} {value:.3f}" for name, value in zip(found._fields, found, strict=True))
    return f"{label}: {found.mean:.3f} ({cells}), {len(tree.leaf_ids)} chunks"
