"""Several short plans in a small language of commands; the one whose findings the others agree with is taken."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import SkipValidation

from rag.lexical import terms
from rag.models.bounded import Meter
from rag.models.llm import LLM, checked_llm
from rag.models.prompts import fenced, prompt
from rag.stage import Field, Retriever, stage
from rag.store.parts import bound_to, store_of
from rag.types import Hit, Hits, Query
from retrievers.claims import CAPITAL
from retrievers.commands import Command, commands, run

if TYPE_CHECKING:
    from rag.store.corpus import Corpus, Part, Store

__all__ = ["Explore"]

NAME = "retrievers/explore"
TITLES = 10  # documents that a model is shown the titles of
TOP = 5  # passages by which plans agree


def _inner() -> Retriever:
    from retrievers.hybrid import Hybrid

    return Hybrid()


class Tried(NamedTuple):
    """A plan and what it found.

    Args:
        steps: its commands.
        sure: what the model said of it, in [0, 1]; 0.5 by rule.
        items: what its steps found, the last first.
    """

    steps: tuple[Command, ...]
    sure: float
    items: tuple[Hit, ...]


@stage
class Explore:
    """Let a model look into documents by commands that the library runs, and choose among several plans.

    Recursive language models (Zhang and Khattab, 2025, https://arxiv.org/abs/2512.24601) give a model the text as a
    variable of a program it writes. Here it writes no program: a plan is a list of `search`, `grep`, `children`,
    `neighbours` and `section` (`retrievers.commands`), read as JSON, checked, bounded and run by the library. Of
    several plans one is chosen as by self-consistency over programs (SRLM, 2026, https://arxiv.org/abs/2603.15653):
    first by how far what it finds is what the others find, then by the logarithm of its own confidence times its
    length, nearest to 0. Without an `llm`, or when no plan of its can be read, three plans by rule are
    tried: a search, a search with the neighbours of what it finds, and a look for the names of the question.

    By rule the first five are those of the search (`python -m evals.reproduce clarify`: R@5 +0.0 on 291 questions): it
    pays with a model that writes plans, and what such a one gains was not measured. No quality is claimed.

    Args:
        query: any question; scope and filters hold for every command.

    Returns:
        At most k hits: those of the plan chosen, in its order, then those that the search by the question finds and the
        plan lacks. Scores fall with the place. The note holds every plan with its agreement.

    Raises:
        MissingWeights: the model's files are not here; other errors of a model are counted and survived.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ()

    inner: Retriever = Field(default_factory=_inner, description="what `search` and `grep` ask")
    llm: SkipValidation[LLM | None] = Field(default=None, description="writes plans; None: by rule")
    plans: int = Field(default=3, ge=1, le=8, description="plans asked for, a call each")
    steps: int = Field(default=5, ge=1, le=10, description="commands of a plan at most")
    calls: int = Field(default=6, ge=0, description="calls to the model at most")
    seconds: float = Field(default=30.0, gt=0, description="time at most")
    temperature: float = Field(default=0.7, ge=0, description="of the plans after the first; the first has 0")
    seed: int = Field(default=0, ge=0, description="of the plans that are drawn")
    k: int = Field(default=40, ge=1, description="hits returned")

    def __post_init__(self) -> None:
        """Take a llama-index model as well."""
        if self.llm is not None:
            object.__setattr__(self, "llm", checked_llm(self.llm, f"{NAME}: llm"))

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Nothing of its own: the nested retriever has a part."""

    def bind(self, store: Store, /) -> Explore:
        """This stage with its retriever reading from an opened store."""
        return bound_to(replace(self, inner=self.inner.bind(store)), store)

    def __call__(self, query: Query, /) -> Hits:
        """Plan, run, choose."""
        meter = Meter(self.llm, calls=self.calls, seconds=self.seconds)
        first = self.inner(query)
        asked, way = self._planned(query, first, meter), "model"
        if not asked:
            asked, way = self._ruled(query.text), "rules"
        tried: list[Tried] = []
        for steps, sure in asked:
            if tried and meter.left <= 0:
                break
            tried.append(Tried(steps, sure, _found(run(steps, self.inner, store_of(self, NAME).corpus, query))))
        agreed = [_agreement(one, [t for t in tried if t is not one]) for one in tried]
        order = sorted(
            range(len(tried)),
            key=lambda i: (-round(agreed[i], 9), abs(math.log(max(tried[i].sure, 1e-6)) * len(tried[i].steps)), i),
        )
        best = tried[order[0]]
        mine = {hit.key for hit in best.items}
        items = (*best.items, *(hit for hit in first if hit.key not in mine))[: self.k]
        note = {
            "way": way,
            "chosen": order[0],
            "plans": [
                {"steps": [_told(step) for step in one.steps], "sure": one.sure, "agreement": round(share, 6)}
                for one, share in zip(tried, agreed, strict=True)
            ],
            **meter.facts(),
        }
        scored = (
            replace(hit, score=1 / (1 + i), scores={**hit.scores, NAME: 1 / (1 + i)}) for i, hit in enumerate(items)
        )
        return Hits(query, tuple(scored), notes={**first.notes, NAME: note})

    def _planned(self, query: Query, first: Hits, meter: Meter) -> list[tuple[tuple[Command, ...], float]]:
        """What the model plans; those that cannot be read are left out."""
        titles = list(dict.fromkeys(" ".join((hit.document.title or hit.doc).split())[:100] for hit in first))[:TITLES]
        asked = prompt("explore")
        messages = asked.fill(
            question=fenced(query.text, "question"), titles=fenced("\n".join(titles), "titles"), most=str(self.steps)
        )
        made: list[tuple[tuple[Command, ...], float]] = []
        for i in range(self.plans):
            if not meter.open:
                break
            found = meter.ask(
                messages,
                schema=_schema(self.steps),
                parse=lambda value: (commands(value["steps"], self.steps), _share(value.get("sure"))),
                fallback=lambda: None,
                version=asked.version,
                max_tokens=60 * self.steps,
                temperature=self.temperature if i else 0.0,
                seed=self.seed + i,
            )
            if found.value is not None:
                made.append(found.value)
        return made

    def _ruled(self, question: str) -> list[tuple[tuple[Command, ...], float]]:
        """Three plans by rule, as far as `steps` lets them."""
        text = " ".join(question.split())[:300] or "?"
        names = [name for name in CAPITAL.findall(text) if terms(name)][:2]
        looks = (Command("search", text), *(Command("grep", name) for name in names))
        rows = [(Command("search", text),), (Command("search", text), Command("neighbours", of=0)), looks]
        return [(row[: self.steps], 0.5) for row in rows]


def _schema(most: int) -> Mapping[str, Any]:
    step = {
        "type": "object",
        "properties": {
            "do": {"type": "string", "enum": ["search", "grep", "children", "neighbours", "section"]},
            "text": {"type": "string", "maxLength": 300},
            "of": {"type": "integer"},
        },
        "required": ["do"],
        "additionalProperties": False,
    }
    steps = {"type": "array", "minItems": 1, "maxItems": most, "items": step}
    return {
        "type": "object",
        "properties": {"steps": steps, "sure": {"type": "number"}},
        "required": ["steps", "sure"],
        "additionalProperties": False,
    }


def _share(value: Any) -> float:
    """A number in [0, 1]; 0.5 for what is none."""
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return min(max(float(value), 0.0), 1.0) if known else 0.5


def _found(steps: Sequence[tuple[Hit, ...]]) -> tuple[Hit, ...]:
    """What the steps of a plan found, the last step first, each passage once."""
    found: dict[tuple[str, int, int], Hit] = {}
    for items in reversed(steps):
        for hit in items:
            found.setdefault(hit.key, hit)
    return tuple(found.values())


def _agreement(one: Tried, others: Sequence[Tried]) -> float:
    """How far a plan's first passages are another plan's, as the mean Jaccard share; 0 for one that finds nothing."""
    mine = {hit.key for hit in one.items[:TOP]}
    if not mine or not others:
        return 0.0
    theirs = [{hit.key for hit in other.items[:TOP]} for other in others]
    return math.fsum(len(mine & those) / len(mine | those) for those in theirs) / len(theirs)


def _told(step: Command) -> dict[str, Any]:
    return {"do": step.do, "text": step.text} if step.text else {"do": step.do, "of": step.of + 1}
