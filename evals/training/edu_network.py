"""The unit tagger as it is trained: the sums of `rag.discourse.network` with gradients, rounded as it rounds.

From the first of the last epochs on, weights and activations are rounded on the way forward and taken for unrounded on
the way back (Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons",
https://arxiv.org/abs/1308.3432; Jacob et al., https://arxiv.org/abs/1712.05877), so that what is stored is what was
learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.optional import require

__all__ = ["STEP", "forward", "fresh", "ids", "stored"]

Values = dict[str, Any]  # name -> torch tensor
STEP = 1 / 32  # of activations and vectors
TOP = 127
WIDTHS = {"word": 16, "ending": 8, "kind": 6, "look": 4}
ENDINGS = 2048
LAYERS = ((7, 1), (5, 2), (3, 4))  # words that each convolution sees, and the step between them
MARGIN = sum(taps // 2 * step for taps, step in LAYERS)


def fresh(words: int, width: int, tags: int, seed: int) -> Values:
    """Parameters at random: vectors normal with deviation 0.3, weights uniform by their inputs as usual."""
    torch = require("torch", extra="sentence-transformers", by="evals.training.edu")
    dice = torch.Generator().manual_seed(seed)
    sizes = {"word": words + 1, "ending": ENDINGS, "kind": 64, "look": 32}
    values: Values = {name: torch.randn(n, WIDTHS[name], generator=dice) * 0.3 for name, n in sizes.items()}
    shapes = []
    inputs = sum(WIDTHS.values())
    for number, (taps, _) in enumerate(LAYERS):
        shapes.append((str(number), width, taps * inputs))
        inputs = width
    for name, outputs, size in (*shapes, ("out", 1, width), ("tag", tags, width)):
        for part, shape in (("weight", (outputs, size)), ("bias", (outputs,))):
            values[part + name] = (torch.rand(*shape, generator=dice) * 2 - 1) * size**-0.5
    return {name: value.requires_grad_() for name, value in values.items()}


def ids(columns: NDArray[np.int64], vocabulary: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64 (n, 4), rows of the four tables; -1 for padding.

    Args:
        columns: int64 (n, 5), hashes of form and ending, class, shape, gap; -1 for padding.
        vocabulary: int64 (v,), ascending.
    """
    form = columns[:, 0]
    row = np.minimum(np.searchsorted(vocabulary, form), len(vocabulary) - 1)
    row = np.where(vocabulary[row] == form, row, len(vocabulary))
    found = np.stack((row, columns[:, 1] % ENDINGS, columns[:, 2], columns[:, 3] * 4 + columns[:, 4]), axis=1)
    found[form < 0] = -1
    return found


def forward(values: Values, rows: Any, *, rounded: bool, drop: float = 0.0, blind: float = 0.0) -> tuple[Any, Any]:
    """Scores of the words less the margins, and of their parts of speech.

    Args:
        values: the parameters.
        rows: int64 tensor (b, n, 4), as `ids` gives.
        rounded: whether to round as the stored network does.
        drop: share of activations left out.
        blind: share of words taken for unknown.
    """
    torch = require("torch", extra="sentence-transformers", by="evals.training.edu")
    linear, dropout = torch.nn.functional.linear, torch.nn.functional.dropout
    safe = rows.clamp(min=0)
    word = safe[..., 0]
    if blind:
        word = torch.where(torch.rand(word.shape) < blind, len(values["word"]) - 1, word)
    columns = (word, safe[..., 1], safe[..., 2], safe[..., 3])
    x = torch.cat([values[name][column] for name, column in zip(WIDTHS, columns, strict=True)], -1)
    x = _stepped(x.clamp(-TOP * STEP, TOP * STEP), STEP) if rounded else x
    x = x.masked_fill((rows[..., :1] < 0), 0)
    for number, (taps, step) in enumerate(LAYERS):
        n = x.shape[1] - (taps - 1) * step
        weight = values[f"weight{number}"]
        seen = torch.cat([x[:, k * step : k * step + n] for k in range(taps)], -1)
        y = linear(seen, _whole(weight) if rounded else weight, values[f"bias{number}"])
        y = torch.relu(y).clamp(max=TOP * STEP)
        y = _stepped(y, STEP) if rounded else y
        side = taps // 2 * step
        x = dropout(y if number == 0 else x[:, side : side + n] + y, drop)
    weight = values["weightout"]
    score = linear(x, _whole(weight) if rounded else weight, values["biasout"]).squeeze(-1)
    return score, linear(x, values["weighttag"], values["biastag"])


def _stepped(x: Any, step: Any) -> Any:
    """Rounded to whole steps; the gradient passes as if it were not."""
    return x + ((x / step).round() * step - x).detach()


def _whole(weight: Any) -> Any:
    """Weights as 127 steps of the largest of their row."""
    return _stepped(weight, (weight.detach().abs().amax(1, keepdim=True) / TOP).clamp(min=1e-8))


def stored(values: Mapping[str, Any], vocabulary: Sequence[int], least: float) -> dict[str, NDArray[Any]]:
    """The arrays that `rag.discourse.network.Network.of` reads.

    Args:
        values: the learned parameters.
        vocabulary: ascending hashes.
        least: the score from which a unit begins.
    """
    real = {name: value.detach().numpy() for name, value in values.items()}
    limit = TOP * STEP
    tables = {name: np.rint(np.clip(real[name], -limit, limit) / STEP).astype(np.int8) for name in WIDTHS}
    found: dict[str, NDArray[Any]] = {"vocabulary": np.array(vocabulary, dtype=np.uint32), **tables}
    found["shape"] = np.array(LAYERS, dtype=np.int64)
    for number in range(len(LAYERS)):
        weight, scale = _bytes(real[f"weight{number}"])
        found |= {f"weight{number}": weight.T, f"scale{number}": scale, f"bias{number}": real[f"bias{number}"] / STEP}
    weight, scale = _bytes(real["weightout"])
    found["out"] = weight[0]
    bound = (least - float(real["biasout"][0])) / (STEP * float(scale[0]))
    found["least"] = np.array(np.floor(bound) + 1, dtype=np.int64)
    return {
        name: np.ascontiguousarray(array, np.float32 if array.dtype.kind == "f" else None)
        for name, array in found.items()
    }


def _bytes(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights as whole numbers up to 127, and the step of each row."""
    scale = np.maximum(np.abs(weight).max(1), 1e-8 * TOP) / np.float32(TOP)
    return np.rint(weight / scale[:, None]).astype(np.int8), scale.astype(np.float32)
