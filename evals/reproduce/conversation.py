"""The last turn of a conversation, searched with its history and without.

MTRAG's conversations (Katsis et al., TACL 2025, https://arxiv.org/abs/2501.03468): last turns with a history and gold
passages. Weights were chosen on one half of the conversations, drawn by checksum; the other half, in sight but not
chosen by, is told apart as `unseen`. Differences are to the bare last turn by the same means, paired, 95 %.

232 turns, 114 of them in the unseen half:

                     R@5  nDCG@10  gain in R@5            unseen half
    words, bare      70.4     71.0
    words, history   80.5     79.5  +10.1 (+6.7 to +13.8)  +12.1 (+7.1 to +17.6)
    hybrid, bare     78.4     78.4
    hybrid, history  84.6     85.0  +6.2 (+3.0 to +9.6)  +9.5 (+4.6 to +14.7)

Another topic: last turns that lean on nothing, put behind the history of a conversation that shares no
passage with theirs. What the history costs
with `shift` at its default and at 1 (never a new topic), in R@5 by words alone: of 148 turns the bare ones reach
79.4; behind a history -2.6 (-5.4 to +0.2), where the new topic is detected -1.0 (-2.7 to +0.0).
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.metrics.ranking import distinct, ndcg, recall
from evals.reproduce import as_table
from evals.stats import interval, paired
from rag.errors import DataError
from rag.pipeline import bound, retrievers_of
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document, Query
from retrievers.conversation import Conversation
from retrievers.turns import LEANS

if TYPE_CHECKING:
    from evals.datasets import Dataset, Item
    from rag.types import Hits

__all__ = ["foreign", "measured", "reproduce", "unseen", "ways"]

Ask = Callable[[Query], "Hits"]


def ways() -> Mapping[str, tuple[Any, bool]]:
    """Name -> (retriever, whether it is given the history); the pairs differ in nothing else."""
    words, both = Conversation(dense=None), Conversation()
    return {
        "words, bare": (words, False),
        "words, history": (words, True),
        "hybrid, bare": (both, False),
        "hybrid, history": (both, True),
    }


def indexed(data: Dataset, retrievers: Sequence[Any]) -> list[Any]:
    """The retrievers over the set's documents."""
    with data.corpus.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    chunker = StructureChunker()
    trees = [chunker(Document(str(r.get("_id") or r["id"]), r["text"], r.get("title") or "")) for r in rows]
    store = in_memory(trees)
    for one in retrievers:
        for nested in retrievers_of(one):
            if part_key(nested) not in store.parts:
                nested.build(store.corpus, store.part(part_key(nested)))
    return [bound(one, store) for one in retrievers]


def unseen(item: Item) -> bool:
    """Whether a question belongs to the half of the conversations that no constant was chosen on."""
    conversation = item.id.rpartition("-")[0]
    return int(sha256(conversation.encode()).hexdigest(), 16) % 2 == 1


def measured(ask: Ask, items: Sequence[Item], *, history: bool) -> dict[str, list[float]]:
    """R@5 and nDCG@10 of each question, in points."""
    found: dict[str, list[float]] = {"R@5": [], "nDCG@10": []}
    for item in items:
        query = item.query() if history else replace(item.query(), history=())
        docs = distinct(hit.doc for hit in ask(query))
        found["R@5"].append(100 * recall(docs, item.qrels, 5))
        found["nDCG@10"].append(100 * ndcg(docs, item.qrels, 10))
    return found


def foreign(items: Sequence[Item], seed: int = 0) -> list[Item]:
    """Questions that lean on nothing, each behind the history of a question drawn from another conversation."""
    rng = np.random.default_rng(seed)
    group = {item.id: item.id.rpartition("-")[0] for item in items}
    told = [item for item in items if len(item.history) >= 2]
    made = []
    for item in items:
        if LEANS.search(item.text):
            continue
        others = [one for one in told if group[one.id] != group[item.id] and not set(one.qrels) & set(item.qrels)]
        made.append(replace(item, history=others[int(rng.integers(len(others)))].history))
    return made


def compared(
    data: Dataset,
    items: Sequence[Item],
    made: Mapping[str, tuple[Any, bool]],
    seed: int,
    tell: Callable[[str], object],
) -> tuple[dict[str, Any], list[list[str]]]:
    """Scores of each way with their intervals, and what the history gains; and both as rows of a table."""
    asks = dict(zip(made, indexed(data, [retriever for retriever, _ in made.values()]), strict=True))
    half = np.array([unseen(item) for item in items])
    found = {}
    for name, (_, history) in made.items():
        tell(f"{name}\n")
        found[name] = measured(asks[name], items, history=history)
    result: dict[str, Any] = {"seed": seed, "n": len(items), "unseen": int(half.sum()), "ways": {}, "gain": {}}
    lines = []
    for name, scores in found.items():
        result["ways"][name] = {m: _three(interval(v, seed=seed)) for m, v in scores.items()}
        row = [f"{result['ways'][name][m][0]:.1f}" for m in scores]
        kind, _, way = name.partition(", ")
        if way == "history":
            base = found[f"{kind}, bare"]
            gain = {m: _gain(scores[m], base[m], seed) for m in scores}
            chosen = [np.array(v["R@5"])[half] for v in (scores, base)]
            gain["R@5 unseen"] = _gain(chosen[0], chosen[1], seed)
            result["gain"][kind] = gain
            row += [f"{g:+.1f} ({low:+.1f} to {high:+.1f})" for g, low, high in (gain["R@5"], gain["R@5 unseen"])]
        else:
            row += ["", ""]
        lines.append([name, *row])
    return result, lines


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Every way with and without history; histories of other conversations."""
    if given.data is None:
        raise DataError("conversation: needs --data FOLDER, a set whose questions have a history, such as mtrag.")
    data = load(Path(given.data))
    every = [item for item in data.items if item.qrels]
    items = [item for item in every if item.history][: given.limit]
    result, lines = compared(data, items, ways(), given.seed, tell)
    moved = foreign(every, given.seed)[: given.limit]
    never, detected = indexed(data, [Conversation(dense=None, shift=1.0), Conversation(dense=None)])
    bare = measured(never, moved, history=False)["R@5"]
    result["foreign"] = {"n": len(moved), "bare": round(float(np.mean(bare)), 3)}
    for name, ask in (("never", never), ("detected", detected)):
        result["foreign"][name] = _gain(measured(ask, moved, history=True)["R@5"], bare, given.seed)
    result["table"] = as_table("way|R@5|nDCG@10|R@5 gain|unseen half", lines) + (
        f"another topic, {len(moved)} turns: bare {result['foreign']['bare']:.1f},"
        f" history {result['foreign']['never'][0]:+.1f}, detected {result['foreign']['detected'][0]:+.1f}\n"
    )
    return result


def _three(found: Any) -> list[float]:
    return [round(float(value), 3) for value in found[:3]]


def _gain(a: Any, b: Any, seed: int) -> list[float]:
    told = paired(b, a, seed=seed)
    return [round(float(value), 3) for value in (told.delta, told.low, told.high)]
