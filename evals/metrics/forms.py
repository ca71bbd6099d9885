"""Every metric's form: how its name is written, the gold it needs, and its value for one question.

A metric takes one line of a run (`Record`), the question with its gold and the texts, and gives a number,
or None where it does not apply to this question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from evals.datasets import Item
from evals.metrics import answers, citations, packing, poison, ranking, spans, variety
from evals.ranges import by_document
from rag.errors import DataError
from rag.sentences import sentence_spans

__all__ = ["METRICS", "Case", "Form", "Metric", "Record"]

Record = Mapping[str, Any]


COSTS = frozenset({"Context", "Tokens", "Calls", "Seconds", "Used", "Overlong"})  # measured, not judged


class Case(NamedTuple):
    """What a metric sees: a line of the run, the question with its gold, texts by document id."""

    record: Record
    item: Item
    text: Callable[[str], str]


@dataclass(frozen=True)
class Metric:
    """A parsed name.

    Args:
        name: as it was asked for.
        k: cut-off in documents or hits; None without one.
        budget: tokens of context; None without one.
        needs: gold it needs: `qrels`, `spans`, `answers`, `poison` or "".
        of: which questions it applies to and its value; None where it does not apply.
        says: what it counts, one line.
        better: `high` or `low`.
        reads: whether the pipeline's reader has to run for it.
    """

    name: str
    k: int | None
    budget: int | None
    needs: str
    of: Callable[[Case, Metric], float | None]
    says: str
    better: str = "high"
    reads: bool = False

    def __call__(self, case: Case) -> float | None:
        """The value for one question."""
        return self.of(case, self)

    @property
    def cost(self) -> bool:
        """Whether it is measured rather than judged: a failed item has no cost, and does not score 0."""
        return self.name.partition("@")[0] in COSTS


def _shown(case: Case, metric: Metric) -> Mapping[str, Any]:
    """The context of the metric's budget, or the pipeline's own."""
    record = case.record
    if metric.budget is None:
        return record["context"]  # type: ignore[no-any-return]
    try:
        return record["at"][str(metric.budget)]  # type: ignore[no-any-return]
    except KeyError:
        made = ", ".join(record["at"]) or "none"
        raise DataError(
            f"metric {metric.name!r}: this run has no context of {metric.budget} tokens; it has {made}. Run it again."
        ) from None


def _context(case: Case, metric: Metric) -> Sequence[Sequence[Any]]:
    return _shown(case, metric)["spans"]  # type: ignore[no-any-return]


def _hits(case: Case, metric: Metric) -> list[tuple[str, int, int]]:
    return [(hit[0], hit[i], hit[i + 1]) for hit in case.record["hits"][: metric.k] for i in range(1, len(hit), 2)]


def _rank(case: Case, metric: Metric, *, formula: Callable[..., float]) -> float | None:
    return formula(case.record["ranking"], case.item.qrels, metric.k) if case.item.qrels else None


def _span(case: Case, metric: Metric, *, formula: Callable[..., float]) -> float | None:
    return formula(_context(case, metric), case.item.spans) if case.item.spans else None


def _chunk(case: Case, metric: Metric, *, formula: Callable[..., float]) -> float | None:
    return formula(_hits(case, metric), case.item.spans) if case.item.spans else None


def _cuts(case: Case, metric: Metric, *, key: str) -> float | None:
    cuts = case.record.get("cuts")
    return None if not case.item.spans or cuts is None else float(cuts[key])


def _support(case: Case, metric: Metric) -> float | None:
    return spans.all_support(_context(case, metric), case.item.spans, case.text) if case.item.spans else None


def _support_share(case: Case, metric: Metric) -> float | None:
    return packing.support_recall(_context(case, metric), case.item.spans, case.text) if case.item.spans else None


def _facets(case: Case, metric: Metric) -> float | None:
    sides = variety.facets_by_document(case.item.spans)
    return variety.facets(_context(case, metric), sides) if sides else None


def _redundancy(case: Case, metric: Metric) -> float | None:
    pieces = [case.text(doc)[start:end] for doc, start, end in _context(case, metric)]
    return variety.redundancy(pieces)


def _dangling(case: Case, metric: Metric) -> float | None:
    return packing.dangling_sentences(_context(case, metric), case.text)


def _used(case: Case, metric: Metric) -> float | None:
    tokens = _shown(case, metric)["tokens"]
    return None if tokens is None or metric.budget is None else packing.realised(tokens, metric.budget)


def _in_context(case: Case, metric: Metric) -> float | None:
    if not case.item.answers or case.item.answerable is False:
        return None
    runs = spans.contexts(by_document(_context(case, metric)), case.text)
    return answers.in_context(runs, case.item.answers)


def _answer(case: Case, metric: Metric, *, formula: Callable[..., float]) -> float | None:
    item = case.item
    if not item.answers and item.answerable is not False:
        return None
    golds = item.answers if item.answerable is not False else (*item.answers, "")
    return formula(case.record["answer"], golds)


def _inclusion(case: Case, metric: Metric) -> float | None:
    if not case.item.answers or case.item.answerable is False:
        return None
    return answers.inclusion(case.record["answer"], case.item.answers)


def _abstain(case: Case, metric: Metric, *, of: bool | None = None) -> float | None:
    known = case.item.answerable
    if known is None or (of is not None and known is not of):
        return None
    return answers.abstain(case.record["status"] == "abstained", known)


def _cite(case: Case, metric: Metric, *, formula: Callable[..., float]) -> float | None:
    return formula(case.record["citations"], case.item.spans) if case.item.spans else None


def _alce(case: Case, metric: Metric, *, at: int) -> float | None:
    """ALCE by lexical entailment; readers cite for the whole answer, so each sentence has all citations."""
    answer = case.record["answer"]
    if not answer.strip():
        return None
    quotes = [case.text(doc)[start:end] for doc, start, end in case.record["citations"]]
    sentences = [answer[start:end].strip() for start, end in sentence_spans(answer)]
    return citations.alce(sentences, [quotes] * len(sentences), citations.lexical)[at]


def _overlong(case: Case, metric: Metric) -> float | None:
    return citations.overlong(case.record["citations"], case.item.spans) if case.item.spans else None


def _grounded(case: Case, metric: Metric) -> float | None:
    quotes = [case.text(doc)[start:end] for doc, start, end in case.record["citations"]]
    return citations.grounded(case.record["answer"], quotes)


def _poison(case: Case, metric: Metric, *, formula: Callable[..., float | None]) -> float | None:
    if not case.item.poison:
        return None
    return formula(case.record["flagged"], case.item.poison, case.record["retrieved"])


def _poisoned(case: Case, metric: Metric) -> float | None:
    if not case.item.poison:
        return None
    return poison.in_context([doc for doc, *_ in _context(case, metric)], case.item.poison)


def _tokens(case: Case, metric: Metric) -> float | None:
    usage = case.record["usage"]
    return float(usage.get("tokens_in", 0) + usage.get("tokens_out", 0))


def _calls(case: Case, metric: Metric) -> float | None:
    return float(case.record["usage"].get("calls", 0))


def _context_tokens(case: Case, metric: Metric) -> float | None:
    found = _shown(case, metric)
    return None if found["tokens"] is None else float(found["tokens"])


def _seconds(case: Case, metric: Metric) -> float | None:
    seconds = case.record.get("seconds")  # kept apart from the record; joined for scoring
    return None if seconds is None else float(seconds)


class Form(NamedTuple):
    """How a family of names is written and computed."""

    at: str  # "k", "k?", "tok", "tok?" or ""
    needs: str
    of: Callable[[Case, Metric], float | None]
    says: str
    better: str = "high"
    reads: bool = False


METRICS: Mapping[str, Form] = {
    "R": Form("k", "qrels", partial(_rank, formula=ranking.recall), "relevant documents in the first k / all relevant"),
    "P": Form("k", "qrels", partial(_rank, formula=ranking.precision), "relevant documents in the first k / k"),
    "SetP": Form("k?", "qrels", partial(_rank, formula=ranking.set_precision), "precision of the chosen documents"),
    "SetR": Form("k?", "qrels", partial(_rank, formula=ranking.recall), "recall of the chosen documents"),
    "SetF1": Form("k?", "qrels", partial(_rank, formula=ranking.f1), "F1 of the chosen documents"),
    "nDCG": Form("k?", "qrels", partial(_rank, formula=ranking.ndcg), "discounted gain of the first k / the best gain"),
    "RR": Form("k?", "qrels", partial(_rank, formula=ranking.reciprocal_rank), "1 / rank of the first relevant"),
    "AP": Form("k?", "qrels", partial(_rank, formula=ranking.average_precision), "mean precision at the relevant"),
    "Success": Form("k", "qrels", partial(_rank, formula=ranking.success), "any relevant document in the first k"),
    "AllR": Form("k", "qrels", partial(_rank, formula=ranking.all_recall), "every relevant document in the first k"),
    "SpanR": Form("tok?", "spans", partial(_span, formula=spans.recall), "gold characters in the context / gold"),
    "SpanP": Form("tok?", "spans", partial(_span, formula=spans.precision), "gold characters in the context / context"),
    "SpanIoU": Form("tok?", "spans", partial(_span, formula=spans.iou), "gold in the context / gold or context"),
    "AllSup": Form("tok?", "spans", _support, "every gold span whole in the context"),
    "SupR": Form("tok?", "spans", _support_share, "gold spans whole in the context / gold spans"),
    "Facets": Form("tok?", "spans", _facets, "gold documents the context touches / gold documents"),
    "Redund": Form("tok?", "", _redundancy, "words that pairs of pieces of the context share", "low"),
    "Dangling": Form("tok?", "", _dangling, "sentences that point back to one the context lacks", "low"),
    "AIC": Form("tok?", "answers", _in_context, "a gold answer stands in the context"),
    "ChunkR": Form("k", "spans", partial(_chunk, formula=spans.recall), "gold characters in the first k hits / gold"),
    "ChunkP": Form("k", "spans", partial(_chunk, formula=spans.precision), "gold in the first k hits / hits"),
    "ChunkIoU": Form("k", "spans", partial(_chunk, formula=spans.iou), "gold in the first k hits / gold or hits"),
    "PrecisionOmega": Form("", "spans", partial(_cuts, key="omega"), "best precision at full recall with these chunks"),
    "PrecisionOmegaCompat": Form("", "spans", partial(_cuts, key="compat"), "the same, touching chunks included"),
    "Coverage": Form("", "spans", partial(_cuts, key="whole"), "gold spans that no cut goes through"),
    "EM": Form("", "answers", partial(_answer, formula=answers.exact_match), "equals a gold answer", reads=True),
    "F1": Form("", "answers", partial(_answer, formula=answers.f1), "token overlap with a gold answer", reads=True),
    "Incl": Form("", "answers", _inclusion, "a gold answer stands in the answer", reads=True),
    "Abstain": Form("", "", _abstain, "answered when it can be, silent when not", reads=True),
    "AbstainR": Form("", "", partial(_abstain, of=False), "silent on questions without an answer", reads=True),
    "Answered": Form("", "", partial(_abstain, of=True), "answered questions that have an answer", reads=True),
    "CiteR": Form("", "spans", partial(_cite, formula=citations.recall), "gold spans a citation touches", reads=True),
    "CiteP": Form("", "spans", partial(_cite, formula=citations.precision), "citations that touch gold", reads=True),
    "CiteF1": Form("", "spans", partial(_cite, formula=citations.f1), "harmonic mean of the two", reads=True),
    "CiteIoU": Form("", "spans", partial(_cite, formula=citations.iou), "cited and gold / cited or gold", reads=True),
    "AlceR": Form("", "", partial(_alce, at=0), "sentences of the answer that citations entail", reads=True),
    "AlceP": Form("", "", partial(_alce, at=1), "citations that their sentence needs", reads=True),
    "Overlong": Form("", "spans", _overlong, "cited characters / gold characters", "low", reads=True),
    "Grounded": Form("", "answers", _grounded, "numbers, names and quotes found in citations", reads=True),
    "PoisonF1": Form("", "poison", partial(_poison, formula=poison.f1), "flagged against planted passages"),
    "HonestLoss": Form("", "poison", partial(_poison, formula=poison.honest_loss), "honest passages flagged", "low"),
    "PoisonInContext": Form("tok?", "poison", _poisoned, "a planted passage is in the context", "low"),
    "Context": Form("tok?", "", _context_tokens, "tokens of the context", "low"),
    "Used": Form("tok", "", _used, "tokens of the context / budget", "low"),
    "Tokens": Form("", "", _tokens, "tokens into and out of language models", "low", reads=True),
    "Calls": Form("", "", _calls, "calls of language models", "low", reads=True),
    "Seconds": Form("", "", _seconds, "wall time", "low", reads=True),
}
