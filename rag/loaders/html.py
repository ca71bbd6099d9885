"""HTML -> the text a reader sees, and its blocks.

One pass over the tags of `markup.py`. Kept: headings, paragraphs, list items with a mark and their
depth, tables as lines of cells, preformatted text as it is, quotes, figures, rules. Left out: scripts
and styles, form controls, `nav` and `role=navigation`, and what is hidden (`hidden`, `display:none`,
`visibility:hidden`, no size, no opacity); of the last two the characters are counted. Header, footer
and aside stay, for they often hold what is asked. Style sheets are not read. A long page without heading
elements has its titles found by their looks (`htmltitles`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from rag.loaders.decode import decode
from rag.loaders.elements import BLOCKS, CELLS, FLAT, GROUPS, HEADINGS, LISTS, SKIPPED
from rag.loaders.hidden import Hidden
from rag.loaders.htmltitles import titled
from rag.loaders.limits import Clock, Limits
from rag.loaders.markup import Token, attributes, tokens, unescape
from rag.loaders.table import Run, Runs, Table
from rag.types import Block

__all__ = ["Page", "extract", "parse"]

TELLING = re.compile(r"hidden|style|role|span|start|value", re.IGNORECASE)
SPACE = re.compile(r"[ \t\n\f]+")
EMPTY = re.compile(r"\n{2,}")
DEEPEST = 8  # levels of list that are shown by indentation
CHECK = 4096  # tags between two looks at the clock


class Page(NamedTuple):
    """What a page says.

    Args:
        text: what a reader sees, blocks set apart by blank lines.
        blocks: every block, in order, with exact ranges; of a table `inner` is what follows its
            header rows, of a list item what follows its mark.
        title: of the `title` element, else the first heading of level 1.
        left_out: characters left out, by reason: `hidden`, `navigation`, `unclosed`.
    """

    text: str
    blocks: tuple[Block, ...]
    title: str
    left_out: Mapping[str, int]


def parse(data: bytes | str) -> tuple[str, tuple[Block, ...], str]:
    """Text, blocks and title of a page, with the default limits."""
    markup = data if isinstance(data, str) else decode(data, name="html", markup=True).text
    return extract(markup)[:3]


def extract(markup: str, *, limits: Limits = Limits(), clock: Clock | None = None) -> Page:  # noqa: B008 - frozen
    """Read a page.

    Args:
        markup: the decoded file.
        limits: depth and characters.
        clock: stops the work when its time is used up; also names the page in messages.

    Raises:
        LoadError: nested deeper, longer or slower than the limits allow.
    """
    builder = _Builder(limits, clock or Clock("html", limits))
    for number, token in enumerate(tokens(markup)):
        if number % CHECK == 0:
            builder.clock.check()
        builder.take(token)
    return builder.page()


class _List:
    """An open list: its kind and the number of the next item."""

    def __init__(self, ordered: bool, number: int) -> None:
        self.ordered, self.number, self.mark, self.item = ordered, number, "", False


class _Builder:
    """The elements open at a point of the page, and the runs before it."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self.limits, self.clock = limits, clock
        self.root: Runs = []
        self.open: list[str] = []
        self.scopes: list[Counter[str]] = [Counter()]  # names open since the last table or cell
        self.counts: Counter[str] = Counter()
        self.lists: list[_List] = []
        self.tables: list[Table] = []
        self.parts: list[str] = []
        self.heading, self.headed = 0, False  # level of the open heading, and whether it has its text
        self.title, self.first = "", ""
        self.left_out: Counter[str] = Counter()
        self.hidden = Hidden()

    def take(self, token: Token) -> None:
        """Go on by one tag or text."""
        kind, name, body = token
        hidden = self.hidden
        if kind == "text":
            if hidden.reason:
                self.left_out[hidden.reason] += len("".join(body.split()))
            else:
                self.parts.append(body)
        elif kind == "raw":
            if name == "title" and not self.title and not hidden.reason:
                self.title = " ".join(unescape(body).split())
        elif kind == "cut":
            self.left_out["unclosed"] += len(body)
        elif hidden.reason and hidden.covers(kind, name, ends_outer=self._is_open(name)):
            self.limits.depth_ok(self.clock.name, len(hidden.open) + len(self.open))
        elif kind == "open":
            self._start(name, body)
        else:
            self._end(name)

    def _is_open(self, name: str) -> bool:
        if name in CELLS or name in GROUPS:
            return bool(self.tables)
        return bool(self.scopes[-1][name] or (name == "table" and self.counts[name]))

    # -- tags

    def _start(self, name: str, body: str) -> None:
        facts = attributes(body) if body and TELLING.search(body) else {}
        if name in BLOCKS:
            self.flush()
            self._block(name, facts)
        elif name == "br":
            self.parts.append("\0")
        if facts or name == "nav" or name in SKIPPED:
            self.hidden.begin(name, facts)

    def _block(self, name: str, facts: Mapping[str, str]) -> None:
        if name == "hr":
            self._sink().append(Run("rule", "---"))
        elif name in CELLS or name in GROUPS:
            self._row_or_cell(name, facts)
        elif name not in FLAT:
            if name == "li":
                self._item(facts)
            elif name in LISTS:
                self.lists.append(_List(name == "ol", _whole(facts.get("start"), 1)))
            elif name in HEADINGS:
                if self.heading:
                    self._end(f"h{self.heading}")
                self.heading, self.headed = int(name[1:]), False
            if name in ("pre", "table") or self.heading:
                for table in self.tables[-1:]:
                    table.layout = True
            self._push(name)
            if name == "table":
                self.tables.append(Table(layout=facts.get("role", "").lower() in ("presentation", "none")))
                self.scopes.append(Counter())

    def _item(self, facts: Mapping[str, str]) -> None:
        if not any(self.scopes[-1][kind] for kind in LISTS):
            self.lists.append(_List(ordered=False, number=1))
            self._push("ul")
        top = self.lists[-1]
        if top.item:
            self._close("li")
        top.number = _whole(facts.get("value"), top.number)
        top.mark, top.item = f"{top.number}. " if top.ordered else "- ", True
        top.number += 1

    def _row_or_cell(self, name: str, facts: Mapping[str, str]) -> None:
        if not self.tables:
            return
        self._close_cell()
        table = self.tables[-1]
        if name in CELLS:
            table.begin(head=name == "th", across=_whole(facts.get("colspan"), 1), down=_whole(facts.get("rowspan"), 1))
            self._push("td")
            self.scopes.append(Counter())
            return
        table.open_row = False
        if name == "tr":
            table.row()
        else:
            table.in_head = name == "thead"

    def _push(self, name: str) -> None:
        self.open.append(name)
        self.scopes[-1][name] += 1
        self.counts[name] += 1
        self.limits.depth_ok(self.clock.name, len(self.open))

    def _end(self, name: str) -> None:
        if name not in BLOCKS:
            return
        self.flush()
        if name in CELLS or name in GROUPS:
            if self.tables:
                self._close_cell()
                if name in GROUPS:
                    self.tables[-1].open_row = False
                    self.tables[-1].in_head = self.tables[-1].in_head and name == "tr"
        elif name not in FLAT and self._is_open(name):
            self._close(name)

    def _close_cell(self) -> None:
        if self.tables[-1].cell is not None:
            self._close("td")

    def _close(self, name: str) -> None:
        """Close an element that is open, and everything opened since."""
        last = ""
        while last != name:
            self.flush()
            last = self.open.pop()
            self.counts[last] -= 1
            if last in ("table", "td"):
                self.scopes.pop()
            self.scopes[-1][last] -= 1
            if last == "table":
                runs = self.tables.pop().runs(self.clock)
                self._sink().append(runs)
            elif last == "td":
                self.tables[-1].cell = None
            elif last in LISTS:
                self.lists.pop()
            elif last == "li":
                self.lists[-1].item, self.lists[-1].mark = False, ""
            elif last in HEADINGS:
                self.heading = 0

    # -- runs

    def _sink(self) -> Runs:
        if not self.tables:
            return self.root
        table = self.tables[-1]
        return table.loose if table.cell is None else table.cell.runs

    def flush(self) -> None:
        """End the run of text at hand; blank ones leave nothing."""
        if not self.parts:
            return
        raw = "".join(self.parts)
        self.parts.clear()
        if self.counts["pre"]:
            text = raw.replace("\0", "\n").strip("\n").rstrip()
            if text:
                self._sink().append(Run("code", text))
            return
        for piece in EMPTY.split("\n".join(SPACE.sub(" ", line).strip(" ") for line in raw.split("\0")).strip("\n")):
            if piece and not piece.isspace():
                self._sink().append(self._run(piece))

    def _run(self, text: str) -> Run:
        """A run of flowing text, of the kind that the open elements make it."""
        if self.heading and not self.headed:
            self.headed = True
            text = text.replace("\n", " ").rstrip(" ¶") or text
            self.first = self.first or (text if self.heading == 1 else "")
            return Run("heading", text, self.heading)
        if self.lists and self.lists[-1].item:
            mark, depth = self.lists[-1].mark, len(self.lists) - 1
            self.lists[-1].mark = ""
            return Run("list", mark + text, min(depth, 255), len(mark), 2 * min(depth, DEEPEST), bool(mark))
        return Run("quote" if self.counts["blockquote"] else "figure" if self.counts["figure"] else "text", text)

    def page(self) -> Page:
        """Close what is open and give every run its place."""
        self.flush()
        while self.open:
            self._close(self.open[-1])
        parts: list[str] = []
        blocks: list[Block] = []
        at, before = 0, ""
        todo: list[Run | Runs] = [self.root]
        while todo:
            item = todo.pop()
            if not isinstance(item, Run):
                todo.extend(reversed(item))
                continue
            gap = ("" if not before else "\n" if item.tight and before == "list" else "\n\n") + " " * item.indent
            start, end = at + len(gap), at + len(gap) + len(item.text)
            parts += (gap, item.text)
            blocks.append(Block(start, end, item.kind, item.level, (start + item.mark, end)))
            at, before = end, item.kind
            self.limits.chars_ok(self.clock.name, at)
        self.left_out.pop("skipped", None)
        text = "".join(parts)
        return Page(text, titled(text, blocks), self.title or self.first, dict(self.left_out))


def _whole(value: str | None, default: int) -> int:
    """A small whole number as attributes write it, else the default."""
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else default
