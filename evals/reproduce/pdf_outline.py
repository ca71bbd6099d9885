"""Headings of PDFs found without their bookmarks, held against the bookmarks.

A folder's PDFs are read as they are; its Markdown files are set in five layouts first (`evals.synth.pdfs`), and the
bundled manual is, where no folder is given. Each folder below is a row. Pinned is a folder of three: `manuals`, 79 PDFs
of the Debian 12 packages doxygen-doc, gnuplot-doc, groff, octave-doc, pari-doc, r-doc-pdf, valgrind,
texlive-humanities-doc and texlive-latex-recommended-doc; `journals`, 80 PDFs of texlive-publishers-doc, articles,
dissertations and class manuals in a dozen languages, one a folder, drawn with seed 1 from those with 5 bookmarks and
4 to 150 pages; `markdown`, 16 files of the Rust book and of Pydantic AI's documentation. The rules were made on other
files: 68 manuals, 104 journals, 8 texts. Results, by file, are in `evals/expected/pdf_outline.json`.

Every file with bookmarks is read with `use_bookmarks=False`. A bookmark counts where its title stands on its page (a
cover or an unprinted title cannot be found); it is found where a heading on that page says the same: at least .85 of
the tokens in common, a number in front optional. Bookmarks and headings are matched one to one, the likest first.

Recall, precision and F1 are means over documents with bootstrap intervals. The level accuracy is the share of the found
whose level is that of the bookmark; `shifted` after the best constant difference of the document, for some outlines
begin below their title. `parents` is the share whose nearest found heading above, one level up, is the same. What a
document prints as a heading without a bookmark counts against precision. `pages/min` is pages by minute of processor
time on one core, opening and writing included; `speed` its mean over documents of 5 pages and more.
"""

from __future__ import annotations

import re
import time
from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from evals import stats
from evals.reproduce import as_table
from evals.synth.pdfs import LAYOUTS, pdf_of
from rag.errors import LoadError, RagError
from rag.loaders.pdf import bookmarks, extract
from rag.loaders.pdf_bookmarks import ENOUGH, Bookmark, likeness
from rag.loaders.pdf_contents import plain

__all__ = ["Score", "reproduce", "score"]

SHORTEST = 3  # bytes of a title's letters and digits; a single letter of an index stands on every page
LONG = 5  # pages of a document whose speed is told
FEWEST = 5  # bookmarks whose titles can be seen
MANUAL = Path(__file__).parents[1] / "samples" / "manual" / "docs"
SCORES = ("recall", "precision", "f1", "level", "shifted", "parents")


class Found(NamedTuple):
    """A heading that was found: its words, level and page."""

    title: str
    level: int
    page: int


class Score(NamedTuple):
    """How one document did; shares in [0, 1].

    Args:
        gold: bookmarks whose title stands on its page; `found` headings there are.
        pages: of the document; `seconds` of processor time to read it.
    """

    recall: float
    precision: float
    f1: float
    level: float
    shifted: float
    parents: float
    gold: int
    found: int
    hidden: int
    pages: int
    seconds: float


def score(data: bytes, *, name: str = "pdf") -> Score | None:
    """Read a PDF without its bookmarks and hold its headings against them; None with too few of them."""
    begin = time.process_time()
    page = extract(data, name=name, use_bookmarks=False)
    seconds = time.process_time() - begin
    text = page.text
    said: dict[int, list[str]] = defaultdict(list)
    for block in page.blocks:
        said[block.page].append(plain(text[block.start : block.end]))
    marks = bookmarks(data, name=name)
    gold = [mark for mark in marks if _stands(mark, said)]
    if len(gold) < FEWEST:
        return None
    found = [
        Found(text[slice(*block.inner)], block.level, block.page) for block in page.blocks if block.kind == "heading"
    ]
    pairs = matches(gold, found)
    levels = [(gold[g].level, found[f].level) for g, f in pairs]
    recall, precision = len(pairs) / len(gold), len(pairs) / max(1, len(found))
    shift = Counter(b - a for a, b in levels).most_common(1)
    return Score(
        recall,
        precision,
        2 * recall * precision / max(1e-9, recall + precision),
        sum(a == b for a, b in levels) / max(1, len(pairs)),
        (shift[0][1] if shift else 0) / max(1, len(pairs)),
        _parents(levels),
        len(gold),
        len(found),
        len(marks) - len(gold),
        int(page.facts["page_count"]),
        seconds,
    )


