"""A small causal language model in numpy: the probability of every token of a text, and of what could follow it.

Servers of language models give probabilities of what they generate, not of what they read. A network of the Llama
family is a screen of arithmetic: here it is, on 32-bit floats unpacked from a GGUF file, with numpy and onnxruntime's
product of matrices. Llama: Touvron et al., 2023, https://arxiv.org/abs/2302.13971; rotary positions: Su et al.,
"RoFormer", 2021, https://arxiv.org/abs/2104.09864.

Long text goes through in blocks; each sees the keys and values of the tokens before it, `memory` of them at most,
with positions counted anew from the oldest one kept. So every token is computed once, cost is linear, and
positions never leave the range the model was trained on (as in Transformer-XL, Dai et al., ACL 2019,
https://arxiv.org/abs/1901.02860, there with a network trained for it). A text goes through alone: its numbers do not
depend on what else is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rag.errors import ModelError
from rag.models.gguf import Gguf, opened
from rag.models.products import Product, multiply
from rag.models.tokens import clean

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BLOCK", "MEMORY", "Causal", "Pieces", "open_causal"]

BLOCK, MEMORY = 256, 256  # tokens computed at once, and tokens before them that are seen
PIECE = 1 << 16  # code points given to the tokenizer at once
Past = list[tuple[Any, Any]]  # of each layer keys without positions and values, float32 (heads, tokens, d)


class Pieces(NamedTuple):
    """The tokens of a text.

    Args:
        ids: int64 (t,).
        starts: int64 (t,), first code point of each; equal for the tokens of one code point.
        ends: int64 (t,), one past the last.
    """

    ids: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


class _Layer(NamedTuple):
    """Scales of the norms, and products; queries, keys and values side by side, gate and up too."""

    before: NDArray[np.float32]
    qkv: Product
    out: Product
    between: NDArray[np.float32]
    gate_up: Product
    down: Product


@dataclass(frozen=True, eq=False)
class Causal:
    """An opened model; use `open_causal`. Weights are unpacked on first use: 4 bytes each."""

    file: Gguf

    def __post_init__(self) -> None:
        """Refuse other families by name."""
        family = self.file.fact("general.architecture")
        if family != "llama":
            raise ModelError(f"{self.file.name}: must be a model of the llama family, got {family!r}.")

    def logprobs(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 (t,), natural logarithm of the probability of each token given those before it; 0 for the first.

        Rounded to 4 digits: the last ones depend on the machine.
        """
        out = np.zeros(len(ids), dtype=np.float32)
        past: Past | None = None
        for at in range(0, len(ids) - 1, BLOCK):
            block = ids[at : at + BLOCK]
            states, past = self._states(block, past)
            wanted = ids[at + 1 : at + 1 + len(block)]
            logits = self._out(states[: len(wanted)])
            chosen = logits[np.arange(len(wanted)), wanted]
            out[at + 1 : at + 1 + len(wanted)] = chosen - _logsum(logits)
        return np.round(out, 4)

    def following(self, ids: Sequence[int], past: Past | None = None) -> NDArray[np.float32]:
        """float32 (vocabulary,), natural logarithms of the probabilities of what follows the tokens."""
        logits = self._out(self.read(ids, past)[0][-1:])
        row: NDArray[np.float32] = np.round(logits[0] - _logsum(logits.copy())[0], 4)
        return row

    def read(self, ids: Sequence[int], past: Past | None = None) -> tuple[NDArray[np.float32], Past]:
        """States of the tokens, and what those after them see; nothing is forgotten."""
        rows = np.asarray(ids, dtype=np.int64)
        states = []
        for at in range(0, len(rows), BLOCK):
            found, past = self._states(rows[at : at + BLOCK], past, forget=False)
            states.append(found)
        return np.concatenate(states), past or []

    def begun(self, ids: tuple[int, ...]) -> Past:
        """What those after these tokens see; the last beginning asked for is kept."""
        kept: tuple[tuple[int, ...], Past] | None = self.__dict__.get("_begun")
        if kept is None or kept[0] != ids:
            kept = (ids, self.read(ids)[1])
            self.__dict__["_begun"] = kept
        return kept[1]

    def pieces(self, text: str) -> Pieces:
        """The tokens of a text with their places; text that looks like a mark of the model is ordinary text."""
        ids: list[int] = []
        places: list[tuple[int, int]] = []
        for at in range(0, len(text), PIECE):
            found = self._tokenizer.encode(clean(text[at : at + PIECE]), add_special_tokens=False)
            ids += found.ids
            places += [(at + a, at + b) for a, b in found.offsets] if at else found.offsets
        pairs = np.asarray(places, dtype=np.int64).reshape(-1, 2)
        return Pieces(np.asarray(ids, dtype=np.int64), pairs[:, 0], pairs[:, 1])

    def mark(self, name: str) -> int:
        """The id of one of the model's own marks, such as `<|im_start|>`.

        Raises:
            ModelError: it has none of this name.
        """
        found = self._vocabulary.get(name)
        if found is None:
            raise ModelError(f"{self.file.name}: no token {name!r}.")
        return found

    def _states(self, ids: NDArray[np.int64], past: Past | None, *, forget: bool = True) -> tuple[Any, Past]:
        """Final states of a block, and the keys and values that the next one sees."""
        heads, groups, width = self._heads, self._groups, self._width
        count = len(ids)
        seen = past[0][0].shape[1] if past else 0
        keep = min(MEMORY, seen + count) if forget else seen + count
        cos, sin = self._turns(seen + count)
        mask = np.triu(np.full((count, count), -np.inf, dtype=np.float32), 1)
        x = self._head[ids]
        after: Past = []
        for i, layer in enumerate(self._layers):
            rows = layer.qkv(_norm(x, layer.before, self._epsilon))
            cut = heads * width
            queries = rows[:, :cut].reshape(count, heads, width).transpose(1, 0, 2)
            keys = rows[:, cut : cut + groups * width].reshape(count, groups, width).transpose(1, 0, 2)
            values = rows[:, cut + groups * width :].reshape(count, groups, width).transpose(1, 0, 2)
            if past:
                keys = np.concatenate((past[i][0], keys), axis=1)
                values = np.concatenate((past[i][1], values), axis=1)
            after.append((keys[:, -keep:], values[:, -keep:]))
            asked = _turned(queries, cos[seen:], sin[seen:]).reshape(groups, heads // groups * count, width)
            asked *= np.float32(width**-0.5)
            scores = multiply(asked, _turned(keys, cos, sin).transpose(0, 2, 1))
            scores = scores.reshape(groups, heads // groups, count, seen + count)
            scores[..., seen:] += mask
            scores -= scores.max(axis=-1, keepdims=True)
            np.exp(scores, out=scores)
            total = scores.sum(axis=-1, keepdims=True)
            mixed = multiply(scores.reshape(groups, -1, seen + count), values)
            mixed = mixed.reshape(heads, count, width) / total.reshape(heads, count, 1)
            x = x + layer.out(mixed.transpose(1, 0, 2).reshape(count, cut))
            both = layer.gate_up(_norm(x, layer.between, self._epsilon))
            gate, up = np.split(both, 2, axis=1)
            x = x + layer.down(gate / (1 + np.exp(-gate)) * up)
        return _norm(x, self._last, self._epsilon), after

    def _turns(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Cosines and sines of positions 0 to count, (count, width / 2) each."""
        base = float(self.file.facts.get("llama.rope.freq_base", 10_000.0))
        speeds = base ** -(np.arange(0, self._width, 2) / self._width)
        angles = np.outer(np.arange(count), speeds)
        return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)

    @cached_property
    def _heads(self) -> int:
        return int(self.file.fact("llama.attention.head_count"))

    @cached_property
    def _groups(self) -> int:
        return int(self.file.facts.get("llama.attention.head_count_kv", self._heads))

    @cached_property
    def _width(self) -> int:
        return int(self.file.fact("llama.embedding_length")) // self._heads

    @cached_property
    def _epsilon(self) -> np.float32:
        return np.float32(self.file.fact("llama.attention.layer_norm_rms_epsilon"))

    @cached_property
    def _head(self) -> NDArray[np.float32]:
        """(vocabulary, d): what tokens go in with, and, in small models, come out with."""
        if "output.weight" in self.file.tensors:
            raise ModelError(f"{self.file.name}: must share the weights of its input and output, as small models do.")
        return self.file.floats("token_embd.weight")

    @cached_property
    def _out(self) -> Product:
        return Product(self._head.T)

    @cached_property
    def _last(self) -> NDArray[np.float32]:
        return self.file.floats("output_norm.weight")

    @cached_property
    def _layers(self) -> list[_Layer]:
        def side_by_side(*names: str) -> Product:
            return Product(np.concatenate([self.file.floats(f"{name}.weight") for name in names]).T)

        found = []
        for i in range(int(self.file.fact("llama.block_count"))):
            at = f"blk.{i}"
            found.append(
                _Layer(
                    self.file.floats(f"{at}.attn_norm.weight"),
                    side_by_side(f"{at}.attn_q", f"{at}.attn_k", f"{at}.attn_v"),
                    side_by_side(f"{at}.attn_output"),
                    self.file.floats(f"{at}.ffn_norm.weight"),
                    side_by_side(f"{at}.ffn_gate", f"{at}.ffn_up"),
                    side_by_side(f"{at}.ffn_down"),
                )
            )
        return found

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self.file.fact("tokenizer.ggml.tokens"))}

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer, models, pre_tokenizers

        kind = (self.file.fact("tokenizer.ggml.model"), self.file.fact("tokenizer.ggml.pre"))
        if kind != ("gpt2", "smollm"):
            raise ModelError(f"{self.file.name}: its tokenizer must be of the kind ('gpt2', 'smollm'), got {kind}.")
        merges = [tuple(one.split(" ")) for one in self.file.fact("tokenizer.ggml.merges")]
        tokenizer = Tokenizer(models.BPE(vocab=self._vocabulary, merges=merges))
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        return tokenizer


@lru_cache(maxsize=2)
def open_causal(folder: Path) -> Causal:
    """The model in a folder with a GGUF file, shared by all who ask.

    Raises:
        ModelError: no GGUF file there, or not one of the Llama family with a byte-level vocabulary.
    """
    files = sorted(folder.glob("*.gguf"))
    if not files:
        raise ModelError(f"{folder.name}: no GGUF file. Give the folder of a GGUF model, or a name of the table.")
    return Causal(opened(files[0]))


def _norm(x: NDArray[np.float32], weight: NDArray[np.float32], epsilon: np.float32) -> NDArray[np.float32]:
    """Divided by the root of the mean square."""
    scale: NDArray[np.float32] = np.einsum("ij,ij->i", x, x)[:, None] / np.float32(x.shape[1])
    rows: NDArray[np.float32] = x / np.sqrt(scale + epsilon) * weight
    return rows


def _turned(x: NDArray[np.float32], cos: NDArray[np.float32], sin: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every pair of neighbouring values turned by its position's angle."""
    out = np.empty_like(x, order="C")
    even, odd = x[..., ::2], x[..., 1::2]
    out[..., ::2] = even * cos - odd * sin
    out[..., 1::2] = even * sin + odd * cos
    return out


def _logsum(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logarithm of the sum of exponentials of each row; overwrites the logits."""
    most = logits.max(axis=1)
    logits -= most[:, None]
    np.exp(logits, out=logits)
    total: NDArray[np.float32] = np.log(logits.sum(axis=1)) + most
    return total
