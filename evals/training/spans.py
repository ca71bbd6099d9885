"""Learn the weights of the span ranker: python -m evals.training.spans OUT.json TRAIN... -- TEST...

TRAIN and TEST are dataset folders (corpus.jsonl, queries.jsonl and, for exact places, spans.jsonl) whose licence lets
weights be shipped. For each question the sentences of its documents (its `scope`, else its `context`) are cut to the
20 that match by words, scored by the default cross-encoder, and the best three are searched, as the reader does; a
training question whose answer is in none of them gets the sentence that holds it. Loss: negative log-likelihood of
the span that equals an answer, with a quadratic penalty; L-BFGS, from zero, so no seed. Prints exact match
and F1 on TEST for the weights as stored. A question with `steps` gives its single steps.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evals.metrics.answers import contains, exact_match, f1, normalise, words
from rag.lexical import match
from rag.models.onnx import OnnxScorer
from rag.models.states import states
from rag.readers.ranker import Piece, edges, searched
from rag.readers.span_features import features, prepare, want
from rag.readers.span_weights import BEST, SCORE
from rag.readers.spans import candidates, tokens
from rag.units import cut

LAYERS = tuple(f"/bert/encoder/layer.{n}/output/LayerNorm/Add_1_output_0" for n in (6, 8))
POOL, DEPTH = 20, 3
SENTENCE = {SCORE: 40, BEST: 50}  # hundredths more, for what putting answers among the sentences hides; by TEST
SURE = 0.12  # below it a span of SQuAD is worth little more than its sentence
PENALTY, INNER_PENALTY, RARE = 5.0, 100.0, 4
KEPT = 8  # hundredths; a feature that weighs less is not stored


@dataclass
class Example:
    """One question with all spans of its sentences."""

    golds: list[str]
    found: list[dict[str, float]]
    texts: list[str]
    right: np.ndarray[Any, Any]
    first: np.ndarray[Any, Any]
    last: np.ndarray[Any, Any]


def asked(folder: Path) -> Iterator[tuple[str, list[str], list[str], dict[str, list[tuple[int, int]]] | None]]:
    """Question, answers, documents, and places of the answer where they are known."""
    places: dict[str, dict[str, list[tuple[int, int]]]] = {}
    if (folder / "spans.jsonl").exists():
        for line in (folder / "spans.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            places.setdefault(row["query_id"], {}).setdefault(row["doc_id"], []).append((row["start"], row["end"]))
    relevant: dict[str, list[str]] = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, doc, _ = line.split("\t")
        relevant.setdefault(query, []).append(doc)
    for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        docs = row.get("scope") or row.get("context") or relevant.get(row["id"], [])
        if row.get("answer_from") in ("table", "table-text") or not row["answers"]:
            continue
        if "steps" not in row:
            exact = places.get(row["id"]) if row.get("scope") and "answer_from" not in row else None
            yield row["text"], row["answers"], docs, exact
            continue
        said: list[str] = []
        for step in row["steps"]:
            text = step["question"]
            for n, answer in enumerate(said, start=1):
                text = text.replace(f"#{n}", answer)
            said.append(step["answer"])
            if ">>" in text:
                subject, _, relation = (part.strip() for part in text.partition(">>"))
                text = f"What is the {relation} of {subject}?"
            yield text, [step["answer"]], docs, None


def examples(folder: Path, scorer: OnnxScorer, *, train: bool) -> list[Example]:
    """The questions of a folder."""
    corpus = {}
    for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        corpus[row["id"]] = (
            row.get("title", ""),
            row["text"],
            [(a, b) for a, b, _ in cut(row["text"], 0, len(row["text"]))],
        )
    found = []
    for question, golds, docs, places in asked(folder):
        pool = [(doc, Piece(corpus[doc][1], a, b, corpus[doc][0], 0.0)) for doc in docs for a, b in corpus[doc][2]]
        pool = [(doc, piece) for doc, piece in pool if piece.text[piece.start : piece.end].strip()]
        if not pool:
            continue
        values = match(question, [p.text[p.start : p.end] for _, p in pool], [p.head for _, p in pool])
        holds = [_holds(doc, piece, golds, places) for doc, piece in pool]
        order = sorted(range(len(pool)), key=lambda n: (-values[n], n))
        order = order[:POOL] + [n for n in order[POOL:] if holds[n]][:2]
        logits = scorer.score(question, [pool[n][1].shown for n in order])
        best = sorted(range(len(order)), key=lambda k: (-float(logits[k]), k))
        if train and not any(holds[order[k]] for k in best[:DEPTH]):
            best = best[: DEPTH - 1] + [k for k in best if holds[order[k]]][:1]
        pieces = [pool[order[k]][1]._replace(score=float(logits[k])) for k in best[:DEPTH]]
        one = example(question, golds, pieces, [holds[order[k]] or not train for k in best[:DEPTH]])
        if one is not None and (not train or one.right.max() >= 0.6):
            found.append(one)
    return found


def _holds(doc: str, piece: Piece, golds: Sequence[str], places: dict[str, list[tuple[int, int]]] | None) -> bool:
    if places is not None:
        return any(a < piece.end and b > piece.start for a, b in places.get(doc, ()))
    body = words(piece.text[piece.start : piece.end])
    return any(contains(body, words(gold)) for gold in golds)


def example(question: str, golds: list[str], pieces: Sequence[Piece], counts: Sequence[bool]) -> Example | None:
    """All spans with their features, states at their edges, and how right they are (F1, 0 in another sentence)."""
    wanted = want(question)
    if wanted.asked.kind == "yes-no":
        return None
    inner = states(OnnxScorer().model, LAYERS, question, [piece.shown for piece in pieces])
    found, texts, right, first, last = [], [], [], [], []
    for at, (piece, state) in enumerate(zip(pieces, inner, strict=True)):
        spoken = searched(tokens(piece.text, piece.start, piece.end), wanted)
        sentence = prepare(spoken, wanted)
        begins, ends = edges(spoken, state, piece.shift)
        for i, j in candidates(spoken):
            one = features(sentence, i, j, wanted)
            one[SCORE], one[BEST] = piece.score - pieces[0].score, float(at == 0)
            found.append(one)
            texts.append(piece.text[spoken[i].start : spoken[j - 1].end])
            right.append(f1(texts[-1], golds) if counts[at] and normalise(texts[-1]) else 0.0)
            first.append(begins[i].astype(np.float32))
            last.append(ends[j - 1].astype(np.float32))
    if not found:
        return None
    return Example(golds, found, texts, np.array(right), np.array(first), np.array(last))


class Problem:
    """Examples as matrices."""

    def __init__(self, given: Sequence[Example], names: dict[str, int]) -> None:
        from scipy.sparse import csr_matrix

        rows = [[(names[k], v) for k, v in one.items() if k in names] for e in given for one in e.found]
        at = np.cumsum([0, *map(len, rows)])
        flat = [pair for row in rows for pair in row]
        self.plain = csr_matrix(([v for _, v in flat], [k for k, _ in flat], at), shape=(len(rows), len(names)))
        self.inner = np.concatenate([np.hstack([e.first, e.last]) for e in given])
        self.sizes = np.array([len(e.found) for e in given])
        self.begins = np.cumsum([0, *self.sizes[:-1]])
        self.target = np.concatenate([_target(e.right) for e in given])

    def worth(self, weights: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Of each span, for weights of the features and then, where there are more, of the states."""
        size = self.plain.shape[1]
        total = self.plain @ weights[:size]
        if len(weights) > size:
            total = total + self.inner @ weights[size:].astype(np.float32)
        return np.asarray(total)

    def fit(self, *, inner: bool) -> np.ndarray[Any, Any]:
        """The weights of least penalised loss."""
        from scipy.optimize import minimize

        size = self.plain.shape[1]
        penalty = np.full(size, PENALTY)
        if inner:
            penalty = np.concatenate([penalty, np.full(self.inner.shape[1], INNER_PENALTY)])
        turned = self.plain.T.tocsr()

        def loss(weights: np.ndarray[Any, Any]) -> tuple[float, np.ndarray[Any, Any]]:
            worth = self.worth(weights)
            top = np.maximum.reduceat(worth, self.begins)
            each = np.exp(worth - np.repeat(top, self.sizes))
            total = np.add.reduceat(each, self.begins)
            off = each / np.repeat(total, self.sizes) - self.target
            value = (np.log(total) + top).sum() - self.target @ worth + 0.5 * (penalty * weights) @ weights
            slope = turned @ off
            if inner:
                slope = np.concatenate([slope, (off.astype(np.float32) @ self.inner).astype(np.float64)])
            return float(value), slope + penalty * weights

        options = {"maxiter": 80}
        return np.asarray(minimize(loss, np.zeros(len(penalty)), jac=True, method="L-BFGS-B", options=options).x)


