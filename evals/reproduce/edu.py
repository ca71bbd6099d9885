"""Boundaries of discourse units: sentences, marks, rules and the tagger against units made by hand, and its speed.

On the test part of the CC BY genres of GUM (8 documents, 911 units), gold sentences alone reach F1 55.2, cuts behind
`; : , . ! ?` 58.4, both together 61.9: rows to be reproduced. Elsewhere clause rules over gold sentences reached 74.0
and a linear model of 131 KB 82.7. `--data` is a folder as `evals.units` reads it, with the parts `train`, `dev`,
`test`; `train` is read for speed only. Intervals are over documents, and wide: there are few.
"""

from __future__ import annotations

import hashlib
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from evals.reproduce import as_table
from evals.units import Annotated, Counts, after_marks, counts, f1, f1_interval, gold, heads, sentence_starts
from rag.discourse import ROLES, edus
from rag.discourse.network import FILE
from rag.discourse.rules import rule_starts
from rag.discourse.words import words_of
from rag.errors import DataError
from rag.sentences import sentence_spans

__all__ = ["EXPECTED", "METHODS", "agreement", "reproduce", "row", "speed"]

METHODS: dict[str, Callable[[Annotated], Iterable[int]]] = {
    "gold sentences": sentence_starts,
    "sentences by rule": lambda one: [a for a, _ in sentence_spans(one.text)],
    "behind marks": after_marks,
    "behind marks, gold sentences": lambda one: {*after_marks(one), *sentence_starts(one)},
    "clause rules": lambda one: rule_starts(one.text).tolist(),
    "clause rules, gold sentences": lambda one: {*rule_starts(one.text).tolist(), *sentence_starts(one)},
    "tagger": lambda one: edus(one.text).start.tolist(),
}
EXPECTED = {"gold sentences": 55.2, "behind marks": 58.4, "behind marks, gold sentences": 61.9}
REPEATS = 7


def row(method: str, documents: Sequence[Annotated], seed: int = 0) -> dict[str, Any]:
    """Precision, recall and F1 of a method over documents, with and without places where a sentence begins."""
    starts = [list(METHODS[method](one)) for one in documents]
    pairs = list(zip(documents, starts, strict=True))
    whole = [counts(one, found) for one, found in pairs]
    inner = [counts(one, found, inside=True) for one, found in pairs]
    precision, recall, score = f1(whole)
    low, high = f1_interval(whole, seed)
    return {
        "method": method,
        "n": len(documents),
        "precision": round(precision, 2),
        "recall": round(recall, 2),
        "f1": [round(score, 2), round(low, 2), round(high, 2)],
        "inside": round(f1(inner)[2], 2),
    }


def agreement(document: Annotated, above: Sequence[int]) -> Counts:
    """How many of our units have a host, how many of these hosts stand above them in the parse, and how many units.

    A unit stands below another where the head of its highest word lies there or below. Attributions and second pieces
    are left out: a parse hangs what is said below "she said", and which piece is the first is not its matter.

    Args:
        document: any.
        above: number of each token's head, -1 for a root.
    """
    found = edus(document.text)
    unit = np.searchsorted(found.start, [a for a, _ in document.tokens], side="right") - 1
    up, least = np.full(len(found.start), -1), [len(above)] * len(found.start)
    for token, head in enumerate(above):
        mine = int(unit[token])
        depth = _depth(above, token)
        if document.upos[token] != "PUNCT" and depth < least[mine]:
            least[mine], up[mine] = depth, unit[head] if head >= 0 else -1
    counted = [0, 0, 0]
    for one in range(len(up)):
        if ROLES[found.role[one]] in ("attribution", "tail"):
            continue
        counted[2] += 1
        host, at, seen = int(found.host[one]), int(up[one]), set[int]()
        if host < 0:
            continue
        while at >= 0 and at not in seen and at != host:
            seen.add(at)
            at = int(up[at])
        counted[1] += 1
        counted[0] += at == host
    return Counts(*counted)


