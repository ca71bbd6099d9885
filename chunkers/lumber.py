"""Ask where the matter changes: LumberChunker's question, in parallel over overlapping windows, ids only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydantic import SkipValidation

from chunkers.rewarded import Sizes, finished
from chunkers.scaffold import Format, Scaffold, Units
from chunkers.turning import turns, vectors
from chunkers.vectors import checked_embedder
from rag.doctree import DocTree, flat
from rag.errors import MissingWeights, ModelError
from rag.models.embed import Embedder, HashEmbedder
from rag.models.llm import LLM, checked_llm
from rag.models.prompts import fenced, prompt
from rag.models.typed import typed
from rag.pool import ordered
from rag.stage import Field, stage
from rag.types import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LumberChunker", "windows"]

NAME = "chunkers/lumber"
FEWEST = 3  # units of a window about which there is anything to ask
LETTERS = 8  # characters shown for each token of the window, of a unit that is longer
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"id": {"type": "integer"}},
    "required": ["id"],
    "additionalProperties": False,
}


class Window(NamedTuple):
    """Neighbouring units of one stretch.

    Args:
        stretch: its index.
        low: first unit.
        high: one past the last.
    """

    stretch: int
    low: int
    high: int


def windows(units: Units, stretch: int, size: int) -> list[Window]:
    """Windows of at most `size` tokens and at least 3 units, each beginning about halfway through the one before."""
    found: list[Window] = []
    count, low = len(units), 0
    while count - low >= FEWEST:
        high = min(low + FEWEST, count)
        while high < count and int(units.left[low] + units.right[high + 1]) <= size:
            high += 1
        found.append(Window(stretch, low, high))
        if high == count:
            break
        begin, low = low, low + 1
        while low < high - 1 and int(units.left[begin] + units.right[low + 1]) <= size // 2:
            low += 1
    return found


@stage
class LumberChunker:
    """Cut at the passages that a language model names as the first of another matter.

    Duarte et al., "LumberChunker: Long-Form Narrative Document Segmentation", Findings of EMNLP 2024,
    https://arxiv.org/abs/2406.17526: passages are numbered, about 550 tokens of them shown, and the model names the
    first that turns to something else; the next window begins there. Departures: windows are laid out beforehand, each
    half over the one before, so that all questions are asked at once; an id that does not stand in its window is sent
    back once and then replaced by the offline answer; an answer is not a cut but a reward (`weight`, for each window
    that names the place) in the programme of `chunkers/structure`, so overlapping windows are reconciled, sections are
    never joined, and the cap holds.

    Without a model, and where an answer cannot be used, a window names the place where the vectors of what stands
    before and behind differ most. The tree's `chunker` note counts those windows.

    Args:
        document: any text; its blocks are used where it has some.

    Returns:
        A tree as `chunkers/structure` gives.
    """

    size: int = Field(default=160, ge=16, description="tokens wished for in a chunk")
    max_size: int | None = Field(default=None, ge=16, description="most tokens of a chunk; default 1.5 times `size`")
    min_size: int | None = Field(default=None, ge=0, description="fewest tokens; default a quarter of `size`")
    window: int = Field(default=550, ge=32, description="tokens shown in a call")
    weight: float = Field(default=0.2, ge=0, description="price taken off a cut for each window that names it")
    calls: int = Field(default=512, ge=0, description="most calls a document; windows beyond are answered offline")
    llm: SkipValidation[LLM | None] = Field(default=None, description="names the places; None answers offline")
    embedder: SkipValidation[Embedder] = Field(default_factory=HashEmbedder, description="of the offline answer")
    workers: int = Field(default=4, ge=1, description="calls at once; changes no result")
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
        rows = [scaffold.units(stretch) for stretch in scaffold.stretches]
        laid = [one for i, units in enumerate(rows) for one in windows(units, i, self.window)]
        answers, reasons = self._answers(document.text, rows, laid)
        rewards = [np.zeros(len(units) + 1) for units in rows]
        for one, cut in zip(laid, answers, strict=True):
            rewards[one.stretch][cut] += self.weight
        return finished(scaffold, sizes, list(rewards), NAME, reasons)

    def _answers(self, text: str, rows: list[Units], laid: list[Window]) -> tuple[list[int], list[str]]:
        """For each window the unit that begins another matter, and what was given up."""
        asked = laid if self.llm is not None else []
        said = ordered(partial(self._ask, text, rows), asked[: self.calls], workers=self.workers)
        found: list[int | None] = list(said)
        failed = found.count(None)
        found += [None] * (len(laid) - len(found))
        reasons = []
        if failed:
            reasons.append(f"{failed} of {len(laid)} windows answered offline: the model's answer could not be used")
        if len(asked) > self.calls:
            reasons.append(
                f"{len(asked) - self.calls} of {len(laid)} windows answered offline: `calls` is {self.calls}"
            )
        dips: dict[int, NDArray[np.float64]] = {}
        for i, (one, cut) in enumerate(zip(laid, found, strict=True)):
            if cut is None:
                units = rows[one.stretch]
                if one.stretch not in dips:
                    dips[one.stretch] = vectors(self.embedder, text, units.spans())
                part = dips[one.stretch][one.low : one.high]
                found[i] = one.low + 1 + int(np.argmin(turns(part)[1:-1]))
        return [cut for cut in found if cut is not None], reasons

    def _ask(self, text: str, rows: list[Units], one: Window) -> int | None:
        """The unit that the model names, None where its answer cannot be used."""
        units = rows[one.stretch]
        count = one.high - one.low
        most = LETTERS * self.window // count
        lines = [
            f"[{i}] {' '.join(text[a : min(b, a + most)].split())}"
            for i, (a, b) in enumerate(units.spans()[one.low : one.high], 1)
        ]

        def parse(value: Any) -> int | None:
            number = value["id"]
            if not isinstance(number, int) or isinstance(number, bool) or not 2 <= number <= count:
                raise ValueError(f"id must be 2 to {count}")
            return one.low + number - 1

        form = prompt("lumber")
        try:
            made = typed(
                self._model,
                form.fill(sources=fenced("\n".join(lines)), last=str(count)),
                schema=SCHEMA,
                parse=parse,
                fallback=lambda: None,
                version=form.version,
                max_tokens=24,
            )
        except MissingWeights:
            raise
        except ModelError:
            return None
        return made.value
