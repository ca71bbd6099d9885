"""What distractors and the place of the evidence do to the stages after retrieval.

Every question gets contexts made on purpose: the chunks that hold its gold spans, at the front, in the middle, at
the end or anywhere, among k chunks that a retriever liked and that hold none of it. The stages after the retriever
then run on them as they would on its hits. Position: Liu et al., "Lost in the Middle", TACL 2024,
https://arxiv.org/abs/2307.03172. Distractors by a retriever: HaystackCraft, Li et al. 2025,
https://arxiv.org/abs/2510.07414. Departures: levels are numbers of chunks and not tokens, so that every question
has the same; a chunk that says a gold answer is no distractor; every level is compared with the gold alone, paired
over the same questions.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from evals import score, stats
from evals.asking import ask, tokenizer_of
from evals.datasets import Dataset, Item
from evals.metrics.answers import contains, words
from evals.metrics.names import Metric, budgets, parse_all
from evals.observe import Observer
from evals.ranges import by_document, overlap
from evals.sharing import attempt, replay
from rag.errors import ConfigError, DataError
from rag.index import Index
from rag.registry import name_of
from rag.types import Hit, Hits, Query

__all__ = ["POSITIONS", "Planted", "Robustness", "robust"]

POSITIONS = ("first", "middle", "last", "random")
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Robustness:
    """What `robust` found.

    Args:
        rows: one a position and level, the gold alone first: `position`, `noise`, `metrics` as of a run, and
            `damage`: metric -> the paired difference to the gold alone, with interval, p and n.
        items: questions that were asked.
        skipped: id -> why a question was not asked.
    """

    rows: tuple[Mapping[str, Any], ...]
    items: int
    skipped: Mapping[str, str]

    def json(self) -> dict[str, Any]:
        """As plain values."""
        return {"rows": [dict(row) for row in self.rows], "items": self.items, "skipped": dict(self.skipped)}


@dataclass(frozen=True, eq=False)
class Material:
    """Gold chunks and distractors of the question at hand.

    Args:
        index: what is asked.
        distract: gives the candidates for distractors.
        most: distractors wanted.
    """

    index: Index
    distract: Callable[[Query], Hits]
    most: int
    _kept: dict[str, tuple[tuple[Hit, ...], tuple[Hit, ...]]] = field(default_factory=dict)

    def of(self, item: Item) -> tuple[tuple[Hit, ...], tuple[Hit, ...]]:
        """Gold chunks in source order, and distractors best first."""
        if item.id not in self._kept:
            self._kept.clear()
            self._kept[item.id] = self._gold(item), self._wrong(item)
        return self._kept[item.id]

    def _gold(self, item: Item) -> tuple[Hit, ...]:
        corpus = self.index.store.corpus
        found: list[Hit] = []
        for doc, ranges in by_document(item.spans).items():
            if doc not in corpus.ordinals:
                return ()
            tree = corpus.tree(corpus.ordinals[doc])
            near = [leaf for leaf in tree.leaves() if overlap([(leaf.start, leaf.end)], ranges)]
            found += [Hit(tree, leaf.index, ((leaf.start, leaf.end),), 0.0, why="gold") for leaf in near]
        return tuple(found)

    def _wrong(self, item: Item) -> tuple[Hit, ...]:
        gold = by_document(item.spans)
        answers = [words(answer) for answer in item.answers]
        found: list[Hit] = []
        for hit in self.distract(item.query()):
            if len(found) == self.most:
                break
            text = words(hit.text)
            if not overlap(list(hit.spans), gold.get(hit.doc, [])) and not any(contains(text, a) for a in answers):
                found.append(replace(hit, why="distractor"))
        return tuple(found)


@dataclass(frozen=True, eq=False)
class Planted:
    """A bound pipeline whose retriever gives the planted context instead of its own hits.

    Args:
        material: gold and distractors.
        items: questions by id.
        position: one of `POSITIONS`.
        noise: distractors.
        seed: of the random place.
    """

    material: Material
    items: Mapping[str, Item]
    position: str
    noise: int
    seed: int = 0

    @property
    def stages(self) -> tuple[Any, ...]:
        """The pipeline's stages."""
        return self.material.index.bound.stages

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(name_of(type(stage)) for stage in self.stages)

    def context(self, query: Query) -> Hits:
        """The planted hits; scores fall from one to the next, so that their order is their rank."""
        gold, wrong = self.material.of(self.items[query.id])
        wrong = wrong[: self.noise]
        draw = random.Random(f"{self.seed}\0{query.id}\0{self.noise}").randint(0, len(wrong))
        at = {"first": 0, "middle": len(wrong) // 2, "last": len(wrong), "random": draw}[self.position]
        row = (*wrong[:at], *gold, *wrong[at:])
        return Hits(query, tuple(replace(hit, score=float(len(row) - i)) for i, hit in enumerate(row)))

    def steps(self, query: Query) -> Iterator[tuple[str, str, Any]]:
        """As `Pipeline.steps`."""
        value: Any = self.context(query)
        yield "stages[0]", self._names[0], value
        for i, stage in enumerate(self.stages[1:], start=1):
            place = f"stages[{i}]"
            value = replay(*attempt(stage, place, self._names[i], value, query))
            yield place, self._names[i], value


def robust(
    index: Index,
    data: Dataset,
    metrics: str | Sequence[str],
    *,
    noise: Sequence[int] = (5, 20),
    positions: Sequence[str] = ("first", "middle", "last"),
    distractors: Callable[[Query], Hits] | None = None,
    limit: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Robustness:
    """Ask every question with its evidence at every position among every number of distractors.

    Args:
        index: documents and pipeline; the stages after the retriever are what is tested.
        data: the questions; those with gold spans are asked.
        metrics: names, such as `F1,AllSup@512tok`.
        noise: distractors, ascending; the gold alone is always asked as well.
        positions: some of `POSITIONS`.
        distractors: a bound retriever; by default the pipeline's own.
        limit: only the first questions.
        seed: of random places and of the statistics.
        progress: called with (done, total, label).

    Raises:
        ConfigError: an unknown position, or a level below 1.
        DataError: no question has gold in the index and enough distractors.
    """
    levels = sorted(set(noise))
    wrong = [p for p in positions if p not in POSITIONS]
    if wrong or not positions:
        given = repr(wrong[0]) if wrong else "none"
        raise ConfigError(f"robust: positions must be some of {', '.join(POSITIONS)}, got {given}.")
    if not levels or levels[0] < 1:
        raise ConfigError(f"robust: noise must be numbers of distractors >= 1, got {list(noise)}.")
    chosen = parse_all(metrics)
    material = Material(index, distractors or index.bound.stages[0], levels[-1])
    cells = [("alone", "first", 0), *((p, p, k) for k in levels for p in positions)]
    read, sizes, corpus = any(m.reads and not m.cost for m in chosen), budgets(chosen), index.store.corpus
    observers = [
        Observer(Planted(material, data.by_id, place, k, seed), corpus, tokenizer_of(index.pipeline), sizes, read)
        for _, place, k in cells
    ]
    lines: list[list[tuple[dict[str, Any], float]]] = [[] for _ in cells]
    skipped: dict[str, str] = {}
    items = data.items[:limit]
    for done, item in enumerate(items, start=1):
        why = _unfit(material, item)
        if why:
            skipped[item.id] = why
        else:
            for column, observe in zip(lines, observers, strict=True):
                record, spans = ask(observe, item)
                column.append((record, spans["seconds"]))
        if progress is not None:
            progress(done, len(items), f"questions x {len(cells)} contexts")
    if not lines[0]:
        raise DataError(
            f"robust: none of {len(items)} questions can be asked: {', '.join(sorted(set(skipped.values())))}."
        )
    tables = [score.score(column, data, chosen) for column in lines]
    rows = [
        {
            "position": name,
            "noise": k,
            "metrics": score.summary(table, data.has, seed=seed),
            "damage": {m.name: _damage(tables[0], table, m, seed) for m in chosen} if k else {},
        }
        for (name, _, k), table in zip(cells, tables, strict=True)
    ]
    return Robustness(tuple(rows), len(lines[0]), skipped)


def _unfit(material: Material, item: Item) -> str:
    """Why a question cannot be asked at every level; "" when it can."""
    if not item.spans:
        return "no gold spans"
    gold, wrong = material.of(item)
    if not gold:
        return "gold document not in the index"
    return "" if len(wrong) >= material.most else f"fewer than {material.most} distractors"


def _damage(alone: score.Table, noisy: score.Table, metric: Metric, seed: int) -> dict[str, Any]:
    """The paired difference over the questions the metric applies to in both."""
    before = dict(zip(*alone.of(metric.name), strict=True))
    after = dict(zip(*noisy.of(metric.name), strict=True))
    shared = [q for q in before if q in after]
    if not shared:
        return {"delta": None, "low": None, "high": None, "p": None, "n": 0}
    found = stats.paired([before[q] for q in shared], [after[q] for q in shared], seed=seed)
    return {"delta": found.delta, "low": found.low, "high": found.high, "p": found.p, "n": found.n}
