"""Matrix products on onnxruntime's threads: as fast as numpy's, and well behaved on busy machines.

The threads of numpy's BLAS wait for each other busily: on two cores that other work used as well, a language model's
products took ten times as long with two threads as with one. onnxruntime's can be told to sleep. The networks it runs
here have one node each; their files are written out below, field by field (onnx.proto, wire types 0 and 2).
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Product", "multiply"]

FLOAT, VERSION, OPSET = 1, 8, 17  # of a tensor's values; of the format; of its operators


class Product:
    """Rows times a fixed matrix.

    Args:
        matrix: float32 (inputs, outputs); kept by onnxruntime in its own order, so the array may be let go.
    """

    def __init__(self, matrix: NDArray[np.float32]) -> None:
        inputs, outputs = matrix.shape
        dims = b"".join(_number(1, size) for size in matrix.shape)
        held = dims + _number(2, FLOAT) + _field(8, b"w") + _field(9, np.ascontiguousarray(matrix).tobytes())
        self._session = _opened(_model([_value(b"x", 2)], _field(5, held)))
        self.shape = (inputs, outputs)

    def __call__(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 (n, outputs) of float32 (n, inputs)."""
        made: NDArray[np.float32] = self._session.run(None, {"x": np.ascontiguousarray(rows)})[0]
        return made


def multiply(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 (b, n, m), the product of (b, n, k) and (b, k, m)."""
    made: NDArray[np.float32] = _pair().run(None, {"x": np.ascontiguousarray(left), "w": np.ascontiguousarray(right)})[
        0
    ]
    return made


@cache
def _pair() -> Any:
    return _opened(_model([_value(b"x", 3), _value(b"w", 3)], b""))


def _opened(model: bytes) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.inter_op_num_threads, options.intra_op_num_threads = 1, _cores()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _model(inputs: list[bytes], held: bytes) -> bytes:
    """An ONNX file with one node, `y = x w`."""
    node = _field(1, b"x") + _field(1, b"w") + _field(2, b"y") + _field(4, b"MatMul")
    rank = 3 if len(inputs) == 2 else 2
    graph = _field(1, node) + _field(2, b"g") + held + b"".join(_field(11, one) for one in inputs)
    graph += _field(12, _value(b"y", rank))
    return _number(1, VERSION) + _field(8, _field(1, b"") + _number(2, OPSET)) + _field(7, graph)


def _value(name: bytes, rank: int) -> bytes:
    """An input or output of any size."""
    shape = b"".join(_field(1, _field(2, name + str(i).encode())) for i in range(rank))
    return _field(1, name) + _field(2, _field(1, _number(1, FLOAT) + _field(2, shape)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
