"""What stands between a stage and a language model: cache, retries, limits, ledger, budget, typed answers.

A stage calls `call` or `typed`. How calls behave is set around a run, not in each stage:

    with using(Calls(cache=Path("replies.sqlite"), budget=Budget(calls=100))):
        answer = pipe(query)

Without `using`, calls are retried and counted, nothing is cached and nothing is limited. A pipeline file sets the same
for one model with `llms/cached` (`rag.models.cached`), which carries its own `Calls`; both then hold.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag import trace
from rag.errors import Unavailable
from rag.models.ledger import Budget, Ledger, Price, note, spending
from rag.models.llm import LLM, Message, Reply, estimate
from rag.models.replies import Replies, key_of

__all__ = ["Calls", "call", "current", "using"]

NO_PRICE = Price()


@dataclass(kw_only=True, eq=False)
class Calls:
    """How calls are made.

    Waits between tries grow twofold and are drawn evenly from 0 to that bound ("full jitter", M. Brooker, AWS
    Architecture Blog, 2015); a server's Retry-After is the least wait.

    Args:
        cache: file of replies; None keeps none. Only temperature 0 is read from it unless `cache_samples`.
        cache_samples: also keep sampled answers; the seed is part of the key.
        retries: further tries after `Unavailable`.
        backoff: seconds, bound of the first wait.
        longest: seconds, bound of any wait; a Retry-After beyond it ends the tries.
        concurrency: calls at once.
        per_minute: calls in any 60 seconds.
        tokens_per_minute: tokens in any 60 seconds, prompts as estimated plus what answers may take.
        budget: hard limits over the life of this object.
        prices: name or fingerprint of a model -> its price.
        seed: of the jitter.
        sleep: waits; tests give their own.
        clock: seconds, never going back.
    """

    cache: Path | None = None
    cache_samples: bool = False
    retries: int = 4
    backoff: float = 0.5
    longest: float = 30.0
    concurrency: int | None = None
    per_minute: int | None = None
    tokens_per_minute: int | None = None
    budget: Budget = field(default_factory=Budget)
    prices: Mapping[str, Price] = field(default_factory=dict)
    seed: int = 0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    ledger: Ledger = field(init=False, default_factory=Ledger)  # all that was spent through this object

    def __post_init__(self) -> None:
        """Make what calls share."""
        self._lock = threading.Lock()
        self._replies: Replies | None = None
        self._gate: Any = nullcontext() if self.concurrency is None else threading.BoundedSemaphore(self.concurrency)
        self._minute = _Minute(self)
        self._random = random.Random(self.seed)
        self._flying = _Flying()

    @property
    def replies(self) -> Replies | None:
        """The cache, opened when it is first needed."""
        with self._lock:
            if self._replies is None and self.cache is not None:
                self._replies = Replies(self.cache)
            return self._replies

    def complete(
        self,
        llm: LLM,
        messages: Sequence[Message],
        *,
        version: str = "",
        schema: Mapping[str, Any] | None = None,
        max_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
        logprobs: int = 0,
    ) -> Reply:
        """One answer, from the cache or from the model; see `call`."""
        own = getattr(llm, "calls", None)
        if isinstance(own, Calls) and own is not self:
            more = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed, "stop": stop}
            return self._through(
                own, llm, messages, {**more, "version": version, "schema": schema, "logprobs": logprobs}
            )
        settings = {
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
            "stop": tuple(stop),
            "logprobs": logprobs,
        }
        replies = self.replies if temperature == 0 or self.cache_samples else None
        if replies is None:
            return self._ask(llm, messages, schema, settings)
        key = key_of(llm.fingerprint, version, messages, schema, settings)
        with self._flying.alone(key):
            found = replies.get(key)
            if found is not None:
                self._count(cached=1)
                with trace.span(llm.name, cached=1):
                    return found
            made = self._ask(llm, messages, schema, settings)
            replies.put(key, made)
            return made

    def _through(self, own: Calls, llm: Any, messages: Sequence[Message], settings: Mapping[str, Any]) -> Reply:
        """Ask a model that brings its own way of calling: that way is taken, and this budget holds too."""
        price = self.prices.get(llm.name) or self.prices.get(llm.fingerprint) or NO_PRICE
        prompt = estimate(messages)
        most = prompt + int(settings["max_tokens"])
        aside = {"calls": 1, "tokens": most, "cost": price.of(prompt, settings["max_tokens"])}
        self.ledger.reserve(self.budget, aside, llm.name)
        with spending() as spent:
            try:
                return own.complete(llm.inner, messages, **settings)
            finally:
                self.ledger.release(aside)
                self.ledger.add(**spent.usage())

    def _ask(
        self, llm: LLM, messages: Sequence[Message], schema: Mapping[str, Any] | None, settings: Mapping[str, Any]
    ) -> Reply:
        """Ask the model within the limits, again while it is unavailable."""
        price = self.prices.get(llm.name) or self.prices.get(llm.fingerprint) or NO_PRICE
        prompt = estimate(messages)
        most = prompt + int(settings["max_tokens"])
        aside = {"calls": 1, "tokens": most, "cost": price.of(prompt, settings["max_tokens"])}
        for tried in range(self.retries + 1):
            self.ledger.reserve(self.budget, aside, llm.name)
            try:
                with self._gate:
                    self._minute.wait(most)
                    return self._once(llm, messages, schema, settings, price)
            except Unavailable as error:
                pause = self._pause(tried, error.retry_after)
                if tried == self.retries or pause is None:
                    raise
                self._count(retries=1)
            finally:
                self.ledger.release(aside)
            self.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _once(
        self,
        llm: LLM,
        messages: Sequence[Message],
        schema: Mapping[str, Any] | None,
        settings: Mapping[str, Any],
        price: Price,
    ) -> Reply:
        began = self.clock()
        with trace.span(llm.name) as opened:
            try:
                reply = llm.complete(messages, schema=schema, **settings)
            except BaseException:
                self._count(calls=1, seconds=self.clock() - began)
                raise
            cost = price.of(reply.tokens_in, reply.tokens_out)
            self._count(
                calls=1,
                seconds=self.clock() - began,
                cost=cost,
                tokens_in=reply.tokens_in,
                tokens_out=reply.tokens_out,
            )
            opened.facts.update(tokens_in=reply.tokens_in, tokens_out=reply.tokens_out, cost=cost, finish=reply.finish)
            recorder = trace.current()
            if recorder is not None and recorder.text:
                opened.facts.update(prompt=[list(m) for m in messages], answer=reply.text)
        return reply

    def _pause(self, tried: int, retry_after: float | None) -> float | None:
        """Seconds to wait before the next try; None where the server asks for more than `longest`."""
        if retry_after is not None and retry_after > self.longest:
            return None
        with self._lock:
            drawn = self._random.uniform(0, min(self.longest, self.backoff * 2**tried))
        return max(drawn, retry_after or 0.0)

    def _count(self, **amounts: float) -> None:
        self.ledger.add(**amounts)
        note(**amounts)


class _Minute:
    """Calls and tokens of the last 60 seconds."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.lock = threading.Lock()
        self.past: deque[tuple[float, int]] = deque()

    def wait(self, tokens: int) -> None:
        """Wait until one more call of this many tokens is within the limits; one call alone always is."""
        most_calls, most_tokens = self.calls.per_minute, self.calls.tokens_per_minute
        if most_calls is None and most_tokens is None:
            return
        while True:
            with self.lock:
                now = self.calls.clock()
                while self.past and self.past[0][0] <= now - 60:
                    self.past.popleft()
                over = most_calls is not None and len(self.past) >= most_calls
                if most_tokens is not None and self.past:
                    over = over or sum(n for _, n in self.past) + tokens > most_tokens
                if not over:
                    self.past.append((now, tokens))
                    return
                pause = self.past[0][0] + 60 - now
            self.calls.sleep(max(pause, 0.001))


