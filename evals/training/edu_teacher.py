"""Label open text with boundaries of discourse units: python -m evals.training.edu_teacher OUT.jsonl GOLD TEXTS...

An encoder (all-MiniLM-L6-v2, 22 million weights) is fine-tuned on the `train` part of GOLD (`evals.units`), one logit a
piece of a word, in windows of 192 pieces; six columns beside its states say what lower case loses: white space, lines
and capitals. It then gives each word of TEXTS its log-odds, each from the window that shows most around it. TEXTS are
folders with a `corpus.jsonl`, of each so many documents, drawn at random, as `LETTERS` holds; their licences must let
weights learned from them be passed on. On two cores the tuning takes half an hour, the labels of a million words as
long.

The labels that the shipped weights learned from: 935 documents, 525,955 words, from articles and abstracts on
medicine and biology (covid_qa, pubmedqa, scifact), meetings (qmsum), stories (squality), contracts (cuad), reports
and rules of the United States government (govreport, treebench), a little news (multihop_rag), drawn by an earlier
form of this script, up to 0.6 million letters of each. After eight epochs the encoder itself has F1 87.2 on `dev` and
87.7 on `test`. Sums on other machines differ in their last bits, so another run gives other labels.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.lines import objects
from evals.units import counts, f1, gold
from rag.models.weights import locate
from rag.optional import require

LETTERS = 400_000  # of a folder
LONGEST = 30_000  # code points of a document that are read
WINDOW, STEP, BATCH = 192, 144, 8
EPOCHS, RATE, HEAD_RATE, WARM = 8, 1e-4, 1e-3, 0.1
SEED = 0
SPACED = ((re.compile(r" ([.,?!;:'’])"), r"\1"), (re.compile(r" (n't)"), r"\1"))  # text that stands as tokens


class Pieces(NamedTuple):
    """The pieces of a text: ids of the encoder, their ranges, what lower case loses, whether a unit begins there."""

    ids: NDArray[np.int64]
    places: NDArray[np.int64]
    looks: NDArray[np.float32]
    begins: NDArray[np.float32]


class Encoder:
    """The encoder with its head, on one thread."""

    def __init__(self) -> None:
        torch = require("torch", extra="sentence-transformers", by="evals.training.edu_teacher")
        models = require("transformers", extra="sentence-transformers", by="evals.training.edu_teacher")
        torch.set_num_threads(1)
        torch.manual_seed(SEED)
        folder = str(locate("all-MiniLM-L6-v2"))
        self.torch = torch
        self.pieces = models.AutoTokenizer.from_pretrained(folder, use_fast=True)
        self.body = models.AutoModel.from_pretrained(folder)
        self.head = torch.nn.Linear(self.body.config.hidden_size + 6, 1)
        self.drop = torch.nn.Dropout(0.1)

    def read(self, text: str, begins: frozenset[int] = frozenset()) -> Pieces:
        """The pieces of a text."""
        found = self.pieces(text, return_offsets_mapping=True, add_special_tokens=False, truncation=False)
        places = np.array(found["offset_mapping"], dtype=np.int64).reshape(-1, 2)
        looks = np.zeros((len(places), 6), dtype=np.float32)
        for i, (a, b) in enumerate(places.tolist()):
            before, piece = text[places[i - 1, 1] : a] if i else "\n\n", text[a:b]
            looks[i] = (
                *(before != "", "\n" in before, "\n\n" in before),
                *(piece[:1].isupper(), piece.isupper() and len(piece) > 1, piece[:1].isdigit()),
            )
        marked = np.array([a in begins for a in places[:, 0].tolist()], dtype=np.float32)
        return Pieces(np.array(found["input_ids"], dtype=np.int64), places, looks, marked)

    def logits(self, rows: Sequence[Pieces], windows: Sequence[tuple[int, int, int]]) -> tuple[Any, Any, Any]:
        """Logits of some windows `(row, first, last)` (b, n), whether a unit begins, and where there is a piece."""
        torch = self.torch
        shape = (len(windows), max(last - first for _, first, last in windows) + 2)
        ids, begins, held = torch.zeros(shape, dtype=torch.long), torch.zeros(shape), torch.zeros(shape)
        seen, looks = torch.zeros(shape), torch.zeros(*shape, 6)
        for k, (row, first, last) in enumerate(windows):
            inner = slice(1, last - first + 1)
            ids[k, 0], ids[k, last - first + 1] = self.pieces.cls_token_id, self.pieces.sep_token_id
            ids[k, inner] = torch.tensor(rows[row].ids[first:last])
            seen[k, : last - first + 2], held[k, inner] = 1, 1
            looks[k, inner] = torch.tensor(rows[row].looks[first:last])
            begins[k, inner] = torch.tensor(rows[row].begins[first:last])
        states = self.body(input_ids=ids, attention_mask=seen).last_hidden_state
        return self.head(torch.cat([self.drop(states), looks], -1)).squeeze(-1), begins, held

    def tune(self, rows: Sequence[Pieces]) -> None:
        """Learn where units begin; says the mean loss of each epoch."""
        torch, dice = self.torch, np.random.default_rng(SEED)
        groups = ((self.body, RATE), (self.head, HEAD_RATE))
        adam = torch.optim.AdamW(
            [{"params": part.parameters(), "lr": rate} for part, rate in groups], weight_decay=0.01
        )
        total = EPOCHS * -(-sum(len(_windows(len(row.ids), WINDOW)) for row in rows) // BATCH)
        parameters = [p for part, _ in groups for p in part.parameters()]
        step = 0
        for part in (self.body, self.drop):
            part.train()
        for epoch in range(EPOCHS):
            windows = [
                (k, max(0, a - back), min(len(row.ids), a - back + WINDOW))
                for k, row in enumerate(rows)
                for back in (int(dice.integers(0, STEP)),)
                for a in range(0, len(row.ids) + back, WINDOW)
            ]
            order = [windows[i] for i in dice.permutation(len(windows)).tolist()]
            losses = []
            for low in range(0, len(order), BATCH):
                step += 1
                share = min(1.0, step / (WARM * total)) * max(0.0, (total - step) / total)
                for group, (_, rate) in zip(adam.param_groups, groups, strict=True):
                    group["lr"] = rate * share
                found, begins, held = self.logits(rows, order[low : low + BATCH])
                each = torch.nn.functional.binary_cross_entropy_with_logits(found, begins, reduction="none")
                loss = (each * held).sum() / held.sum().clamp(min=1)
                adam.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                adam.step()
                losses.append(float(loss.detach()))
            sys.stderr.write(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}\n")
        for part in (self.body, self.drop):
            part.eval()

    def label(self, row: Pieces) -> NDArray[np.float64]:
        """Log-odds of each piece, from the window that shows most on its shorter side."""
        found, shown = np.zeros(len(row.ids)), np.full(len(row.ids), -1)
        spans = _windows(len(row.ids), STEP)
        with self.torch.no_grad():
            for low in range(0, len(spans), BATCH):
                some = [(0, a, b) for a, b in spans[low : low + BATCH]]
                logits = self.logits([row], some)[0].numpy()
                for k, (_, a, b) in enumerate(some):
                    at = np.arange(a, b)
                    left = np.where(a == 0, WINDOW, at - a)
                    right = np.where(b == len(row.ids), WINDOW, b - 1 - at)
                    better = np.minimum(left, right) > shown[a:b]
                    found[a:b][better] = logits[k, 1 : b - a + 1][better]
                    shown[a:b][better] = np.minimum(left, right)[better]
        return found


def _windows(count: int, step: int) -> list[tuple[int, int]]:
    """Ranges of at most `WINDOW` pieces, one every `step`; the last reaches the end."""
    firsts = range(0, max(count - WINDOW + step, 1), step) if count else ()
    return [(a, min(a + WINDOW, count)) for a in firsts]


def texts(folder: Path) -> Iterator[str]:
    """Documents of a folder at random, up to `LETTERS`; blanks before marks go where a text has them throughout."""
    rows = [line.value["text"][:LONGEST] for line in objects(folder / "corpus.jsonl")]
    held = 0
    for i in np.random.default_rng(SEED).permutation(len(rows)).tolist():
        text = rows[i]
        if text.count(" .") > text.count(". ") / 2:
            for pattern, by in SPACED:
                text = pattern.sub(by, text)
        if held and held + len(text) > LETTERS:
            continue
        held += len(text)
        yield text


def main(out: Path, folder: Path, sources: Sequence[Path]) -> None:
    """Tune, say the scores on `dev` and `test`, label."""
    encoder = Encoder()
    encoder.tune([encoder.read(one.text, one.edus) for one in gold(folder, "train")])
    for part in ("dev", "test"):
        rows = []
        for one in gold(folder, part):
            row = encoder.read(one.text)
            rows.append(counts(one, row.places[encoder.label(row) > 0, 0].tolist()))
        sys.stdout.write(f"{part}: F1 {f1(rows)[2]:.2f}\n")
    with out.open("w", encoding="utf-8") as file:
        for source in sources:
            for text in texts(source):
                row = encoder.read(text)
                logits = [round(z, 2) for z in encoder.label(row).tolist()]
                file.write(json.dumps({"text": text, "starts": row.places[:, 0].tolist(), "logits": logits}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(one) for one in sys.argv[3:]])
