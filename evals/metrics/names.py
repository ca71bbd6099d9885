"""Metric names: `nDCG@10` is a cut-off of 10, `SpanR@512tok` a context of 512 tokens."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from evals.metrics.forms import METRICS, Case, Metric, Record
from rag.errors import ConfigError

__all__ = ["METRICS", "Case", "Metric", "Record", "budgets", "default", "described", "parse", "parse_all"]

NAME = re.compile(r"(?P<base>[A-Za-z][A-Za-z0-9]*)(?:@(?P<at>[1-9][0-9]*)(?P<tok>tok)?)?")


def parse(name: str) -> Metric:
    """The metric behind a name.

    Raises:
        ConfigError: no such metric, with the nearest name, or a cut-off where it takes none.
    """
    name = name.strip()
    match = NAME.fullmatch(name)
    base = match["base"] if match else name.partition("@")[0]
    form = METRICS.get(base)
    if form is None or match is None:
        near = {known.lower(): known for known in METRICS}
        close = difflib.get_close_matches(base.lower(), near, n=1)
        at = f"@{match['at']}{match['tok'] or ''}" if match and match["at"] else ""
        hint = f" Did you mean {near[close[0]]}{at}?" if close and (form is None) else ""
        raise ConfigError(f"no metric {name!r}.{hint} Names are {', '.join(_written(b) for b in METRICS)}.")
    given = "tok" if match["tok"] else "k" if match["at"] else ""
    allowed = {"k": {"k"}, "k?": {"k", ""}, "tok": {"tok"}, "tok?": {"tok", ""}, "": {""}}[form.at]
    if given not in allowed:
        raise ConfigError(f"metric {name!r}: is written {_written(base)}, such as {_example(base)!r}.")
    number = int(match["at"]) if match["at"] else None
    return Metric(
        name=name,
        k=number if given == "k" else None,
        budget=number if given == "tok" else None,
        needs=form.needs,
        of=form.of,
        says=form.says,
        better=form.better,
        reads=form.reads,
    )


def _written(base: str) -> str:
    return base + {"k": "@k", "k?": "[@k]", "tok": "@Ntok", "tok?": "[@Ntok]", "": ""}[METRICS[base].at]


def _example(base: str) -> str:
    return base + {"k": "@5", "k?": "@10", "tok": "@512tok", "tok?": "@512tok", "": ""}[METRICS[base].at]


def described() -> dict[str, str]:
    """How each family of names is written -> what it counts."""
    return {_written(base): form.says for base, form in METRICS.items()}


def parse_all(names: str | Iterable[str]) -> list[Metric]:
    """Metrics from a list of names or a comma-separated text, each once, in order."""
    given = names.split(",") if isinstance(names, str) else list(names)
    found = [parse(name) for name in dict.fromkeys(n.strip() for n in given) if name]
    if not found:
        raise ConfigError("no metric was named. Give at least one, such as 'R@5'; `rag show metrics` lists them.")
    return found


def budgets(metrics: Iterable[Metric]) -> tuple[int, ...]:
    """The context sizes that the metrics ask for, ascending."""
    return tuple(sorted({m.budget for m in metrics if m.budget is not None}))


def default(has: Iterable[str], *, reads: bool = True) -> list[Metric]:
    """The metrics of a headline table for a dataset with this gold.

    Args:
        has: which of `qrels`, `spans`, `answers` and `poison` there are.
        reads: whether the pipeline ends in a reader.
    """
    names = {
        "qrels": "R@1,R@5,R@10,nDCG@10,RR@10,AP",
        "spans": "SpanR@256tok,SpanR@512tok,SpanR@1024tok,SpanP@512tok,SpanIoU@512tok,AllSup@512tok",
        "answers": "AIC@512tok" + (",EM,F1,Abstain" if reads else ""),
        "poison": "PoisonF1,HonestLoss,PoisonInContext",
    }
    held = set(has)
    chosen = [names[gold] for gold in names if gold in held]
    if "spans" in held and reads:
        chosen.append("CiteR,CiteP")
    return parse_all(",".join([*chosen, "Context,Seconds"]))
