"""Structure found again: documents whose headings are hidden, held against the headings they had.

Two ways to hide. *Unmarked*: heading lines stay, their marks go, blocks go, and the text is read as plain; judged are
the headings that the plain reader finds (F1 of their places) and, of those found, how many stand at the depth they
had (level accuracy; `shifted` after the best constant difference, for a lone title above everything is not seen once
its mark is gone). *Removed*: heading lines go; judged are the borders of `trees/segments` and of what stands
beside it against the places where headings were, counted in chunks (boundary F1 with one chunk of slack, Pk and
WindowDiff, the lower the better). `equal` cuts into as many sections of even length; `texttiling` takes Hearst's
threshold (mean depth less half its standard deviation) on the same signal; `none` does not cut.

*Laid out*: Markdown files become plain texts in six layouts (`evals.synth.plains`); judged as unmarked ones are.

The rules of the plain reader were made on one half of the documents; `held` rows are of the other (by a checksum of
their names), and so are the layouts. The settings of `trees/segments` were chosen among 16 on 60 documents drawn with
seed 7, of the same collection.
"""

from __future__ import annotations

import random
from argparse import Namespace
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from chunkers.structure import StructureChunker
from evals import stats
from evals.metrics.cuts import boundary_f1, pk, window_diff
from evals.reproduce import as_table
from evals.synth.plains import LAYOUTS, text_of
from rag.doctree import DocTree
from rag.errors import RagError
from rag.loaders.plain import scan
from rag.loaders.read import read
from rag.trees.cohesion import depths, signal
from rag.trees.segments import Segments
from rag.types import Block, Document, Failed

__all__ = ["FEWEST", "borders", "found_again", "hidden", "judged", "laid_out", "reproduce"]

FEWEST, SHORTEST, LONGEST = 6, 4_000, 200_000  # headings; characters
HIGHEST = 2  # levels of headings, from the top one, that are borders where they are removed
CHUNKER = StructureChunker(size=64, format="plain")


def documents(folder: Path, limit: int, seed: int) -> list[Document]:
    """Markdown and HTML files with headings, drawn evenly."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".md", ".html", ".htm") and p.is_file())
    random.Random(seed).shuffle(paths)
    found: list[Document] = []
    for path in paths:
        if len(found) == limit:
            break
        try:
            read_ = [one for one in read(path) if not isinstance(one, Failed)]
        except RagError:
            continue
        found += [one for one in read_[:1] if SHORTEST <= len(one.text) <= LONGEST and len(_heads(one)) >= FEWEST]
    return found


def _blocks(document: Document) -> Sequence[Block]:
    if document.blocks:
        return document.blocks
    from rag.loaders.markdown import scan as markdown

    return list(markdown(document.text))


def _heads(document: Document) -> list[Block]:
    return [block for block in _blocks(document) if block.kind == "heading"]


def hidden(document: Document, *, remove: bool) -> tuple[Document, list[tuple[int, int]]]:
    """The document as plain text without its headings' marks, or without its headings.

    Returns:
        The text, and (place, level) of each heading in it; where they were removed, the place of what followed.
    """
    pieces: list[str] = []
    gold: list[tuple[int, int]] = []
    at = 0
    for block in _blocks(document):
        if block.kind == "heading":
            gold.append((at, block.level))
            if remove:
                continue
            piece = " ".join(document.text[slice(*block.inner)].split())
            if not piece:
                gold.pop()
                continue
        else:
            piece = document.text[block.start : block.end].strip("\n")
        pieces.append(piece)
        at += len(piece) + 2
    text = "\n\n".join(pieces)
    return Document(document.id, text), [(place, level) for place, level in gold if place < len(text)]


def found_again(document: Document) -> dict[str, float]:
    """F1 of heading places and level accuracy where marks are gone."""
    plain, gold = hidden(document, remove=False)
    return judged(plain.text, gold)


def laid_out(document: Document, layout: str) -> dict[str, float] | None:
    """The same for a Markdown text set as plain text; None with too few headings."""
    made = text_of(document.text, layout)
    return judged(made.text, made.heads) if len(made.heads) >= FEWEST // 2 else None


def held(document: Document) -> bool:
    """Whether the rules of the plain reader were made without this document."""
    return crc32(document.id.encode()) % 2 == 1


def judged(text: str, gold: Sequence[tuple[int, int]]) -> dict[str, float]:
    """Scores of the headings that the plain reader finds.

    Args:
        text: a plain text.
        gold: (place, level) of its headings.
    """
    said = {block.inner[0]: block.level for block in scan(text) if block.kind == "heading"}
    places = dict(gold)
    both = sorted(places.keys() & said.keys())
    scores = {"heading_f1": 2 * len(both) / max(len(places) + len(said), 1)}
    scores["heading_recall"] = len(both) / len(places) if places else 0.0
    scores["heading_precision"] = len(both) / len(said) if said else 0.0
    if both:
        deep, flat = _nested(gold), _nested(sorted(said.items()))
        steps = Counter(deep[place] - flat[place] for place in both)
        scores["level_accuracy"] = steps[0] / len(both)
        scores["level_shifted"] = max(steps.values()) / len(both)
    return scores


def _nested(heads: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Place -> how many headings stand above it."""
    stack: list[int] = []
    found: dict[int, int] = {}
    for place, level in heads:
        while stack and stack[-1] >= level:
            stack.pop()
        found[place] = len(stack)
        stack.append(level)
    return found


