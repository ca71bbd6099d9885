"""Language models: the protocol, and bridges to and from llama-index."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast, runtime_checkable

from rag.errors import ConfigError, ModelError
from rag.models.aloud import Ear, ear

if TYPE_CHECKING:
    from llama_index.core.llms import LLM as LlamaIndexLLM  # noqa: N811 - it is a class

__all__ = ["LLM", "Message", "Reply", "TokenProb", "adapt_llm", "checked_llm", "estimate", "to_llama_index"]


class Message(NamedTuple):
    """One turn.

    Args:
        role: `system`, `user` or `assistant`.
        content: its text.
    """

    role: str
    content: str


class TokenProb(NamedTuple):
    """A generated token, the natural logarithm of its probability, and the likeliest tokens in its place."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said.

    Args:
        text: the whole answer.
        tokens_in: tokens of the prompt as the model counted them; estimated where it does not tell.
        tokens_out: tokens of the answer.
        finish: `stop`, or `length` where `max_tokens` cut it.
        logprobs: one entry a token where they were asked for and the model gives them, else None.
        cached: whether it came from the cache, so nothing was spent.
    """

    text: str
    tokens_in: int
    tokens_out: int
    finish: str = "stop"
    logprobs: tuple[TokenProb, ...] | None = None
    cached: bool = False


@runtime_checkable
class LLM(Protocol):
    """Completes a conversation."""

    @property
    def name(self) -> str:
        """What a person calls it, such as `embedded/SmolLM2-135M-Instruct`."""

    @property
    def fingerprint(self) -> str:
        """Identity of its answers; part of the cache's key."""

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
        """One answer.

        Args:
            messages: the conversation; the last is the user's.
            schema: JSON Schema the answer is to fit, enforced where the model can.
            max_tokens: tokens of answer at most.
            temperature: 0 takes the likeliest token each time.
            seed: of sampling, where the temperature is above 0.
            stop: texts that end the answer, not part of it.
            logprobs: alternatives to report for each token; 0 reports none.

        Raises:
            TooLong: the prompt does not fit the context.
            Refused: the call is wrong or not allowed; do not repeat it.
            Unavailable: the model cannot be reached; the same call may succeed later.
            ModelError: the answer is not one.
        """


def estimate(messages: Sequence[Message]) -> int:
    """Tokens of a prompt, counted with cl100k plus four a message; for limits set before a call."""
    from rag.models.tokens import counter

    return sum(counter("cl100k").counts([m.content for m in messages])) + 4 * len(messages)


def with_schema(messages: Sequence[Message], schema: Mapping[str, Any]) -> list[Message]:
    """The conversation with the schema named in words, for models that cannot be bound to one."""
    rule = "Answer with one JSON value that fits this JSON Schema and with nothing else:\n" + json.dumps(schema)
    *before, last = messages
    return [*before, Message(last.role, f"{last.content}\n\n{rule}")]


def checked_llm(model: Any, by: str) -> LLM:
    """A model as an `LLM`, by looking at its type alone, so that no weights open.

    Args:
        model: an `LLM`, or any llama-index `LLM`.
        by: the field that holds it, such as `readers/stuff: llm`.

    Raises:
        ConfigError: it is neither.
    """
    kind = type(model)
    if callable(getattr(kind, "complete", None)) and isinstance(getattr(kind, "fingerprint", None), property):
        return cast("LLM", model)
    if callable(getattr(kind, "chat", None)) and isinstance(getattr(kind, "metadata", None), property):
        return _FromLlamaIndex(model)
    raise ConfigError(
        f"{by}: must be a language model such as {{use: llms/embedded}} or a llama-index LLM, got {kind.__name__}."
        " Drop it to use the default."
    )


def adapt_llm(model: Any) -> LLM:
    """Take an `LLM` as it is, and any llama-index `LLM` through a thin wrapper.

    Raises:
        ConfigError: it is neither.
    """
    return checked_llm(model, "llm")


def to_llama_index(llm: LLM, *, max_tokens: int = 256) -> LlamaIndexLLM:
    """A real llama-index `LLM` that asks this model."""
    return cast("LlamaIndexLLM", _bridge()(llm, max_tokens))


