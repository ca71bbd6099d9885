"""A ledger kept by the embedded language model, end to end: limits, quotations, and what the model adds.

The search is `questions` by rule over a graph of names on BM25. Each question is asked twice: with the ledger and the
reader `evidence` by rule, and with SmolLM2-135M as both. Held of every pass: calls within the limits, every claim's
words and every citation a slice of its document.

102 questions, gains with 95 %:

               n  R@5 rules  model                    gain  F1 rules  model                 gain
    musique    34    80.1    78.9      -1.2 (-6.9 to +3.9)    2.9     5.6    +2.6 (+0.0 to +7.2)
    twowiki    34    97.8    99.3      +1.5 (+0.0 to +3.7)    7.7    16.6   +8.8 (+0.0 to +20.6)
    hotpotqa   34    94.1    88.2     -5.9 (-11.8 to -1.5)   12.2    15.1    +2.9 (+0.0 to +8.8)

No pass had a fault. Calls a question: 1.7 of the ledger, at most 4, and 1.9 of the reader, at most 2. Claims:
149 rejected, 25 supported, 15 withdrawn, 3 proposed. The ledger ended 84 times with `no gap`, 17 times with `rounds`,
once with `answered`. A model this small gains nothing that is sure and loses passages on HotpotQA; what it does not
quote faithfully is rejected.

Finished questions are kept in a file beside the one that `--vectors` names: a study that was cut goes on where it was.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.metrics.answers import f1
from evals.metrics.ranking import distinct, recall
from evals.reproduce import as_table
from evals.stats import interval, paired
from rag.errors import DataError
from rag.models.embedded import EmbeddedLLM
from rag.pipeline import bound, retrievers_of
from rag.readers.evidence import Evidence
from rag.readers.extractive import Extractive
from rag.store.corpus import in_memory
from rag.store.parts import part_key
from rag.types import Document
from retrievers.bm25 import BM25
from retrievers.graph import Graph
from retrievers.ledger import Ledger, printed
from retrievers.questions import Questions

if TYPE_CHECKING:
    from evals.datasets import Dataset, Item
    from rag.models.llm import LLM
    from rag.types import Answer, Hits

__all__ = ["SETS", "Kept", "asked", "passed", "reproduce", "wrong"]

SETS = ("musique", "twowiki", "hotpotqa")
LEDGER_CALLS, READER_CALLS = 4, 2
PLAIN = Extractive(scorer=None, form="span", threshold=-99.0)


def ledger(llm: LLM | None) -> Ledger:
    """The retriever, with and without the model."""
    steps = Questions(inner=Graph(inner=BM25(k=50)), reader=PLAIN, weight=0.5)
    return Ledger(inner=steps, llm=llm, rounds=2, each=3, claims=2, calls=LEDGER_CALLS, passages=6, seconds=120.0)


def opened(data: Dataset) -> Any:
    """A function that binds a retriever to the set's index."""
    with data.corpus.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    chunker = StructureChunker()
    trees = [chunker(Document(str(r.get("_id") or r["id"]), r["text"], r.get("title") or "")) for r in rows]
    store = in_memory(trees)

    def bind(retriever: Ledger) -> Any:
        for nested in retrievers_of(retriever):
            if part_key(nested) not in store.parts:
                nested.build(store.corpus, store.part(part_key(nested)))
        return bound(retriever, store)

    return bind


def asked(item: Item, search: Any, llm: LLM | None) -> tuple[Hits, Answer]:
    """One question, end to end."""
    hits = search(item.query())
    shown = type(hits)(hits.query, hits.items[:3], notes=hits.notes)
    reader = Evidence(llm=llm, plain=PLAIN, calls=READER_CALLS, max_tokens=160, budget=700, seconds=120.0)
    return hits, reader(shown)


def wrong(hits: Hits, answer: Answer, texts: Callable[[str], str]) -> Counter[str]:
    """What does not hold of a pass: limits exceeded, claims or citations that are no slices, no reason to stop."""
    note = hits.notes["retrievers/ledger"]
    faults: Counter[str] = Counter()
    read = answer.notes["readers/evidence"].get("calls", 0)
    faults["calls"] = int(note["calls"] > LEDGER_CALLS) + int(read > READER_CALLS)
    faults["rounds"] = int(note["rounds"] > 2)
    faults["passages"] = int(note["passages"] > 6)
    faults["stop without a reason"] = int(not note["stopped"])
    for one in note["claims"]:
        doc, start, end = one["place"]
        faults["claims without words"] += int(not 0 <= start < end <= len(texts(doc)))
    for cited in answer.citations:
        faults["citations"] += int(texts(cited.doc)[cited.start : cited.end] != cited.quote)
    return faults