def _stands(mark: Bookmark, said: dict[int, list[str]]) -> bool:
    title = plain(re.sub(r"^[\dA-Z]+(?:\.\d+)*\.?\s+", "", mark.title)) or plain(mark.title)
    return len(title.encode()) >= SHORTEST and any(title in text for text in said.get(mark.page, ()))


def matches(gold: Sequence[Bookmark], found: Sequence[Found]) -> list[tuple[int, int]]:
    """Pairs of a bookmark and a heading on its page, the likest first, in the order of the bookmarks."""
    pages: dict[int, list[int]] = defaultdict(list)
    for f, heading in enumerate(found):
        pages[heading.page].append(f)
    likely = [
        (-like, abs(g - f), g, f)
        for g, mark in enumerate(gold)
        for f in pages.get(mark.page, ())
        if (like := likeness(mark.title, found[f].title)) >= ENOUGH
    ]
    pairs: dict[int, int] = {}
    used: set[int] = set()
    for _, _, g, f in sorted(likely):
        if g not in pairs and f not in used:
            pairs[g] = f
            used.add(f)
    return sorted(pairs.items())


def _parents(levels: Sequence[tuple[int, int]]) -> float:
    """Share of headings with the same parent in both outlines."""
    same = sum(_above([a for a, _ in levels], k) == _above([b for _, b in levels], k) for k in range(len(levels)))
    return same / max(1, len(levels))


def _above(levels: Sequence[int], k: int) -> int:
    return next((j for j in range(k - 1, -1, -1) if levels[j] < levels[k]), -1)


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Every document, a row for each folder or layout."""
    rows: dict[str, dict[str, Score]] = defaultdict(dict)
    left_out = 0
    for done, (row, name, data) in enumerate(_files(given.data or MANUAL)):
        tell(f"\r{done} {row} ")
        try:
            one = score(data, name=name)
        except LoadError:
            one = None
        left_out += one is None
        if one is not None:
            rows[row][name] = one
    tell("\n")
    if not rows:
        raise RagError(f"pdf-outline: {given.data} holds no PDF with {FEWEST} bookmarks or more, and no Markdown file.")
    result: dict[str, Any] = {"seed": 0, "rows": {}, "left_out": left_out, "documents": {}}
    lines = []
    for row, scores in sorted(rows.items()):
        told = result["rows"][row] = _told(list(scores.values()))
        cells = [" ".join(f"{100 * told[key][at]:.1f}" for at in ("value", "low", "high")) for key in SCORES]
        cells = ["{} ({}-{})".format(*cell.split()) for cell in cells]
        lines.append([row, str(len(scores)), str(told["bookmarks"]), *cells, str(told["pages_per_minute"])])
        for name, one in scores.items():
            kept = {key: round(value, 3) for key, value in one._asdict().items() if key != "seconds"}
            result["documents"][f"{row}/{name}"] = kept
    result["table"] = as_table("PDFs|n|bookmarks|" + "|".join(SCORES) + "|pages/min", lines)
    return result


def _told(scores: Sequence[Score]) -> dict[str, Any]:
    told: dict[str, Any] = {
        key: {k: round(v, 4) for k, v in stats.interval([getattr(s, key) for s in scores], seed=0)._asdict().items()}
        for key in SCORES
    }
    pace = [60 * s.pages / s.seconds for s in scores if s.pages >= LONG and s.seconds]
    told["speed"] = {k: round(v) for k, v in stats.interval(pace, seed=0)._asdict().items()} if pace else {}
    told["bookmarks"] = sum(s.gold for s in scores)
    told["headings"] = sum(s.found for s in scores)
    told["pages"] = sum(s.pages for s in scores)
    told["pages_per_minute"] = round(60 * told["pages"] / sum(s.seconds for s in scores))
    return told


def _files(root: Path) -> Iterator[tuple[str, str, bytes]]:
    """Row, name and bytes of each PDF."""
    for path in sorted(p for p in root.rglob("*") if p.is_file() and p.suffix in {".pdf", ".md"}):
        name = path.relative_to(root)
        folder = name.parts[0] if len(name.parts) > 1 else "PDFs"
        if path.suffix == ".pdf":
            yield folder, path.name, path.read_bytes()
        else:
            text = path.read_text(encoding="utf-8", errors="replace")
            for layout, how in LAYOUTS.items():
                yield f"made: {layout}", str(name), pdf_of(text, how, title=path.stem)
