"""What a run will cost, before it is made: documents, chunks, calls, tokens, seconds and disk.

Nothing is run and no model is opened. Sizes come from the files; the rest from the settings and from
`RATES`, measured on two CPU cores, which a caller with another machine replaces. `error` sets an
estimate against what a finished run took.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evals import runfolder
from evals.datasets import Dataset
from rag.pipeline import Pipeline, kind_of, retrievers_of
from rag.registry import name_of
from rag.stage import fields_of

__all__ = ["RATES", "Estimate", "error", "estimate"]

RATES: Mapping[str, float] = {
    "characters_per_token": 4.4,
    "chunk_fill": 0.7,  # realised size of a chunk / the size asked for
    "chunk_characters": 2_000_000.0,  # a second, chunking and writing the index
    "embedded_tokens": 14_000.0,  # a second, bge-small on two cores
    "scored_tokens": 7_000.0,  # a second, cross-encoder on two cores
    "searches": 1_000.0,  # a second and retriever
    "other_stages": 100.0,  # a second and stage
    "llm_tokens_in": 700.0,  # a second, SmolLM2-135M
    "llm_tokens_out": 150.0,
    "index_bytes_per_character": 3.0,
    "record_bytes": 4_000.0,
}


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to take.

    Args:
        documents: to index.
        chunks: expected.
        questions: to answer.
        calls: of language models.
        tokens_in: into them.
        tokens_out: out of them, at most.
        cost: in the currency of the prices; 0 without prices.
        seconds_index: to build the index.
        seconds_questions: to answer.
        disk: bytes of the run folder.
    """

    documents: int
    chunks: int
    questions: int
    calls: int
    tokens_in: int
    tokens_out: int
    cost: float
    seconds_index: float
    seconds_questions: float
    disk: int


def estimate(
    pipeline: Pipeline,
    data: Dataset,
    *,
    limit: int | None = None,
    rates: Mapping[str, float] = RATES,
    prices: tuple[float, float] = (0.0, 0.0),
) -> Estimate:
    """Estimate a run of a pipeline over a dataset.

    Args:
        pipeline: as it would be run.
        data: the questions.
        limit: only the first questions.
        rates: measured on the machine that will run it.
        prices: of a million tokens in and out.
    """
    questions = len(data.items[:limit])
    characters = sum(data.sizes.values())
    tokens = characters / rates["characters_per_token"]
    size = float(getattr(pipeline.chunker, "size", 0) or 256)
    chunk = size * rates["chunk_fill"]
    chunks = max(len(data.places), round(tokens / chunk))
    names = [name_of(type(one)) for one in retrievers_of(pipeline)]
    index = characters / rates["chunk_characters"]
    index += sum("dense" in name for name in names) * tokens / rates["embedded_tokens"]
    each = sum(1 / rates["searches"] for _ in names)
    kept, budget = chunks, 0.0
    calls = tokens_in = tokens_out = 0.0
    for stage in pipeline.stages:
        settings, kind = fields_of(stage), kind_of(stage)
        if _scores(settings):
            pairs = min(kept, chunks)
            each += pairs * chunk / rates["scored_tokens"]
        elif kind != "retriever":
            each += 1 / rates["other_stages"]
        kept = min(kept, int(settings.get("k") or kept))
        if kind == "compressor" and settings.get("budget"):
            budget = float(settings["budget"])
        if any(hasattr(value, "complete") for value in settings.values()):
            calls += 1
            tokens_in += (budget or kept * chunk) + 200
            tokens_out += float(settings.get("max_tokens") or 128)
    each += tokens_in / rates["llm_tokens_in"] + tokens_out / rates["llm_tokens_out"]
    disk = characters * rates["index_bytes_per_character"] + questions * rates["record_bytes"]
    return Estimate(
        documents=len(data.places),
        chunks=chunks,
        questions=questions,
        calls=round(questions * calls),
        tokens_in=round(questions * tokens_in),
        tokens_out=round(questions * tokens_out),
        cost=questions * (tokens_in * prices[0] + tokens_out * prices[1]) / 1e6,
        seconds_index=index,
        seconds_questions=questions * each,
        disk=round(disk),
    )


def _scores(settings: Mapping[str, Any]) -> bool:
    """Whether a stage asks a pair scorer about every hit."""
    return any(callable(getattr(value, "score", None)) for value in settings.values())


def error(expected: Estimate, folder: str | Path) -> dict[str, float | None]:
    """Expected / measured for calls, tokens and seconds of a finished run; None where nothing was measured."""
    path = Path(folder)
    seconds = sum(runfolder.seconds(path).values())
    used = {"calls": 0.0, "tokens_in": 0.0, "tokens_out": 0.0}
    questions = 0
    for line in runfolder.lines(path / "perquery.jsonl"):
        questions += 1
        for name in used:
            used[name] += float(line["usage"].get(name, 0))
    disk = sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    measured = {**used, "questions": questions, "seconds_questions": seconds, "disk": disk}
    guessed = asdict(expected)
    return {name: guessed[name] / value if value else None for name, value in measured.items()}
