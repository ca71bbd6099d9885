"""Orders to a machine put into honest documentation: how many are found, and what documentation about them it costs.

Each order is put between two sentences of a passage of documentation, in plain sight or hidden: in comments, unseen
elements and attributes of HTML, between characters of no width, in base64, hex, Unicode's block of tags, in reverse, in
letters that look alike. Orders come in ten languages. Those `known` were there while the rules were written; those
`held out` were written before the rules, by the same hand, and never used to change them
(`evals/samples/injections/orders.json`).

Honest passages: 30 that speak about such attacks, or use their words for other things, and every chunk of the bundled
manual; with `--data` also of product documentation (docs_qa), which tells how to write prompts, and of Markdown
repositories (docs_markdown). Intervals are percentile bootstraps over passages.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from chunkers.structure import StructureChunker
from evals.reproduce import SAMPLE, as_table
from evals.stats import interval
from evals.synth.injections import HELD, HIDING, HONEST, LEARNT, Injected, inject
from rag.types import Document
from rerankers.injections import order

__all__ = ["caught", "chunks", "lost", "reproduce"]

MANUAL = SAMPLE.parent / "manual"
SEEDS = (0, 1, 2)  # of the places where orders are put
REPOSITORIES = 6  # every sixth file of docs_markdown


def chunks(documents: Iterable[Document]) -> list[str]:
    """The texts of the leaves of documents, cut by structure."""
    return [leaf.text for one in documents for leaf in StructureChunker()(one).leaves()]


def caught(made: Sequence[Injected], seed: int) -> dict[str, Any]:
    """Share of orders that were found, in points with intervals: of all, by hiding place and by language."""
    hits = [100.0 * (order(one.text) is not None) for one in made]
    told: dict[str, Any] = {"n": len(made), "all": _rounded(hits, seed)}
    for name in HIDING:
        told[name] = _rounded([h for h, one in zip(hits, made, strict=True) if one.hiding == name], seed)
    for name in sorted({one.language for one in made}):
        told[name] = _rounded([h for h, one in zip(hits, made, strict=True) if one.language == name], seed)
    return told


def lost(texts: Sequence[str], seed: int) -> dict[str, Any]:
    """Share of honest passages that were taken for orders, in points with its interval."""
    return {"n": len(texts), "loss": _rounded([100.0 * (order(text) is not None) for text in texts], seed)}


def _rounded(values: Sequence[float], seed: int) -> list[float]:
    return [round(v, 2) for v in interval(values, seed=seed)[:3]]


def _corpus(folder: Path) -> list[Document]:
    with (folder / "corpus.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [
        Document(str(r.get("_id", r.get("id"))), r["text"], r.get("title", ""), media_type="text/markdown")
        for r in rows
    ]


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Orders found and honest passages lost."""
    manual = chunks(_corpus(MANUAL))
    carriers = [text for text in manual if len(text) > 200]
    result: dict[str, Any] = {"seed": given.seed, "seeds": SEEDS, "found": {}, "honest": {}}
    for name, orders in (("known", LEARNT), ("held out", HELD)):
        tell(f"{name}\n")
        result["found"][name] = caught([one for seed in SEEDS for one in inject(carriers, orders, seed)], given.seed)
    honest = {"about attacks": list(HONEST), "manual": manual}
    if given.data:
        honest["docs_qa"] = chunks(_corpus(given.data / "docs_qa"))
        files = sorted((given.data / "docs_markdown").rglob("*.md"))[::REPOSITORIES]
        texts = [one.read_text(encoding="utf-8", errors="replace") for one in files]
        honest["docs_markdown"] = chunks(
            Document(str(i), text, media_type="text/markdown") for i, text in enumerate(texts)
        )
    for name, passages in honest.items():
        tell(f"{name}\n")
        result["honest"][name] = lost(passages[: given.limit], given.seed)
    head = "orders found, points|n|all|" + "|".join(HIDING)
    rows = [
        [name, str(told["n"]), *(f"{told[c][0]:.1f}" for c in ("all", *HIDING))]
        for name, told in result["found"].items()
    ]
    table = as_table(head, rows)
    rows = [
        [name, str(told["n"]), f"{told['loss'][0]:.2f}", f"{told['loss'][2]:.2f}"]
        for name, told in result["honest"].items()
    ]
    result["table"] = table + "\n" + as_table("honest passages lost, points|n|loss|at most", rows)
    return result
