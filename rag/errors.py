"""Every error a caller can meet, as one tree.

    RagError
    ├── ConfigError          a pipeline file or a setting is wrong
    │   └── UnknownStage     a name that no installed package owns
    ├── MissingExtra         an optional dependency is not installed
    ├── LoadError            a document could not be read
    ├── DataError            a dataset, run or judgement file is wrong
    ├── StoreError           an index folder cannot be read or written
    │   └── StoreMismatch    it was built with other settings or models
    ├── StageError           a stage failed on one item
    └── ModelError           a model or its endpoint failed
        ├── MissingWeights   the files of a model are not on this machine
        ├── Refused          the endpoint said no: do not repeat the call
        ├── TooLong          the input is longer than the model reads
        ├── OverBudget       the call would exceed the limit its user set
        └── Unavailable      a time-out, 429 or 5xx: worth another try

A message says where, which, what is allowed, what came and what to do, on one line. It never
quotes a document. Errors are values: `Failed` carries one through a batch.
"""

from __future__ import annotations

__all__ = [
    "ConfigError",
    "DataError",
    "LoadError",
    "MissingExtra",
    "MissingWeights",
    "ModelError",
    "OverBudget",
    "RagError",
    "Refused",
    "StageError",
    "StoreError",
    "StoreMismatch",
    "TooLong",
    "Unavailable",
    "UnknownStage",
]


class RagError(Exception):
    """Anything this package reports on purpose; one line, meant for a person."""


class ConfigError(RagError):
    """A pipeline file, a recipe or a setting is wrong."""


class UnknownStage(ConfigError):
    """No installed package owns this name."""


class MissingExtra(RagError):
    """An optional dependency is needed; the message holds the pip line that installs it."""


class LoadError(RagError):
    """A document could not be read; the message names it."""


class DataError(RagError):
    """A dataset, a run or a judgement file is wrong; the message names file and line."""


class StoreError(RagError):
    """An index folder cannot be opened, read or written."""


class StoreMismatch(StoreError):
    """An index was built with other settings or other models than are asked of it now."""


class StageError(RagError):
    """A stage failed on one item; the cause is chained.

    Args:
        stage: the stage's name, such as `rerankers/mmr`.
        place: where it stands in the pipeline, such as `stages[2]`.
        item: id of the query or document it failed on.
        reason: what happened, one line.
    """

    def __init__(self, stage: str, place: str, item: str, reason: str) -> None:
        super().__init__(f"{place} ({stage}): item {item!r}: {reason}")
        self.stage, self.place, self.item, self.reason = stage, place, item, reason

    def __reduce__(self) -> tuple[type[StageError], tuple[str, str, str, str]]:
        """Pickle by the four facts, so that errors cross process borders."""
        return type(self), (self.stage, self.place, self.item, self.reason)


class ModelError(RagError):
    """A model or its endpoint failed."""


class MissingWeights(ModelError):
    """The files of a model are not on this machine; the message says how to fetch them."""


class Refused(ModelError):
    """The endpoint rejected the call for good (bad key, bad request, content policy)."""


class TooLong(ModelError):
    """The input does not fit the model's context."""


class OverBudget(ModelError):
    """The call was not made: it would exceed the calls, tokens, cost or time its user allowed."""


class Unavailable(ModelError):
    """The endpoint timed out, is rate limited or broken: the same call may succeed later."""

    retry_after: float | None = None  # seconds the endpoint asked to wait