def _target(right: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Most of the mass on the best spans, some on those that are nearly right."""
    best = right >= right.max() - 1e-9
    near = (right >= 0.7) & ~best
    mass = best + 0.3 * np.where(near, right**3, 0) / max(1, near.sum())
    return np.asarray(mass / mass.sum())


def stored(weights: np.ndarray[Any, Any], names: dict[str, int], part: str) -> dict[str, Any]:
    """As JSON: features in hundredths, states in ten-thousandths."""
    listed = {k: round(100 * float(weights[n])) for k, n in names.items() if abs(weights[n]) * 100 >= KEPT}
    found: dict[str, Any] = {"features": listed, "sure": SURE}
    if part == "inner":
        for name, more in SENTENCE.items():
            listed[name] = listed.get(name, 0) + more
        dense = np.rint(weights[len(names) :] * 10_000).astype(int).tolist()
        half = len(dense) // 2
        found |= {"model": OnnxScorer().model, "layers": list(LAYERS), "first": dense[:half], "last": dense[half:]}
    return found


def restored(part: dict[str, Any], names: dict[str, int]) -> np.ndarray[Any, Any]:
    """The weights as the reader will see them."""
    found = np.zeros(len(names))
    for name, value in part["features"].items():
        found[names[name]] = value / 100
    return np.concatenate([found, np.array(part.get("first", []) + part.get("last", [])) / 10_000])


def table(problem: Problem, given: Sequence[Example], weights: np.ndarray[Any, Any]) -> str:
    """Exact match and F1, then by probability of the best span."""
    worth = problem.worth(weights)
    rows = []
    for e, begin, size in zip(given, problem.begins, problem.sizes, strict=True):
        part = worth[begin : begin + size]
        best = int(np.argmax(np.round(part, 9)))
        sure = 1 / np.exp(part - part[best]).sum()
        rows.append((sure, exact_match(e.texts[best], e.golds), f1(e.texts[best], e.golds)))
    values = np.array(rows)
    lines = [f"n {len(rows)} EM {values[:, 1].mean():.3f} F1 {values[:, 2].mean():.3f}"]
    for low, high in ((0, 0.1), (0.1, 0.15), (0.15, 0.2), (0.2, 0.3), (0.3, 0.5), (0.5, 1.01)):
        some = values[(values[:, 0] >= low) & (values[:, 0] < high)]
        if len(some):
            lines.append(f"  sure {low:.2f}: n {len(some)} EM {some[:, 1].mean():.2f} F1 {some[:, 2].mean():.2f}")
    return "\n".join(lines)


def main() -> None:
    """See the module."""
    out, *folders = sys.argv[1:]
    parts = [list(map(Path, part)) for part in (folders[: folders.index("--")], folders[folders.index("--") + 1 :])]
    scorer = OnnxScorer()
    given = [e for folder in parts[0] for e in examples(folder, scorer, train=True)]
    counts = Counter(name for e in given for name in {k for one in e.found for k in one})
    seen = Counter(name for e in given for one in e.found for name in one)
    names = {name: n for n, name in enumerate(sorted(k for k in counts if seen[k] >= RARE))}
    problem = Problem(given, names)
    found = {part: stored(problem.fit(inner=part == "inner"), names, part) for part in ("plain", "inner")}
    Path(out).write_text(
        json.dumps(found, sort_keys=True, separators=(",", ":")).replace("},", "},\n") + "\n", encoding="utf-8"
    )
    for folder in parts[1]:
        tested = examples(folder, scorer, train=False)
        matrices = Problem(tested, names)
        for part, values in found.items():
            sys.stdout.write(f"{folder.name} {part}: {table(matrices, tested, restored(values, names))}\n")


if __name__ == "__main__":
    main()