def _depth(above: Sequence[int], token: int) -> int:
    """Steps from a token to the root of its sentence."""
    steps = 0
    while (token := above[token]) >= 0:
        steps += 1
    return steps


def speed(text: str, repeats: int = REPEATS) -> dict[str, Any]:
    """Words and marks a second of CPU for a text, best of some runs, beside those of the sentence rules alone."""
    words = len(words_of(text, [(0, len(text))])[0].start)
    seconds = {"units": 1e9, "sentences": 1e9}
    for _ in range(repeats):
        for name, step in (("units", edus), ("sentences", sentence_spans)):
            begin = time.process_time()
            step(text)
            seconds[name] = min(seconds[name], time.process_time() - begin)
    return {
        "words": words,
        "words_a_second": round(words / seconds["units"]),
        "times_as_long_as_sentences": round(seconds["units"] / seconds["sentences"], 1),
    }


def _share(rows: Sequence[Counts], seed: int) -> dict[str, Any]:
    """The share of hosts that stand above, in percent, with its interval over documents."""
    table = np.array(rows, dtype=np.float64)
    drawn = np.random.default_rng([seed, len(table)]).multinomial(
        len(table), np.full(len(table), 1 / len(table)), 10_000
    )
    right, given, _ = (drawn @ table).T
    low, high = np.percentile(100 * right / given, (2.5, 97.5)).tolist()
    all_right, all_given, all_units = table.sum(0).tolist()
    share = [round(x, 2) for x in (100 * all_right / all_given, low, high)]
    return {"n": len(rows), "above": share, "linked": int(all_given), "units": int(all_units)}


def reproduce(given: Namespace, tell: Callable[[str], Any]) -> dict[str, Any]:
    """Score every method on `dev` and `test`, the tagger by genre too, and time it."""
    if given.data is None:
        raise DataError("edu: --data is needed: a folder with *_train.jsonl, *_dev.jsonl and *_test.jsonl.")
    parts = {part: gold(given.data, part)[: given.limit] for part in ("train", "dev", "test")}
    rows = {part: [row(method, parts[part], given.seed) for method in METHODS] for part in ("dev", "test")}
    genres = sorted({one.genre for one in parts["test"]})
    both = [*parts["dev"], *parts["test"]]
    by_genre = {genre: row("tagger", [one for one in both if one.genre == genre], given.seed) for genre in genres}
    kept = {part: heads(given.data, part)[: given.limit] for part in ("dev", "test")}
    hosts = [agreement(one, up) for part in kept for one, up in zip(parts[part], kept[part], strict=True)]
    tell("timing\n")
    timed = speed("\n\n".join(one.text for one in parts["train"]))
    weights = (files("rag.discourse") / FILE).read_bytes()
    named = [(part, one["method"], one) for part in rows for one in rows[part]]
    named += [("both", f"tagger, {genre}", one) for genre, one in by_genre.items()]
    lines = [
        [f"{part}: {name}", *(f"{x:.1f}" for x in (one["precision"], one["recall"], *one["f1"], one["inside"]))]
        for part, name, one in named
    ]
    return {
        "n": len(parts["test"]),
        "units": sum(len(one.edus) for one in parts["test"]),
        "seed": given.seed,
        "dev": rows["dev"],
        "test": rows["test"],
        "genres": by_genre,
        "documents": {one.id: list(counts(one, METHODS["tagger"](one))) for one in parts["test"]},
        "hosts": _share(hosts, given.seed),
        "speed": timed,
        "bytes": len(weights),
        "sha256": hashlib.sha256(weights).hexdigest(),
        "table": as_table("method|P|R|F1|low|high|F1 inside", lines)
        + f"\n{timed['words_a_second']} words a CPU second, {len(weights)} bytes\n"
        + f"hosts above their unit: {_share(hosts, given.seed)['above']}\n",
    }
