"""A language model grades each hit by itself; the grades decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import SkipValidation

from rag.errors import MissingWeights, ModelError
from rag.models.llm import LLM, checked_llm
from rag.models.logprobs import choices
from rag.models.prompts import prompt
from rag.models.typed import typed
from rag.pool import ordered
from rag.stage import Field, stage
from rag.types import Drop, Hit, Hits
from rerankers.shown import shown

__all__ = ["Grades", "Pointwise", "graded"]

NAME = "rerankers/pointwise"
TOP = 3  # the best grade
UNKNOWN = 1.5  # of a hit without a grade: the middle of the scale
DIGITS = 4  # of an expected grade
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "grades": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "integer"}, "grade": {"type": "integer", "minimum": 0, "maximum": TOP}},
                "required": ["id", "grade"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["grades"],
    "additionalProperties": False,
}


class Grades(NamedTuple):
    """What a model said of n passages.

    Args:
        values: a grade each, None where it gave none.
        doubled: grades of a passage that had one; the first counts.
        invented: grades of nothing that was shown, or off the scale.
    """

    values: tuple[float | None, ...]
    doubled: int = 0
    invented: int = 0


def graded(said: Sequence[Any], n: int) -> Grades:
    """Grades by place, from rows that name a passage from 1.

    Raises:
        ValueError: none of the rows can be used.
    """
    values: list[float | None] = [None] * n
    doubled = invented = 0
    for row in said:
        number, grade = (row.get("id"), row.get("grade")) if isinstance(row, dict) else (None, None)
        if type(number) is not int or type(grade) is not int or not (1 <= number <= n and 0 <= grade <= TOP):
            invented += 1
        elif values[number - 1] is not None:
            doubled += 1
        else:
            values[number - 1] = float(grade)
    if values.count(None) == n:
        raise ValueError(f"grades must hold an id from 1 to {n} and a grade from 0 to {TOP}")
    return Grades(tuple(values), doubled, invented)


@stage
class Pointwise:
    """Grade every hit from 0 (another matter) to 3 (the answer stands in it), and order by grade.

    `grades` shows several passages a call and reads JSON. `expected` shows one a call and takes the mean of the grades
    by the probabilities that the model gives to each digit, so that equal digits still differ: Zhuang et al., "Beyond
    Yes and No: Improving Zero-Shot LLM Rankers via Scoring Fine-Grained Relevance Labels", NAACL 2024,
    https://arxiv.org/abs/2310.14122. Departure: digits with a rubric stand for the labels.

    A grade for a passage that was not shown is left out, of two for one passage the first counts, and both are
    counted. A passage without a grade, after one repair, counts 1.5, the middle, and `least` never drops it: silence is
    no judgement. Without a model nothing has a grade and the order stays.

    Args:
        hits: n >= 0, best first.

    Returns:
        At most k of the same hits by falling grade, equal grades in the order given; `score` is
        (grade + (n - rank + 1) / n) / 4 in [0, 1], rank being the place in the input from 1.
    """

    llm: SkipValidation[LLM | None] = Field(default=None, description="gives the grades; None keeps the order")
    k: int = Field(default=10, ge=1, description="hits kept")
    way: Literal["grades", "expected"] = Field(default="grades", description="JSON for several, or a digit for each")
    least: int = Field(default=0, ge=0, le=TOP, description="grade below which a hit is dropped")
    group: int = Field(default=10, ge=1, description="passages shown in a call of `grades`")
    tokens: int = Field(default=200, ge=8, description="of a passage shown at most, headings apart")
    workers: int = Field(default=4, ge=1, description="calls at once; changes no result")
    tokenizer: str = Field(default="cl100k", description="whose tokens count")

    def __post_init__(self) -> None:
        """Look at the model by its type alone, so that no weights open."""
        if self.llm is not None:
            checked_llm(self.llm, f"{NAME}: llm")

    @cached_property
    def _model(self) -> LLM:
        return checked_llm(self.llm, f"{NAME}: llm")

    def __call__(self, hits: Hits, /) -> Hits:
        """Grade, order, cut."""
        if not hits.items:
            return hits
        n = len(hits)
        values: list[float | None] = [None] * n
        note: dict[str, Any] = {"llm": None, "doubled": 0, "invented": 0, "cut": 0}
        if self.llm is not None and hits.query.text.strip():
            note["llm"] = self._model.name
            groups = self._expected(hits) if self.way == "expected" else self._grades(hits)
            values = [value for made, _ in groups for value in made.values]
            note["cut"] = sum(cut for _, cut in groups)
            for made, _ in groups:
                note["doubled"] += made.doubled
                note["invented"] += made.invented
        note["ungraded"] = values.count(None)
        known = np.array([UNKNOWN if value is None else value for value in values])
        scores = np.round((known + (n - np.arange(n)) / n) / (TOP + 1), 9).tolist()
        kept: list[Hit] = []
        drops: list[Drop] = []
        order = sorted(range(n), key=lambda i: (-float(known[i]), i))
        for rank, i in enumerate(order, 1):
            one = replace(hits.items[i], score=scores[i], scores={**hits.items[i].scores, NAME: scores[i]})
            value = values[i]
            if value is not None and value < self.least:
                drops.append(Drop(one, NAME, f"grade {value:.2f} < least={self.least}"))
            elif len(kept) == self.k:
                drops.append(Drop(one, NAME, f"rank {rank} > k={self.k}"))
            else:
                kept.append(one)
        return replace(hits, items=tuple(kept), drops=(*hits.drops, *drops), notes={**hits.notes, NAME: note})

    def _grades(self, hits: Hits) -> list[tuple[Grades, int]]:
        """Grades of each group and how many of its passages were cut."""
        items = hits.items
        groups = [items[at : at + self.group] for at in range(0, len(items), self.group)]
        return list(ordered(lambda group: self._ask(hits.query.text, group), groups, workers=self.workers))

    def _ask(self, question: str, group: Sequence[Hit]) -> tuple[Grades, int]:
        sources = shown(group, self.tokens, self.tokenizer)
        form = prompt("grade")
        nothing = Grades((None,) * len(group))
        try:
            made = typed(
                self._model,
                form.fill(question=question, sources=sources.text, last=str(len(group))),
                schema=SCHEMA,
                parse=lambda value: graded(_rows(value), len(group)),
                fallback=lambda: nothing,
                version=form.version,
                max_tokens=16 + 16 * len(group),
            )
        except MissingWeights:
            raise
        except ModelError:
            return nothing, sources.cut
        return made.value, sources.cut

    def _expected(self, hits: Hits) -> list[tuple[Grades, int]]:
        """The expected grade of each hit; none of any where the model fails."""
        form = prompt("grade-one")
        sources = [shown([hit], self.tokens, self.tokenizer) for hit in hits]
        asked = [form.fill(question=hits.query.text, sources=one.text) for one in sources]
        digits = [str(grade) for grade in range(TOP + 1)]
        try:
            shares = choices(self._model, asked, digits, version=form.version)
        except MissingWeights:
            raise
        except ModelError:
            return [(Grades((None,)), one.cut) for one in sources]
        means = np.round(shares @ np.arange(TOP + 1, dtype=np.float64), DIGITS).tolist()
        return [(Grades((mean,)), one.cut) for mean, one in zip(means, sources, strict=True)]


def _rows(value: Any) -> Sequence[Any]:
    rows = value["grades"]
    if not isinstance(rows, list):
        raise TypeError("grades must be an array")
    return rows
