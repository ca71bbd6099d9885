"""The query update that TreeHop trains, from its arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ARRAYS", "Gate", "unit"]

ARRAYS = (
    "query",
    "key",
    "value",
    "skip",
    "out",
)  # matrices (h, d), and (d, h) for `out`; layers are `mlp0`, `mlp1` ...
LARGEST = 1 << 30  # bytes of a file


def unit(rows: NDArray[Any]) -> NDArray[np.float32]:
    """float32 (n, d), the rows made of length 1; one of length 0 stays."""
    found: NDArray[np.float32] = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype("f4")
    return found


@dataclass(frozen=True, eq=False)
class Gate:
    """Weights of one update, TreeHop (Li et al., 2025, https://arxiv.org/abs/2504.20114, section 3.2), one head.

    Args:
        query: float32 (h, d), as `key` and `value`.
        key: float32 (h, d).
        value: float32 (h, d).
        skip: float32 (h, h), applied to what the layers give.
        layers: float32 (h, h) each, residual, in order.
        out: float32 (d, h).
    """

    query: NDArray[np.float32]
    key: NDArray[np.float32]
    value: NDArray[np.float32]
    skip: NDArray[np.float32]
    layers: tuple[NDArray[np.float32], ...]
    out: NDArray[np.float32]

    def __call__(self, asked: NDArray[np.float32], passage: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next query: asked - passage + out . g, of length 1.

        Args:
            asked: float32 (n, d), one row a query.
            passage: float32 (n, d), what each goes on from.
        """
        value = passage @ self.value.T
        score = (asked @ self.query.T) * (passage @ self.key.T) / np.sqrt(self.value.shape[0])
        share = np.exp(score - score.max(axis=1, keepdims=True))
        gated = share / share.sum(axis=1, keepdims=True) * value
        hidden = gated
        for layer in self.layers:
            hidden = hidden + np.maximum(hidden @ layer.T, 0.0)
        moved = asked - passage + (gated + hidden @ self.skip.T) @ self.out.T
        return unit(moved)

    @classmethod
    def load(cls, file: Path, width: int, where: str) -> Gate:
        """Read `query`, `key`, `value` (h, d), `skip`, `mlp0` ... (h, h) and `out` (d, h) from an .npz without pickle.

        Args:
            file: the arrays.
            width: d of the embedder.
            where: for messages.

        Raises:
            ConfigError: it cannot be read, or its shapes do not fit.
        """
        try:
            if file.stat().st_size > LARGEST:
                raise ValueError(f"{file.stat().st_size:,} bytes")
            with np.load(file, allow_pickle=False) as kept:
                found = {name: np.asarray(kept[name], dtype=np.float32) for name in kept.files}
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise ConfigError(
                f"{where}: {str(file)!r}: must be an .npz of at most {LARGEST:,} bytes without pickled objects, got"
                f" {type(error).__name__}. Drop it to use the rule."
            ) from error
        hidden = found["value"].shape[0] if "value" in found and found["value"].ndim == 2 else 0
        shape = {"query": (hidden, width), "key": (hidden, width), "value": (hidden, width)}
        shape |= {"skip": (hidden, hidden), "out": (width, hidden)}
        layers = [name for name in sorted(found) if name.startswith("mlp")]
        shape |= dict.fromkeys(layers, (hidden, hidden))
        for name, wanted in shape.items():
            got = found[name].shape if name in found else None
            if got != wanted or not hidden or not np.isfinite(found[name]).all():
                raise ConfigError(
                    f"{where}: {str(file)!r}: {name}: must be finite numbers of shape {wanted}, got {got}."
                    " Drop it to use the rule."
                )
        return cls(**{name: found[name] for name in ARRAYS}, layers=tuple(found[name] for name in layers))