class _Flying:
    """Lets one thread at a time ask for the same thing, so that the others find it in the cache."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        with self.lock:
            mine, users = self.locks.get(key, (threading.Lock(), 0))
            self.locks[key] = (mine, users + 1)
        try:
            with mine:
                yield
        finally:
            with self.lock:
                _, users = self.locks[key]
                if users == 1:
                    del self.locks[key]
                else:
                    self.locks[key] = (mine, users - 1)


_plain = Calls()
_current: ContextVar[Calls | None] = ContextVar("rag_calls", default=None)


def current() -> Calls:
    """How calls are made here: what `using` set, else retries alone."""
    return _current.get() or _plain


@contextmanager
def using(calls: Calls) -> Iterator[Calls]:
    """Make every call inside in this way, in this thread and in the threads of `rag.pool`."""
    token = _current.set(calls)
    try:
        yield calls
    finally:
        _current.reset(token)


def call(llm: LLM, messages: Sequence[Message], **settings: Any) -> Reply:
    """Ask a model through the cache, the limits and the ledger in force.

    Args:
        llm: the model.
        messages: the conversation.
        settings: `version` of the prompt, and those of `LLM.complete`.

    Raises:
        OverBudget: the call could break the budget, so it was not made.
        ModelError: as the model raises; `Unavailable` only after the last try.
    """
    return current().complete(llm, messages, **settings)
