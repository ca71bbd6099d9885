"""A language model as a judge of answers: optional, and never the only evidence.

The judge sees question, answer and cited text, and not the gold answer, so that its agreement with the gold
means something. What it says stands beside what the gold says, with Cohen's kappa and its interval; without gold
the agreement is unknown, and the result says so. A reply that is not the JSON asked for, after one repair, is a
failure of the judge: counted, and neither right nor wrong. Biases of such judges: Zheng et al., NeurIPS 2023,
https://arxiv.org/abs/2306.05685, section 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from evals import stats
from evals.datasets import Dataset, Item
from evals.metrics.agreement import kappa_interval
from evals.metrics.answers import f1, inclusion
from rag import trace
from rag.errors import MissingWeights, ModelError, OverBudget
from rag.models.prompts import fenced, prompt
from rag.models.typed import typed

if TYPE_CHECKING:
    from rag.models.llm import LLM

__all__ = ["RUBRIC", "Judged", "Verdict", "judge"]

RUBRIC = """- right: true when the answer says what the question asks for and the quotes support it.
- right: false when it answers another question, when the quotes do not support it, or when they contradict it.
- Wording, length and style do not matter. Judge by the quotes alone, not by what you know."""
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "right": {"type": "boolean"}},
    "required": ["reason", "right"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge said of one answer.

    Args:
        id: of the question.
        right: its grade; None where it failed.
        reason: in its words; where it failed, what was wrong with its reply.
        way: `strict`, `tolerant`, `repaired` or `failed`.
        gold: whether the answer holds a gold answer; None where no gold is known.
    """

    id: str
    right: bool | None
    reason: str
    way: str
    gold: bool | None


@dataclass(frozen=True)
class Judged:
    """What a judge found.

    Args:
        judge: fingerprint of the model.
        version: of the prompt.
        rubric: in full.
        verdicts: one an answered question, in order.
        silent: questions without an answer to judge.
        right: share graded right, with interval, of those the judge could grade.
        gold: the share that the gold calls right, of the same answers where it is known.
        kappa: agreement of the two beyond chance, with interval.
        failed: ids the judge could not grade.
    """

    judge: str
    version: str
    rubric: str
    verdicts: tuple[Verdict, ...]
    silent: int
    right: stats.Interval
    gold: stats.Interval
    kappa: stats.Interval
    failed: tuple[str, ...]

    def summary(self) -> str:
        """One line: the judge's share, and how far it can be trusted."""
        if not self.right.n:
            return f"the judge graded none of {len(self.verdicts)} answers"
        line = f"judge {self.right.value:.3f} ({self.right.low:.3f} to {self.right.high:.3f}), n {self.right.n}"
        line += f", failed {len(self.failed)}"
        if not self.gold.n:
            return f"{line}; no gold answers, so nobody knows whether to believe it"
        line += f"; gold {self.gold.value:.3f}; kappa "
        if math.isnan(self.kappa.value):
            return line + "unknown: all answers are graded alike"
        return line + f"{self.kappa.value:.2f} ({self.kappa.low:.2f} to {self.kappa.high:.2f})"

    def json(self) -> dict[str, Any]:
        """As plain values; NaN becomes None."""
        found = asdict(self)
        for name in ("right", "gold", "kappa"):
            found[name] = {k: _known(v) for k, v in getattr(self, name)._asdict().items()}
        return {**found, "summary": self.summary()}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def judge(
    lines: Iterable[Mapping[str, Any]],
    data: Dataset,
    llm: LLM,
    *,
    rubric: str = RUBRIC,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> Judged:
    """Grade the answers of a run.

    Args:
        lines: of its perquery.jsonl, such as `evals.runfolder.lines` gives them.
        data: its questions.
        llm: the judge; its calls go through the cache, limits and ledger in force.
        rubric: what is right; stands in the prompt, in the trace and in the result.
        seed: of the intervals, and of the judge.
        progress: called with (done, done, label).

    Raises:
        OverBudget: the calls would cost more than was allowed.
        MissingWeights: the judge is not on this machine.
    """
    asked = prompt("judge")
    verdicts: list[Verdict] = []
    silent = 0
    with trace.span("judge", judge=llm.fingerprint, version=asked.version, rubric=rubric):
        for record in lines:
            if record["failed"] is not None or not record["answer"].strip():
                silent += 1
                continue
            verdicts.append(_verdict(record, data.by_id[record["id"]], data, llm, rubric=rubric, seed=seed))
            if progress is not None:
                progress(len(verdicts), len(verdicts), "answers judged")
    graded = [v for v in verdicts if v.right is not None]
    both = [v for v in graded if v.gold is not None]
    return Judged(
        judge=llm.fingerprint,
        version=asked.version,
        rubric=rubric,
        verdicts=tuple(verdicts),
        silent=silent,
        right=stats.interval([float(bool(v.right)) for v in graded], seed=seed),
        gold=stats.interval([float(bool(v.gold)) for v in both], seed=seed),
        kappa=kappa_interval([bool(v.right) for v in both], [bool(v.gold) for v in both], seed=seed),
        failed=tuple(v.id for v in verdicts if v.right is None),
    )


def _verdict(record: Mapping[str, Any], item: Item, data: Dataset, llm: LLM, *, rubric: str, seed: int) -> Verdict:
    quotes = [data.text(doc)[start:end] for doc, start, end in record["citations"]]
    asked = prompt("judge")
    messages = asked.fill(
        rubric=rubric,
        question=item.text,
        quotes=fenced("\n\n".join(quotes) or "(nothing was cited)", "quotes"),
        answer=fenced(record["answer"], "answer"),
    )
    gold = _gold(record["answer"], item)
    with trace.span("judge answer", item=item.id) as opened:
        try:
            said = typed(
                llm,
                messages,
                schema=SCHEMA,
                parse=_parse,
                fallback=_none,
                version=asked.version,
                seed=seed,
                max_tokens=200,
            )
        except (OverBudget, MissingWeights):
            raise
        except ModelError as error:
            opened.facts["failed"] = 1
            return Verdict(item.id, None, f"{type(error).__name__}: {error}".partition("\n")[0], "failed", gold)
        right, reason = said.value
        if right is None:
            opened.facts["failed"] = 1
            return Verdict(item.id, None, said.problem, "failed", gold)
        opened.facts["right"] = int(right)
        return Verdict(item.id, right, reason, said.way, gold)


def _none() -> tuple[bool | None, str]:
    return None, ""


def _parse(value: Any) -> tuple[bool | None, str]:
    if not isinstance(value, dict) or not isinstance(value["right"], bool):
        raise ValueError("it must be an object whose 'right' is true or false")
    return value["right"], str(value.get("reason", ""))[:500]


def _gold(answer: str, item: Item) -> bool | None:
    """The rule of the waterfall: a gold answer stands in it, or half the words are shared."""
    if item.answerable is False:
        return False  # it was answered, and should not have been
    if not item.answers:
        return None
    return bool(inclusion(answer, item.answers)) or f1(answer, item.answers) >= 0.5
