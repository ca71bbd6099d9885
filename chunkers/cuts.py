"""Where a document may be cut, and what each cut costs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chunkers.oversize import SLACK, parts, wide_units
from chunkers.prices import PRICES
from chunkers.sections import OPENERS
from rag.doctree import CODE
from rag.loaders.delimited import record_ends
from rag.sentences import sentence_spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chunkers.measure import Ruler
    from rag.loaders.blocks import Blocks

__all__ = ["Cuts", "find_cuts"]

HEADING, LIST, TABLE, CODE_, TEXT, QUOTE, HTML, FRONT, NOTE, FIGURE = (
    CODE[k] for k in ("heading", "list", "table", "code", "text", "quote", "html", "front_matter", "footnote", "figure")
)
PROSE = np.zeros(len(CODE), dtype=bool)
PROSE[[TEXT, LIST, QUOTE, NOTE, FIGURE, CODE["turn"], CODE["page"], CODE["record"]]] = True
LINED = np.zeros(len(CODE), dtype=bool)  # kinds that are cut between lines when they do not fit
LINED[[TABLE, CODE_, HTML, FRONT, QUOTE, LIST, *(CODE[k] for k in ("function", "class", "group"))]] = True
LINE = re.compile(r"(?<=\n)(?=[^\n])")
DELIMITER = re.compile(r"[ \t>]*\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*\r?$")
FENCE = re.compile(r"[ \t>]*(?:[-*+] |\d+[.)] )?[ \t]*(?:```|~~~)")


@dataclass(frozen=True, eq=False)
class Cuts:
    """All arrays have one entry a cut; the last cut is the end of the text.

    Args:
        at: int64 (n,), ascending; unit k is the text from `at[k]` to `at[k + 1]`.
        block: int64 (n,), the block that the unit behind the cut lies in.
        price: float64 (n,), price of cutting here.
        left: int64 (n,), right: int64 (n,): tokens, see `chunkers.measure`; `left` includes `extra`.
        extra: int64 (n,), tokens of what is repeated in front of a segment that begins here.
        repeats: cut -> the range that is repeated.
        hard: unit -> (end, tokens) of the parts of a unit that no blank divides.
    """

    at: NDArray[np.int64]
    block: NDArray[np.int64]
    price: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    extra: NDArray[np.int64]
    repeats: dict[int, tuple[int, int]]
    hard: dict[int, list[tuple[int, int]]]


def find_cuts(ruler: Ruler, blocks: Blocks, size: int, cap: int) -> Cuts:
    """Every place where `blocks` may be cut so that no unit is longer than `cap` tokens.

    Args:
        ruler: the text, tokenised.
        blocks: its structure, at least one block.
        size: tokens wished for; a sentence that does not fit is cut into parts of about an eighth of it.
        cap: most tokens of a unit, what is repeated in front of it included.
    """
    text = ruler.text
    start = blocks.start.copy()
    start[0] = 0
    bound = np.append(start, len(text))
    found = [(start, _block_prices(text, blocks)), _sentences(text, blocks, bound)]
    rank = ruler.rank(bound)
    long = rank[1:] - rank[:-1] > cap - SLACK
    repeated: dict[int, tuple[int, int]] = {}
    for i in np.flatnonzero(long & LINED[blocks.kind]).tolist():
        found.append(_lines(ruler, blocks, i, stop=int(bound[i + 1]), cap=cap, repeated=repeated))  # noqa: PERF401
    at, price = _merge(found, len(text))
    cells = wide_units(ruler, at, size, cap)
    if cells:
        at, price = _merge([(at, price), *cells], len(text))
    at, price = ruler.measurable(at, price)
    left, right = ruler.measure(at)
    extra = np.zeros(len(at), dtype=np.int64)
    rows = [k for k in np.searchsorted(at, sorted(repeated)).tolist() if int(at[k]) in repeated]
    repeats = {k: repeated[int(at[k])] for k in rows}
    extra[list(repeats)] = _tokens(ruler, list(repeats.values()))
    tokens = left[:-1] + right[1:]
    for k in np.flatnonzero(tokens + extra[:-1] > cap).tolist():  # no room for what is repeated
        repeats.pop(k, None)
        extra[k] = 0
    over = np.flatnonzero(tokens > cap).tolist()
    hard = {k: parts(ruler, int(at[k]), int(at[k + 1]), size, cap) for k in over}
    block = np.searchsorted(start, at, side="right") - 1
    return Cuts(at, block, price, left + extra, right, extra, repeats, hard)


def _merge(
    found: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]], size: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """All cuts in order, with the end of the text; of two prices of one cut the first stands."""
    at = np.concatenate([places for places, _ in found])
    price = np.concatenate([prices for _, prices in found])
    at, first = np.unique(at, return_index=True)
    price = price[first]
    if at[-1] != size:
        at, price = np.append(at, size), np.append(price, 0.0)
    return at, price


def _tokens(ruler: Ruler, ranges: list[tuple[int, int]]) -> list[int]:
    known = dict.fromkeys(ranges, 0)
    known.update(zip(known, ruler.tokenizer.counts([ruler.text[a:b] for a, b in known]), strict=True))
    return [known[r] for r in ranges]


def _block_prices(text: str, blocks: Blocks) -> NDArray[np.float64]:
    """Prices of cutting in front of each block."""
    kind = blocks.kind
    price = np.full(len(kind), PRICES["block"])
    price[OPENERS[kind]] = PRICES["heading"]
    previous = np.concatenate(([0], kind[:-1]))
    item = (kind == LIST) & (previous == LIST)
    price[item] = np.where(blocks.level[item] > 0, PRICES["nested"], PRICES["item"])
    colon = [text[max(end - 1, 0)] in ":：" for end in blocks.end[:-1].tolist()]
    price[1:][np.array(colon, dtype=bool)] = PRICES["glued"]
    titled = OPENERS[kind] & ((kind == HEADING) | (blocks.inner[:, 1] > blocks.inner[:, 0]))
    price[1:][titled[:-1]] = PRICES["after_heading"]
    rest = (kind[1:] == TEXT) & (blocks.level[1:] > 0)  # of a paragraph that a page or column divides
    rest[rest] = [
        not text[a:b].count("\n\n") for a, b in zip(blocks.end[:-1][rest], blocks.start[1:][rest], strict=True)
    ]
    price[1:][rest] = PRICES["word"]
    return price


def _sentences(text: str, blocks: Blocks, bound: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cuts between the sentences of one block."""
    at = np.array([a for a, _ in sentence_spans(text)], dtype=np.int64)
    where = np.searchsorted(bound, at, side="right") - 1
    where = np.clip(where, 0, len(blocks) - 1)
    inside = PROSE[blocks.kind[where]] & (at > bound[where]) & (at < blocks.end[where])
    at = at[inside]
    return at, np.full(len(at), PRICES["sentence"])


