"""Cut behind the sentences that a language model finds easiest: local minima of perplexity."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import SkipValidation

from chunkers.rewarded import Sizes, finished, rejoined, robust
from chunkers.scaffold import Format, Scaffold, remarked
from rag.doctree import DocTree, flat
from rag.errors import MissingWeights, ModelError
from rag.models.logprobs import tells_tokens, token_probs
from rag.stage import Field, stage
from rag.types import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PerplexityChunker", "fall", "minima", "surprisal"]

NAME = "chunkers/perplexity"
MOST = 2.0  # deviations; a fall that is deeper counts as this


def _default() -> Any:
    from rag.models.embedded import EmbeddedLLM

    return EmbeddedLLM()


@stage
class PerplexityChunker:
    """Cut where a language model is most certain, and leave what puzzles it whole.

    Zhao et al., "Meta-Chunking: Learning Text Segmentation and Semantic Completion via Logical Perception",
    https://arxiv.org/abs/2410.12788, perplexity chunking. The score of a unit (sentence, list item, table) is the mean
    negative log-likelihood of its tokens given what comes before. The paper cuts behind every local minimum that is
    deep enough, whatever comes of it; here (`mode: reward`) the depth of the fall, in units of the document's own
    spread so that one weight serves every model, is taken off the price of the cut in the programme of
    `chunkers/structure`:

        reward behind unit i = weight * (min(p[i-1], p[i+1]) - p[i]),   p standardised by median and median distance

    so caps, sections and even sizes stand. `mode: threshold` is the published form: all minima with a fall of at least
    `threshold` nats, then neighbours joined up to `size`. Departures there: sections are kept apart, what exceeds the
    cap is divided by structure, the last tokens of long sentences are not lost, and the threshold does not move.

    A sentence sees 256 to 512 tokens before it (`rag.models.causal`). Units that no blank divides are not read, and
    nothing behind `reads` characters: both are cut by structure alone, and the tree's `chunker` note says so.

    Measured with the embedded model against `chunkers/structure` at the same size (`evals/reproduce/meta.py`: BM25, 159
    questions over SQuAD and CovidQA, near the ceiling: 97.4), gold characters in the first 512 tokens: `reward` +0.0
    (95 %: 0.0 to 0.0) points, in 1,024 +0.0 (95 %: 0.0 to 0.0), no question changed though a third of the cuts did;
    `threshold` -8.3 (-13.9 to -3.3) and -3.4 (-7.0 to -0.5). Of the cuts 0.39 lie behind a minimum with structure
    alone, 0.62 with rewards, 0.98 as published. So it earned nothing. It reads 241 tokens a CPU second from end to
    end, 388 a second on two cores; llama.cpp 151 of the same text in the same run.

    Args:
        document: any text; its blocks are used where it has some.

    Returns:
        A tree as `chunkers/structure` gives; the note `margin` tells how sure each chunk is.

    Raises:
        MissingWeights: the model's files are not here.
    """

    size: int = Field(default=160, ge=16, description="tokens wished for in a chunk")
    max_size: int | None = Field(default=None, ge=16, description="most tokens of a chunk; default 1.5 times `size`")
    min_size: int | None = Field(default=None, ge=0, description="fewest tokens; default a quarter of `size`")
    mode: Literal["reward", "threshold"] = Field(
        default="reward", description="rewards in the programme, or as published"
    )
    weight: float = Field(default=0.1, ge=0, description="reward: price of a cut taken off for one deviation of fall")
    threshold: float = Field(default=0.0, ge=0, description="threshold: least fall in nats on the steeper side")
    reads: int = Field(default=1_000_000, ge=1, description="most characters of a document that the model reads")
    llm: SkipValidation[Any] = Field(default_factory=_default, description="a model that tells token probabilities")
    tokenizer: str = Field(default="cl100k", description="whose tokens count")
    format: Format = Field(default="auto", description="how text without blocks is read")

    def __post_init__(self) -> None:
        """Check sizes, and the model by its type: its weights stay closed."""
        self._sizes()
        tells_tokens(self.llm, f"{NAME}: llm")

    def _sizes(self) -> Sizes:
        return Sizes.of(self.size, self.max_size, self.min_size)

    def __call__(self, document: Document, /) -> DocTree:
        """The document's outline; its leaves are the chunks."""
        if not document.text:
            return flat(document, (), tokenizer=self.tokenizer)
        sizes = self._sizes()
        scaffold = Scaffold.of(
            document, size=sizes.size, cap=sizes.cap, least=sizes.least, tokenizer=self.tokenizer, format=self.format
        )
        rows, reasons = surprisal(scaffold, self.llm, self.reads)
        if self.mode == "reward":
            spread = robust(np.concatenate([*rows, np.zeros(0)]))
            rows = np.split(spread, np.cumsum([len(row) for row in rows]))[:-1]
            return finished(scaffold, sizes, [self.weight * fall(row) for row in rows], NAME, reasons)
        join = partial(rejoined, sizes=sizes)
        chosen = [
            join(scaffold.units(stretch), ends=minima(row, self.threshold))
            for stretch, row in zip(scaffold.stretches, rows, strict=True)
        ]
        return remarked(scaffold.tree(chosen), NAME, reasons)


