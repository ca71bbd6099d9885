"""How much indexing costs beside the embedder it cannot do without."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rag import config
from rag.pipeline import retrievers_of
from rag.store.corpus import indexed_text

__all__ = ["bench"]

SAMPLES = Path(__file__).parents[1] / "samples"
BATCH = 32  # texts; of the plain loop


def bench(
    path: Path | None = None,
    *,
    repeat: int = 3,
    chunks: int = 400,
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, Any]:
    """Time `quickstart`'s indexing beside its embedder alone and beside a plain session loop.

    All three see the same chunks; they run in turn, `repeat` times, and medians are compared.
    Indexing means everything: reading files, chunking, both retrievers' parts, writing to disk.

    Args:
        path: documents; default the bundled papers.
        repeat: rounds.
        chunks: about how many chunks to index; whole documents are taken until there are as many.
        progress: called with (done, total, label).

    Returns:
        `tables` to print and `figures` by name: passages a second and the ratio to the bare embedder.
    """
    import tempfile

    tell = progress or (lambda done, total, label: None)
    pipe = config.load("quickstart")
    documents = _documents(path or SAMPLES / "papers", pipe, chunks)
    trees = [pipe.tree(one) for one in documents]
    texts = [indexed_text(tree, int(leaf)) for tree in trees for leaf in tree.leaf_ids]
    embedder = next(one.embedder for one in retrievers_of(pipe) if hasattr(one, "embedder"))
    embedder.embed(texts[:8])  # the session opens
    times: dict[str, list[float]] = {"indexing": [], "embedder": [], "plain loop": []}
    for turn in range(repeat):
        with tempfile.TemporaryDirectory() as folder:
            times["indexing"].append(_timed(lambda folder=folder: pipe.index(documents, Path(folder) / "index")))  # type: ignore[misc]
        times["embedder"].append(_timed(lambda: embedder.embed(texts)))
        times["plain loop"].append(_timed(lambda: _plain(embedder.model, texts)))
        tell(turn + 1, repeat, "rounds")
    medians = {name: statistics.median(values) for name, values in times.items()}
    rows = [
        [name, len(texts), seconds, len(texts) / seconds, medians["embedder"] / seconds]
        for name, seconds in medians.items()
    ]
    return {
        "tables": [
            {
                "title": f"Indexing {len(documents)} documents, {len(texts)} chunks (median of {repeat})",
                "columns": ["what", "passages", "seconds", "passages/s", "of the bare embedder"],
                "rows": rows,
            }
        ],
        "figures": {
            "passages": len(texts),
            "passages_per_second": {row[0]: row[3] for row in rows},
            "ratio": {row[0]: row[4] for row in rows},
        },
    }


def _documents(path: Path, pipe: Any, chunks: int) -> list[Any]:
    from rag.loaders.read import read
    from rag.loaders.walk import Found, walk

    found: list[Any] = []
    count = 0
    for one in walk([path]):
        if not isinstance(one, Found):
            continue
        for document in read(one.path):
            if count >= chunks:
                return found
            found.append(document)
            count += len(pipe.tree(document).leaf_ids)
    return found


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _plain(model: str, texts: list[str]) -> Any:
    """What one writes without a library: texts sorted by length, padded batches, one session."""
    import onnxruntime
    from tokenizers import Tokenizer

    from rag.models.weights import locate

    folder = locate(model)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(512)
    tokenizer.enable_padding()
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    names = {one.name for one in session.get_inputs()}
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    made: list[Any] = []
    for at in range(0, len(order), BATCH):
        batch = tokenizer.encode_batch([texts[i] for i in order[at : at + BATCH]])
        feed = {
            "input_ids": np.array([one.ids for one in batch], dtype=np.int64),
            "attention_mask": np.array([one.attention_mask for one in batch], dtype=np.int64),
            "token_type_ids": np.array([one.type_ids for one in batch], dtype=np.int64),
        }
        made.append(session.run(None, {name: value for name, value in feed.items() if name in names})[0][:, 0])
    return made
