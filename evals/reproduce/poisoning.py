"""Planted passages: how many the guard finds, what honest passages it costs, and what still reaches the reader.

Three attacks. `flood`: PoisonedRAG's five passages a question that argue for a wrong answer (the sets `poisoned_nq` and
`poisoned_hotpotqa`), as given and with the question put in front of each, which is the published black-box attack.
`swap`: in 30 of 100 questions of other sets one true paragraph is copied with the answer swapped for another of its
kind (`evals/synth/poison.py`); the true paragraph stays. The sets of `CLEAN` hold nothing planted: all that is
quarantined there is lost.

Three guards. `words`: `rerankers/verify` as it comes behind BM25's first 20, no model at all. `embedder`: the same,
where an embedder settles ties between rival values. `guarded`: the recipe, on both floods and some swaps.

Precision, recall and F1 are of quarantined passages over all questions, planted or not; only planted passages that were
retrieved count. Honest loss is the share of honest passages that were
quarantined, gold loss the share of questions that lost a relevant one. `PoisonF1`, `HonestLoss` and `PoisonInContext`
are the metrics of that name over the questions with planted passages. Intervals are percentile bootstraps over
questions.

The constants of the guard were set on `poisoned_nq`, `poisoned_hotpotqa`, the swaps of six sets, and on mtrag, docs_qa,
cranfield and twowiki; the sets of `UNSEEN` and the question in front had no part in it. How a value is named and which
copies are laid side by side was later looked at on other draws of the same swaps (seeds 1 and 2).
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import rag
from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.metrics.poison import f1, honest_loss, in_context
from evals.reproduce import SAMPLE, as_table
from evals.stats import interval, paired
from evals.synth.poison import plant, write
from rag.models.onnx import OnnxEmbedder
from rag.pipeline import Pipeline
from rag.types import Document, Hits
from rerankers.verify import Verify
from retrievers.bm25 import BM25

if TYPE_CHECKING:
    from evals.datasets import Dataset, Item

__all__ = ["CLEAN", "METEORA", "UNSEEN", "Case", "cases", "figures", "reproduce", "shown"]

METEORA = 0.44  # F1 it reports for one planted passage in 30 of 100 questions
FLOODED = ("poisoned_nq", "poisoned_hotpotqa")
SWAPPED = ("nq_open", "squad_articles", "hotpotqa", "covid_qa")
UNSEEN_SWAPPED = ("nq_long", "tatqa")
GUARDED = ("nq_open",)  # swaps that the recipe is measured on
CLEAN = ("docs_qa", "mtrag", "twowiki", "scifact", "contractnli", "clapnq", "multihop_rag_facts")
UNSEEN = ("strategyqa", "cuad_spans", "tatqa", "nq_long", "qasper_small", "chunking_eval")
SHARE = 0.3
LIMIT = 150  # questions of a set
DEPTH = 20
WIKIPEDIA = SAMPLE.parent / "wikipedia"
WORDS = Pipeline(chunker=StructureChunker(), stages=(BM25(k=DEPTH), Verify()))
TIES = Pipeline(chunker=StructureChunker(), stages=(BM25(k=DEPTH), Verify(embedder=OnnxEmbedder())))


class Case(NamedTuple):
    """What became of one question.

    Args:
        planted: ids of the passages planted for it.
        retrieved: of every hit the guard saw, its document's id.
        flagged: of every hit quarantined, its document's id.
        gold: relevant documents.
        before: documents in the context without the guard.
        after: documents in the context with it.
        foreign: ids of passages planted for other questions.
    """

    planted: frozenset[str]
    retrieved: tuple[str, ...]
    flagged: tuple[str, ...]
    gold: frozenset[str]
    before: frozenset[str]
    after: frozenset[str]
    foreign: frozenset[str]

    @property
    def counts(self) -> tuple[int, int, int]:
        """Planted passages found, honest ones quarantined, planted ones missed; other questions' count as none."""
        found = len(self.planted & set(self.flagged))
        missed = len(self.planted & set(self.retrieved)) - found
        return found, len(self.lost), missed

    @property
    def lost(self) -> list[str]:
        """Of every honest hit quarantined, its document's id."""
        return [doc for doc in self.flagged if doc not in self.planted | self.foreign]

    @property
    def honest(self) -> int:
        """Honest hits that the guard saw."""
        return sum(doc not in self.planted | self.foreign for doc in self.retrieved)


