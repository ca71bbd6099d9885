"""Embedded ONNX models on the CPU: a bi-encoder and a cross-encoder, 8 bits a weight.

One text goes through the network at a time, each on one core, and threads take texts in parallel. The
weights are quantised dynamically: the scale of every activation is taken over the whole batch, so in a
batch a text's vector would depend on its neighbours (cosine 0.997 to its own vector on passages of 84
tokens, 0.993 at worst). Alone, a text gives the same bytes whatever is beside it and however many threads
there are, which is what lets an index grown by one document equal a fresh one. The price is small, since
nothing is padded: 64 passages of 84 tokens a core and second, against 68 in batches of 4 sorted by length
and 56 in batches of 32.

Bytes are the same on the same kind of processor; onnxruntime's kernels differ between instruction sets.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rag.errors import ConfigError, ModelError
from rag.models.embed import unit
from rag.models.late import Pieces, TokenVectors, read, slices
from rag.models.score import kept, logits
from rag.models.tokens import clean
from rag.models.weights import entry, fingerprint, locate
from rag.pool import ordered
from rag.stage import Field, stage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.models.weights import Entry

__all__ = ["OnnxEmbedder", "OnnxScorer"]

_CHUNK = 1024  # texts tokenized at once: bounds memory, changes no result


@stage
class OnnxEmbedder:
    """Sentence vectors of a BERT-like model in ONNX form.

    The default is bge-small-en-v1.5 (Xiao et al., "C-Pack: Packed Resources For General Chinese
    Embeddings", SIGIR 2024, https://arxiv.org/abs/2309.07597): the state of [CLS], scaled to length 1;
    questions get the instruction the model was trained with in front. A text longer than the model reads is
    cut at its end.
    """

    model: str = Field(default="bge-small-en-v1.5", description="name of embedded weights, or a folder")
    pooling: Literal["cls", "mean"] = Field(default="cls", description="which states make the vector")
    query_prefix: str | None = Field(default=None, description="text before a question; None is the model's own")
    threads: int | None = Field(default=None, ge=1, description="texts at once; None is one a core; changes no result")

    @property
    def name(self) -> str:
        """Its name in a pipeline file and its weights."""
        return f"onnx/{self.model}"

    @property
    def fingerprint(self) -> str:
        """Name and 12 hex digits over weights and every setting that shapes a vector."""
        facts = repr((fingerprint(self.model), self.pooling, self._prefix, self.max_tokens))
        return f"{self.name}@{hashlib.sha256(facts.encode()).hexdigest()[:12]}"

    @property
    def dim(self) -> int:
        """Length of a vector."""
        known = _entry(self.model)
        return known.dim if known and known.dim else self._net.width

    @property
    def max_tokens(self) -> int:
        """Word pieces the model reads, [CLS] and [SEP] among them."""
        known = _entry(self.model)
        return known.max_tokens if known else 512

    def embed(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        """float32 (n, dim), rows of length 1, in the order of the texts.

        Raises:
            MissingWeights: the model's files are not here.
            ModelError: the files are not such a model, or a vector is not finite.
        """
        out = np.empty((len(texts), self.dim), dtype=np.float32)
        prefix = self._prefix if query else ""
        for at in range(0, len(texts), _CHUNK):
            rows = self._net.encode([prefix + text for text in texts[at : at + _CHUNK]], self.max_tokens)
            states = self._net.run([(ids, len(ids)) for ids in rows], self._pool, self.threads)
            out[at : at + len(rows)] = unit(np.stack(states), len(rows), self.name)
        return out

    def token_vectors(
        self, texts: Sequence[str], *, before: Sequence[str] | None = None
    ) -> Iterator[tuple[int, TokenVectors]]:
        """The states of every word piece, window by window (`rag.models.late`).

        Raises:
            ConfigError: the model's vector is the state of its first mark, so that means of states say little.
            MissingWeights: the model's files are not here.
            ModelError: the files are not such a model.
        """
        if self.pooling != "mean":
            raise ConfigError(
                f"{self.name}: token vectors need a model whose vector is their mean, pooling is {self.pooling!r}."
                " Say {use: embedders/onnx, pooling: mean}."
            )
        net, shape = self._net, self.dim

        def states(rows: list[list[int]]) -> list[NDArray[np.float32]]:
            found = net.run([(row, len(row)) for row in rows], lambda output: output[0], self.threads)
            if any(one.ndim != 2 or one.shape[1] != shape for one in found):
                raise ModelError(f"{self.name}: must give states (1, tokens, {shape}), got rows of {found[0].shape}.")
            return found

        marks = net.encode([""], 2)[0]
        return read(
            texts, before, pieces=net.pieces, states=states, marks=(marks[:-1], marks[-1:]), limit=self.max_tokens
        )

    def _pool(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        if states.ndim != 3 or states.shape[2] != self.dim:
            raise ModelError(f"{self.name}: must give states (1, tokens, {self.dim}), got shape {states.shape}.")
        vector: NDArray[np.float32] = states[0, 0] if self.pooling == "cls" else states[0].mean(axis=0)
        return vector

    @property
    def _prefix(self) -> str:
        if self.query_prefix is not None:
            return self.query_prefix
        known = _entry(self.model)
        return known.query_prefix if known else ""

    @cached_property
    def _net(self) -> _Net:
        return _open(locate(self.model), self.name)


@stage
class OnnxScorer:
    """How well a text answers a question, by a cross-encoder that reads both together.

    The default is ms-marco-MiniLM-L12-v2 (MiniLM: Wang et al., 2020, https://arxiv.org/abs/2002.10957,
    trained on MS MARCO; the use as a reranker: Nogueira and Cho, 2019, https://arxiv.org/abs/1901.04085). Where a pair
    is too long the text is cut at its end; a question is cut only where it alone exceeds `query_tokens`.
    """

    model: str = Field(default="ms-marco-MiniLM-L12-v2", description="name of embedded weights, or a folder")
    query_tokens: int = Field(default=128, ge=8, le=256, description="word pieces of a question that are read")
    threads: int | None = Field(default=None, ge=1, description="pairs at once; None is one a core; changes no result")

    @property
    def name(self) -> str:
        """Its name in a pipeline file and its weights."""
        return f"onnx/{self.model}"

    @property
    def fingerprint(self) -> str:
        """Name and 12 hex digits over weights and every setting that shapes a score."""
        facts = repr((fingerprint(self.model), self.query_tokens))
        return f"{self.name}@{hashlib.sha256(facts.encode()).hexdigest()[:12]}"

    @property
    def max_tokens(self) -> int:
        """Word pieces of question and text that the model reads, three marks among them."""
        known = _entry(self.model)
        return known.max_tokens if known else 512

    @kept
    def score(self, query: str, texts: Sequence[str], /) -> NDArray[np.float32]:
        """float32 (n,), logits, higher is better, in the order of the texts.

        Raises:
            MissingWeights: the model's files are not here.
            ModelError: the files are not such a model, or a score is not finite.
        """
        out = np.empty(len(texts), dtype=np.float32)
        if not len(texts):
            return out
        head, room = self._head(query)
        for at in range(0, len(texts), _CHUNK):
            tails = self._net.encode(texts[at : at + _CHUNK], room)
            scores = self._net.run([(head + ids[1:], len(head)) for ids in tails], np.ravel, self.threads)
            if any(score.shape != (1,) for score in scores):
                raise ModelError(f"{self.name}: must give one logit a pair, got shape {scores[0].shape}.")
            out[at : at + len(tails)] = logits(np.concatenate(scores), len(tails), self.name)
        return out

    def ends(self, query: str, texts: Sequence[str], /) -> NDArray[np.int64]:
        """int64 (n,), one past the last code point of each text that is read with this question."""
        return self._net.ends(texts, self._head(query)[1])

    def _head(self, query: str) -> tuple[list[int], int]:
        """[CLS] question [SEP], and how many ids are left for [CLS] text [SEP], whose [CLS] is dropped."""
        head = self._net.encode([query], self.query_tokens + 2)[0]
        return head, self.max_tokens - len(head) + 1

    @cached_property
    def _net(self) -> _Net:
        return _open(locate(self.model), self.name)


class _Net:
    """An opened network with its tokenizer; safe to use from several threads."""

    def __init__(self, folder: Path, name: str) -> None:
        import onnxruntime as ort
        import tokenizers

        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self.session = ort.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
            self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # both libraries raise bare exceptions of their own
            raise ModelError(f"{name}: {folder} holds no whole ONNX model and tokenizer: {_line(error)}") from error
        self.name = name
        self.tokenizer.no_padding()
        self.inputs = {item.name for item in self.session.get_inputs()}
        self.width = int(self.session.get_outputs()[0].shape[-1])

    def encode(self, texts: Sequence[str], limit: int) -> list[list[int]]:
        """The ids of each text with its marks, cut to `limit` (the closing mark stays)."""
        encodings = self.tokenizer.encode_batch_fast([clean(text) for text in texts])
        return [ids if len(ids := e.ids) <= limit else [*ids[: limit - 1], ids[-1]] for e in encodings]

    def ends(self, texts: Sequence[str], limit: int) -> NDArray[np.int64]:
        """One past the last code point of each text within `limit` ids, marks among them."""
        found = np.array([len(text) for text in texts], dtype=np.int64)
        long = [i for i, text in enumerate(texts) if len(text) > limit - 2]  # a piece has at least one character
        for i, encoding in zip(long, self.tokenizer.encode_batch([clean(texts[i]) for i in long]), strict=True):
            if len(encoding.ids) > limit:
                found[i] = encoding.offsets[limit - 2][1]
        return found

    def pieces(self, text: str) -> Pieces:
        """Every word piece of a text of any length, without marks, and where it begins."""
        ids: list[int] = []
        at: list[int] = []
        whole = clean(text)
        for low, high in slices(whole):
            encoding = self.tokenizer.encode(whole[low:high], add_special_tokens=False)
            ids += encoding.ids
            at += [low + start for start, _ in encoding.offsets]
        return Pieces(np.array(ids, dtype=np.int64), np.array(at, dtype=np.int64))

    def run(self, rows: Sequence[tuple[list[int], int]], read: Any, threads: int | None) -> list[NDArray[np.float32]]:
        """The network's first output for each row alone, through `read`, in the order of the rows.

        Args:
            rows: ids, and how many of them belong to the first segment.
            read: output of one row -> what is kept of it.
            threads: rows at once; None is one a core.
        """
        order = sorted(range(len(rows)), key=lambda row: -len(rows[row][0]))  # long ones first: threads end together

        def one(row: int) -> NDArray[np.float32]:
            ids, first = rows[row]
            feed = {
                "input_ids": np.asarray([ids], dtype=np.int64),
                "attention_mask": np.ones((1, len(ids)), dtype=np.int64),
                "token_type_ids": np.asarray([[0] * first + [1] * (len(ids) - first)], dtype=np.int64),
            }
            try:
                output = self.session.run(None, {key: value for key, value in feed.items() if key in self.inputs})[0]
            except Exception as error:  # onnxruntime's own, with no common base
                raise ModelError(f"{self.name}: the network failed on {len(ids)} tokens: {_line(error)}") from error
            return np.array(read(output), dtype=np.float32)

        workers = min(threads or _cores(), len(rows))
        kept = dict(zip(order, ordered(one, order, workers=workers, ahead=4), strict=True))
        return [kept[row] for row in range(len(rows))]


@lru_cache(maxsize=4)
def _open(folder: Path, name: str) -> _Net:
    """One network a folder, shared by every stage that names it."""
    return _Net(folder, name)


def _entry(name: str) -> Entry | None:
    try:
        return entry(name)
    except ConfigError:
        return None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
