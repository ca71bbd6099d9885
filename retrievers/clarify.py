"""Ask what would make a question easier, search for it, keep the passages that help, and go on from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import SkipValidation

from rag.lexical import terms
from rag.models.bounded import Meter
from rag.models.llm import LLM, checked_llm
from rag.models.prompts import fenced, prompt
from rag.readers.render import rendered
from rag.stage import Field, Retriever, stage
from rag.store.parts import bound_to, store_of
from rag.types import Hit, Hits, Query
from retrievers.claims import covers, facets, fresh_words
from retrievers.claims import sentences_as_claims as sentences
from retrievers.decompose import decompose, references
from retrievers.hybrid import scaled

if TYPE_CHECKING:
    from rag.store.corpus import Corpus, Part, Store

__all__ = ["Clarify"]

NAME = "retrievers/clarify"
AT_ONCE = 10  # passages judged in one call
WORTH: Mapping[str, float] = {"yes": 1.0, "maybe": 0.5, "no": 0.0}


def _inner() -> Retriever:
    from retrievers.hybrid import Hybrid

    return Hybrid()


@stage
class Clarify:
    """Chains of clarification with retrieval.

    AgenticLU (Zhuang et al., 2025, https://arxiv.org/abs/2502.15920) asks clarifying questions and points at the
    paragraphs that help, over a whole document. Departures: paragraphs come from a search for each question, ten are
    judged in one call, and verdicts are JSON, so that a word with "no" in it drops nothing; a passage that is
    found and not judged counts as `maybe`. Without an `llm`, or when it fails, the questions are the steps that refer
    to nothing (`retrievers.decompose`), then names that helping passages bring in, and a passage helps as far as
    it covers the facets of the question.

    By rule over BM25 (`python -m evals.reproduce clarify`), 291 questions of three sets, 95 %: R@5 +1.9 (-0.1 to +3.9)
    points, with all evidence in five +2.8 (-0.3 to +6.2). So no gain is claimed without a model, and none was measured
    with one.

    Args:
        query: any question; scope and filters hold for every search.

    Returns:
        At most k hits, best first, ties in index order: the best of their scaled scores over all searches, by the
        verdict. The note holds the questions asked, the verdicts counted and why it stopped.

    Raises:
        MissingWeights: the model's files are not here; other errors of a model are counted and survived.
    """

    shapes_index: ClassVar[tuple[str, ...]] = ()

    inner: Retriever = Field(default_factory=_inner, description="searches the question and each clarification")
    llm: SkipValidation[LLM | None] = Field(default=None, description="asks and judges; None: by rule")
    rounds: int = Field(default=2, ge=1, le=5, description="rounds of clarification at most")
    questions: int = Field(default=3, ge=1, le=8, description="clarifying questions a round at most")
    each: int = Field(default=5, ge=1, description="new passages of a search that are judged")
    calls: int = Field(default=12, ge=0, description="calls to the model at most")
    passages: int = Field(default=30, ge=1, description="passages judged at most")
    seconds: float = Field(default=30.0, gt=0, description="time at most")
    least: float = Field(default=0.5, ge=0, le=1, description="what an unhelpful passage keeps of its score")
    k: int = Field(default=40, ge=1, description="hits returned")

    def __post_init__(self) -> None:
        """Take a llama-index model as well."""
        if self.llm is not None:
            object.__setattr__(self, "llm", checked_llm(self.llm, f"{NAME}: llm"))

    def build(self, corpus: Corpus, part: Part, /) -> None:
        """Nothing of its own: the nested retriever has a part."""

    def bind(self, store: Store, /) -> Clarify:
        """This stage with its retriever reading from an opened store."""
        return bound_to(replace(self, inner=self.inner.bind(store)), store)

    def __call__(self, query: Query, /) -> Hits:
        """Search, judge, clarify, again."""
        meter = Meter(self.llm, calls=self.calls, seconds=self.seconds)
        asked: dict[str, None] = {query.text: None}
        lists = [self.inner(query)]
        verdicts: dict[tuple[str, int, int], float] = {}
        self._judge(query, lists[0], verdicts, meter)
        stopped = ""
        turn = 0
        while not stopped:
            if turn >= self.rounds or meter.left <= 0 or len(verdicts) >= self.passages:
                stopped = "rounds" if turn >= self.rounds else "seconds" if meter.left <= 0 else "passages"
                break
            turn += 1
            helping = [hit for hits in lists for hit in hits if verdicts.get(hit.key, 0.0) > 0]
            new = [text for text in self._ask(query, helping, asked, meter) if text not in asked][: self.questions]
            if not new:
                stopped = "nothing to ask"
            for text in new:
                asked[text] = None
                lists.append(self.inner(replace(query, text=text)))
                self._judge(query, lists[-1], verdicts, meter)
        counts = {name: sum(v == worth for v in verdicts.values()) for name, worth in WORTH.items()}
        note = {"asked": list(asked)[1:], "verdicts": counts, "rounds": turn, "stopped": stopped, **meter.facts()}
        return self._added(query, lists, verdicts, note)

    def _ask(self, query: Query, helping: Sequence[Hit], asked: Mapping[str, None], meter: Meter) -> list[str]:
        """Questions that clarify: the model's, or by rule."""

        def rules() -> list[str]:
            steps = [step for step in decompose(query.text)[:-1] if not references(step)]
            claims = sentences(Hits(query, tuple(helping[:3])), 1, 1)
            return steps + [f"{name} {query.text}" for name in fresh_words(query.text, claims, self.questions)]

        if not meter.open:
            return rules()
        shape = prompt("clarify")
        known = "\n".join(f"- {text}" for text in asked)
        schema: Mapping[str, Any] = {
            "type": "object",
            "properties": {
                "questions": {
                    "type": "array", "maxItems": self.questions, "items": {"type": "string", "maxLength": 200}
                }
            },
            "required": ["questions"],
            "additionalProperties": False,
        }  # fmt: skip

        def parse(value: Any) -> list[str]:
            rows = value["questions"]
            if not isinstance(rows, list):
                raise TypeError('"questions" must be a list of texts')
            return [" ".join(row.split())[:200] for row in rows if isinstance(row, str) and terms(row)]

        return meter.ask(
            shape.fill(question=fenced(query.text, "question"), found=fenced(known, "asked"), most=str(self.questions)),
            schema=schema,
            parse=parse,
            fallback=rules,
            version=shape.version,
            max_tokens=60 * self.questions,
        ).value

    def _judge(self, query: Query, hits: Hits, verdicts: dict[tuple[str, int, int], float], meter: Meter) -> None:
        """Verdicts of the first new passages of a search."""
        room = min(self.each, AT_ONCE, self.passages - len(verdicts))
        new = Hits(query, tuple([hit for hit in hits if hit.key not in verdicts][: max(room, 0)]))
        if not new.items:
            return
        wanted = facets(query.text)

        def rules() -> list[float]:
            shares = [sum(covers(f"{h.document.title} {h.text}", f) for f in wanted) / max(len(wanted), 1) for h in new]
            return [1.0 if share >= 1 else 0.5 if share > 0 else 0.0 for share in shares]

        def parse(value: Any) -> list[float]:
            found = [WORTH["maybe"]] * len(new)
            for row in value["verdicts"]:
                source = row["source"]
                if isinstance(source, int) and 1 <= source <= len(new):
                    found[source - 1] = WORTH[str(row["verdict"]).strip().lower()]
            return found

        row = {"source": {"type": "integer"}, "verdict": {"type": "string", "enum": list(WORTH)}}
        items = {"type": "object", "properties": row, "required": list(row), "additionalProperties": False}
        schema: Mapping[str, Any] = {
            "type": "object",
            "properties": {"verdicts": {"type": "array", "maxItems": AT_ONCE, "items": items}},
            "required": ["verdicts"],
            "additionalProperties": False,
        }
        shape = prompt("helpful")
        made = (
            meter.ask(
                shape.fill(sources=fenced(rendered(new).text), question=query.text, last=str(len(new))),
                schema=schema,
                parse=parse,
                fallback=rules,
                version=shape.version,
                max_tokens=20 * AT_ONCE,
            ).value
            if meter.open
            else rules()
        )
        verdicts.update(zip((hit.key for hit in new), made, strict=True))

    def _added(
        self, query: Query, lists: Sequence[Hits], verdicts: Mapping[tuple[str, int, int], float], note: dict[str, Any]
    ) -> Hits:
        """One list of all searches: scaled scores, by what each passage was found to be worth."""
        ordinals = store_of(self, NAME).corpus.ordinals
        points: dict[tuple[int, int], float] = {}
        first: dict[tuple[int, int], Hit] = {}
        for found in lists:
            for hit, point in zip(found, scaled(found.items, "minmax").tolist(), strict=True):
                key = ordinals[hit.doc], hit.node
                worth = verdicts.get(hit.key, WORTH["maybe"])
                value = point * (self.least + (1 - self.least) * worth)
                if key not in first or value > points[key]:
                    first[key], points[key] = hit, value
        best = sorted(points, key=lambda key: (-points[key], key))[: self.k]
        items = tuple(
            replace(first[key], score=points[key], scores={**first[key].scores, NAME: points[key]}) for key in best
        )
        notes = {stage: fact for found in reversed(lists) for stage, fact in found.notes.items()}
        return Hits(query, items, notes={**notes, NAME: note})
