"""How much of what the embedded language model writes about leaves passes its checks, and what a leaf costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from evals.stats import interval
from rag.doctree import flat
from rag.models.embedded import EmbeddedLLM
from rag.models.ledger import spending
from rag.notes import notes_of
from rag.trees.enrich import Enrich, Name

if TYPE_CHECKING:
    from rag.doctree import DocTree

__all__ = ["MODEL_FIELDS", "rates", "verified"]

ASKED_MODEL = 8  # leaves of a set that the model describes
MODEL_FIELDS: tuple[Name, ...] = ("keywords", "questions", "gist", "context")


def verified(trees: Sequence[DocTree], tell: Callable[[str], object]) -> dict[str, Any]:
    """field -> notes that the embedded language model wrote and that passed or failed, and what a leaf cost."""
    enrich = Enrich(llm=EmbeddedLLM(), fields=MODEL_FIELDS, window=1, max_tokens=512)
    leaves = [(tree, leaf) for tree in trees for leaf in tree.leaves()]
    told: dict[str, Any] = {name: {"passed": 0, "failed": 0} for name in MODEL_FIELDS}
    began = time.process_time()
    with spending() as ledger:
        for i in range(min(ASKED_MODEL, len(leaves))):
            tree, leaf = leaves[i * len(leaves) // ASKED_MODEL]
            text = tree.document.text[leaf.start : leaf.end]
            one = enrich(flat(replace(tree.document, text=text, blocks=()), [(0, len(text))]))
            for name in MODEL_FIELDS:
                for note in notes_of(one, name, 1):
                    if note.by == enrich.llm.name:  # type: ignore[union-attr]
                        told[name]["passed" if note.ok else "failed"] += 1
            tell(f"  model: leaf {i + 1}\n")
    spent = ledger.usage()
    told["leaves"] = min(ASKED_MODEL, len(leaves))
    told["usage"] = {name: round(value, 1) for name, value in spent.items() if name != "seconds"}
    told["cpu_seconds"] = round(time.process_time() - began, 1)
    return told


def rates(sets: Iterable[Mapping[str, Any]], seed: int) -> dict[str, Any]:
    """field -> share of the model's notes that passed, over all sets, with limits over notes."""
    told = list(sets)
    found: dict[str, Any] = {}
    for name in MODEL_FIELDS:
        passed, failed = (sum(one[name][key] for one in told) for key in ("passed", "failed"))
        found[name] = interval([1.0] * passed + [0.0] * failed, seed=seed)._asdict()
    return found
