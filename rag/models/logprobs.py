"""How likely a model finds each token of a text, and each of a few answers: measured, kept, and checked.

A model that can tell has a method `token_logprobs` or `choice_logprobs`; `llms/embedded` has both. A hosted model
that reports the likeliest first tokens of its answer serves for choices too. Values are kept in the cache of replies
that is in force (`rag.models.calls.using`), by the digest of text and model, and counted in its ledger.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from rag.errors import ConfigError, ModelError
from rag.models.calls import call, current
from rag.models.ledger import note
from rag.models.llm import Message, Reply
from rag.pool import ordered

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FLOOR", "Surprise", "TokenProbs", "choices", "tells_tokens", "token_probs"]

FLOOR = -30.0  # of a choice that is not among the tokens reported
REPORTED = 20  # likeliest tokens asked of a hosted model
DIGITS = 10_000  # values are kept as whole ten-thousandths


class TokenProbs(NamedTuple):
    """What a model makes of a text.

    Args:
        starts: int64 (t,), first code point of each token, ascending.
        ends: int64 (t,), one past the last.
        logprobs: float32 (t,), natural logarithm of its probability given the tokens before; 0 for the first.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    logprobs: NDArray[np.float32]


@runtime_checkable
class Surprise(Protocol):
    """A model that tells how likely it finds a text."""

    @property
    def name(self) -> str:
        """What a person calls it."""

    @property
    def fingerprint(self) -> str:
        """Identity of its numbers."""

    def token_logprobs(self, text: str, /) -> TokenProbs:
        """The tokens of a text, and how likely each was."""


def tells_tokens(model: Any, by: str) -> Any:
    """The model, which must be able to tell the probabilities of a text; looked at by its type alone.

    Args:
        model: any model.
        by: the field that holds it, such as `chunkers/perplexity: llm`.

    Raises:
        ConfigError: it cannot.
    """
    if not callable(getattr(type(model), "token_logprobs", None)):
        raise ConfigError(
            f"{by}: must tell the probability of each token of a text, as {{use: llms/embedded}} does, got"
            f" {type(model).__name__}. Drop it to use the default."
        )
    return model


def token_probs(model: Surprise, text: str) -> TokenProbs:
    """The tokens of a text, and how likely each was; read from the cache where one is in force.

    Raises:
        ModelError: the model failed, or its numbers are not finite, not at most 0, or out of place.
    """
    if not text:
        nothing = np.zeros(0, dtype=np.int64)
        return TokenProbs(nothing, nothing, np.zeros(0, dtype=np.float32))
    calls = current()
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    key = hashlib.sha256(f"token-logprobs\n{model.fingerprint}\n{digest}".encode()).hexdigest()
    kept = calls.replies.get(key) if calls.replies is not None else None
    if kept is not None:
        _count(cached=1)
        return _unpacked(kept.text)
    began = time.monotonic()
    found = model.token_logprobs(text)
    values = np.asarray(found.logprobs, dtype=np.float32)
    starts, ends = np.asarray(found.starts, dtype=np.int64), np.asarray(found.ends, dtype=np.int64)
    if not (len(values) == len(starts) == len(ends)) or not np.isfinite(values).all() or np.any(values > 1e-3):
        raise ModelError(f"{model.name}: gave logarithms of probabilities that are none, for {len(values)} tokens.")
    if np.any(np.diff(starts) < 0) or np.any(starts < 0) or np.any(ends > len(text)) or np.any(ends < starts):
        raise ModelError(f"{model.name}: gave tokens that do not lie in their text, {len(values)} of them.")
    _count(calls=1, tokens_in=len(values), seconds=time.monotonic() - began)
    made = TokenProbs(starts, ends, np.round(values, 4))
    if calls.replies is not None:
        calls.replies.put(key, Reply(_packed(made), len(values), 0))
    return made


def choices(
    model: Any, asked: Sequence[Sequence[Message]], options: Sequence[str], *, version: str = ""
) -> NDArray[np.float64]:
    """The probability of each option as the first token of the answer to each conversation.

    Args:
        model: an `LLM`; its `choice_logprobs` is used where it has one.
        asked: n conversations.
        options: m short answers that differ in their first token, such as digits.
        version: of the prompt, for the cache.

    Returns:
        float64 (n, m), each row sums to 1: what is left of the probability where all other answers are ruled out.
        A model that reports none of the options gives each the same.

    Raises:
        ModelError: the model failed, or its numbers are not finite.
    """
    own = callable(getattr(type(model), "choice_logprobs", None))  # uses the cores itself
    one, workers = (_own, 1) if own else (_reported, min(4, len(asked)))
    rows = list(ordered(lambda messages: one(model, messages, options, version), asked, workers=workers))
    values = np.asarray(rows, dtype=np.float64).reshape(len(asked), len(options))
    if not np.isfinite(values).all():
        raise ModelError(f"{model.name}: gave logarithms of probabilities that are none, for {len(asked)} choices.")
    values = np.exp(values - values.max(axis=1, keepdims=True)) if len(asked) else values
    shares: NDArray[np.float64] = values / values.sum(axis=1, keepdims=True)
    return shares


def _own(model: Any, messages: Sequence[Message], options: Sequence[str], version: str) -> list[float]:
    """From a model that tells itself, through the cache."""
    calls = current()
    facts = json.dumps(["choice-logprobs", model.fingerprint, version, [list(m) for m in messages], list(options)])
    key = hashlib.sha256(facts.encode()).hexdigest()
    kept = calls.replies.get(key) if calls.replies is not None else None
    if kept is not None:
        _count(cached=1)
        return [float(value) for value in json.loads(kept.text)]
    began = time.monotonic()
    found = [float(value) for value in model.choice_logprobs(messages, options)]
    _count(calls=1, seconds=time.monotonic() - began)
    if calls.replies is not None and all(map(math.isfinite, found)):
        calls.replies.put(key, Reply(json.dumps(found), 0, 0))
    return found


def _reported(model: Any, messages: Sequence[Message], options: Sequence[str], version: str) -> list[float]:
    """From the likeliest first tokens of an answer."""
    reply = call(model, messages, version=version, max_tokens=1, logprobs=REPORTED)
    best = dict.fromkeys(options, FLOOR)
    for token, value in reply.logprobs[0].top if reply.logprobs else ():
        word = token.strip()
        if word in best:
            best[word] = max(best[word], value)
    return [best[option] for option in options]


def _packed(found: TokenProbs) -> str:
    rows = (found.starts, found.ends, np.rint(found.logprobs.astype(np.float64) * DIGITS).astype(np.int64))
    return json.dumps([row.tolist() for row in rows], separators=(",", ":"))


def _unpacked(text: str) -> TokenProbs:
    starts, ends, values = (np.asarray(row, dtype=np.int64) for row in json.loads(text))
    logprobs: NDArray[np.float32] = (values / DIGITS).astype(np.float32)
    return TokenProbs(starts, ends, np.round(logprobs, 4))


def _count(**amounts: float) -> None:
    current().ledger.add(**amounts)
    note(**amounts)
