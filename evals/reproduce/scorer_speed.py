"""What `rerankers/cross-encoder` costs on top of its bare network, and what batches would save.

The same pairs of question and passage go through the stage on one thread (headings, tokens, network, order), through
the bare session one pair a pass from tokens made beforehand, and through the bare session in batches of pairs of like
length, padded. Each block of pairs is measured in all ways one after the other, in turns, in processor time; a ratio is
of two ways on one block. Quantised activations are scaled over a whole batch, so that in batches a score depends on its
neighbours: how far is said too.
"""

from __future__ import annotations

import random
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.reproduce import SAMPLE, as_table
from evals.stats import interval
from rag.models.onnx import OnnxScorer
from rag.models.weights import locate
from rag.types import Document, Hit, Hits
from rerankers.cross_encoder import CrossEncoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Bare", "blocks", "measured", "reproduce"]

BLOCK, BLOCKS, SIZES = 12, 12, (4, 12)


class Bare:
    """The network of the default scorer without anything around it, on one thread."""

    def __init__(self) -> None:
        import onnxruntime as ort
        import tokenizers

        folder = locate(OnnxScorer().model)
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(512)
        self.names = {item.name for item in self.session.get_inputs()}

    def rows(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[list[int], list[int]]]:
        """Ids and segments of each pair."""
        return [(one.ids, one.type_ids) for one in self.tokenizer.encode_batch(list(pairs))]

    def score(self, rows: Sequence[tuple[list[int], list[int]]], size: int) -> NDArray[np.float32]:
        """The logits, in the order of the rows; batches of `size` rows of like length."""
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i][0]))
        out = np.empty(len(rows), dtype=np.float32)
        for at in range(0, len(order), size):
            part = order[at : at + size]
            width = len(rows[part[0]][0])
            feed = {name: np.zeros((len(part), width), dtype=np.int64) for name in self.names}
            for line, i in enumerate(part):
                ids, segments = rows[i]
                for name, values in (("input_ids", ids), ("token_type_ids", segments)):
                    if name in feed:
                        feed[name][line, : len(ids)] = values
                feed["attention_mask"][line, : len(ids)] = 1
            out[part] = np.ravel(self.session.run(None, feed)[0])
        return out


def blocks(seed: int, count: int = BLOCKS) -> list[Hits]:
    """Questions of the bundled sample, each with leaves drawn by seed."""
    data = load(SAMPLE)
    chunker, drawn = StructureChunker(), random.Random(seed)
    trees = [chunker(Document(doc, data.text(doc)[:60_000])) for doc in data.places]
    leaves = [(tree, leaf) for tree in trees for leaf in tree.leaves()]
    found = []
    for item in drawn.sample(list(data.items), count):
        some = drawn.sample(leaves, BLOCK)
        hits = tuple(Hit(tree, leaf.index, ((leaf.start, leaf.end),), 0.0) for tree, leaf in some)
        found.append(Hits(item.query(), hits))
    return found


def measured(given: Sequence[Hits], sizes: Sequence[int] = SIZES) -> dict[str, Any]:
    """Processor time of each way on each block, in seconds, and how far batched scores are from single ones."""
    stage, bare = CrossEncoder(scorer=OnnxScorer(threads=1), k=BLOCK), Bare()
    ways = ["stage", "bare, one a pass", *(f"bare, batches of {size}" for size in sizes)]
    taken: dict[str, list[float]] = {way: [] for way in ways}
    apart: dict[int, list[float]] = {size: [] for size in sizes}
    stage(given[0])
    for turn, hits in enumerate(given):
        rows = bare.rows([(hits.query.text, stage.passages(hit)[0]) for hit in hits])
        single: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        for step in range(len(ways)):
            way = ways[(turn + step) % len(ways)]
            begin = time.process_time()
            if way == "stage":
                stage(hits)
            elif way == ways[1]:
                single = bare.score(rows, 1)
            else:
                bare.score(rows, int(way.rsplit(" ", 1)[1]))
            taken[way].append(time.process_time() - begin)
        for size in sizes:
            apart[size] += np.abs(bare.score(rows, size) - single).tolist() if turn < 4 else []
    return {"seconds": taken, "apart": {size: max(values) for size, values in apart.items()}}


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Ratios of processor time, each with its interval over blocks."""
    count = min(given.limit or BLOCKS, BLOCKS)
    tell(f"{count} questions with {BLOCK} passages each\n")
    found = measured(blocks(given.seed, count))
    base = np.array(found["seconds"]["bare, one a pass"])
    result: dict[str, Any] = {"seed": given.seed, "questions": count, "passages": BLOCK, "ratios": {}}
    lines = []
    for way, seconds in found["seconds"].items():
        ratio = interval(np.array(seconds) / base, seed=given.seed)
        rate = count * BLOCK / sum(seconds)
        result["ratios"][way] = {
            "mean": round(ratio.value, 4),
            "low": round(ratio.low, 4),
            "high": round(ratio.high, 4),
            "n": ratio.n,
            "pairs a second": round(rate, 1),
        }
        lines.append([way, f"{rate:.1f}", f"{ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"])
    result["apart"] = {str(size): round(value, 4) for size, value in found["apart"].items()}
    told = "; ".join(f"{value} in batches of {size}" for size, value in result["apart"].items())
    result["table"] = as_table("way|pairs a second|processor time, bare one a pass = 1", lines) + (
        f"greatest distance of a logit from its own, alone: {told}\n"
    )
    return result