def _lines(
    ruler: Ruler, blocks: Blocks, i: int, *, stop: int, cap: int, repeated: dict[int, tuple[int, int]]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cuts between the lines of a block that does not fit; notes what is to be repeated behind them."""
    text = ruler.text
    start, end, kind = int(blocks.start[i]), int(blocks.end[i]), int(blocks.kind[i])
    if kind == TABLE and blocks.level[i]:  # rows whose cells are quoted and may hold line breaks
        at = record_ends(text, start, end)
    else:
        at = [m.start() for m in LINE.finditer(text, start, end) if m.start() > start]
    prices = [PRICES["line"]] * len(at)
    if kind == TABLE and at:
        head, inner = at[0], int(blocks.inner[i, 0])
        if inner >= head:  # the loader says where its header rows end
            head = next((a for a in at if a >= inner), head)
        elif len(at) > 1 and DELIMITER.match(text[at[0] : at[1]].rstrip("\n")):
            head = at[1]
        prices = [PRICES["row"]] * len(at)
        _repeat(ruler, (start, head), [a for a in at if a > head or (a == head and head != at[0])], cap, repeated)
        keep = [a >= head for a in at]
        prices = [p for p, k in zip(prices, keep, strict=True) if k]
        at = [a for a, k in zip(at, keep, strict=True) if k]
        if at and at[0] == head:
            prices[0] = PRICES["after_heading"]
    elif kind == CODE_:
        prices = _code_prices(text, [start, *at, stop])
        if at and FENCE.match(text, start, at[0]):
            _repeat(ruler, (start, at[0]), at[1:], cap, repeated)
            prices[0] = PRICES["after_heading"]
    return np.array(at, dtype=np.int64), np.array(prices, dtype=np.float64)


def _repeat(ruler: Ruler, span: tuple[int, int], at: list[int], cap: int, repeated: dict[int, tuple[int, int]]) -> None:
    """Repeat a range in front of every segment that begins at one of these cuts, unless it is too long."""
    if _tokens(ruler, [span])[0] <= cap // 4:
        repeated.update(dict.fromkeys(at, span))


def _code_prices(text: str, bounds: list[int]) -> list[float]:
    """Cheaper where a blank line stands in front and the next line is indented least."""
    blank: list[bool] = []
    indents: list[int] = []
    for before, a, b in zip(bounds, bounds[1:-1], bounds[2:], strict=False):
        row = text[a : min(b, a + 200)]
        blank.append(not text[before:a].strip())
        indents.append(len(row) - len(row.lstrip(" \t")))
    least = min((n for n, b in zip(indents, blank, strict=True) if b), default=0)
    return [
        PRICES["blank_code"] if is_blank and n <= least else PRICES["code"]
        for n, is_blank in zip(indents, blank, strict=True)
    ]
