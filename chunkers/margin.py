"""Ask a language model at doubtful places whether to divide: the margin between its two answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import SkipValidation

from chunkers.rewarded import Sizes, finished, losses, rejoined
from chunkers.scaffold import Format, Scaffold, Units, remarked
from rag.doctree import DocTree, flat
from rag.errors import MissingWeights, ModelError
from rag.models.llm import checked_llm
from rag.models.logprobs import choices
from rag.models.prompts import fenced, prompt
from rag.stage import Field, stage
from rag.types import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MarginChunker"]

NAME = "chunkers/margin"
OPTIONS = ("1", "2")  # divide, keep together
FIRST, LAST = 4, 5  # published: decisions before the threshold moves, margins it is the mean of


def _default() -> Any:
    from rag.models.embedded import EmbeddedLLM

    return EmbeddedLLM()


@stage
class MarginChunker:
    """Divide where a language model would rather divide than keep together.

    Zhao et al., "Meta-Chunking: Learning Text Segmentation and Semantic Completion via Logical Perception",
    https://arxiv.org/abs/2410.12788, margin sampling chunking: the model sees two neighbouring passages and two
    numbered answers, and only the probabilities of the two numbers are read, so nothing is generated. The paper walks
    from sentence to sentence, which makes calls strictly one after the other and three times as long as the text. Here
    (`mode: reward`) it is asked only where structure is in doubt: of all places between units the `share` at which the
    programme of `chunkers/structure` would lose least by cutting, at most `calls` of them, none depending on another.
    The margin, less the median margin of the document (models lean to one number), is the reward of the cut there.

    `mode: threshold` is the published form: the chunk so far against the next unit, kept together where
    P(keep) - P(divide) exceeds a threshold, 0 for four decisions and then the mean of the last five margins. Departures
    there: sections are kept apart, chunks are joined up to `size` and never exceed the cap, and what the model is
    shown of either side is at most `window` tokens. Behind `calls` questions structure alone decides, and the tree's
    `chunker` note says so.

    Measured with the embedded model against `chunkers/structure` at the same size (`evals/reproduce/meta.py`: BM25, 159
    questions over SQuAD and CovidQA), gold characters in the first 512 tokens: -3.2 (95 %: -7.5 to 0.0) points, in
    1,024 -1.1 (95 %: -3.2 to 0.0). A model of 135 million weights is no judge of where to divide: worse if anything.

    Args:
        document: any text; its blocks are used where it has some.

    Returns:
        A tree as `chunkers/structure` gives.

    Raises:
        MissingWeights: the model's files are not here.
    """

    size: int = Field(default=160, ge=16, description="tokens wished for in a chunk")
    max_size: int | None = Field(default=None, ge=16, description="most tokens of a chunk; default 1.5 times `size`")
    min_size: int | None = Field(default=None, ge=0, description="fewest tokens; default a quarter of `size`")
    mode: Literal["reward", "threshold"] = Field(
        default="reward", description="rewards in the programme, or as published"
    )
    weight: float = Field(default=0.3, ge=0, description="reward: price of a cut taken off for a margin of 1")
    share: float = Field(default=0.2, ge=0, le=1, description="reward: share of the places between units that is asked")
    calls: int = Field(default=256, ge=0, description="most questions a document")
    window: int = Field(default=96, ge=8, description="most tokens shown of either side")
    llm: SkipValidation[Any] = Field(default_factory=_default, description="a model that tells token probabilities")
    tokenizer: str = Field(default="cl100k", description="whose tokens count")
    format: Format = Field(default="auto", description="how text without blocks is read")

    def __post_init__(self) -> None:
        """Check sizes, and the model by its type: its weights stay closed."""
        self._sizes()
        checked_llm(self.llm, f"{NAME}: llm")

    def _sizes(self) -> Sizes:
        return Sizes.of(self.size, self.max_size, self.min_size)

    @cached_property
    def _model(self) -> Any:
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
        reasons: list[str] = []
        try:
            if self.mode == "threshold":
                chosen = [list(one) for one in self._walked(document.text, rows, sizes, reasons)]
                return remarked(scaffold.tree(chosen), NAME, reasons)
            rewards = self._rewards(document.text, rows, sizes, reasons)
        except MissingWeights:
            raise
        except ModelError as error:
            reasons.append(f"cut by structure alone: {error}")
            rewards = [None] * len(rows)
        return finished(scaffold, sizes, rewards, NAME, reasons)

    def _rewards(
        self, text: str, rows: list[Units], sizes: Sizes, reasons: list[str]
    ) -> list[NDArray[np.float64] | None]:
        """For each stretch what its cuts earn."""
        doubts = [losses(units, sizes) for units in rows]
        lost = np.concatenate([*doubts, np.zeros(0)])
        inner = int(np.isfinite(lost).sum())
        wanted = round(self.share * inner)
        if wanted > self.calls:
            reasons.append(f"asked at {self.calls} places instead of {wanted}: `calls` is {self.calls}")
        asked = np.sort(np.argsort(lost, kind="stable")[: min(wanted, self.calls, inner)])
        begin = np.cumsum([0, *(len(one) for one in doubts)])
        places = []
        for one in asked.tolist():
            stretch = int(np.searchsorted(begin, one, side="right")) - 1
            places.append((stretch, one - int(begin[stretch])))
        pairs = [self._sides(text, rows[stretch], 0, cut) for stretch, cut in places]
        margins = -self._margins(pairs)
        rewards: list[NDArray[np.float64]] = [np.zeros(len(one)) for one in doubts]
        middle = float(np.median(margins)) if len(margins) else 0.0
        for (stretch, cut), margin in zip(places, margins.tolist(), strict=True):
            rewards[stretch][cut] = self.weight * (margin - middle)
        return list(rewards)

    def _walked(self, text: str, rows: list[Units], sizes: Sizes, reasons: list[str]) -> Iterator[list[int]]:
        """The published walk through each stretch; gives the units that chunks begin with."""
        threshold, past, asked = 0.0, deque[float](maxlen=LAST), 0
        for units in rows:
            ends: list[int] = []
            begin = 0
            for cut in range(1, len(units)):
                if int(units.left[begin] + units.right[cut + 1]) > sizes.cap:
                    ends.append(cut)
                    begin = cut
                    continue
                if asked == self.calls:
                    break
                asked += 1
                margin = float(self._margins([self._sides(text, units, begin, cut)])[0])
                if margin <= threshold:
                    ends.append(cut)
                    begin = cut
                past.append(margin)
                if asked > FIRST:
                    threshold = float(np.mean(past))
            yield rejoined(units, sizes, ends)
        if asked == self.calls:
            reasons.append(f"asked no more than {asked} times: `calls` is {self.calls}")

    def _sides(self, text: str, units: Units, first: int, cut: int) -> tuple[str, str]:
        """What stands before and behind a cut, whole units while the window holds them, at least one."""
        low = cut - 1
        while low > first and int(units.left[low - 1] + units.right[cut]) <= self.window:
            low -= 1
        high = cut + 1
        while high < len(units) and int(units.left[cut] + units.right[high + 1]) <= self.window:
            high += 1
        most = 8 * self.window  # characters, of a unit that is longer than the window
        begin, middle, end = int(units.at[low]), int(units.at[cut]), int(units.at[high])
        return text[max(begin, middle - most) : middle], text[middle : min(end, middle + most)]

    def _margins(self, pairs: list[tuple[str, str]]) -> NDArray[np.float64]:
        """float64 (n,), P(keep) - P(divide) of each pair of passages."""
        form = prompt("margin")
        asked = [
            form.fill(before=fenced(before.strip(), "first"), behind=fenced(behind.strip(), "second"))
            for before, behind in pairs
        ]
        found = choices(self._model, asked, OPTIONS, version=form.version)
        margins: NDArray[np.float64] = found[:, 1] - found[:, 0]
        return margins
