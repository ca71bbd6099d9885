"""Hard limits around a language model for one question: calls, retries and repairs among them, and seconds."""

from __future__ import annotations

import contextvars
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rag.errors import MissingWeights, ModelError, OverBudget
from rag.models.calls import Calls, call
from rag.models.llm import LLM, Message, Reply
from rag.models.typed import Typed, typed

__all__ = ["Meter"]

T = TypeVar("T")
FAILURES = 2  # questions in a row that end in an error; then the model is not asked again


@dataclass(eq=False)
class Meter:
    """Asks a model for one question until a limit is reached, and never raises for what the model does.

    A call is what reaches the model: a retry after an error and the repair of an answer count, an answer from a cache
    does not. Time is the clock's, from the first moment of this object: a call under way when it is up is given up, so
    a server that stalls costs no more than what was left (its thread ends by itself, and calls nothing more). Limits
    set around the run (`rag.models.calls.using`, `llms/cached`) hold as well.

    Args:
        llm: the model; None is a model that is never asked.
        calls: calls at most.
        seconds: time at most.
        clock: seconds, never going back.
    """

    llm: LLM | None
    calls: int
    seconds: float
    clock: Callable[[], float] = time.monotonic

    made: int = field(init=False, default=0)
    reason: str = field(init=False, default="")  # why no more is asked, "" while more may be
    ways: Counter[str] = field(init=False, default_factory=Counter)  # how answers were won
    _failed: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Start the clock."""
        self._began = self.clock()
        self._lock = threading.Lock()

    @property
    def left(self) -> float:
        """Seconds that remain."""
        return self.seconds - (self.clock() - self._began)

    @property
    def open(self) -> bool:
        """Whether the model may be asked once more."""
        if not self.reason and self.llm is not None:
            if self.made >= self.calls:
                self.reason = "calls"
            elif self.left <= 0:
                self.reason = "seconds"
        return not self.reason and self.llm is not None

    def ask(
        self,
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Any],
        parse: Callable[[Any], T],
        fallback: Callable[[], T],
        **settings: Any,
    ) -> Typed[T]:
        """`rag.models.typed.typed` within the limits.

        Returns:
            Its value; where a limit or an error of the model came between, the fallback with `way` `limit` or `failed`.

        Raises:
            MissingWeights: the model's files are not here.
        """

        def asked(llm: LLM) -> Typed[T]:
            return typed(llm, messages, schema=schema, parse=parse, fallback=fallback, **settings)

        found = self._within(asked)
        if isinstance(found, str):
            way, _, problem = found.partition(":")
            found = Typed(fallback(), way, problem)
        self.ways[found.way] += 1
        return found

    def say(self, messages: Sequence[Message], **settings: Any) -> Reply | None:
        """`rag.models.calls.call` within the limits; None where a limit or an error of the model came between.

        Raises:
            MissingWeights: the model's files are not here.
        """

        def asked(llm: LLM) -> Reply:
            return call(llm, messages, **settings)

        found = self._within(asked)
        self.ways[found.partition(":")[0] if isinstance(found, str) else "said"] += 1
        return None if isinstance(found, str) else found

    def _within(self, work: Callable[[LLM], T]) -> T | str:
        """What the work gives, or `limit:why` or `failed:why`."""
        if not self.open or self.llm is None:
            return f"limit:{self.reason or 'no model'}"
        asked = _metered(self.llm, self)
        box: list[T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                box.append(work(asked))
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
        thread.start()
        thread.join(max(self.left, 0.0))
        if box:
            self._failed = 0
            return box[0]
        if not errors:
            self.reason = "seconds"
            return "limit:seconds"
        error = errors[0]
        if isinstance(error, MissingWeights) or not isinstance(error, ModelError):
            raise error
        if isinstance(error, OverBudget):
            self.reason = self.reason or "budget"
            return f"limit:{self.reason}"
        self._failed += 1
        if self._failed >= FAILURES:
            self.reason = "model failed"
        return f"failed:{type(error).__name__}"

    def take(self) -> None:
        """Count a call about to be made, or refuse it.

        Raises:
            OverBudget: it would be one too many, or time is up.
        """
        with self._lock:
            if self.reason or self.made >= self.calls or self.left <= 0:
                self.reason = self.reason or ("calls" if self.made >= self.calls else "seconds")
                raise OverBudget(f"not called: the limit of {self.reason} is reached. Raise it, or ask less.")
            self.made += 1

    def facts(self) -> dict[str, Any]:
        """For a note: calls, how answers were won, and why it stopped if it did; no seconds, they differ each time."""
        told: dict[str, Any] = {"calls": self.made}
        if self.ways:
            told["ways"] = dict(sorted(self.ways.items()))
        if self.reason:
            told["limit"] = self.reason
        return told


def _metered(llm: LLM, meter: Meter) -> LLM:
    """The model with every call counted; one that brings its own way of calling keeps it."""
    own = getattr(llm, "calls", None)
    return _Carrying(llm, meter, own) if isinstance(own, Calls) else _Metered(llm, meter)


@dataclass(frozen=True)
class _Metered:
    """A model whose calls are counted before they are made."""

    model: LLM
    meter: Meter

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def fingerprint(self) -> str:
        return self.model.fingerprint

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Any] | None = None,
        max_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
        logprobs: int = 0,
    ) -> Reply:
        """Count, then ask."""
        self.meter.take()
        return self.model.complete(
            messages,
            schema=schema,
            max_tokens=max_tokens,
            temperature=temperature,
            seed=seed,
            stop=stop,
            logprobs=logprobs,
        )


@dataclass(frozen=True)
class _Carrying(_Metered):
    """A model such as `llms/cached`: `Calls` asks `inner` in the way that `calls` says."""

    calls: Calls

    @property
    def inner(self) -> LLM:
        inner: Any = self.model
        return _Metered(inner.inner, self.meter)