def shown(pipe: Pipeline) -> Pipeline:
    """The pipeline without its guard."""
    return replace(pipe, stages=tuple(s for s in pipe.stages if not isinstance(s, Verify)))


def cases(data: Dataset, pipe: Pipeline, items: Iterable[Item]) -> list[Case]:
    """Ask every question with and without the guard.

    Args:
        data: the documents.
        pipe: up to the context; a guard among its stages.
        items: the questions.
    """
    documents = [Document(doc, data.text(doc), str(data.record(doc).get("title") or "")) for doc in data.places]
    index = pipe.index(documents)
    bare = replace(index, pipeline=shown(index.pipeline))
    everything = frozenset(doc for item in data.items for doc in item.poison)
    found = []
    for item in items:
        after, before = (one.ask(item.query()).context or Hits(item.query()) for one in (index, bare))
        flagged = tuple(drop.hit.doc for drop in after.drops if drop.reason.startswith("quarantine"))
        seen = [drop.hit.doc for drop in after.drops if not drop.reason.startswith("rank")]
        gold = frozenset([*(d for d, grade in item.qrels.items() if grade > 0), *(s.doc for s in item.spans)])
        planted = frozenset(item.poison)
        found.append(
            Case(
                planted,
                (*(hit.doc for hit in after), *seen),
                flagged,
                gold,
                frozenset(hit.doc for hit in before),
                frozenset(hit.doc for hit in after),
                everything - planted,
            )
        )
    return found


def figures(found: Sequence[Case], seed: int) -> dict[str, Any]:
    """Every figure of a set with its interval, in points."""
    counts = np.array([case.counts for case in found], dtype=np.float64)
    honest = np.array([case.honest for case in found], dtype=np.float64)
    told: dict[str, Any] = {"n": len(found), "planted": sum(bool(case.planted) for case in found)}
    told["honest_loss"] = _ratio(counts[:, 1], honest, seed)
    golden = [case for case in found if case.gold]
    if golden:
        lost = [100.0 * bool(case.gold & set(case.lost)) for case in golden]
        told["gold_loss"] = _rounded(interval(lost, seed=seed)[:3])
    if not told["planted"]:
        return told
    good, wrong, missed = counts.T
    told["precision"] = _ratio(good, good + wrong, seed)
    told["recall"] = _ratio(good, good + missed, seed)
    told["f1"] = _ratio(2 * good, 2 * good + wrong + missed, seed)
    hit = [case for case in found if case.planted]
    by_name = {
        "PoisonF1": [f1(c.flagged, c.planted, c.retrieved) for c in hit],
        "HonestLoss": [honest_loss(c.flagged, c.planted | (c.foreign & set(c.flagged)), c.retrieved) for c in hit],
    }
    for name, values in by_name.items():
        told[name] = _rounded(interval([100 * v for v in values if v is not None], seed=seed)[:3])
    before, after = ([100 * in_context(docs, c.planted) for c, docs in zip(hit, side, strict=True)] for side in
                     ([c.before for c in hit], [c.after for c in hit]))  # fmt: skip
    told["PoisonInContext"] = {
        "before": _rounded(interval(before, seed=seed)[:3]),
        "after": _rounded(interval(after, seed=seed)[:3]),
        "change": _rounded(paired(before, after, seed=seed)[:3]),
    }
    return told


