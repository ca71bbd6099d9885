"""A binary tree of contexts: every stretch divided in two where its halves are least alike, until parts are small."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import SkipValidation

from chunkers.grouped import grouped
from chunkers.rewarded import Sizes
from chunkers.scaffold import Format, Scaffold, Units, remarked
from chunkers.turning import turns, vectors
from chunkers.vectors import checked_embedder
from rag.doctree import DocTree, flat
from rag.errors import MissingWeights, ModelError
from rag.models.embed import Embedder, HashEmbedder
from rag.models.llm import LLM, checked_llm
from rag.models.prompts import fenced, prompt
from rag.models.typed import typed
from rag.stage import Field, stage
from rag.types import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ContextSplit", "best_split"]

NAME = "chunkers/context-split"
DEEPEST = 24  # splits above each other; below, parts are halved by their tokens alone
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"id": {"type": "integer"}},
    "required": ["id"],
    "additionalProperties": False,
}


def best_split(alike: NDArray[np.float64], tokens: NDArray[np.int64], balance: float, fewest: int) -> int:
    """The place to divide a row of units in two: the least of `alike + balance * |share before - 1/2|`.

    Args:
        alike: float64 (n + 1,), likeness of the two sides of each place (`chunkers.turning`).
        tokens: int64 (n + 1,), tokens before each place, 0 first.
        balance: weight of even halves.
        fewest: units on either side, where there are as many.

    Returns:
        A place strictly between 0 and n; the first of equals.
    """
    count = len(alike) - 1
    edge = fewest if count >= 2 * fewest else 1
    share = tokens[edge : count - edge + 1] / max(int(tokens[-1]), 1)
    return edge + int(np.argmin(alike[edge : count - edge + 1] + balance * np.abs(share - 0.5)))


@stage
class ContextSplit:
    """Divide every section in two, and its halves in two, where the matter changes, until parts fit the size.

    The context-split tree of Quan, "Automatically Generating Numerous Context-Driven SFT Data for LLMs across Diverse
    Granularity" (AugCon), https://arxiv.org/abs/2405.16579, section 3.1: there a model rewrites each half so that it
    stands alone. Here halves are slices: a cut goes to the boundary between units that minimises the cosine of what
    stands on its two sides plus `balance` times how far it lies from the middle, with at least `fewest` units on either
    side. A model is optional and returns the number of a unit, for parts of at most `window` tokens; an answer that is
    no boundary allowed is sent back once and then replaced by the rule, and the tree's `chunker` note counts these.

    Args:
        document: any text; its blocks are used where it has some.

    Returns:
        A tree whose leaves have at most `max_size` tokens, whose sections are the document's, and whose `group` nodes
        are the parts of a section at every granularity, each of at most two below it.
    """

    size: int = Field(default=160, ge=16, description="parts of at most this many tokens are not divided")
    max_size: int | None = Field(default=None, ge=16, description="most tokens of a leaf; default 1.5 times `size`")
    min_size: int | None = Field(default=None, ge=0, description="sections below are not divided; default a quarter")
    balance: float = Field(default=0.2, ge=0, description="weight of even halves against unlike ones")
    fewest: int = Field(default=2, ge=1, description="units on either side of a cut, where there are as many")
    embedder: SkipValidation[Embedder] = Field(default_factory=HashEmbedder, description="vectors of the units")
    llm: SkipValidation[LLM | None] = Field(default=None, description="names the cuts; None takes the rule")
    window: int = Field(default=1200, ge=32, description="tokens of a part that the model may be shown")
    calls: int = Field(default=512, ge=0, description="most calls a document")
    tokenizer: str = Field(default="cl100k", description="whose tokens count")
    format: Format = Field(default="auto", description="how text without blocks is read")

    def __post_init__(self) -> None:
        """Check sizes, and the model by its type: its weights stay closed."""
        self._sizes()
        object.__setattr__(self, "embedder", checked_embedder(self.embedder, NAME))
        if self.llm is not None:
            checked_llm(self.llm, f"{NAME}: llm")

    def _sizes(self) -> Sizes:
        return Sizes.of(self.size, self.max_size, self.min_size)

    @cached_property
    def _model(self) -> LLM:
        return checked_llm(self.llm, f"{NAME}: llm")

    def __call__(self, document: Document, /) -> DocTree:
        """The document's outline; its leaves are the chunks."""
        if not document.text:
            return flat(document, (), tokenizer=self.tokenizer)
        sizes = self._sizes()
        scaffold = Scaffold.of(
            document, size=sizes.size, cap=sizes.cap, least=sizes.least, tokenizer=self.tokenizer, format=self.format
        )
        chosen: list[list[int]] = []
        groups: list[tuple[int, int]] = []
        told = {"asked": 0, "lost": 0}
        for stretch in scaffold.stretches:
            units = scaffold.units(stretch)
            starts, inner = self._divided(document.text, units, told)
            chosen.append(starts)
            groups += [(int(units.at[a]), int(units.at[b])) for a, b in inner]
        tree = grouped(scaffold.tree(chosen), groups)
        reasons = []
        if told["lost"]:
            reasons.append(f"{told['lost']} of {told['asked']} cuts by rule: the model's answer could not be used")
        if self.llm is not None and told["asked"] >= self.calls:
            reasons.append(f"asked no more than {told['asked']} times: `calls` is {self.calls}")
        return remarked(tree, NAME, reasons)

    def _divided(self, text: str, units: Units, told: dict[str, int]) -> tuple[list[int], list[tuple[int, int]]]:
        """The units that leaves begin with, and the parts of more than one leaf but for the whole."""
        count = len(units)
        starts: list[int] = []
        inner: list[tuple[int, int]] = []
        rows: NDArray[np.float64] | None = None
        stack = [(0, count, 0)]
        while stack:
            low, high, deep = stack.pop()
            held = int(units.left[low] + units.right[high])
            if high - low == 1 or held <= self.size:
                starts.append(low)
                continue
            if 0 < deep < DEEPEST:
                inner.append((low, high))
            before = np.concatenate(([0], units.left[low] + units.right[low + 1 : high + 1]))
            if deep >= DEEPEST:
                cut = low + best_split(np.zeros(high - low + 1), before, 1.0, 1)
            else:
                rows = vectors(self.embedder, text, units.spans()) if rows is None else rows
                cut = low + best_split(turns(rows[low:high]), before, self.balance, self.fewest)
                if self.llm is not None and held <= self.window and told["asked"] < self.calls:
                    cut = self._named(text, units, (low, high), cut, told)
            stack += [(cut, high, deep + 1), (low, cut, deep + 1)]
        return starts, inner

    def _named(self, text: str, units: Units, part: tuple[int, int], cut: int, told: dict[str, int]) -> int:
        """The cut of a part that the model names, else the one given."""
        low, high = part
        edge = self.fewest if high - low >= 2 * self.fewest else 1
        first, last = 1 + edge, high - low - edge + 1
        lines = [f"[{i}] {' '.join(text[a:b].split())}" for i, (a, b) in enumerate(units.spans()[low:high], 1)]

        def parse(value: Any) -> int | None:
            number = value["id"]
            if not isinstance(number, int) or isinstance(number, bool) or not first <= number <= last:
                raise ValueError(f"id must be {first} to {last}")
            return low + number - 1

        form = prompt("split")
        told["asked"] += 1
        try:
            made = typed(
                self._model,
                form.fill(sources=fenced("\n".join(lines)), first=str(first), last=str(last)),
                schema=SCHEMA,
                parse=parse,
                fallback=lambda: None,
                version=form.version,
                max_tokens=24,
            ).value
        except MissingWeights:
            raise
        except ModelError:
            made = None
        told["lost"] += made is None
        return cut if made is None else made
