"""Pairs of rationale sets, chosen and rejected, from questions whose evidence is known: data to tune a model on.

METEORA (https://arxiv.org/abs/2505.16014, section 3.1) tunes its writer of rationales by preference: those that led to
a gold chunk are preferred, the others rejected, and no person labels anything. This is the half that makes the data.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.datasets import load
from evals.lines import objects
from evals.pools import Case, pooled
from rag.errors import DataError
from rag.readers.render import heading
from rerankers.drafting import drafted
from rerankers.pairing import Passages, support
from rerankers.rationales import Need
from retrievers.bm25 import BM25

if TYPE_CHECKING:
    from rag.models.llm import LLM

__all__ = ["Preferences", "preferences"]

Tell = Callable[[int, int, str], object]


@dataclass
class Preferences:
    """How the pairs are made, and what became of the questions.

    Args:
        llm: writes the rationales; rules do where it is None, and for an answer that cannot be used.
        most: rationales a question.
        pool: chunks that a rationale picks from.
        limit: questions at most; None: all.
    """

    llm: LLM | None = None
    most: int = 12
    pool: int = 40
    limit: int | None = None
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def by(self) -> str:
        """What made the rationales; pairs of two makers are not mixed in one file."""
        return f"{'rules' if self.llm is None else self.llm.fingerprint}, {self.most} of {self.pool}"


def preferences(folder: Path, out: Path, how: Preferences, tell: Tell = lambda *_: None) -> Preferences:
    """Write a line for each question of a dataset whose rationales fell on both sides; go on where a file is there.

    A rationale is preferred where the chunk that holds most of it is evidence, else rejected; one that no chunk holds
    anything of is rejected too. A line is `{"id", "question", "prompt", "chosen", "rejected", "by"}`: `chosen` and
    `rejected` are lists of `{"label", "need"}`, in the form in which the model is asked for them, and `prompt` is the
    question. A question with one side empty, or without evidence among its chunks, gets a line with `"skip"` and why,
    so that it is not tried again.

    Args:
        folder: the dataset.
        out: the file; its lines are kept, and their questions left out.
        how: settings; counts are added to it.
        tell: called with (done, total, label).

    Raises:
        DataError: the dataset cannot be read, or the file holds pairs of another maker.
    """
    data = load(folder)
    done = set(_known(out, how.by))
    items = [item for item in data.items if item.spans or item.qrels][: how.limit]
    left = [item for item in items if item.id not in done]
    how.counts["there before"] += len(items) - len(left)
    found = pooled(data, list(data.sizes), left, search=BM25(k=how.pool)) if left else []
    cases = {case.item.id: case for case in found}
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a", encoding="utf-8", newline="\n") as target:
        for number, item in enumerate(left, 1):
            case = cases.get(item.id)
            line = _pair(case, how) if case else {"skip": "no chunk is evidence"}
            how.counts[line.get("skip", "pairs")] += 1
            told = {"id": item.id, "question": item.text, **line, "by": how.by}
            target.write(json.dumps(told, ensure_ascii=False) + "\n")
            target.flush()
            tell(number, len(left), item.id)
    return how


def _known(out: Path, by: str) -> Iterator[str]:
    """Ids of the questions in a file; a last line that was cut off is taken away."""
    if not out.is_file():
        return
    body = out.read_bytes()
    whole = body[: body.rfind(b"\n") + 1]
    if len(whole) < len(body):
        out.write_bytes(whole)
    for line in objects(out) if whole.strip() else ():
        if line.value.get("by") != by:
            raise DataError(
                f"{out}:{line.number}: was made by {line.value.get('by')!r}, not {by!r}. Write to another file."
            )
        yield str(line.value.get("id"))


def _pair(case: Case, how: Preferences) -> dict[str, Any]:
    """The two sides of one question."""
    hits = case.hits.items
    if not any(hit.key in case.gold for hit in hits):
        return {"skip": "no evidence among the chunks found"}
    needs = [one for one in drafted(how.llm, case.item.text, how.most).needs if one.source not in ("question", "kind")]
    held = support(
        needs,
        Passages([hit.text for hit in hits], [heading(hit) for hit in hits], [hit.document.title for hit in hits]),
    )
    chosen: list[Need] = []
    rejected: list[Need] = []
    for need, row in zip(needs, held, strict=True):
        best = int(np.argmax(row))
        (chosen if row[best] > 0 and hits[best].key in case.gold else rejected).append(need)
    if not chosen or not rejected:
        return {"skip": "every rationale led to evidence" if chosen else "no rationale led to evidence"}
    sides = {"chosen": chosen, "rejected": rejected}
    return {"prompt": case.item.text} | {
        name: [{"label": one.label, "need": one.text} for one in side] for name, side in sides.items()
    }
