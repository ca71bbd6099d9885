"""Where curves of scores are cut: how many passages each rule keeps of the first 64, and which.

Two kinds of scores over the same multi-hop questions: BM25, and a personalised PageRank over mentions of titles whose
seeds are BM25's first ten. A rule is judged by the set it keeps: mean k, recall, precision and F1, in points, with
percentile intervals over questions. The rules are in `rerankers/curve.py`; METEORA's elbow and a fixed k are there to
compare with. `--data` names a folder of dataset folders, such as MuSiQue, 2Wiki and HotpotQA; without it the bundled
Wikipedia sample is measured, which is small and has one passage a question.

`EXPECTED` is an earlier measurement of the same rules on the same questions by another program, which did not pin its
tie-breaks. F1 here is within 1.5 points of it on both kinds of scores but for `gap, 4 to 20` (4.2 below) and `drop`
(1.8 above), both on PageRank.
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evals.datasets import load
from evals.reproduce import SAMPLE, as_table
from evals.stats import intervals, paired
from rerankers import curve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evals.datasets import Dataset

__all__ = ["DEPTH", "EXPECTED", "ROWS", "Ranked", "judged", "kept", "rankings", "reproduce"]

DEPTH = 64
WIKIPEDIA = SAMPLE.parent / "wikipedia"
COMMON = (
    "a an the of in on at to for from by with and or is are was were be been being it its this that these those as"
    " which who whom whose what when where why how did do does has have had not but if then than so such"
)
STOP = frozenset(COMMON.split())
WORD = re.compile(r"\w+")
K1, B = 1.2, 0.75
LONGEST = 9  # words of a title that is looked for
FAMOUS = 10  # a title that more passages bear says nothing
ROUNDS, DAMPING = 20, 0.5

ROWS: Mapping[str, Callable[[NDArray[np.float64]], int]] = {
    "meteora": curve.meteora,
    "gap, 1 to 20": partial(curve.gap, least=1, most=20),
    "gap, 2 to 20": partial(curve.gap, least=2, most=20),
    "gap, 4 to 20": partial(curve.gap, least=4, most=20),
    "chord": curve.chord,
    "ratio": curve.ratio,
    "drop": curve.drop,
    "kneedle": curve.kneedle,
    "the first 2": lambda scores: min(2, len(scores)),
    "the first 5": lambda scores: min(5, len(scores)),
    "the first 10": lambda scores: min(10, len(scores)),
}

EXPECTED: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {  # k, recall, precision, F1; BM25, PageRank
    "meteora": ((1.2, 41.9, 83.9, 54.5), (1.2, 46.9, 90.4, 60.1)),
    "gap, 1 to 20": ((2.4, 53.3, 76.3, 56.4), (1.8, 61.1, 87.1, 67.8)),
    "gap, 2 to 20": ((5.0, 66.2, 43.6, 47.3), (3.4, 81.9, 71.5, 73.2)),
    "gap, 4 to 20": ((7.8, 70.6, 24.5, 34.5), (7.6, 90.2, 35.2, 47.3)),
    "chord": ((11.5, 75.8, 19.0, 28.3), (7.7, 90.9, 36.3, 48.9)),
    "ratio": ((7.9, 70.0, 41.9, 43.5), (2.1, 67.1, 83.6, 70.8)),
    "drop": ((3.9, 62.2, 50.9, 51.3), (2.6, 73.4, 75.5, 72.4)),
}


class Ranked(NamedTuple):
    """One question's first passages.

    Args:
        scores: float64 (n,), falling, n <= 64.
        docs: their documents.
        gold: the relevant documents.
    """

    scores: NDArray[np.float64]
    docs: tuple[str, ...]
    gold: frozenset[str]


def words(text: str) -> list[str]:
    """Lower-case words without the commonest."""
    return [w for w in WORD.findall(text.lower()) if w not in STOP]


class _Corpus:
    """Postings of BM25 and links between passages that name each other's titles."""

    def __init__(self, data: Dataset) -> None:
        self.docs = tuple(data.places)
        records = [data.record(doc) for doc in self.docs]
        bags = [Counter(words(f"{one.get('title', '')} {one['text']}")) for one in records]
        self.sizes = np.array([bag.total() for bag in bags], dtype=np.float64)
        self.postings: dict[str, list[tuple[int, int]]] = {}
        for i, bag in enumerate(bags):
            for word, count in bag.items():
                self.postings.setdefault(word, []).append((i, count))
        self.titles: dict[str, list[int]] = defaultdict(list)
        for i, one in enumerate(records):
            title = " ".join(WORD.findall(str(one.get("title", "")).lower()))
            if title:
                self.titles[title].append(i)
        links: dict[tuple[int, int], float] = defaultdict(float)
        for i, one in enumerate(records):
            for title in sorted(self.named(str(one["text"]))):
                for j in self.titles[title]:
                    if j != i:
                        links[i, j] += 1 / len(self.titles[title])
                        links[j, i] += 0.5 / len(self.titles[title])
        self.source = np.array([a for a, _ in links], dtype=np.int64)
        self.target = np.array([b for _, b in links], dtype=np.int64)
        self.weight = np.array(list(links.values()), dtype=np.float64)
        self.out = np.bincount(self.source, self.weight, len(self.docs))

    def named(self, text: str) -> set[str]:
        """Titles that a text mentions, with a capital."""
        written = WORD.findall(text)
        small = [w.lower() for w in written]
        found = set()
        for i, word in enumerate(written):
            if not word[:1].isupper():
                continue
            for size in range(1, min(LONGEST, len(small) - i) + 1):
                key = " ".join(small[i : i + size])
                if key in self.titles and (size > 1 or len(key) >= 5) and len(self.titles[key]) <= FAMOUS:
                    found.add(key)
        return found

    def bm25(self, question: str) -> NDArray[np.float64]:
        """float64 (documents,)."""
        scores = np.zeros(len(self.docs))
        mean = self.sizes.mean()
        for word in sorted(set(words(question))):
            found = self.postings.get(word, ())
            idf = np.log(1 + (len(self.docs) - len(found) + 0.5) / (len(found) + 0.5))
            for i, count in found:
                scores[i] += idf * count * (K1 + 1) / (count + K1 * (1 - B + B * self.sizes[i] / mean))
        return scores

    def walked(self, question: str, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64 (documents,), PageRank from BM25's first ten and the titles the question names."""
        seed = np.zeros(len(self.docs))
        first = np.argsort(-scores, kind="stable")[:10]
        if scores[first[0]] > 0:
            seed[first] += (scores[first] / scores[first[0]]) ** 2
        for title in sorted(self.named(question)):
            for j in self.titles[title]:
                seed[j] += 2 / len(self.titles[title])
        seed /= seed.sum() or 1.0
        rank = seed.copy()
        for _ in range(ROUNDS):
            flow = self.weight * rank[self.source] / self.out[self.source]
            moved = np.bincount(self.target, flow, len(self.docs))
            rank = DAMPING * seed + (1 - DAMPING) * (moved + rank[self.out == 0].sum() * seed)
        return rank


def rankings(data: Dataset) -> dict[str, list[Ranked]]:
    """The first 64 of every question, by BM25 and by PageRank."""
    corpus = _Corpus(data)
    found: dict[str, list[Ranked]] = {"bm25": [], "pagerank": []}
    for item in data.items:
        gold = frozenset(doc for doc, grade in item.qrels.items() if grade > 0)
        if not gold:
            continue
        plain = corpus.bm25(item.text)
        for name, scores in (("bm25", plain), ("pagerank", corpus.walked(item.text, plain))):
            order = np.argsort(-scores, kind="stable")[:DEPTH]
            found[name].append(Ranked(scores[order], tuple(corpus.docs[i] for i in order), gold))
    return found


def kept(ranked: Ranked, rule: Callable[[NDArray[np.float64]], int]) -> tuple[float, float, float, float]:
    """k, recall, precision and F1 of what a rule keeps of one question."""
    k = rule(ranked.scores)
    right = len(set(ranked.docs[:k]) & ranked.gold)
    return k, 100 * right / len(ranked.gold), 100 * right / k, 200 * right / (len(ranked.gold) + k)


def judged(questions: Sequence[Ranked], seed: int) -> dict[str, Any]:
    """Every rule over the questions: means with intervals, and F1 against METEORA's elbow and the first ten."""
    table = {name: np.array([kept(one, rule) for one in questions]) for name, rule in ROWS.items()}
    rows = {
        name: [[round(v, 2) for v in one[:3]] for one in intervals(values, seed=seed)] for name, values in table.items()
    }
    against = {}
    for name, other, column in (("gap, 2 to 20", "meteora", 3), ("chord", "the first 10", 1)):
        found = paired(table[other][:, column], table[name][:, column], seed=seed)
        against[f"{name} less {other}, {('k', 'recall', 'precision', 'F1')[column]}"] = [
            round(v, 2) for v in (found.delta, found.low, found.high)
        ]
    return {"rows": rows, "against": against, "n": len(questions)}


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """The table of rules."""
    folders: list[Path] = [WIKIPEDIA]
    if given.data:
        folders = sorted(p.parent for p in given.data.glob("*/corpus.jsonl")) or [given.data]
    found: dict[str, list[Ranked]] = {"bm25": [], "pagerank": []}
    for folder in folders:
        tell(f"{folder.name}\n")
        for name, questions in rankings(load(folder)).items():
            found[name] += questions[: given.limit]
    result: dict[str, Any] = {"sets": [folder.name for folder in folders], "depth": DEPTH, "seed": given.seed}
    result |= {name: judged(questions, given.seed) for name, questions in found.items()}
    if len(found["bm25"]) == 400:
        result["differences"] = {
            row: [round(result[name]["rows"][row][3][0] - told[i][3], 2) for i, name in enumerate(found)]
            for row, told in EXPECTED.items()
        }
    lines = []
    for row in ROWS:
        cells = [f"{one[0]:.1f}" for name in found for one in result[name]["rows"][row]]
        lines.append([row, *cells])
    head = "|".join(f"{name} {column}" for name in found for column in ("k", "recall", "prec.", "F1"))
    result["table"] = as_table(f"the first {DEPTH}, n = {len(found['bm25'])}|{head}", lines)
    return result
