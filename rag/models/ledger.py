"""What model calls cost: a ledger for each question, and the hard limits of a run."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from rag.errors import OverBudget

__all__ = ["Budget", "Ledger", "Price", "note", "spending"]


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, per million tokens, in any currency."""

    tokens_in: float = 0.0
    tokens_out: float = 0.0

    def of(self, tokens_in: float, tokens_out: float) -> float:
        """Cost of one call."""
        return (self.tokens_in * tokens_in + self.tokens_out * tokens_out) / 1e6


@dataclass(frozen=True, slots=True)
class Budget:
    """Hard limits; None is no limit. A call that could break one is not made.

    Args:
        calls: calls to a model; answers from the cache are free.
        tokens: tokens in and out together.
        cost: in the currency of the prices.
        seconds: time spent inside calls.
    """

    calls: int | None = None
    tokens: int | None = None
    cost: float | None = None
    seconds: float | None = None


@dataclass
class Ledger:
    """Sums of what was spent; safe to add to from several threads.

    `totals` holds calls, cached, retries, repairs, fallbacks, tokens_in, tokens_out, seconds and cost, those that are
    not 0. What is `reserved` belongs to calls under way.
    """

    totals: dict[str, float] = field(default_factory=dict)
    reserved: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, **amounts: float) -> None:
        """Add to the sums."""
        with self._lock:
            for name, amount in amounts.items():
                if amount:
                    self.totals[name] = self.totals.get(name, 0) + amount

    def usage(self) -> Mapping[str, float]:
        """The sums, by name in order; what is 0 is left out."""
        with self._lock:
            return {name: self.totals[name] for name in sorted(self.totals)}

    def reserve(self, budget: Budget, wanted: Mapping[str, float], by: str) -> None:
        """Set an upper bound of a call aside, or refuse it.

        Args:
            budget: the limits.
            wanted: `calls`, `tokens` and `cost` that one call may take.
            by: the model, for the message.

        Raises:
            OverBudget: sums, what is set aside and this call would exceed the budget.
        """
        limits = {"calls": budget.calls, "tokens": budget.tokens, "cost": budget.cost}
        with self._lock:
            spent = {**self.totals, "tokens": self.totals.get("tokens_in", 0) + self.totals.get("tokens_out", 0)}
            for name, limit in limits.items():
                have = spent.get(name, 0) + self.reserved.get(name, 0)
                if limit is not None and have + wanted[name] > limit:
                    raise OverBudget(
                        f"{by}: not called: budget of {name} is {limit:g}, {have:g} are spent and this call may take"
                        f" {wanted[name]:g}. Raise the budget, or lower what one call may take."
                    )
            if budget.seconds is not None and spent.get("seconds", 0) >= budget.seconds:
                raise OverBudget(
                    f"{by}: not called: budget of seconds is {budget.seconds:g}, {spent['seconds']:.1f} are spent."
                    " Raise the budget."
                )
            for name, amount in wanted.items():
                self.reserved[name] = self.reserved.get(name, 0) + amount

    def release(self, aside: Mapping[str, float]) -> None:
        """Give back what `reserve` set aside."""
        with self._lock:
            for name, amount in aside.items():
                self.reserved[name] -= amount


_open: ContextVar[tuple[Ledger, ...]] = ContextVar("rag_ledgers", default=())


@contextmanager
def spending() -> Iterator[Ledger]:
    """Keep what calls inside cost; ledgers nest, and each sees what is spent within it.

    `rag.pool` carries the open ledgers into its threads.
    """
    ledger = Ledger()
    token = _open.set((*_open.get(), ledger))
    try:
        yield ledger
    finally:
        _open.reset(token)


def note(**amounts: float) -> None:
    """Add to every open ledger."""
    for ledger in _open.get():
        ledger.add(**amounts)
