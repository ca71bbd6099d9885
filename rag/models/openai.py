"""Any endpoint that speaks OpenAI's chat protocol: a hosted model, or a server of your own."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from rag.errors import ConfigError, ModelError, Refused, TooLong, Unavailable
from rag.models.aloud import Ear, ear
from rag.models.llm import Message, Reply, TokenProb, estimate, with_schema
from rag.models.sse import gathered
from rag.stage import Field, stage

if TYPE_CHECKING:
    import httpx

__all__ = ["OpenAICompatible"]

LONG = re.compile(r"context.{0,12}(length|size|window)|maximum context|too (long|many tokens)", re.IGNORECASE)
MOST = 32 * 2**20  # bytes of a response


@stage
class OpenAICompatible:
    """Calls `POST {base_url}/chat/completions`; no retries here, `rag.models.calls` makes them.

    The answer is asked for as a stream where somebody listens (`rag.models.aloud`), else whole, as it is where an
    endpoint refuses the stream; its text is the same.

    The key is read from the environment at each call and never stored, shown or written.
    """

    model: str = Field(description="name the endpoint knows the model by")
    base_url: str = Field(default="https://api.openai.com/v1", description="up to, not including /chat/completions")
    key_env: str = Field(default="OPENAI_API_KEY", description="environment variable with the key; empty: no key")
    timeout: float = Field(default=60.0, gt=0, description="seconds without a byte before the call counts as failed")
    context: int = Field(default=128_000, ge=1, description="tokens the model reads; informs, limits nothing")
    form: Literal["json_schema", "json_object", "words"] = Field(
        default="json_schema", description="how a schema is sent; `words` puts it into the prompt"
    )
    extra: Mapping[str, Any] = Field(
        default_factory=dict, description="more of the request's body, as the endpoint has it"
    )

    @property
    def name(self) -> str:
        """Its name in a pipeline file and the model's."""
        return f"openai/{self.model}"

    @property
    def fingerprint(self) -> str:
        """Model, endpoint and extras; a hosted model may still change behind its name."""
        return f"{self.name}@{self.base_url}{sorted(self.extra.items()) if self.extra else ''}"

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
            ConfigError: the environment variable of the key is not set.
            Unavailable: no connection, time-out, 408, 425, 429 or 5xx; `retry_after` as the endpoint says.
            TooLong: the prompt does not fit.
            Refused: any other 4xx, or the endpoint's content filter.
            ModelError: what came is not a chat completion.
        """
        asked = list(messages)
        if schema is not None and self.form != "json_schema":
            asked = with_schema(asked, schema)
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": m.role, "content": m.content} for m in asked],
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
        }
        if stop:
            body["stop"] = list(stop)
        if logprobs:
            body |= {"logprobs": True, "top_logprobs": logprobs}
        if schema is not None and self.form == "json_schema":
            form = {"name": "answer", "schema": dict(schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        elif schema is not None and self.form == "json_object":
            body["response_format"] = {"type": "json_object"}
        heard = None if logprobs else ear()
        if heard is None:
            return self._read(self._post({**body, **self.extra}), asked)
        spoken = {**body, "stream": True, "stream_options": {"include_usage": True}, **self.extra}
        try:
            made = self._post(spoken, heard)
        except Refused:  # perhaps it knows no streams
            made = self._post({**body, **self.extra})
        return self._read(made, asked)

    @cached_property
    def _client(self) -> httpx.Client:
        import httpx

        return httpx.Client(timeout=self.timeout, follow_redirects=False)

    def _post(self, body: Mapping[str, Any], heard: Ear | None = None) -> Any:
        """The JSON of a response with status 200; of a stream, what it comes to."""
        import httpx

        headers = {}
        if self.key_env:
            key = os.environ.get(self.key_env)
            if not key:
                raise ConfigError(
                    f"{self.name}: environment variable {self.key_env!r} is not set. Set it to the endpoint's key,"
                    " or give `key_env: ''` where none is needed."
                )
            headers["Authorization"] = f"Bearer {key}"
        url = self.base_url.rstrip("/") + "/chat/completions"
        try:
            with self._client.stream("POST", url, json=body, headers=headers) as response:
                streams = "text/event-stream" in response.headers.get("content-type", "")
                if heard is not None and streams and response.status_code == 200:
                    return gathered(response.iter_bytes(), heard, f"{self.name}: {self.base_url}", MOST)
                content = b""
                for part in response.iter_bytes():
                    content += part
                    if len(content) > MOST:
                        raise ModelError(f"{self.name}: {self.base_url} sent more than {MOST >> 20} MiB.")
        except httpx.TimeoutException as error:
            raise Unavailable(f"{self.name}: {self.base_url} sent nothing for {self.timeout:g} s.") from error
        except httpx.TransportError as error:
            hint = " Is it running there?" if isinstance(error, httpx.ConnectError) else ""
            raise Unavailable(
                f"{self.name}: {self.base_url} broke off: {type(error).__name__}: {_line(error)}.{hint}"
            ) from error
        except httpx.InvalidURL as error:
            raise ConfigError(f"{self.name}: base_url {self.base_url!r} is not an address: {_line(error)}") from error
        if response.status_code != 200:
            raise self._error(response, content)
        try:
            return httpx.Response(200, content=content).json()
        except ValueError as error:
            raise ModelError(f"{self.name}: {self.base_url} answered 200 with a body that is not JSON.") from error

    def _error(self, response: httpx.Response, content: bytes) -> ModelError:
        """The error a status other than 200 stands for; the endpoint's own words on one line."""
        import httpx

        code, said = response.status_code, ""
        kind = ""
        try:
            told = httpx.Response(200, content=content).json()["error"]
            said = told if isinstance(told, str) else str(told.get("message", ""))
            kind = "" if isinstance(told, str) else f"{told.get('code', '')} {told.get('type', '')}"
        except (ValueError, KeyError, TypeError, AttributeError):
            said = response.reason_phrase
        line = f"{self.name}: {self.base_url} answered {code}: {_line(said).rstrip('.')}."
        if code in (408, 425, 429) or code >= 500:
            if "insufficient_quota" in kind:
                return Refused(f"{line} Check the account.")
            error = Unavailable(line)
            error.retry_after = _seconds(response.headers.get("retry-after"))
            return error
        if code == 413 or (code == 400 and (LONG.search(said) or "context" in kind)):
            return TooLong(f"{line} Lower the budget of the compressor.")
        hint = f" Check the key in {self.key_env!r}." if code in (401, 403) and self.key_env else ""
        return Refused(line + hint)

    def _read(self, made: Any, asked: Sequence[Message]) -> Reply:
        """The reply in a chat completion."""
        try:
            choice = made["choices"][0]
            text, finish = choice["message"]["content"], choice.get("finish_reason") or "stop"
            if finish == "content_filter":
                raise Refused(f"{self.name}: {self.base_url} withheld the answer: content filter.")
            if not isinstance(text, str):
                raise TypeError("no text")
            usage = made.get("usage") or {}
            tokens_in = int(usage.get("prompt_tokens") or estimate(asked))
            tokens_out = int(usage.get("completion_tokens") or estimate([Message("assistant", text)]) - 4)
            given = (choice.get("logprobs") or {}).get("content")
            probs = None if given is None else tuple(_prob(one) for one in given)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(
                f"{self.name}: {self.base_url} answered 200 without a chat completion ({type(error).__name__})."
            ) from error
        return Reply(text, tokens_in, tokens_out, finish, probs)


def _prob(one: Mapping[str, Any]) -> TokenProb:
    top = tuple((str(t["token"]), float(t["logprob"])) for t in one.get("top_logprobs") or ())
    return TokenProb(str(one["token"]), float(one["logprob"]), top)


def _seconds(value: str | None) -> float | None:
    """A Retry-After in seconds; dates, which clocks disagree on, are ignored."""
    try:
        return None if value is None else max(0.0, float(value))
    except ValueError:
        return None


def _line(said: object) -> str:
    return " ".join(str(said).split())[:200]