def passed(item: Item, bind: Callable[[Ledger], Any], llm: LLM, data: Dataset) -> dict[str, Any]:
    """One question by rule and with the model: scores, faults, and what the model's pass notes."""
    row: dict[str, Any] = {"id": item.id}
    faults: Counter[str] = Counter()
    for way, model in (("rules", None), ("model", llm)):
        hits, answer = asked(item, bind(ledger(model)), model)
        score = 100 * recall(distinct(hit.doc for hit in hits), item.qrels, 5)
        row[way] = [score, 100 * f1(answer.text, item.answers)]
        faults += wrong(hits, answer, data.text)
    note, read = hits.notes["retrievers/ledger"], answer.notes["readers/evidence"]
    ways = Counter({f"ledger {way}": n for way, n in note.get("ways", {}).items()}) + Counter([f"reader {read['way']}"])
    claims = Counter(one["status"] for one in note["claims"])
    claims["rejected"] += note["rejected"]
    row |= {"calls": [note["calls"], read.get("calls", 0)], "faults": dict(faults), "ways": dict(ways)}
    row |= {"claims": dict(claims), "stopped": note["stopped"]}
    return {**row, "printed": printed(hits) if any("claim" in one for one in note["claims"]) else ""}


class Kept:
    """Rows of finished questions in a file of lines, so that a study that was cut goes on where it was."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path is not None and path.is_file() else []
        self.rows: dict[tuple[str, ...], dict[str, Any]] = {tuple(row["key"]): row for row in map(json.loads, lines)}

    def row(self, key: tuple[str, ...], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The row kept under a key, else the one made now."""
        if key not in self.rows:
            self.rows[key] = {"key": list(key), **make()}
            if self.path is not None:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(self.rows[key]) + "\n")
        return self.rows[key]


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Every question by rule and with the model."""
    if given.data is None:
        raise DataError(f"multihop-llm: needs --data FOLDER, the folder that holds {', '.join(SETS)}.")
    limit = given.limit or 34
    llm = EmbeddedLLM()
    kept = Kept(None if given.vectors is None else Path(given.vectors).parent / "multihop_llm.jsonl")
    result: dict[str, Any] = {"seed": given.seed, "model": llm.name, "sets": {}, "faults": {}, "ways": {}}
    every: list[dict[str, Any]] = []
    lines = []
    for name in SETS:
        data = load(Path(given.data) / name)
        items = [item for item in data.items if item.qrels][:limit]
        bind = opened(data)
        rows = []
        for number, item in enumerate(items):
            tell(f"{name} {number + 1} of {len(items)}\n")
            rows.append(kept.row((llm.fingerprint, name, item.id), partial(passed, item, bind, llm, data)))
        every += rows
        told: dict[str, Any] = {"n": len(items)}
        for i, metric in enumerate(("R@5", "F1")):
            one, other = ([row[way][i] for row in rows] for way in ("rules", "model"))
            moved = paired(one, other, seed=given.seed)
            told[metric] = {
                "rules": [round(v, 3) for v in interval(one, seed=given.seed)[:3]],
                "model": [round(v, 3) for v in interval(other, seed=given.seed)[:3]],
                "gain": [round(v, 3) for v in moved[:3]],
            }
        result["sets"][name] = told
        cells = [f"{told[m][w][0]:.1f}" for m in ("R@5", "F1") for w in ("rules", "model")]
        lines.append([name, str(len(items)), *cells])
    faults, ways, claims = (
        sum((Counter(row[key]) for row in every), Counter()) for key in ("faults", "ways", "claims")
    )
    result["faults"] = {key: faults[key] for key in sorted({*faults, "calls", "claims without words", "citations"})}
    result |= {"ways": dict(sorted(ways.items())), "claims": dict(sorted(claims.items()))}
    result["stops"] = dict(sorted(Counter(row["stopped"] for row in every).items()))
    calls = [row["calls"] for row in every]
    result["most calls"] = np.max(calls, axis=0).tolist()
    result["mean calls"] = [round(float(v), 3) for v in np.mean(calls, axis=0)]
    shown = next((row["printed"] for row in every if row["printed"]), "")
    head = f"faults {sum(faults.values())}; claims {result['claims']}; stops {result['stops']}\n{shown}\n"
    result["table"] = head + as_table("set|n|R@5 rules|R@5 model|F1 rules|F1 model", lines)
    return result
