"""GGUF files, read with numpy: what a model says of itself, and its tensors as 32-bit floats.

The format is llama.cpp's (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): a header, key-value pairs, a
table of tensors, and their bytes. Weights stand in blocks of 32 that share a scale, and in the types ending in 1 a
least value as well.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rag.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Gguf", "Tensor", "opened"]

MAGIC, ALIGNMENT, MOST = b"GGUF", 32, 1 << 28
SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
STRING, ARRAY = 8, 9
F32, F16, Q4_0, Q4_1, Q8_0 = 0, 1, 2, 3, 8
BLOCK = 32  # weights that share a scale
BYTES = {F32: (1, 4), F16: (1, 2), Q4_0: (BLOCK, 18), Q4_1: (BLOCK, 20), Q8_0: (BLOCK, 34)}  # weights, bytes of a block


class Tensor(NamedTuple):
    """Where a tensor stands.

    Args:
        shape: rows first, as numpy has it.
        kind: ggml's number of its type.
        at: offset of its first byte in the file.
    """

    shape: tuple[int, ...]
    kind: int
    at: int


@dataclass(frozen=True, eq=False)
class Gguf:
    """An opened file.

    Args:
        name: of the file, for messages.
        facts: the key-value pairs; arrays are lists.
        tensors: name -> place.
        data: the whole file, mapped.
    """

    name: str
    facts: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    data: mmap.mmap

    def fact(self, key: str) -> Any:
        """One value.

        Raises:
            ModelError: the file does not say it.
        """
        if key not in self.facts:
            raise ModelError(f"{self.name}: the file does not state {key!r}.")
        return self.facts[key]

    def floats(self, name: str) -> NDArray[np.float32]:
        """A tensor as float32, in its shape.

        Raises:
            ModelError: there is no such tensor, or its type is not one of F32, F16, Q4_0, Q4_1, Q8_0.
        """
        if name not in self.tensors:
            raise ModelError(f"{self.name}: no tensor {name!r}: not a model of the kind that can be read here.")
        shape, kind, at = self.tensors[name]
        if kind not in BYTES:
            raise ModelError(f"{self.name}: tensor {name!r}: its type must be one of {sorted(BYTES)}, got {kind}.")
        group, size = BYTES[kind]
        raw = np.frombuffer(self.data, np.uint8, count=math.prod(shape) // group * size, offset=at)
        return _plain(raw.reshape(-1, size), kind).reshape(shape)


def _plain(rows: NDArray[np.uint8], kind: int) -> NDArray[np.float32]:
    """Blocks of bytes as floats."""
    if kind in (F32, F16):
        return rows.view("<f4" if kind == F32 else "<f2").astype(np.float32)
    scale = rows[:, :2].view("<f2").astype(np.float32)
    if kind == Q8_0:
        return rows[:, 2:].view(np.int8) * scale
    head = 4 if kind == Q4_1 else 2
    least = rows[:, 2:4].view("<f2").astype(np.float32) if kind == Q4_1 else -8 * scale
    packed = rows[:, head:]
    values = np.empty((len(rows), BLOCK), dtype=np.float32)  # low halves of the bytes first
    np.multiply(packed & 15, scale, out=values[:, : BLOCK // 2])
    np.multiply(packed >> 4, scale, out=values[:, BLOCK // 2 :])
    values += least
    return values


def opened(file: Path) -> Gguf:
    """Read a file's header; the tensors stay on disk until they are asked for.

    Raises:
        ModelError: it is no GGUF file, or ends early.
    """
    try:
        with file.open("rb") as stream:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        return _Header(file.name, data).read()
    except (OSError, ValueError, struct.error, MemoryError) as error:
        raise ModelError(f"{file.name}: cannot be read as a GGUF model: {str(error)[:160]}") from error


class _Header:
    """A reader that walks through the header once."""

    def __init__(self, name: str, data: mmap.mmap) -> None:
        self.name, self.data, self.at = name, data, 4

    def read(self) -> Gguf:
        if self.data[:4] != MAGIC:
            raise ValueError("it does not begin with GGUF")
        version = self.number("<I")
        if version not in (2, 3):
            raise ValueError(f"its version must be 2 or 3, got {version}")
        tensors, pairs = self.length(), self.length()
        facts: dict[str, Any] = {}
        for _ in range(pairs):
            key = self.string()
            facts[key] = self.value(self.number("<I"))
        table = [self.entry() for _ in range(tensors)]
        step = int(facts.get("general.alignment", ALIGNMENT))
        base = -(-self.at // step) * step
        return Gguf(self.name, facts, {name: one._replace(at=base + one.at) for name, one in table}, self.data)

    def entry(self) -> tuple[str, Tensor]:
        name = self.string()
        shape = tuple(self.length() for _ in range(self.number("<I")))
        kind, at = self.number("<I"), self.number("<Q")
        return name, Tensor(shape[::-1], kind, at)

    def number(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def length(self) -> int:
        value = int(self.number("<Q"))
        if value > MOST:
            raise ValueError(f"a length of {value} in its header")
        return value

    def string(self) -> str:
        size = self.length()
        begin, self.at = self.at, self.at + size
        if self.at > len(self.data):
            raise ValueError("it ends within its header")
        return self.data[begin : self.at].decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            inner, size = self.number("<I"), self.length()
            if inner in SCALARS:
                values = np.frombuffer(self.data, np.dtype(SCALARS[inner]), count=size, offset=self.at)
                self.at += values.nbytes
                return values.tolist()
            return [self.value(inner) for _ in range(size)]
        if kind not in SCALARS:
            raise ValueError(f"a value of type {kind} in its header")
        return self.number(SCALARS[kind])