def surprisal(scaffold: Scaffold, llm: Any, reads: int) -> tuple[list[NDArray[np.float64]], list[str]]:
    """Mean negative log-likelihood of each unit of a document, in nats a token; NaN where the model did not read.

    Returns:
        float64 (n,) for each stretch of n units, a small section that is not cut being one; and what was given up.
    """
    at, text = scaffold.cuts.at, scaffold.document.text
    count = len(at) - 1
    total, tokens = np.zeros(count), np.zeros(count)
    reasons: list[str] = []
    left = reads
    for low, high in _regions(scaffold):
        start, end = int(at[low]), int(at[high])
        stop = min(end, start + left)
        left -= stop - start
        if stop > start:
            try:
                found = token_probs(llm, text[start:stop])
            except MissingWeights:
                raise
            except ModelError as error:
                reasons.append(f"characters {start} to {stop} cut by structure alone: {error}")
                continue
            unit = np.searchsorted(at, start + found.ends - 1, side="right")[1:] - 1
            np.subtract.at(total, unit, found.logprobs[1:].astype(np.float64))
            np.add.at(tokens, unit, 1.0)
        if stop < end:
            total[np.searchsorted(at, stop, side="right") - 1] = np.nan  # only its beginning was read
            reasons.append(f"cut by structure alone behind character {stop}: `reads` is {reads}")
            break
    sums, counts = (np.concatenate(([0.0], np.cumsum(column))) for column in (np.nan_to_num(total), tokens))
    unread = np.concatenate(([0], np.cumsum(np.isnan(total))))
    return [_means(np.array(stretch.marks), sums, counts, unread) for stretch in scaffold.stretches], reasons


def _means(
    marks: NDArray[np.int64], sums: NDArray[np.float64], counts: NDArray[np.float64], unread: NDArray[np.int64]
) -> NDArray[np.float64]:
    """float64 (n,), mean of each unit between marks, from running sums; NaN without a token or where some is unread."""
    tokens = np.diff(counts[marks])
    known = (tokens > 0) & (np.diff(unread[marks]) == 0)
    return np.where(known, np.diff(sums[marks]) / np.maximum(tokens, 1), np.nan)


def _regions(scaffold: Scaffold) -> list[tuple[int, int]]:
    """Ranges of units to read: what lies between units that no blank divides, where there is anything to decide."""
    walls = np.array(sorted({-1, len(scaffold.cuts.at) - 1, *scaffold.cuts.hard}))
    wide = [stretch.marks[0] for stretch in scaffold.stretches if len(stretch.marks) > 3]
    used = np.unique(np.searchsorted(walls, wide, side="right"))
    return [(int(walls[k - 1]) + 1, int(walls[k])) for k in used.tolist()]


def fall(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each unit lies below the lower of its neighbours, put behind the unit.

    Args:
        scores: float64 (n,), of the units of one stretch; NaN where not known.

    Returns:
        float64 (n + 1,), between -2 and 2; 0 behind the first and the last unit and where a score is not known.
    """
    found = np.zeros(len(scores) + 1)
    if len(scores) > 2:
        found[2:-1] = np.minimum(scores[:-2], scores[2:]) - scores[1:-1]
    return np.clip(np.nan_to_num(found, nan=0.0), -MOST, MOST)


def minima(scores: NDArray[np.float64], threshold: float) -> list[int]:
    """Places behind local minima that are deep enough, as published.

    A unit counts that lies below the one before it, and not above the one behind it, with a fall of at least the
    threshold on its steeper side (on the side before it where it equals the one behind).

    Args:
        scores: float64 (n,), of the units of one stretch; NaN where not known.
        threshold: nats.

    Returns:
        Ascending places strictly between 0 and n.
    """
    if len(scores) < 3:
        return []
    before, here, behind = scores[:-2], scores[1:-1], scores[2:]
    down, up = before - here, behind - here
    deep = (down > 0) & (((up > 0) & (np.maximum(down, up) >= threshold)) | ((up == 0) & (down >= threshold)))
    return (np.flatnonzero(deep) + 2).tolist()
