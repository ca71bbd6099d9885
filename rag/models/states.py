"""What a cross-encoder knows of each word: the states of its tokens behind one of its inner layers.

A network that tells whether a text answers a question must mark, inside, the words that do so, and a linear
reading of its states finds them (probing: Alain and Bengio, "Understanding intermediate layers using linear
classifier probes", 2016, https://arxiv.org/abs/1610.01644). An ONNX file names every inner value but gives out
only what it lists as outputs; here the list is replaced in memory, and the nodes behind the wanted ones, which
follow them in the file since ONNX keeps nodes in the order of their use, are left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rag.errors import ModelError
from rag.models.tokens import clean
from rag.models.weights import locate
from rag.pool import ordered

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["States", "exposed", "states"]

GRAPH, NODE, OUTPUT, MADE = 7, 1, 12, 2  # fields of onnx.proto: a model's graph; its nodes, outputs; a node's outputs
VARINT, BYTES = 0, 2  # wire types of protocol buffers
QUESTION, PAIR = 130, 512  # tokens of a question with its marks, and of a pair


class States(NamedTuple):
    """States of the tokens of one text.

    Args:
        starts: int64 (t,), first code point of each token in the text.
        ends: int64 (t,), one past the last.
        values: float32 (t, d).
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    values: NDArray[np.float32]


def states(
    model: str, layers: tuple[str, ...], question: str, texts: Sequence[str], threads: int | None = None
) -> list[States]:
    """States of the tokens of each text, read together with the question, one pair at a time.

    Args:
        model: name of embedded weights, or a folder, of a cross-encoder.
        layers: names of inner values, each (1, tokens, d); their states stand side by side.
        question: cut at 130 tokens.
        texts: each cut where the pair has 512 tokens; what is cut off has no tokens.
        threads: pairs at once; None is one a core; changes no result.

    Raises:
        MissingWeights: the model's files are not here.
        ModelError: the files are not such a model.
    """
    session, tokenizer = _open(locate(model), layers)
    names = {item.name for item in session.get_inputs()}
    head = tokenizer.encode(clean(question)).ids
    head = head if len(head) <= QUESTION else [*head[: QUESTION - 1], head[-1]]

    def one(text: str) -> States:
        tail = tokenizer.encode(clean(text))
        ids = [*head, *tail.ids[1:]][:PAIR]
        feed = {
            "input_ids": np.asarray([ids], dtype=np.int64),
            "attention_mask": np.ones((1, len(ids)), dtype=np.int64),
            "token_type_ids": np.asarray([[0] * len(head) + [1] * (len(ids) - len(head))], dtype=np.int64),
        }
        try:
            values = session.run(list(layers), {key: item for key, item in feed.items() if key in names})
        except Exception as error:  # onnxruntime's own, with no common base
            raise ModelError(f"{model}: the network failed on {len(ids)} tokens: {_line(error)}") from error
        places = np.asarray(tail.offsets[1 : 1 + len(ids) - len(head)], dtype=np.int64).reshape(-1, 2)
        real = np.flatnonzero(places[:, 1] > places[:, 0])
        rows = np.concatenate([value[0, len(head) :] for value in values], axis=1, dtype=np.float32)
        return States(places[real, 0], places[real, 1], rows[real])

    return list(ordered(one, texts, workers=max(1, min(threads or _cores(), len(texts)))))


@lru_cache(maxsize=2)
def _open(folder: Path, layers: tuple[str, ...]) -> tuple[Any, Any]:
    import onnxruntime as ort
    import tokenizers

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    try:
        model = exposed((folder / "model.onnx").read_bytes(), layers)
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # both libraries raise bare exceptions of their own
        raise ModelError(
            f"{folder.name}: no ONNX model with values {layers}, or no tokenizer: {_line(error)}"
        ) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return session, tokenizer


def exposed(model: bytes, values: Sequence[str]) -> bytes:
    """An ONNX model whose outputs are the inner values of these names; types and shapes are left to be inferred.

    Raises:
        ModelError: the bytes are no ONNX model, or it has no such value.
    """
    wanted = set(values)
    parts = []
    for field, raw, body in _fields(memoryview(model)):
        if field != GRAPH:
            parts.append(bytes(raw))
            continue
        kept = []
        for number, inner, node in _fields(body):
            if number == OUTPUT or (number == NODE and not wanted):
                continue
            kept.append(bytes(inner))
            if number == NODE:
                wanted -= {bytes(name).decode() for made, _, name in _fields(node) if made == MADE}
        kept += [_field(OUTPUT, _field(1, value.encode())) for value in values]
        parts.append(_field(GRAPH, b"".join(kept)))
    if wanted:
        raise ModelError(f"the network has no inner value {sorted(wanted)[0]!r}.")
    return b"".join(parts)


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Number, whole bytes and body of each field of a message."""
    at = 0
    while at < len(data):
        begin = at
        key, at = _varint(data, at)
        size = 0
        if key & 7 == BYTES:
            size, at = _varint(data, at)
        elif key & 7 == VARINT:
            _, at = _varint(data, at)
        else:
            raise ModelError(f"an ONNX model must hold fields of wire types 0 and 2 here, got {key & 7}.")
        if at + size > len(data):
            raise ModelError(f"an ONNX model ends within a field: {at + size} bytes wanted, {len(data)} there.")
        yield key >> 3, data[begin : at + size], data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise ModelError("an ONNX model ends within a number.")


def _field(number: int, body: bytes) -> bytes:
    """One field of bytes, with its key and its length."""
    found = bytearray()
    for value in (number << 3 | BYTES, len(body)):
        rest = value
        while rest > 127:
            found.append(rest & 127 | 128)
            rest >>= 7
        found.append(rest)
    return bytes(found) + body


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
