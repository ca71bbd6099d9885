"""Learn the weights of the unit tagger: python -m evals.training.edu OUT.npz GOLD [LABELS.jsonl].

GOLD is a folder of documents with discourse units made by hand (`evals.units`), of genres whose licence lets weights be
shipped; its `train` part is learned from, `dev` chooses the threshold, `test` is scored once, at the end. LABELS are
the log-odds that an encoder, fine-tuned on the same `train` part, gives to open text (`evals.training.edu_teacher`):
learning from them (Hinton et al., "Distilling the Knowledge in a Neural Network", https://arxiv.org/abs/1503.02531)
is what lifts a network of this size above the linear model; a word of GOLD counts for `WEIGHT` of theirs and teaches
its part of speech too.

Adam with decoupled decay, the rate rising for 200 steps and falling to nothing; random windows of 256 words; in the
last epochs rounded as it is stored (`evals.training.edu_network`). One thread, so that a seed says what comes out.

With the labels that `evals.training.edu_teacher` names the units of `rag.discourse`, which add sentences and take away
what cannot be, have F1 85.8 on `dev` and 86.6 on `test` (the encoder 87.2 and 87.7); without labels, after 40 epochs,
78.9 and 82.1. An earlier run (20 epochs, batches of 16, no parts of speech) had 86.1 and 85.8: a difference that 8
documents do not tell apart; what ships is what this script made.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.lines import objects
from evals.training.edu_network import MARGIN, forward, fresh, ids, stored
from evals.units import Annotated, Counts, counts, f1, gold
from rag.discourse.network import Network
from rag.discourse.words import words_of
from rag.optional import require

WORDS, WIDTH = 6000, 64
EPOCHS, ROUNDED = 24, 0.7  # share of the epochs before rounding begins
RATE, DECAY, WARM = 3e-3, 1e-4, 200
WINDOW, BATCH = 256, 8
WEIGHT, TAGS = 4.0, 0.3  # of a word of GOLD beside one of LABELS; of parts of speech beside boundaries
DROP, BLIND = 0.1, 0.05
SEED = 0
TAGGED = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"
UPOS = tuple(TAGGED.split())
THRESHOLDS = np.arange(-10, 11) / 10


class Row(NamedTuple):
    """The words of a text and what is to be learned of them: chance of a boundary, weight, part of speech or -1."""

    columns: NDArray[np.int64]
    chance: NDArray[np.float32]
    weight: NDArray[np.float32]
    tag: NDArray[np.int64]


def columns_of(text: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the words of a text begin, and int64 (n, 5), their hashes, class, shape and gap."""
    words, _ = words_of(text, [(0, len(text))])
    types = words.types[words.kind].astype(np.int64)
    return words.start, np.concatenate((types, words.gap[:, None].astype(np.int64)), axis=1)


def by_hand(document: Annotated) -> Row:
    """What a document teaches."""
    start, columns = columns_of(document.text)
    at = {a: UPOS.index(tag) if tag in UPOS else -1 for (a, _), tag in zip(document.tokens, document.upos, strict=True)}
    begins = np.array([a in document.edus for a in start.tolist()], dtype=np.float32)
    tag = np.array([at.get(a, -1) for a in start.tolist()], dtype=np.int64)
    return Row(columns, begins, np.full(len(start), WEIGHT, dtype=np.float32), tag)


def labelled(path: Path) -> Iterator[Row]:
    """What labels teach: lines of `text`, `starts` (ascending code points) and `logits`."""
    for line in objects(path):
        row = line.value
        start, columns = columns_of(row["text"])
        places = np.append(np.array(row["starts"], dtype=np.int64), -1)
        where = np.minimum(np.searchsorted(places[:-1], start), max(len(places) - 2, 0))
        known = places[where] == start
        logits = np.append(np.array(row["logits"], dtype=np.float64), 0.0)[where]
        none = np.full(len(start), -1, dtype=np.int64)
        yield Row(columns, (1 / (1 + np.exp(-logits))).astype(np.float32), known.astype(np.float32), none)


def vocabulary(taught: Sequence[Row], more: Sequence[Row]) -> NDArray[np.int64]:
    """Hashes of the most frequent words, ascending; a word of GOLD counts three times."""
    seen: Counter[int] = Counter()
    for rows, times in ((taught, 3), (more, 1)):
        for row in rows:
            for form, count in Counter(row.columns[:, 0].tolist()).items():
                seen[form] += times * count
    return np.array(sorted(form for form, _ in seen.most_common(WORDS)), dtype=np.int64)