def borders(tree: DocTree, gold: Sequence[tuple[int, int]]) -> dict[str, dict[str, float]] | None:
    """Scores of each way to cut, in chunks; None where headings leave no border between chunks."""
    starts = tree.start[tree.leaf_ids].tolist()
    top = sorted({level for _, level in gold})[:HIGHEST]
    wanted = sorted({bisect_left(starts, place) for place, level in gold if level in top} - {0, len(starts)})
    if len(wanted) < 2:
        return None
    grown = Segments()(tree)
    mine = sorted({bisect_left(starts, n.start) for n in grown if n.kind == "group"} - {0})
    depth = depths(signal(tree, Segments().width))
    tiling = [i + 1 for i in np.flatnonzero(depth > depth.mean() - depth.std() / 2).tolist() if depth[i] > 0]
    parts = len(mine) + 1
    even = sorted({len(starts) * k // parts for k in range(1, parts)} - {0})
    size = len(starts)
    return {
        name: {
            "boundary_f1": boundary_f1(cuts, wanted, slack=1),
            "pk": pk(cuts, wanted, size),
            "window_diff": window_diff(cuts, wanted, size),
        }
        for name, cuts in (("segments", mine), ("equal", even), ("texttiling", tiling), ("none", []))
    }


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Both ways over a folder of Markdown and HTML files."""
    if given.data is None:
        raise RagError("structure: needs --data, a folder with Markdown or HTML files.")
    found = documents(given.data, given.limit or 300, given.seed)
    if not found:
        raise RagError(f"structure: {given.data} holds no document with {FEWEST} headings or more.")
    marks: dict[str, list[float]] = {}
    unseen: dict[str, list[float]] = {}
    laid: dict[str, dict[str, list[float]]] = {name: {} for name in LAYOUTS}
    cuts: dict[str, dict[str, list[float]]] = {}
    for i, document in enumerate(found):
        tell(f"\r{i + 1}/{len(found)}")
        for name, value in found_again(document).items():
            marks.setdefault(name, []).append(value)
            if held(document):
                unseen.setdefault(name, []).append(value)
        if held(document) and document.media_type == "text/markdown":
            for layout, columns in laid.items():
                for name, value in (laid_out(document, layout) or {}).items():
                    columns.setdefault(name, []).append(value)
        plain, gold = hidden(document, remove=True)
        plain = Document(plain.id, plain.text, blocks=tuple(_paragraphs(plain.text)))
        scores = borders(CHUNKER(plain), gold) or {}
        for way, row in scores.items():
            for name, value in row.items():
                cuts.setdefault(way, {}).setdefault(name, []).append(value)
    tell("\n")
    unmarked = {name: stats.interval(values, seed=given.seed)._asdict() for name, values in marks.items()}
    apart = {name: stats.interval(values, seed=given.seed)._asdict() for name, values in unseen.items()}
    layouts = {
        layout: {name: stats.interval(values, seed=given.seed)._asdict() for name, values in row.items()}
        for layout, row in laid.items()
    }
    removed = {
        way: {name: stats.interval(values, seed=given.seed)._asdict() for name, values in row.items()}
        for way, row in cuts.items()
    }
    against = {
        way: {
            name: stats.interval(
                np.subtract(cuts["segments"][name], cuts[way][name]).tolist(), seed=given.seed
            )._asdict()
            for name in cuts[way]
        }
        for way in cuts
        if way != "segments"
    }
    lines = [[name, _told(row)] for name, row in unmarked.items()]
    lines += [[f"held {name}", _told(row)] for name, row in apart.items()]
    lines += [[f"{layout} {name}", _told(row[name])] for layout, row in layouts.items() for name in row]
    lines += [[f"{way} {name}", _told(row[name])] for way, row in removed.items() for name in row]
    lines += [[f"segments - {way} {name}", _told(row[name])] for way, row in against.items() for name in row]
    return {
        "documents": len(found),
        "seed": given.seed,
        "unmarked": unmarked,
        "held": apart,
        "layouts": layouts,
        "removed": removed,
        "segments_less": against,
        "table": as_table("what|value (95 %)", lines),
    }


def _paragraphs(text: str) -> list[Block]:
    """Every paragraph a block, so that no line is taken for a heading again."""
    ends = [i for i in range(len(text)) if text.startswith("\n\n", i)]
    cut = [0, *(i + 2 for i in ends), len(text)]
    return [Block(a, a + len(text[a:b].rstrip()), "text", 0, (a, b)) for a, b in pairwise(cut) if text[a:b].strip()]


def _told(row: Any) -> str:
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f}, n {row['n']})"
