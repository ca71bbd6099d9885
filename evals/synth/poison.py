"""Planted passages: true paragraphs with the answer swapped for another of its kind, everything else kept.

The setting of the poisoning experiments in METEORA (arXiv 2505.16014, section 5): one planted passage in a share of
the questions, in the style of the corpus. An answer of digits gets other digits, a name another name of the set's
answers with as many words, drawn by the seed. Nothing else in the passage tells it from a true one: it has the title,
the length and the words of the paragraph it was made from, which stays in the corpus.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from evals.datasets import Dataset, Item

__all__ = ["Planted", "plant", "write"]

LONGEST = 1200  # characters of a planted passage
NUMBER = re.compile(r"\d+")


class Planted(NamedTuple):
    """A false passage.

    Args:
        doc: id of its document.
        query: id of the question it was made for.
        title: that of the document it imitates.
        text: the passage.
        right: the answer that was taken out.
        wrong: the answer that was put in.
    """

    doc: str
    query: str
    title: str
    text: str
    right: str
    wrong: str


def plant(data: Dataset, share: float, seed: int, within: Iterable[Item] | None = None) -> list[Planted]:
    """One planted passage for a share of the questions.

    Args:
        data: questions with answers and judgements or spans.
        share: of the questions, in [0, 1].
        seed: of the draw and of the swaps.
        within: only these questions; None means all.

    Returns:
        At most that share, in the order of the questions: those whose answer stands in no gold document are skipped
        and others drawn instead.
    """
    rng = random.Random(seed)
    items = list(data.items if within is None else within)
    drawn = sorted(items, key=lambda item: (rng.random(), item.id))
    pool = sorted({a for item in data.items for a in item.answers})
    found: dict[str, Planted] = {}
    for item in drawn:
        if len(found) >= round(share * len(items)):
            break
        made = _swapped(data, item, pool, random.Random(f"{seed} {item.id}"))
        if made is not None:
            found[item.id] = made
    return [found[item.id] for item in items if item.id in found]


def write(data: Dataset, planted: list[Planted], out: Path, within: Iterable[Item] | None = None) -> None:
    """The dataset with the planted passages among its documents, as a dataset folder with `poison.tsv`.

    Where a question names the documents it is asked of, its planted passage is among them.
    """
    out.mkdir(parents=True, exist_ok=True)
    kept = {item.id for item in (data.items if within is None else within)}
    body = [json.dumps({"id": p.doc, "title": p.title, "text": p.text}) for p in planted]
    corpus = data.corpus.read_text(encoding="utf-8").rstrip("\n")
    (out / "corpus.jsonl").write_text("\n".join((corpus, *body)) + "\n", encoding="utf-8")
    asked = [json.loads(line) for line in (data.folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    extra = {p.query: p.doc for p in planted}
    lines = []
    for row in asked:
        query = str(row.get("_id", row.get("id")))
        if query in kept:
            scope = row.get("scope")
            wider = {"scope": [*scope, extra[query]]} if scope is not None and query in extra else {}
            lines.append(json.dumps({**row, **wider}))
    (out / "queries.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = [f"{item.id}\t{doc}\t{grade}" for item in data.items if item.id in kept for doc, grade in item.qrels.items()]
    (out / "qrels.tsv").write_text("\n".join(("query-id\tcorpus-id\tscore", *rows)) + "\n", encoding="utf-8")
    bad = [f"{p.query}\t{p.doc}" for p in planted]
    (out / "poison.tsv").write_text("\n".join(("query-id\tcorpus-id", *bad)) + "\n", encoding="utf-8")


def _swapped(data: Dataset, item: Item, pool: list[str], rng: random.Random) -> Planted | None:
    gold = dict.fromkeys([*(s.doc for s in item.spans), *(doc for doc, grade in item.qrels.items() if grade > 0)])
    for doc in gold:
        text = data.text(doc)
        for right in item.answers:
            if len(right) < 3 and not right.isdigit():
                continue
            match = re.search(rf"(?<!\w){re.escape(right)}(?!\w)", text)
            wrong = _other(right, item, pool, rng) if match else None
            if match and wrong:
                passage = _around(text, match.start(), match.end())
                passage = _replaced(passage, right, wrong)
                name = hashlib.sha256(f"{doc}\0{passage}".encode()).hexdigest()[:12]
                return Planted(
                    f"{doc.rpartition('-')[0] or 'doc'}-{name}",
                    item.id,
                    str(data.record(doc).get("title") or ""),
                    passage,
                    right,
                    wrong,
                )
    return None


def _around(text: str, start: int, end: int) -> str:
    """The paragraph around a range; of a longer one the lines, then the characters next to it."""
    for mark in ("\n\n", "\n"):
        low = text.rfind(mark, 0, start) + len(mark) if mark in text[:start] else 0
        high = text.find(mark, end)
        high = len(text) if high < 0 else high
        if high - low <= LONGEST:
            return text[low:high].strip()
    half = (LONGEST - (end - start)) // 2
    low, high = max(0, start - half), min(len(text), end + half)
    return text[low:high].partition(" " if low else "\0")[2 if low else 0].rpartition(" ")[0 if high < len(text) else 2]


def _other(right: str, item: Item, pool: list[str], rng: random.Random) -> str | None:
    """Another answer of the same kind; None where the set has none."""
    if NUMBER.search(right):
        match = list(NUMBER.finditer(right))[-1]
        value = int(match.group()[:9])
        year = len(match.group()) == 4 and 1000 < value < 2100
        options = [v for v in (value + d for d in (range(-15, 16) if year else range(-9, 20))) if v > 0 and v != value]
        return right[: match.start()] + str(rng.choice(options)) + right[match.end() :]
    shape = [w[:1].isupper() for w in right.split()]
    same = {a.lower() for a in item.answers}
    alike = [a for a in pool if [w[:1].isupper() for w in a.split()] == shape and not NUMBER.search(a)]
    alike = [a for a in alike if a.lower() not in same and a.lower() not in item.text.lower()]
    return rng.choice(alike) if alike else None


def _replaced(text: str, right: str, wrong: str) -> str:
    """The swap, everywhere; of a name also its last word alone."""
    text = re.sub(rf"(?<!\w){re.escape(right)}(?!\w)", lambda _: wrong, text)
    first, last = right.split(), wrong.split()
    if len(first) > 1 and len(last) > 1 and first[-1][:1].isupper() and len(first[-1]) > 3:
        text = re.sub(rf"(?<!\w){re.escape(first[-1])}(?!\w)", lambda _: last[-1], text)
    return text