@dataclass(frozen=True)
class _FromLlamaIndex:
    """A llama-index language model, seen as an `LLM`."""

    model: LlamaIndexLLM

    @property
    def name(self) -> str:
        return f"{type(self.model).__name__}/{self.model.metadata.model_name}"

    @property
    def fingerprint(self) -> str:
        kind = type(self.model)
        facts = f"{kind.__module__}.{kind.__qualname__}:{self.model.metadata.model_name}"
        return f"{self.name}@{hashlib.sha256(facts.encode()).hexdigest()[:12]}"

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
        """Ask through `chat`; settings its class has no field for stay as its owner set them."""
        from llama_index.core.base.llms.types import ChatMessage

        asked = messages if schema is None else with_schema(messages, schema)
        fields = type(self.model).model_fields
        wanted = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed, "stop": list(stop) or None}
        settings = {key: value for key, value in wanted.items() if key in fields}
        turns = [ChatMessage(role=m.role, content=m.content) for m in asked]
        try:
            text = self._said(turns, settings)
        except Exception as error:  # each integration raises its own; there is no common base
            raise ModelError(f"{self.name}: the call failed: {type(error).__name__}: {_line(error)}") from error
        for mark in stop:
            text = text.partition(mark)[0]
        return Reply(text, estimate(asked), estimate([Message("assistant", text)]) - 4)

    def _said(self, turns: Sequence[Any], settings: Mapping[str, Any]) -> str:
        """The answer's text, heard as it is made where somebody listens and the model can stream."""
        heard = ear()
        if heard is not None:
            try:
                return _streamed(self.model.stream_chat(turns, **settings), heard)
            except NotImplementedError:
                pass  # an integration without streams
        return self.model.chat(turns, **settings).message.content or ""


def _streamed(parts: Any, heard: Ear) -> str:
    """The whole text of a llama-index stream; each piece is heard as it comes."""
    heard.begin()
    said = ""
    for part in parts:
        piece = part.delta or ""
        said += piece
        heard.hear(piece)
    return said


@cache
def _bridge() -> Any:
    """The subclass, made when llama-index is first needed: its import takes a second."""
    from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata, MessageRole
    from llama_index.core.llms.custom import CustomLLM
    from pydantic import PrivateAttr

    class RagtreeLLM(CustomLLM):
        """One of our language models in llama-index's clothes."""

        max_tokens: int = 256
        _llm: LLM = PrivateAttr()

        def __init__(self, llm: LLM, max_tokens: int) -> None:
            super().__init__(max_tokens=max_tokens)
            self._llm = llm

        @classmethod
        def class_name(cls) -> str:
            return "RagtreeLLM"

        @property
        def metadata(self) -> LLMMetadata:
            context = getattr(self._llm, "context", None) or 4096
            return LLMMetadata(
                model_name=self._llm.name, is_chat_model=True, context_window=context, num_output=self.max_tokens
            )

        def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
            known = {
                key: kwargs[key] for key in ("max_tokens", "temperature", "seed", "stop", "schema") if key in kwargs
            }
            asked = [Message(str(m.role.value), m.content or "") for m in messages]
            reply = self._llm.complete(asked, **{"max_tokens": self.max_tokens, **known})
            facts = {"tokens_in": reply.tokens_in, "tokens_out": reply.tokens_out, "finish": reply.finish}
            return ChatResponse(
                message=ChatMessage(role=MessageRole.ASSISTANT, content=reply.text), additional_kwargs=facts
            )

        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
            response = self.chat([ChatMessage(role=MessageRole.USER, content=prompt)], **kwargs)
            return CompletionResponse(text=response.message.content or "", additional_kwargs=response.additional_kwargs)

        def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
            whole = self.complete(prompt, formatted, **kwargs)
            return iter([CompletionResponse(text=whole.text, delta=whole.text)])

    return RagtreeLLM


def _line(error: BaseException) -> str:
    """The first line of an error, without what could be long."""
    return str(error).strip().partition("\n")[0][:200]
