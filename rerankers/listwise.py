"""A language model puts windows of hits in order, from the back of the list to its front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from pydantic import SkipValidation

from rag.errors import ConfigError, MissingWeights, ModelError
from rag.models.llm import LLM, checked_llm
from rag.models.prompts import prompt
from rag.models.typed import typed
from rag.stage import Field, stage
from rag.types import Drop, Hit, Hits
from rerankers.shown import shown

__all__ = ["Listwise", "Repair", "repaired", "windows"]

NAME = "rerankers/listwise"
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"order": {"type": "array", "items": {"type": "integer"}}},
    "required": ["order"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Repair:
    """A permutation made of what a model said.

    Args:
        order: positions from 0, each once.
        missing: positions it did not name, appended in their old order.
        doubled: names of a position that was named before.
        invented: names of nothing that was shown.
    """

    order: tuple[int, ...]
    missing: int = 0
    doubled: int = 0
    invented: int = 0


def repaired(said: Sequence[Any], n: int) -> Repair:
    """A permutation of n positions from numbers that count from 1.

    Raises:
        ValueError: none of them names a position.
    """
    order: list[int] = []
    taken: set[int] = set()
    doubled = invented = 0
    for one in said:
        if not isinstance(one, int) or isinstance(one, bool) or not 1 <= one <= n:
            invented += 1
        elif one - 1 in taken:
            doubled += 1
        else:
            taken.add(one - 1)
            order.append(one - 1)
    if not order:
        raise ValueError(f"order must hold numbers from 1 to {n}")
    rest = [i for i in range(n) if i not in taken]
    return Repair((*order, *rest), len(rest), doubled, invented)


def windows(n: int, size: int, stride: int) -> list[tuple[int, int]]:
    """Ranges of n places from the back to the front; the last one begins at 0."""
    found = []
    end = n
    while n:
        found.append((max(0, end - size), end))
        if end <= size:
            break
        end -= stride
    return found


@stage
class Listwise:
    """Show a language model windows of hits and take the order it gives.

    RankGPT: Sun et al., "Is ChatGPT Good at Search? Investigating Large Language Models as Re-Ranking Agents", EMNLP
    2023, https://arxiv.org/abs/2304.09542, section 3.2: windows of 20 from the last hits to the first, each 10 over the
    one before, so that the best move up through all of them. Departures: the last window begins at the first hit,
    however many there are; the answer is JSON; a number named twice
    counts where it came first, one that was not shown is left out, one that was left out keeps its old place behind
    the named, and all three are counted; a window whose answer cannot be used, after one repair, keeps its order, as
    every window does where there is no model.

    Args:
        hits: n >= 0, best first; the order decides what is shown together.

    Returns:
        min(n, k) of the same hits in the new order; `score` is (n - rank + 1) / n for ranks from 1, as an order has no
        other strength. The note counts calls, repairs, windows kept as they were and passages shown in part.
    """

    llm: SkipValidation[LLM | None] = Field(default=None, description="gives the order; None keeps the old one")
    k: int = Field(default=10, ge=1, description="hits kept")
    window: int = Field(default=20, ge=2, description="passages shown in a call")
    stride: int = Field(default=10, ge=1, description="places between the ends of neighbouring windows")
    tokens: int = Field(default=200, ge=8, description="of a passage shown at most, headings apart")
    tokenizer: str = Field(default="cl100k", description="whose tokens count")

    def __post_init__(self) -> None:
        """Windows overlap; the model is looked at by its type alone."""
        if self.stride >= self.window:
            raise ConfigError(
                f"{NAME}: stride: must be below window={self.window}, so that windows overlap, got {self.stride}."
                f" Use {self.window // 2}."
            )
        if self.llm is not None:
            checked_llm(self.llm, f"{NAME}: llm")

    @cached_property
    def _model(self) -> LLM:
        return checked_llm(self.llm, f"{NAME}: llm")

    def __call__(self, hits: Hits, /) -> Hits:
        """Windows from back to front, then the first k."""
        if not hits.items:
            return hits
        items = list(hits.items)
        note = dict.fromkeys(("windows", "missing", "doubled", "invented", "kept", "cut"), 0)
        if self.llm is not None and hits.query.text.strip() and len(items) > 1:
            for low, high in windows(len(items), self.window, self.stride):
                part = items[low:high]
                made, lost = self._ask(hits.query.text, part)
                items[low:high] = [part[i] for i in made.order] if made else part
                note["windows"] += 1
                note["cut"] += lost
                note["kept"] += made is None
                for key in ("missing", "doubled", "invented"):
                    note[key] += getattr(made, key) if made else 0
        n = len(items)
        ranked = [
            replace(hit, score=(n - r) / n, scores={**hit.scores, NAME: (n - r) / n}) for r, hit in enumerate(items)
        ]
        drops = tuple(Drop(hit, NAME, f"rank {r} > k={self.k}") for r, hit in enumerate(ranked[self.k :], self.k + 1))
        notes = {**hits.notes, NAME: {"llm": self._model.name if self.llm is not None else None, **note}}
        return replace(hits, items=tuple(ranked[: self.k]), drops=hits.drops + drops, notes=notes)

    def _ask(self, question: str, part: Sequence[Hit]) -> tuple[Repair | None, int]:
        """The order of one window, None where the answer cannot be used; and how many passages were cut."""
        sources = shown(part, self.tokens, self.tokenizer)
        form = prompt("rank")

        def parse(value: Any) -> Repair | None:
            return repaired(_row(value), len(part))

        try:
            made = typed(
                self._model,
                form.fill(question=question, sources=sources.text, last=str(len(part))),
                schema=SCHEMA,
                parse=parse,
                fallback=lambda: None,
                version=form.version,
                max_tokens=16 + 6 * len(part),
            )
        except MissingWeights:
            raise
        except ModelError:
            return None, sources.cut
        return made.value, sources.cut


def _row(value: Any) -> Sequence[Any]:
    row = value["order"]
    if not isinstance(row, list):
        raise TypeError("order must be an array of numbers")
    return row
