"""A table from documents: a row each (or a section, or an entity), a column a question, every cell with its spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import SkipValidation

from rag.doctree import DocTree
from rag.errors import ConfigError
from rag.models.ledger import spending
from rag.models.llm import LLM, checked_llm
from rag.models.onnx import OnnxScorer
from rag.models.score import Scorer, checked_scorer
from rag.models.tokens import counter
from rag.readers.citing import cited_hits, fitting
from rag.readers.render import rendered
from rag.readers.table import TYPES, Cell, Column, Table
from rag.readers.values import polarity, typed_cell
from rag.stage import Field, stage
from rag.trees.aim import AGGREGATE, aim_of
from rag.trees.mapreduce import MapReduce
from rag.trees.rationale import Evidence, Rationale
from rag.types import Answer, Citation, Drop, Hits, Query

__all__ = ["Matrix"]

NAME = "readers/matrix"
SURE, WORDS = 0.24, 0.45  # least confidence of a cell, with a scorer and without
DOUBT = 0.5  # offline cells below it are asked again where there is a language model
NEITHER = ("text", "list", "yes-no")


class Row(NamedTuple):
    """Where the cells of a row are looked for: trees, each with the leaves that may be read (None: all)."""

    name: str
    places: tuple[tuple[DocTree, frozenset[int] | None], ...]


@stage
class Matrix:
    """Fill a table: rows by columns, each cell an answer with its spans, its confidence, or the reason it is empty.

    The matrix of A-MapReduce (https://arxiv.org/abs/2602.01331) without its web agents: every cell is one map-reduce
    over its row's text (`rag.trees.mapreduce`), rows and columns come in a fixed order, and a cell that is missing
    stays empty and says why. What is looked for depends on the column's type: `text` is the best supported span,
    `list` all distinct items, `yes-no` the polarity of the best sentence (a word of negation turns it), `number`,
    `date`, `year`, `amount`, `money`, `percent`, `span` and `time` a value of that look in the best sentences, the one
    that the answer holds first. With a language model, cells that the rules leave empty or unsure are asked again.

    As a reader its rows are the documents of the hits (or their sections, or the entities named in the settings) and
    its answer is the table as CSV or JSON; without columns there is one, the question itself.

    Args:
        hits: their trees hold the documents.

    Returns:
        `answered` where at least one cell holds a value; the citations are the cells' spans, row by row.

    Raises:
        ConfigError: a column lacks its name or question, or has a type that does not exist.
        MissingWeights: a model's files are not here.
    """

    columns: tuple[Mapping[str, str], ...] = Field(
        default=(), description="`name`, `question` ({row} stands for the row's name) and `type` (default text) of each"
    )
    rows: Literal["documents", "sections", "entities"] = Field(default="documents", description="what a row is")
    entities: tuple[str, ...] = Field(default=(), description="names of the rows, where rows are entities")
    form: Literal["csv", "json"] = Field(default="csv", description="of the answer's text")
    llm: SkipValidation[LLM | None] = Field(default=None, description="asked about cells the rules are unsure of")
    scorer: SkipValidation[Scorer | None] = Field(
        default_factory=OnnxScorer, description="scores sentences; None: by their words"
    )
    threshold: float | None = Field(default=None, description="cells below this confidence stay empty")
    budget: int = Field(default=3000, ge=0, description="tokens of context shown; a query's own budget goes first")
    most: int = Field(default=24, ge=1, description="units of a row read for a cell, best first")
    quotes: bool = Field(default=True, description="ask the model for verbatim quotations, and verify them")
    cache: Path | None = Field(default=None, description="file of finished steps, so that a killed run goes on")
    tokenizer: str = Field(default="cl100k", description="counts the budget")

    def __post_init__(self) -> None:
        """Check the columns, and the models by their types alone."""
        names = [self._column(i, one).name for i, one in enumerate(self.columns)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"{NAME}: columns: names must differ, got {twice[0]!r} twice. Rename one.")
        if self.rows == "entities" and not self.entities:
            raise ConfigError(f"{NAME}: entities: must name at least one row where `rows: entities`, got none.")
        if self.llm is not None:
            object.__setattr__(self, "llm", checked_llm(self.llm, f"{NAME}: llm"))
        if self.scorer is not None:
            checked_scorer(self.scorer, f"{NAME}: scorer")

    def _column(self, place: int, given: Mapping[str, str]) -> Column:
        unknown = sorted(set(given) - {"name", "question", "type"})
        if unknown:
            raise ConfigError(f"{NAME}: columns[{place}].{unknown[0]}: unknown. Use name, question and type.")
        name, question = given.get("name", "").strip(), given.get("question", "").strip()
        if not name or not question:
            lacking = "question" if name else "name"
            raise ConfigError(f"{NAME}: columns[{place}].{lacking}: must be given and not empty.")
        kind = given.get("type", "text")
        if kind not in TYPES:
            raise ConfigError(f"{NAME}: columns[{place}].type: must be one of {', '.join(TYPES)}, got {kind!r}.")
        return Column(name, question, kind)

    @cached_property
    def _offline(self) -> MapReduce:
        return MapReduce(scorer=self.scorer, most=self.most, cache=self.cache, tokenizer=self.tokenizer)

    @cached_property
    def _asking(self) -> MapReduce:
        return replace(self._offline, llm=self.llm, quotes=self.quotes)

    def __call__(self, hits: Hits, /) -> Answer:
        """Fill the table for the documents of the hits."""
        query = hits.query
        trees = list({hit.doc: hit.tree for hit in hits}.values())
        columns = self.columns or ({"name": "answer", "question": query.text.strip() or "?"},)
        if not trees:
            return Answer(query, "", "abstained", (), hits, notes={NAME: {"abstained": "no evidence"}})
        with spending() as book:
            table = replace(self, columns=columns).table(trees)
        usage = {name: amount for name, amount in book.usage().items() if name != "seconds"}
        filled = [cell for row in table.cells for cell in row if cell.status == "found"]
        notes: dict[str, Any] = {
            "rows": len(table.rows),
            "columns": len(table.columns),
            "found": len(filled),
            "empty": sum(cell.status == "empty" for row in table.cells for cell in row),
            "errors": sum(cell.status == "error" for row in table.cells for cell in row),
        }
        context, shown = self._context(hits, trees, filled)
        if shown < len(filled):
            notes["cells not in the context"] = len(filled) - shown
        if not filled:
            notes["abstained"] = "no cell"
            return Answer(query, "", "abstained", (), context, 0.0, usage, notes={NAME: notes})
        text = table.to_csv() if self.form == "csv" else table.to_json()
        cited = tuple(dict.fromkeys(c for cell in filled for c in cell.citations))
        least = min(cell.confidence for cell in filled)
        return Answer(query, text, "answered", cited, context, least, usage, notes={NAME: notes})

    def table(self, trees: Sequence[DocTree]) -> Table:
        """The table, rows in the order of the documents, their sections, or the entities given.

        Args:
            trees: the documents.
        """
        columns = tuple(self._column(i, one) for i, one in enumerate(self.columns))
        rows = self._rows(trees)
        cells = tuple(tuple(self.cell(row, column) for column in columns) for row in rows)
        return Table(tuple(row.name for row in rows), columns, cells)

    def _rows(self, trees: Sequence[DocTree]) -> list[Row]:
        if self.rows == "documents":
            return [Row(tree.document.title or tree.document.id, ((tree, None),)) for tree in trees]
        if self.rows == "entities":
            return [Row(name, tuple((tree, None) for tree in trees)) for name in self.entities]
        found = []
        for tree in trees:
            for node in _sections(tree):
                leaves = tree.leaf_ids
                inside = (tree.start[leaves] >= tree.start[node]) & (tree.end[leaves] <= tree.end[node])
                name = tree[node].title if len(trees) == 1 else f"{tree.document.id}: {tree[node].title}"
                found.append(Row(name, ((tree, frozenset(leaves[inside].tolist())),)))
        return found

    def cell(self, row: Row, column: Column) -> Cell:
        """One cell: by the rules, and by the language model where these are unsure."""
        asked = column.question.replace("{row}", row.name)
        if self.rows == "entities" and asked == column.question:
            asked = f"{row.name}: {asked}"
        if column.type == "list" and aim_of(asked).aim not in AGGREGATE:
            asked = f"List all: {asked}"
        cell = self._filled(self._offline, row, column, asked)
        if self.llm is None or (cell.status == "found" and cell.confidence >= DOUBT):
            return cell
        again = self._filled(self._asking, row, column, asked)
        return again if again.status == "found" and again.confidence >= cell.confidence else cell

    def _filled(self, use: MapReduce, row: Row, column: Column, asked: str) -> Cell:
        query = Query("cell", asked)
        said = [(tree, use(query, tree, only)) for tree, only in row.places]
        claims = sorted(
            ((claim, tree) for tree, made in said for claim in made.claims), key=lambda pair: -pair[0].confidence
        )
        if not claims:
            return _missing([made for _, made in said])
        least = self.threshold if self.threshold is not None else SURE if self.scorer is not None else WORDS
        if column.type == "list":
            claims = sorted(claims, key=lambda pair: pair[0].evidence[0].span)
            value = "; ".join(dict.fromkeys(" ".join(claim.answer.split()) for claim, _ in claims))
            sure = min(claim.confidence for claim, _ in claims)
            spans = [(tree, claim.evidence[0].span.start, claim.evidence[0].span.end) for claim, tree in claims]
            return Cell(value, "found", "", sure, tuple(Citation.of(t.document, a, b) for t, a, b in spans))
        best, tree = claims[0]
        if best.confidence < least:
            return Cell("", "empty", f"best answer {best.confidence:.3f} < {least:g}", best.confidence)
        if column.type not in NEITHER:
            return typed_cell(claims, column.type, asked, least)
        value = polarity(asked, best.evidence[0]) if column.type == "yes-no" else " ".join(best.answer.split())
        cited = Citation.of(tree.document, best.evidence[0].span.start, best.evidence[0].span.end)
        return Cell(value, "found", "", best.confidence, (cited,))

    def _context(self, hits: Hits, trees: Sequence[DocTree], filled: Sequence[Cell]) -> tuple[Hits, int]:
        """The cells' sentences as a context, and how many cells it holds."""
        budget = self.budget if hits.query.budget is None else hits.query.budget
        tokenizer = counter(self.tokenizer)
        by_doc = {tree.document.id: tree for tree in trees}
        rows = [
            [Evidence(by_doc[c.doc].document.span(c.start, c.end), c.quote, cell.confidence) for c in cell.citations]
            for cell in filled
        ]

        def context(count: int) -> Any:
            return cited_hits(by_doc, [one for row in rows[:count] for one in row], NAME)

        low = fitting(context, len(rows), budget, tokenizer)
        items = context(low)
        kept = {(h.doc, h.node) for h in items}
        drops = tuple(Drop(hit, NAME, "no cell rests on it") for hit in hits if (hit.doc, hit.node) not in kept)
        size = rendered(items, tokenizer).tokens
        return replace(hits, items=items, drops=hits.drops + drops, tokens=size), low


def _sections(tree: DocTree) -> list[int]:
    """Titled nodes of the first depth that has several; of the deepest where none has."""
    depth: dict[int, list[int]] = {}
    level = [0] * len(tree)
    for i, up in enumerate(tree.parent.tolist()):
        titled = bool(tree.titles[i, 1] > tree.titles[i, 0])
        level[i] = (level[up] if up >= 0 else 0) + titled
        if titled:
            depth.setdefault(level[i], []).append(i)
    several = [nodes for _, nodes in sorted(depth.items()) if len(nodes) > 1]
    return several[0] if several else next((nodes for _, nodes in sorted(depth.items(), reverse=True)), [])


def _missing(said: Sequence[Rationale]) -> Cell:
    faults = [fault for made in said for fault in made.faults]
    if faults:
        return Cell("", "error", f"{faults[0].error}: {faults[0].message}", 0.0)
    partial = any(made.status == "partial" for made in said)
    return Cell("", "empty", "a part of what is asked for only" if partial else "nothing speaks of it", 0.0)
