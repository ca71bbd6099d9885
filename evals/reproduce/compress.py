"""Ways to shrink the same evidence to the same budgets: budget curves over sets of many kinds.

Candidates are the 20 best of a cross-encoder among 40 of BM25 and embeddings fused, the same for every row, and so are
the scores of sentences. Recall of gold characters in the context (SpanR), in per cent, at budgets of rendered tokens.
Intervals are bootstrapped over questions within each set, each set weighing the same.

The weights of `compressors/edu` and `compressors/adaptive` were chosen while looking at questions of `SETS`, so their
curves are not of unseen ones; those of `UNSEEN`, papers, contracts, documentation and meetings, chose no weight of
either. `compressors/bubble` is set as in the recipe `bubble`; what it does where there is room (`wide`, `again`) was
chosen with other questions of `UNSEEN` in view. Rows of `DETAILED` sets alone have no intervals.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compressors.adaptive import Adaptive
from compressors.bubble import Bubble
from compressors.dslr import Dslr
from compressors.edu import Edu
from compressors.extract import Extract
from compressors.levels import Levels
from compressors.recomp import Recomp
from evals.datasets import load
from evals.metrics.spans import recall
from evals.pools import Case, drawn, pooled
from evals.reproduce import SAMPLE, as_table
from rag.models.keep import Keep, Marks
from rag.models.onnx import OnnxEmbedder, OnnxScorer
from rag.models.tokens import counter
from rag.readers.render import cost
from rerankers.cross_encoder import CrossEncoder
from retrievers.bm25 import BM25
from retrievers.dense import Dense
from retrievers.hybrid import Hybrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.models.score import Scorer
    from rag.types import Hits

__all__ = ["BUDGETS", "MINE", "OTHER", "SETS", "UNSEEN", "Remembered", "curve", "reproduce", "rows", "sample"]

BUDGETS = (128, 256, 512, 1024, 2048)
MINE, OTHER = "edu", "bubble"
QUESTIONS = 24  # a set
TERMS, AGAIN = 0.25, 0.7  # of the bubble, as in its recipe
SETS: Mapping[str, tuple[int, int]] = {  # set -> characters of documents and questions drawn, at most
    "squad_long": (600_000, 400),
    "chunking_eval": (2_000_000, 400),
    "contractnli": (600_000, 400),
    "hotpotqa": (2_100_000, 130),
    "twowiki": (2_100_000, 60),
    "multihop_rag_facts": (400_000, 60),
    "tatqa": (400_000, 60),
    "scifact": (400_000, 60),
}
UNSEEN: Mapping[str, tuple[int, int]] = {
    "covid_qa": (400_000, 60),
    "cuad_spans": (1_000_000, 60),
    "docs_qa": (600_000, 60),
    "qmsum": (600_000, 60),
}
DETAILED = ("chunking_eval", "hotpotqa")
DETAILS = 12  # questions of each


@dataclass
class Remembered:
    """A pair scorer, embedder or keep model that reads each text once a question; not for use by threads."""

    inner: Any
    known: dict[Any, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The inner one's."""
        return str(self.inner.name)

    @property
    def fingerprint(self) -> str:
        """The inner one's."""
        return str(self.inner.fingerprint)

    def _all(self, key: str, texts: Sequence[str], make: Callable[[list[str]], Sequence[Any]]) -> list[Any]:
        new = [text for text in dict.fromkeys(texts) if (key, text) not in self.known]
        if new:
            self.known |= {(key, text): value for text, value in zip(new, make(new), strict=True)}
        return [self.known[key, text] for text in texts]

    def score(self, query: str, texts: Sequence[str], /) -> NDArray[np.float32]:
        """See `rag.models.score`."""
        made = self._all(query, texts, lambda new: list(self.inner.score(query, new)))
        return np.array(made, dtype=np.float32)

    def embed(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        """See `rag.models.embed`."""
        made = self._all(f"vector {query}", texts, lambda new: list(self.inner.embed(new, query=query)))
        return np.array(made, dtype=np.float32)


class RememberedKeep(Remembered):
    """A keep model that reads each text once a question."""

    def keep(self, query: str, texts: Sequence[str], /) -> list[Marks]:
        """See `rag.models.keep`."""
        return self._all(f"marks {query}", texts, lambda new: self.inner.keep(query, new))


def candidates(folder: Path, questions: int) -> list[Case]:
    """The questions of a set with the 20 hits that every row shrinks."""
    data = load(folder)
    docs, items = drawn(data, *{**SETS, **UNSEEN}[folder.name])
    items = [item for item in items if item.spans][:questions]
    search = Hybrid(retrievers=(BM25(k=100), Dense(k=100)), k=40)
    return pooled(data, docs, items, search=search, rerank=CrossEncoder(k=20))


def chunks(hits: Hits) -> Hits:
    """Whole hits, best first, each that still fits."""
    kept: list[Any] = []
    for hit in hits.items:
        if cost([*kept, hit], counter("cl100k")) <= (hits.query.budget or 0):
            kept.append(hit)
    return replace(hits, items=tuple(kept), tokens=cost(kept, counter("cl100k")))


def rows(scorer: Scorer | None) -> dict[str, Callable[[Hits], Hits]]:
    """Name -> what shrinks; without a scorer those that need none."""
    found: dict[str, Callable[[Hits], Hits]] = {
        "whole hits": chunks,
        "sentences, words": Extract(),
        "edu, words": Edu(),
    }
    if scorer is not None:
        found |= {
            MINE: Edu(scorer=scorer),
            "adaptive": Adaptive(scorer=scorer),
            "sentences": Extract(scorer=scorer),
            OTHER: Bubble(scorer=scorer, terms=TERMS, again=AGAIN),
            "DSLR": Dslr(scorer=scorer),
        }
    return found


def beside(scorer: Scorer, keeper: Any, embedder: Any) -> dict[str, Callable[[Hits], Hits]]:
    """Name -> what is measured on two sets alone."""
    return {
        MINE: Edu(scorer=scorer),
        "edu, regions": Edu(scorer=scorer, select="regions"),
        "edu, mask": Edu(scorer=keeper),
        "levels": Levels(),
        "RECOMP": Recomp(embedder=embedder),
    }


def curve(cases: Sequence[Case], step: Callable[[Hits], Hits]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """SpanR in per cent and tokens, both float64 (questions, budgets)."""
    values, tokens = np.zeros((len(cases), len(BUDGETS))), np.zeros((len(cases), len(BUDGETS)))
    for n, case in enumerate(cases):
        for k, budget in enumerate(BUDGETS):
            out = step(replace(case.hits, query=replace(case.hits.query, budget=budget)))
            values[n, k] = 100 * recall(out.spans(), case.item.spans)
            tokens[n, k] = out.tokens or 0
    return values, tokens


def _means(found: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> dict[str, list[float]]:
    """Row -> SpanR at each budget."""
    return {row: np.round(values.mean(axis=0), 2).tolist() for row, (values, _) in found.items()}


def _mean(parts: Sequence[NDArray[np.float64]], seed: int) -> list[float]:
    """Mean over sets with its 95 % interval, resampled within sets."""
    rng = np.random.default_rng(seed)
    means = np.mean([p[rng.integers(0, len(p), (10_000, len(p)))].mean(axis=1) for p in parts], axis=0)
    return [round(float(x), 2) for x in (np.mean([p.mean() for p in parts]), *np.percentile(means, (2.5, 97.5)))]


def _table(found: Mapping[str, Mapping[str, Any]], names: Sequence[str], seed: int) -> dict[str, Any]:
    """For each row the mean over sets at each budget, less `edu` and less `bubble`, and the tokens used."""

    def parts(row: str) -> dict[str, list[NDArray[np.float64]]]:
        return {str(b): [found[name][row][0][:, k] for name in names] for k, b in enumerate(BUDGETS)}

    def less(row: str, other: str) -> dict[str, list[float]]:
        mine, given = parts(row), parts(other)
        return {b: _mean([x - y for x, y in zip(mine[b], given[b], strict=True)], seed) for b in mine}

    told: dict[str, Any] = {}
    for row in next(iter(found.values())):
        told[row] = {
            "mean": {b: _mean(values, seed) for b, values in parts(row).items()},
            "less_edu": less(row, MINE),
            "less_bubble": less(row, OTHER),
            "tokens": {
                str(b): round(float(np.mean([found[name][row][1][:, k].mean() for name in names])), 1)
                for k, b in enumerate(BUDGETS)
            },
        }
    return told


def sample(name: str = "papers", limit: int = 40) -> dict[str, list[float]]:
    """Curves over a bundled set searched by words, without any model: measured anywhere in seconds."""
    data = load(SAMPLE.parent / name)
    items = [item for item in data.items if item.spans][:limit]
    cases = pooled(data, list(data.sizes), items, search=BM25(k=20))
    found = {row: curve(cases, step)[0].mean(axis=0) for row, step in rows(None).items()}
    return {row: [round(float(x), 2) for x in values] for row, values in found.items()}


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Every row on every set; `--data` is the folder of the sets. Without it, the bundled set alone."""
    result: dict[str, Any] = {"seed": given.seed, "budgets": list(BUDGETS), "sample": sample()}
    if given.data is None:
        lines = [[row, *(f"{x:.1f}" for x in values)] for row, values in result["sample"].items()]
        return {**result, "table": as_table("row|" + "|".join(map(str, BUDGETS)), lines)}
    found: dict[str, dict[str, Any]] = {}
    result |= {"sets": {}, "detail": {}}
    for name in (*SETS, *UNSEEN):
        cases = candidates(Path(given.data) / name, given.limit or QUESTIONS)
        scorer = Remembered(OnnxScorer())
        found[name] = {row: curve(cases, step) for row, step in rows(scorer).items()}
        result["sets"][name] = {"n": len(cases), "rows": _means(found[name])}
        if name in DETAILED:
            more = beside(scorer, RememberedKeep(Keep()), Remembered(OnnxEmbedder()))
            result["detail"][name] = _means({row: curve(cases[:DETAILS], step) for row, step in more.items()})
        tell(f"{name}: {len(cases)} questions\n")
    result["mean"] = _table(found, list(SETS), given.seed)
    result["unseen"] = _table(found, list(UNSEEN), given.seed)
    lines = []
    for part in ("mean", "unseen"):
        for row, one in result[part].items():
            gaps = [one["less_bubble"][str(b)] for b in BUDGETS]
            means = [f"{one['mean'][str(b)][0]:.1f}" for b in BUDGETS]
            lines.append([f"{part}, {row}", *means, *(f"{g[0]:+.1f} ({g[1]:+.1f} to {g[2]:+.1f})" for g in gaps)])
    head = "row|" + "|".join(map(str, BUDGETS)) + "|" + "|".join(f"less bubble, {b}" for b in BUDGETS)
    return {**result, "table": as_table(head, lines)}
