"""The rows and cells of one HTML table, until it is known how to write them down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from rag.loaders.limits import Clock

__all__ = ["Cell", "Run", "Runs", "Table"]

COLUMNS = 1000  # the standard's own limit for spans, here for whole rows
ROWS = 65534


class Run(NamedTuple):
    """A block before it has a place in the text.

    Args:
        kind: of the block.
        text: with its mark, such as `- ` of a list item.
        level: as in `rag.types.Block`.
        mark: characters at the start that are no content.
        indent: spaces to stand in front of the block.
        tight: whether it follows a list item on the next line.
    """

    kind: str
    text: str
    level: int = 0
    mark: int = 0
    indent: int = 0
    tight: bool = False


Runs = list["Run | Runs"]


@dataclass
class Cell:
    """What one cell holds."""

    runs: Runs = field(default_factory=list)
    head: bool = False
    across: int = 1
    down: int = 1

    @property
    def text(self) -> str:
        """Everything in it on one line."""
        return " ".join(" ".join(run.text.split()) for run in self.runs if isinstance(run, Run))


@dataclass
class Table:
    """A table being read.

    `layout` is set when the table holds another table, a heading or preformatted text, or says that
    it is there for looks; `loose` is its caption and what stands outside all cells.
    """

    layout: bool = False
    rows: list[list[Cell]] = field(default_factory=list)
    loose: Runs = field(default_factory=list)
    cell: Cell | None = None
    open_row: bool = False
    in_head: bool = False
    heads: int = 0

    def row(self) -> None:
        """Begin a row."""
        self.rows.append([])
        self.open_row = True
        if self.in_head:
            self.heads = len(self.rows)

    def begin(self, *, head: bool, across: int, down: int) -> Cell:
        """Begin a cell."""
        if not self.open_row:
            self.row()
        self.cell = Cell([], head, max(1, min(across, COLUMNS)), max(1, min(down, ROWS)))
        self.rows[-1].append(self.cell)
        return self.cell

    def runs(self, clock: Clock) -> Runs:
        """The table as blocks.

        Returns:
            First what is loose. Then, for a table of data, one block of lines: a row a line, cells
            joined by ` | `, columns that are empty throughout left out; `mark` counts the
            characters of its header rows. A single row becomes a paragraph, and tables made for
            looks give the blocks of their cells one after the other.
        """
        grid = [] if self.layout else self._grid(clock)
        used = sorted({column for row, _ in grid for column in row})
        if len(used) < 2:
            return [*self.loose, *(cell.runs for row in self.rows for cell in row)]
        grid = [(row, head) for row, head in grid if row]
        heads = 0
        while heads < len(grid) - 1 and grid[heads][1]:
            heads += 1
        if len(grid) == 1:
            row = grid[0][0]
            return [*self.loose, Run("text", " ".join(row[column] for column in sorted(row)))]
        lines = [" | ".join(row.get(column, "") for column in used).strip() for row, _ in grid]
        mark = sum(len(line) + 1 for line in lines[:heads])
        return [*self.loose, Run("table", "\n".join(lines), mark=mark)]

    def _grid(self, clock: Clock) -> list[tuple[dict[int, str], bool]]:
        """For each row its texts by column, empty cells left out, and whether it is a header row."""
        grid: list[tuple[dict[int, str], bool]] = []
        until: dict[int, int] = {}  # column -> first row that no cell from above reaches
        for number, cells in enumerate(self.rows):
            clock.check()
            row: dict[int, str] = {}
            column = 0
            head = bool(cells) and all(cell.head or not cell.runs for cell in cells) and any(c.runs for c in cells)
            for cell in cells:
                while until.get(column, 0) > number:
                    column += 1
                if text := cell.text:
                    row[column] = text
                if cell.down > 1:
                    until.update(dict.fromkeys(range(column, min(column + cell.across, COLUMNS)), number + cell.down))
                column = min(column + cell.across, COLUMNS)
            grid.append((row, head or number < self.heads))
        return grid