def stream(rows: Sequence[Row], known: NDArray[np.int64]) -> tuple[Any, ...]:
    """All rows as tensors, one behind the other, with padding before and behind each."""
    torch = require("torch", extra="sentence-transformers", by="evals.training.edu")
    pad = MARGIN + 1
    gap = Row(np.full((pad, 5), -1), np.zeros(pad, dtype=np.float32), np.zeros(pad, dtype=np.float32), np.full(pad, -1))
    parts = [part for row in rows for part in (gap, row)] + [gap]
    joined = Row(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return tuple(torch.tensor(a) for a in (ids(joined.columns, known), joined.chance, joined.weight, joined.tag))


def learn(rows: Sequence[Row], known: NDArray[np.int64], epochs: int = EPOCHS, seed: int = SEED) -> dict[str, Any]:
    """The parameters after all epochs; says the mean loss of each."""
    torch = require("torch", extra="sentence-transformers", by="evals.training.edu")
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    dice = np.random.default_rng(seed)
    values = fresh(len(known), WIDTH, len(UPOS), seed)
    order = dice.permutation(len(rows))
    columns = stream([rows[i] for i in order], known)
    size = len(columns[0]) - WINDOW - 2 * MARGIN
    steps = max(size // WINDOW // BATCH, 1) * epochs
    adam = torch.optim.AdamW(values.values(), lr=RATE, weight_decay=DECAY, betas=(0.9, 0.99))
    around, step = torch.arange(WINDOW + 2 * MARGIN), 0
    for epoch in range(epochs):
        starts = np.arange(int(dice.integers(0, WINDOW)), size, WINDOW)
        dice.shuffle(starts)
        total = 0.0
        batches = range(0, len(starts) - BATCH + 1, BATCH)
        for low in batches:
            step += 1
            rate = RATE * min(1.0, step / WARM) * max(0.01, 1 - step / steps)
            for group in adam.param_groups:
                group["lr"] = rate
            window = torch.tensor(starts[low : low + BATCH])[:, None] + around
            loss = _loss(values, columns, window, rounded=epoch >= ROUNDED * epochs)
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(values.values(), 1.0)
            adam.step()
            total += float(loss.detach())
        sys.stderr.write(f"epoch {epoch + 1}: loss {total / max(len(batches), 1):.4f}\n")
    return values


def _loss(values: dict[str, Any], columns: tuple[Any, ...], window: Any, *, rounded: bool) -> Any:
    """Cross-entropy of boundaries, and of parts of speech where these are known."""
    torch = require("torch", extra="sentence-transformers", by="evals.training.edu")
    rows, chance, weight, tag = columns
    inner = window[:, MARGIN:-MARGIN]
    score, tags = forward(values, rows[window], rounded=rounded, drop=DROP, blind=BLIND)
    each = torch.nn.functional.binary_cross_entropy_with_logits(score, chance[inner], reduction="none")
    loss = (each * weight[inner]).sum() / weight[inner].sum().clamp(min=1)
    wanted = tag[inner]
    if bool((wanted >= 0).any()):
        named = torch.nn.functional.cross_entropy(
            tags.reshape(-1, len(UPOS)), wanted.reshape(-1), ignore_index=-1, reduction="sum"
        )
        loss = loss + TAGS * named / wanted.numel()
    return loss


def judged(network: Network, documents: Sequence[Annotated], least: float = 0.0) -> list[Counts]:
    """How well the bare tagger agrees with documents, sentences left to it too."""
    found = []
    for document in documents:
        words, bounds = words_of(document.text, [(0, len(document.text))])
        found.append(counts(document, words.start[network(words, bounds) >= least].tolist()))
    return found


def main(out: Path, folder: Path, labels: Path | None) -> None:
    """Learn, choose the threshold on `dev`, store, and say the scores of what is stored."""
    taught = [by_hand(document) for document in gold(folder, "train")]
    more = list(labelled(labels)) if labels else []
    known = vocabulary(taught, more)
    values = learn([*taught, *more], known)
    dev = gold(folder, "dev")
    tried = [(stored(values, known.tolist(), float(least)), float(least)) for least in THRESHOLDS]
    scored = [(f1(judged(Network.of(arrays), dev))[2], -abs(least), arrays) for arrays, least in tried]
    best = max(scored, key=lambda row: row[:2])
    arrays: dict[str, Any] = best[2]
    np.savez(out, **arrays)
    network = Network.of(arrays)
    for part, documents in (("dev", dev), ("test", gold(folder, "test"))):
        sys.stdout.write(f"{part}: F1 {f1(judged(network, documents))[2]:.2f}\n")
    sys.stdout.write(f"{out}: {out.stat().st_size} bytes, threshold {-best[1]:.1f} off 0\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
