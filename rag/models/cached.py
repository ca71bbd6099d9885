"""A language model with the way it is called written beside it: cache, retries, limits, budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import SkipValidation

from rag.errors import ConfigError
from rag.models.calls import Calls
from rag.models.embedded import EmbeddedLLM
from rag.models.ledger import Budget, Price
from rag.models.llm import LLM, Message, Reply, checked_llm
from rag.stage import Field, stage

__all__ = ["CachedLLM"]

NAME = "llms/cached"
BUDGET = ("calls", "tokens", "cost", "seconds")
PRICE = ("tokens_in", "tokens_out")


@stage
class CachedLLM:
    """Calls another model through a cache on disk, with retries, rate limits and a hard budget.

    What `rag.models.calls.Calls` does for a program, for one model of a pipeline file:

        llm: {use: llms/cached, inner: {use: llms/openai, model: m, key_env: KEY}, folder: replies,
              budget: {calls: 500}}

    Name and fingerprint are the inner model's, so an index or a run does not care whether its answers came from a
    cache. Replies lie in `folder/replies.sqlite`, by the content of the request: the model, the prompt's version, the
    messages and how it decodes; only answers at temperature 0 are kept unless `samples`. A budget holds for this
    object and for each process that has a copy of it; answers from the cache are free. `using(Calls(...))` around it
    sets a second budget and ledger, and leaves the cache and the retries to this one.

    Raises:
        OverBudget: a call could break the budget, so it was not made.
    """

    inner: SkipValidation[LLM] = Field(default_factory=EmbeddedLLM, description="a language model, or llama-index's")
    folder: Path | None = Field(default=None, description="where replies are kept; none keeps none")
    samples: bool = Field(default=False, description="also keep answers drawn at random")
    retries: int = Field(default=4, ge=0, description="further tries while the model is unavailable")
    concurrency: int | None = Field(default=None, ge=1, description="calls at once")
    per_minute: int | None = Field(default=None, ge=1, description="calls in any minute")
    tokens_per_minute: int | None = Field(default=None, ge=1, description="tokens in any minute")
    budget: Mapping[str, float] = Field(default_factory=dict, description="limits of calls, tokens, cost and seconds")
    price: Mapping[str, float] = Field(default_factory=dict, description="tokens_in and tokens_out, a million tokens")

    def __post_init__(self) -> None:
        """Check the model by its type, budget and price by their names."""
        object.__setattr__(self, "inner", checked_llm(self.inner, f"{NAME}: inner"))
        for setting, allowed in (("budget", BUDGET), ("price", PRICE)):
            for name, value in getattr(self, setting).items():
                if name not in allowed or not value >= 0:
                    raise ConfigError(
                        f"{NAME}: {setting}: must give {', '.join(allowed)}, each >= 0, got {name!r}: {value:g}."
                    )

    @property
    def name(self) -> str:
        """The inner model's."""
        return self.inner.name

    @property
    def fingerprint(self) -> str:
        """The inner model's: a cache changes no answer."""
        return self.inner.fingerprint

    @property
    def context(self) -> int | None:
        """The inner model's, where it tells."""
        return getattr(self.inner, "context", None)

    @cached_property
    def calls(self) -> Calls:
        """How calls are made, with the ledger of all that went through this object."""
        limits: dict[str, Any] = {name: n if name in ("cost", "seconds") else int(n) for name, n in self.budget.items()}
        return Calls(
            cache=None if self.folder is None else self.folder / "replies.sqlite",
            cache_samples=self.samples,
            retries=self.retries,
            concurrency=self.concurrency,
            per_minute=self.per_minute,
            tokens_per_minute=self.tokens_per_minute,
            budget=Budget(**limits),
            prices={self.name: Price(**self.price)},
        )

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
        """One answer; see `rag.models.llm.LLM`."""
        return self.calls.complete(
            self.inner,
            messages,
            schema=schema,
            max_tokens=max_tokens,
            temperature=temperature,
            seed=seed,
            stop=stop,
            logprobs=logprobs,
        )
