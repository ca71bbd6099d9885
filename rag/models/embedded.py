"""A small language model inside this process, through xllamacpp."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from rag.errors import ModelError, Refused, TooLong
from rag.models.aloud import Ear, ear
from rag.models.causal import open_causal
from rag.models.llm import Message, Reply, TokenProb
from rag.models.logprobs import TokenProbs
from rag.models.weights import fingerprint, locate
from rag.optional import require
from rag.stage import Field, stage

__all__ = ["EmbeddedLLM"]

BY = "llms/embedded"
TYPES = {"object", "array", "string", "integer", "number", "boolean", "null"}


@stage
class EmbeddedLLM:
    """Runs a GGUF model on the CPU, with its own chat template.

    The default is SmolLM2-135M-Instruct (Allal et al., "SmolLM2", 2025, https://arxiv.org/abs/2502.02737), 4 bits a
    weight: small enough for any machine, able to follow a form, not to be trusted with facts. A schema binds what
    it can say, token by token (llguidance). Requests run one after the other and share no state, so the same
    request gives the same text whatever came before. llama.cpp's server stands behind it and listens on a
    loopback port, guarded by a key that never leaves the process.
    """

    model: str = Field(default="SmolLM2-135M-Instruct", description="name of embedded weights, or a folder with a GGUF")
    context: int = Field(default=8192, ge=256, description="tokens of prompt and answer together")
    threads: int | None = Field(default=None, ge=1, description="None is one less than there are cores")

    @property
    def name(self) -> str:
        """Its name in a pipeline file and its weights."""
        return f"embedded/{self.model}"

    @property
    def fingerprint(self) -> str:
        """Name and digest of the weights."""
        return f"{self.name}@{fingerprint(self.model)}"

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
        """One answer; see `rag.models.llm.LLM`.

        Raises:
            MissingWeights: the model's files are not here.
            MissingExtra: xllamacpp is not installed.
            TooLong: prompt and answer exceed `context`.
        """
        request: dict[str, Any] = {
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
            "stop": list(stop),
        }
        if schema is not None:
            request["grammar"] = _grammar(schema)
        if logprobs:
            request |= {"logprobs": True, "top_logprobs": logprobs}
        heard = None if logprobs else ear()
        made = self._ask("handle_chat_completions", request) if heard is None else self._aloud(request, heard)
        choice, usage = made["choices"][0], made["usage"]
        return Reply(
            text=choice["message"]["content"] or "",
            tokens_in=int(usage["prompt_tokens"]),
            tokens_out=int(usage["completion_tokens"]),
            finish=str(choice["finish_reason"]),
            logprobs=_probs(choice) if logprobs else None,
        )

    def next_tokens(self, prompt: str, top: int = 20) -> tuple[tuple[str, float], ...]:
        """The likeliest next tokens after a raw text (no chat template), with the logarithms of their probabilities.

        Args:
            prompt: text as the model reads it.
            top: how many, likeliest first.
        """
        request = {"prompt": prompt, "n_predict": 1, "max_tokens": 1, "n_probs": top, "temperature": 0.0}
        return _probs(self._ask("handle_completions", request)["choices"][0])[0].top

    def token_logprobs(self, text: str, /) -> TokenProbs:
        """How likely each token of a text is, given those before it; see `rag.models.causal`, which needs no extra.

        Raises:
            MissingWeights: the model's files are not here.
        """
        model = open_causal(locate(self.model))
        found = model.pieces(text)
        return TokenProbs(found.starts, found.ends, model.logprobs(found.ids))

    def choice_logprobs(self, messages: Sequence[Message], options: Sequence[str], /) -> list[float]:
        """How likely the answer begins with each option (its first token), one computation for all.

        Raises:
            MissingWeights: the model's files are not here.
            TooLong: the conversation exceeds `context`.
        """
        model = open_causal(locate(self.model))
        begin, end = model.mark("<|im_start|>"), model.mark("<|im_end|>")
        turns: list[list[int]] = []
        for role, content in (*messages, Message("assistant", "")):
            turn = [begin, *model.pieces(f"{role}\n{content}").ids.tolist()]
            turns.append([*turn, end, *model.pieces("\n").ids.tolist()] if content else turn)
        if sum(map(len, turns)) > self.context:
            raise TooLong(
                f"{self.name}: the prompt has {sum(map(len, turns))} tokens, the context {self.context}. Ask for less."
            )
        head = turns.pop(0) if messages[0].role == "system" else []  # the same in many calls: read once
        found = model.following([one for turn in turns for one in turn], model.begun(tuple(head)) if head else None)
        return [float(found[int(model.pieces(option).ids[0])]) for option in options]

    def _aloud(self, request: Mapping[str, Any], heard: Ear) -> Mapping[str, Any]:
        """As `_ask` for a conversation, each piece heard as it is made; an error of who hears ends the answer."""
        parts: list[Mapping[str, Any]] = []
        errors: list[BaseException] = []

        def take(part: Mapping[str, Any]) -> bool:
            parts.append(part)
            try:
                for choice in part.get("choices") or ():
                    heard.hear((choice.get("delta") or {}).get("content") or "")
            except BaseException as error:  # it would be lost in the library
                errors.append(error)
            return bool(errors)  # True stops it

        heard.begin()
        made = self._ask(
            "handle_chat_completions", {**request, "stream": True, "stream_options": {"include_usage": True}}, take
        )
        if errors:
            raise errors[0]
        for part in parts:
            self._told(part)
        choices = [choice for part in parts for choice in part.get("choices") or ()]
        said = "".join((choice.get("delta") or {}).get("content") or "" for choice in choices)
        finish = next((c["finish_reason"] for c in reversed(choices) if c.get("finish_reason")), "stop")
        usage = next((part["usage"] for part in reversed(parts) if part.get("usage")), None)
        if usage is None:
            raise ModelError(f"{self.name}: the answer came without its number of tokens.")
        return {**made, "choices": [{"message": {"content": said}, "finish_reason": finish}], "usage": usage}

    def _ask(self, route: str, request: Mapping[str, Any], *take: Any) -> Mapping[str, Any]:
        server = _open(str(locate(self.model)), self.context, self.threads or max(1, _cores() - 1))
        try:
            made = getattr(server, route)({**request, "cache_prompt": False}, *take) or {}
        except (ValueError, RuntimeError) as error:
            raise Refused(f"{self.name}: the request was refused: {_line(error)}") from error
        return self._told(made)

    def _told(self, made: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the library made, if it is no error."""
        if "error" in made:
            kind, message = made["error"].get("type", ""), _line(made["error"].get("message", ""))
            if "context_size" in kind:
                raise TooLong(
                    f"{self.name}: the prompt has {made['error'].get('n_prompt_tokens', '?')} tokens, the context"
                    f" {self.context}. Lower the budget of the compressor, or raise `context`."
                )
            raise (Refused if made["error"].get("code") == 400 else ModelError)(f"{self.name}: {message}")
        return made


@cache
def _open(folder: str, context: int, threads: int) -> Any:
    """One server for each model and size, shared by every stage that asks for it."""
    xllamacpp = require("xllamacpp", extra="llm", by=BY)
    from pathlib import Path

    files = sorted(Path(folder).glob("*.gguf"))
    if not files:
        raise ModelError(f"{BY}: no GGUF file in {folder}. Give the folder of a GGUF model, or a name of the table.")
    params = xllamacpp.CommonParams()
    params.model.path = str(files[0])
    params.n_ctx, params.n_parallel, params.cache_ram_mib = context, 1, 0
    params.verbosity, params.warmup, params.offline = -1, False, True
    params.ui = params.endpoint_slots = params.endpoint_props = False
    params.api_keys = [secrets.token_hex(16)]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ModelError(f"{BY}: {files[0].name} cannot be opened as a GGUF model: {_line(error)}") from error


def _cores() -> int:
    """Cores this process may use.

    One is left free by default: llama.cpp's threads wait for each other busily, and on cores that others use as well a
    second thread made it 15 times slower.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _grammar(schema: Mapping[str, Any]) -> str:
    """The schema as an llguidance grammar without free white space, in which small models lose themselves.

    Raises:
        Refused: it names a type that JSON does not have, on which the library would bind nothing and say nothing.
    """
    stack: list[Any] = [schema]
    while stack:
        part = stack.pop()
        if isinstance(part, Mapping):
            kinds = part.get("type", ())
            wrong = {kinds} - TYPES if isinstance(kinds, str) else set(kinds) - TYPES if isinstance(kinds, list) else ()
            if wrong:
                raise Refused(f"{BY}: schema: a type must be one of {', '.join(sorted(TYPES))}, got {sorted(wrong)}.")
            nested = ("properties", "$defs", "definitions")
            stack += [value for key, value in part.items() if key not in nested]
            stack += [value for key in nested for value in part.get(key, {}).values()]
        elif isinstance(part, list):
            stack += part
    bound = {**schema, "x-guidance": {"whitespace_flexible": False}}
    return "%llguidance {}\nstart: %json " + json.dumps(bound)


def _probs(choice: Mapping[str, Any]) -> tuple[TokenProb, ...]:
    found = (choice.get("logprobs") or {}).get("content") or ()
    return tuple(
        TokenProb(
            one["token"], float(one["logprob"]), tuple((t["token"], float(t["logprob"])) for t in one["top_logprobs"])
        )
        for one in found
    )


def _line(error: object) -> str:
    return str(error).strip().partition("\n")[0][:200]