def _ratio(part: Any, whole: Any, seed: int, resamples: int = 5000) -> list[float]:
    """100 * sum(part) / sum(whole) with its bootstrap interval over questions; zeros where there is nothing."""
    rng = np.random.default_rng([seed, len(part)])
    drawn = rng.integers(0, len(part), (resamples, len(part)))
    below = whole[drawn].sum(axis=1)
    values = 100 * part[drawn].sum(axis=1) / np.where(below > 0, below, 1)
    low, high = np.percentile(values, [2.5, 97.5])
    return _rounded((100 * float(part.sum()) / max(1.0, float(whole.sum())), low, high))


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), 2) for value in values]


def _in_front(data: Dataset, out: Path) -> Dataset:
    """The set with the question in front of each passage planted for it."""
    import json

    asked = {doc: item.text for item in data.items for doc in item.poison}
    out.mkdir(parents=True)
    with (out / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for doc in data.places:
            one = data.record(doc)
            text = f"{asked[doc]}. {one['text']}" if doc in asked else one["text"]
            file.write(json.dumps({"id": doc, "title": one.get("title", ""), "text": text}) + "\n")
    for name in ("queries.jsonl", "qrels.tsv", "poison.tsv"):
        (out / name).write_bytes((data.folder / name).read_bytes())
    return load(out)


def _swap(data: Dataset, out: Path, limit: int, seed: int) -> tuple[Dataset, list[Item]]:
    items = list(data.items[:limit])
    write(data, plant(data, SHARE, seed, items), out, items)
    made = load(out)
    return made, list(made.items)


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Every attack against both guards, and the price on clean sets."""
    limit = given.limit or LIMIT
    rows: dict[str, dict[str, Any]] = {}

    def measure(name: str, data: Dataset, items: Sequence[Item], guard: Pipeline) -> None:
        tell(f"{name}\n")
        rows[name] = figures(cases(data, guard, items), given.seed)

    with TemporaryDirectory() as folder:
        place = Path(folder)
        if given.data is None:
            data, items = _swap(load(WIKIPEDIA), place / "wikipedia", limit, given.seed)
            measure("swap, wikipedia: words", data, items, WORDS)
        else:
            full = rag.load("guarded")
            guarded = replace(full, stages=full.stages[:-1])
            for name in FLOODED:
                data = load(given.data / name)
                measure(f"flood, {name}: words", data, data.items[:limit], WORDS)
                front = _in_front(data, place / name)
                measure(f"flood, {name}, question in front: words", front, front.items[:limit], WORDS)
                measure(f"flood, {name}: guarded", data, data.items[:limit], guarded)
            for name in (*SWAPPED, *UNSEEN_SWAPPED):
                data, items = _swap(load(given.data / name), place / f"{name}-swap", limit, given.seed)
                label = f"swap, unseen, {name}" if name in UNSEEN_SWAPPED else f"swap, {name}"
                measure(f"{label}: words", data, items, WORDS)
                measure(f"{label}: embedder", data, items, TIES)
                if name in GUARDED:
                    measure(f"{label}: guarded", data, items, guarded)
            for kind, names in (("clean", CLEAN), ("clean, unseen", UNSEEN)):
                for name in names:
                    data = load(given.data / name)
                    measure(f"{kind}, {name}: words", data, data.items[:limit], WORDS)
    columns = ("precision", "recall", "f1", "honest_loss", "gold_loss")
    lines = [[name, str(row["n"]), *(_cell(row, c) for c in columns), *_context(row)] for name, row in rows.items()]
    table = as_table("points|n|precision|recall|F1|honest loss|gold loss|in context before|after", lines)
    return {"seed": given.seed, "share": SHARE, "depth": DEPTH, "rows": rows, "meteora_f1": METEORA, "table": table}


def _cell(row: dict[str, Any], name: str) -> str:
    return f"{row[name][0]:.1f}" if name in row else "-"


def _context(row: dict[str, Any]) -> tuple[str, str]:
    told = row.get("PoisonInContext")
    return (f"{told['before'][0]:.0f}", f"{told['after'][0]:.0f}") if told else ("-", "-")
