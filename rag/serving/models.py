"""What requests and answers of the service look like; its OpenAPI document is made from these."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from rag.index import MAX_QUESTION

__all__ = [
    "AnswerOut",
    "Ask",
    "DocumentsOut",
    "ErrorOut",
    "HealthOut",
    "IndexesOut",
    "Search",
    "SearchOut",
    "Spans",
    "SpansOut",
    "TreeOut",
]

Id = Annotated[str, Field(max_length=4096)]
Plain = str | int | float | bool | None
Offset = Annotated[int, Field(ge=0, le=2**53)]


class Strict(BaseModel):
    """An unknown key is an error."""

    model_config = ConfigDict(extra="forbid")


class Search(Strict):
    """A question, and where it may be answered from."""

    question: str = Field(min_length=1, max_length=MAX_QUESTION, description="the question", examples=["Who signs?"])
    index: str | None = Field(default=None, max_length=200, description="one of `/indexes`; the first by default")
    scope: list[Id] | None = Field(default=None, max_length=1000, description="ids of the only documents to use")
    filters: dict[Annotated[str, Field(max_length=200)], Plain | list[Plain]] = Field(
        default_factory=dict, max_length=50, description="metadata key -> value, or values of which one must match"
    )
    set: dict[Annotated[str, Field(max_length=200)], bool | int | float] = Field(
        default_factory=dict, max_length=50, description="numbers of the pipeline to change, as `/indexes` lists them"
    )
    budget: int | None = Field(default=None, ge=1, le=200_000, description="tokens of context")


class Ask(Search):
    """A question."""

    history: list[Annotated[str, Field(max_length=MAX_QUESTION)]] = Field(
        default_factory=list, max_length=50, description="earlier turns, oldest first"
    )
    stages: bool = Field(default=False, description="also tell what each stage kept and dropped")


class SpanIn(Strict):
    """A range of one document, in code points."""

    doc: Id
    start: Offset
    end: Offset


class Spans(Strict):
    """Ranges to read."""

    index: str | None = Field(default=None, max_length=200)
    spans: list[SpanIn] = Field(min_length=1, max_length=200)


class SpanOut(BaseModel):
    """A range and its text; `text == document.text[start:end]`."""

    doc: str
    start: int
    end: int
    text: str


class SpansOut(BaseModel):
    """The ranges, in the order they were asked for."""

    index: str
    generation: int
    spans: list[SpanOut]


class Cited(BaseModel):
    """A quotation that can be checked by slicing."""

    doc: str
    start: int
    end: int
    quote: str


class Evidence(BaseModel):
    """A piece of the context that the reader saw."""

    doc: str
    start: int
    end: int
    text: str
    score: float | None
    why: str


class HitOut(BaseModel):
    """A hit: its ranges, and its text or the head of it."""

    doc: str
    node: int
    spans: list[tuple[int, int]]
    text: str
    path: list[str]
    score: float | None
    why: str


class DropOut(HitOut):
    """A hit that a stage left out, and why."""

    stage: str
    reason: str


class LeftOut(BaseModel):
    """Where a hit stood that a stage left out, and why."""

    doc: str
    start: int
    end: int
    stage: str
    reason: str


class StageOut(BaseModel):
    """What one stage did; lists hold the first 50, the counts tell all."""

    place: str
    name: str
    seconds: float
    items_in: int | None
    tokens: int | None
    kept: list[HitOut]
    kept_count: int
    dropped: list[DropOut]
    dropped_count: int
    notes: dict[str, Any]


class AnswerOut(BaseModel):
    """An answer, with what it rests on."""

    index: str
    generation: int
    answer: str
    status: str = Field(description="`answered`, `abstained`, or `retrieved` where the pipeline has no reader")
    citations: list[Cited]
    context: list[Evidence]
    dropped: list[LeftOut]
    tokens: int | None
    confidence: float | None
    usage: dict[str, float]
    seconds: float
    stages: list[StageOut] | None = None


class SearchOut(BaseModel):
    """Hits in the order of the last stage that ranks, whole texts."""

    index: str
    generation: int
    hits: list[HitOut]
    total: int


class DocumentOut(BaseModel):
    """One document's facts."""

    id: str
    metadata: dict[str, Any]


class DocumentsOut(BaseModel):
    """A page of the documents, in index order."""

    index: str
    generation: int
    total: int
    documents: list[DocumentOut]


class NodeOut(BaseModel):
    """One node of a tree."""

    node: int
    kind: str
    title: str
    start: int
    end: int
    tokens: int
    children: int
    head: str


class TreeOut(BaseModel):
    """A node and a page of its children."""

    index: str
    generation: int
    doc: str
    title: str
    characters: int
    nodes: int
    path: list[str]
    node: NodeOut
    offset: int
    children: list[NodeOut]


class StageName(BaseModel):
    """A stage of a pipeline."""

    place: str
    name: str


class IndexOut(BaseModel):
    """One index that is served."""

    name: str
    generation: int
    documents: int
    leaves: int
    reads: bool = Field(description="whether it answers, or only finds evidence")
    stages: list[StageName]
    settings: dict[str, bool | int | float]


class IndexesOut(BaseModel):
    """The indexes, the default first."""

    indexes: list[IndexOut]


class HealthOne(BaseModel):
    """Whether the newest generation of an index answers."""

    name: str
    generation: int
    stale: bool


class HealthOut(BaseModel):
    """`ok`, or `stale` where an index changed on disk and its newest state cannot be opened."""

    status: str
    version: str
    indexes: list[HealthOne]


class ErrorBody(BaseModel):
    """Where, what, and what to do."""

    status: int
    where: str
    what: str
    do: str
    message: str


class ErrorOut(BaseModel):
    """The body of every refusal."""

    error: ErrorBody
