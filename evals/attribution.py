"""For a missed question, the stage that lost its evidence.

Every gold span is followed through the stages. It is held after a stage when all its visible characters
are in what the stage gave; the stage that lost it is the first after which it is never held again. A
question is blamed on the earliest stage that lost any of its spans:

    not loaded             the document, or this part of it, is not in the index
    cut by the chunker     not found whole, and no chunk holds it whole
    not retrieved          in one chunk, which the retriever did not give
    dropped                a reranker let it go
    compressed away        a compressor let it go, and would with any budget
    over budget            the same compressor keeps it when the budget is lifted; or hits that did not fit
    not answered           all of it was in the context, and the answer is wrong or missing
    answered               all of it was in the context, and the answer is right
    in context             all of it was in the context, and no answer was asked for or none is known

No peer can say this, because it takes spans that stay exact through every stage. The words follow the
waterfall of a query's evidence, not a paper.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from evals.datasets import Dataset, Item
from evals.metrics.answers import f1, inclusion
from evals.metrics.spans import missing

__all__ = ["KEPT", "OUTCOMES", "Loss", "Passed", "Waterfall", "lost", "outcome", "waterfall"]

OUTCOMES = (
    "not loaded",
    "cut by the chunker",
    "not retrieved",
    "dropped",
    "compressed away",
    "over budget",
    "not answered",
    "failed",
    "answered",
    "in context",
)
KEPT = frozenset({"answered", "in context"})
Triple = Sequence[Any]


class Passed(NamedTuple):
    """What one stage gave.

    Args:
        place: where it stands, such as `stages[1]`.
        name: its name, such as `rerankers/mmr`.
        kind: `retriever`, `reranker`, `compressor` or `fill` (whole hits taken while they fit).
        spans: the ranges it gave.
    """

    place: str
    name: str
    kind: str
    spans: Sequence[Triple]


class Loss(NamedTuple):
    """Why a question misses evidence: the outcome, the stage, and which gold spans went there."""

    why: str
    place: str
    stage: str
    spans: tuple[int, ...]


def lost(
    gold: Sequence[Triple],
    steps: Sequence[Passed],
    text: Callable[[str], str | None],
    whole: Callable[[Triple], bool],
    lifted: Callable[[int], Sequence[Triple]] | None = None,
) -> Loss | None:
    """The earliest stage that lost a gold span which the last stage does not hold.

    Args:
        gold: the question's spans.
        steps: what each stage gave, in order.
        text: a document's text in the index; None where it was not loaded.
        whole: whether one chunk holds a span whole.
        lifted: gives what the compressor at a step would have kept without a budget.

    Returns:
        None when everything is held at the end.
    """

    def gone(spans: Sequence[Triple]) -> set[tuple[str, int, int]]:
        return set(missing(spans, gold, lambda doc: text(doc) or ""))

    wanted = [(str(doc), int(start), int(end)) for doc, start, end in gold]
    if not steps:
        return Loss("not retrieved", "", "", tuple(range(len(wanted))))
    after = [gone(step.spans) for step in steps]
    blamed: dict[int, list[int]] = {}
    for i, span in enumerate(wanted):
        if span in after[-1]:
            first = len(steps) - 1
            while first > 0 and span in after[first - 1]:
                first -= 1
            blamed.setdefault(first, []).append(i)
    if not blamed:
        return None
    at = min(blamed)
    step, spans = steps[at], blamed[at]
    if at == 0:
        return _before(wanted, spans, step, text, whole)
    why = {"reranker": "dropped", "fill": "over budget"}.get(step.kind, "compressed away")
    if step.kind == "compressor" and lifted is not None:
        still = gone(lifted(at))
        if any(wanted[i] not in still for i in spans):
            why = "over budget"
    return Loss(why, step.place, step.name, tuple(spans))


def _before(
    wanted: Sequence[tuple[str, int, int]],
    spans: Sequence[int],
    step: Passed,
    text: Callable[[str], str | None],
    whole: Callable[[Triple], bool],
) -> Loss:
    """What went wrong up to the retriever."""
    absent = tuple(i for i in spans if len(text(wanted[i][0]) or "") < wanted[i][2])
    if absent:
        return Loss("not loaded", "loader", "loader", absent)
    cut = tuple(i for i in spans if not whole(wanted[i]))
    if cut:
        return Loss("cut by the chunker", "chunker", "chunker", cut)
    return Loss("not retrieved", step.place, step.name, tuple(spans))


def outcome(record: Mapping[str, Any], item: Item, budget: int | None = None) -> str | None:
    """The outcome of one question; None when it has no gold spans.

    Args:
        record: its line of the run.
        item: the question.
        budget: a context size of the run; None for the pipeline's own.
    """
    if not item.spans:
        return None
    if record["failed"] is not None:
        return "failed"
    shown = record["context"] if budget is None else record["at"][str(budget)]
    if shown["lost"] is not None:
        return str(shown["lost"]["why"])
    if budget is not None or record["status"] == "retrieved" or not item.answers:
        return "in context"
    right = inclusion(record["answer"], item.answers) or f1(record["answer"], item.answers) >= 0.5
    return "answered" if right else "not answered"


@dataclass(frozen=True)
class Waterfall:
    """Where the questions of a run were lost.

    Args:
        questions: with gold spans.
        counts: outcome -> questions, in the order of `OUTCOMES`.
        stages: (outcome, stage) -> questions, for those lost in a stage.
        ids: outcome -> ids of its questions.
    """

    questions: int
    counts: Mapping[str, int]
    stages: Mapping[tuple[str, str], int]
    ids: Mapping[str, tuple[str, ...]]

    def _repr_html_(self) -> str:
        from evals.report.notebook import of_waterfall

        return of_waterfall(self)

    def steps(self) -> list[tuple[str, int, int]]:
        """`(outcome, lost there, left afterwards)`, from all questions down to those that kept their evidence."""
        left, rows = self.questions, []
        for name in OUTCOMES:
            if name not in KEPT and self.counts.get(name):
                left -= self.counts[name]
                rows.append((name, self.counts[name], left))
        return rows

    def json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "questions": self.questions,
            "counts": dict(self.counts),
            "stages": [{"outcome": o, "stage": s, "questions": n} for (o, s), n in self.stages.items()],
        }


def waterfall(lines: Iterable[Mapping[str, Any]], data: Dataset, budget: int | None = None) -> Waterfall:
    """Count the outcomes of a run's lines."""
    ids: dict[str, list[str]] = {}
    stages: Counter[tuple[str, str]] = Counter()
    for record in lines:
        found = outcome(record, data.by_id[record["id"]], budget)
        if found is None:
            continue
        ids.setdefault(found, []).append(record["id"])
        shown = record["context"] if budget is None else record["at"].get(str(budget), record["context"])
        if shown.get("lost"):
            stages[found, shown["lost"]["stage"]] += 1
    counts = {name: len(ids[name]) for name in OUTCOMES if name in ids}
    order = sorted(stages.items(), key=lambda kv: (OUTCOMES.index(kv[0][0]), kv[0][1]))
    return Waterfall(sum(counts.values()), counts, dict(order), {name: tuple(q) for name, q in ids.items()})
