"""A chat completion that comes as server-sent events, made whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rag.errors import ModelError, Unavailable

if TYPE_CHECKING:
    from rag.models.aloud import Ear

__all__ = ["gathered"]


def gathered(parts: Iterable[bytes], ear: Ear, where: str, most: int) -> dict[str, Any]:
    """The completion as an endpoint gives it that does not stream; each piece is heard as it comes.

    Args:
        parts: bytes of the body, cut anywhere.
        ear: hears the pieces.
        where: model and endpoint, for messages.
        most: bytes of body at most.

    Raises:
        Unavailable: it ends before its end, or tells an error on its way.
        ModelError: it is no such stream, or longer than `most`.
    """
    said: list[str] = []
    finish: str | None = None
    usage: Any = None
    ear.begin()
    try:
        for event in _events(parts, where, most):
            if event is None:
                finish = finish or "stop"
                break
            if event.get("error"):
                raise Unavailable(f"{where} broke off with an error: {_line(event['error'])}.")
            for choice in (event.get("choices") or ())[:1]:
                piece = (choice.get("delta") or {}).get("content")
                finish = choice.get("finish_reason") or finish
                if piece:
                    said.append(str(piece))
                    ear.hear(str(piece))
            usage = event.get("usage") or usage
    except (ValueError, AttributeError, TypeError) as error:
        raise ModelError(f"{where} sent a stream that is no chat completion ({type(error).__name__}).") from error
    if finish is None:
        raise Unavailable(f"{where} broke off before the end of its answer.")
    return {"choices": [{"message": {"content": "".join(said)}, "finish_reason": finish}], "usage": usage}


def _events(parts: Iterable[bytes], where: str, most: int) -> Iterator[Any]:
    """The JSON of each event, None for the mark of the end."""
    held, size = b"", 0
    for part in parts:
        size += len(part)
        if size > most:
            raise ModelError(f"{where} sent more than {most >> 20} MiB.")
        *lines, held = (held + part).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                data = line[5:].strip()
                yield None if data == b"[DONE]" else json.loads(data)


def _line(error: Any) -> str:
    told = error.get("message", "") if isinstance(error, dict) else error
    return " ".join(str(told).split())[:200].rstrip(".")
