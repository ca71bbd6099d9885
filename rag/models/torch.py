"""Models of sentence-transformers: torch, by choice; needs the extra `sentence-transformers`.

Weights come from the cache that `rag models pull` fills, or from a folder. A model hub is asked only when a
stage's settings say `hub: true`, and code from a hub is never run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.errors import ConfigError, ModelError
from rag.models.embed import unit
from rag.models.late import Pieces, TokenVectors, read, slices
from rag.models.score import logits
from rag.models.tokens import clean
from rag.models.weights import fingerprint, locate
from rag.optional import require
from rag.stage import Field, stage

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SentenceTransformersEmbedder", "TorchCrossEncoder"]


@stage
class SentenceTransformersEmbedder:
    """Sentence vectors of any sentence-transformers model.

    Reimers and Gurevych, "Sentence-BERT", EMNLP 2019, https://arxiv.org/abs/1908.10084. The model's own
    prompt named `query` is put before questions where it has one. Texts are padded to the longest of their
    batch, which moves a vector by rounding (1.3e-7 at most on passages of 84 tokens), so the default is one text
    at a time: the same bytes whatever is beside it, and on one core no slower than batches of 32 (33 passages
    a second against 26).
    """

    model: str = Field(default="all-MiniLM-L6-v2", description="embedded weights, a folder, or a hub id")
    hub: bool = Field(default=False, description="permit a download from the model hub")
    revision: str | None = Field(default=None, description="commit on the hub; pin it")
    batch: int = Field(default=1, ge=1, description="texts at once")
    device: str = Field(default="cpu", description="torch device")

    @property
    def name(self) -> str:
        """Its name in a pipeline file and its weights."""
        return f"sentence-transformers/{self.model}"

    @property
    def fingerprint(self) -> str:
        """Name and 12 hex digits over weights and what shapes a vector."""
        return _identity(self)

    @cached_property
    def dim(self) -> int:
        """Length of a vector."""
        return len(self.embed(["dimension"])[0])

    @property
    def max_tokens(self) -> int:
        """Tokens the model reads; longer texts are cut at their end."""
        return int(self._net.max_seq_length or 1 << 30)

    def embed(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        """float32 (n, dim), rows of length 1, in the order of the texts.

        Raises:
            MissingExtra: the extra `sentence-transformers` is not installed.
            MissingWeights: the model's files are not here.
            ModelError: a vector is not finite.
        """
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        prompt = "query" if query and "query" in (self._net.prompts or {}) else None
        vectors = self._net.encode(
            [clean(text) for text in texts],
            prompt_name=prompt,
            batch_size=self.batch,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return unit(np.array(vectors, dtype=np.float32), len(texts), self.name)

    def token_vectors(
        self, texts: Sequence[str], *, before: Sequence[str] | None = None
    ) -> Iterator[tuple[int, TokenVectors]]:
        """The states of every word piece, window by window (`rag.models.late`).

        Raises:
            MissingExtra: the extra `sentence-transformers` is not installed.
            MissingWeights: the model's files are not here.
            ConfigError: the model's vector is not the mean of its states.
        """
        modules = list(self._net)
        told = modules[1].get_config_dict() if len(modules) > 1 and hasattr(modules[1], "get_config_dict") else {}
        means = told.get("pooling_mode") == "mean" or told.get("pooling_mode_mean_tokens")  # new and old releases
        if not means or any(type(one).__name__ != "Normalize" for one in modules[2:]):
            raise ConfigError(
                f"{self.name}: token vectors need a model whose vector is the mean of its states, this one has"
                f" {[type(one).__name__ for one in modules]}. Take another, such as all-MiniLM-L6-v2."
            )
        tokenizer = modules[0].tokenizer
        empty = tokenizer("")["input_ids"]
        marks = (empty[:-1], empty[-1:])
        return read(texts, before, pieces=self._pieces, states=self._states, marks=marks, limit=self.max_tokens)

    def _pieces(self, text: str) -> Pieces:
        whole = clean(text)
        ids: list[int] = []
        at: list[int] = []
        for low, high in slices(whole):
            found = self._net.tokenizer(
                whole[low:high], add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
            )
            ids += found["input_ids"]
            at += [low + start for start, _ in found["offset_mapping"]]
        return Pieces(np.array(ids, dtype=np.int64), np.array(at, dtype=np.int64))

    def _states(self, rows: list[list[int]]) -> list[NDArray[np.float32]]:
        """One row at a time: padding would move the last digits."""
        torch = require("torch", extra="sentence-transformers", by=self.name)
        found = []
        with torch.inference_mode():
            for row in rows:
                ids = torch.tensor([row], device=self.device)
                feed = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
                found.append(self._net[0](feed)["token_embeddings"][0].float().cpu().numpy())
        return found

    @cached_property
    def _net(self) -> Any:
        return _open(self, "SentenceTransformer")


@stage
class TorchCrossEncoder:
    """How well a text answers a question, by any sentence-transformers cross-encoder with one output.

    Nogueira and Cho, 2019, https://arxiv.org/abs/1901.04085. Scores are raw logits, whatever activation the
    model's card recommends. Where a pair is too long its longer part is cut.
    """

    model: str = Field(description="a folder, or a hub id such as cross-encoder/ms-marco-MiniLM-L6-v2")
    hub: bool = Field(default=False, description="permit a download from the model hub")
    revision: str | None = Field(default=None, description="commit on the hub; pin it")
    batch: int = Field(default=1, ge=1, description="pairs at once")
    device: str = Field(default="cpu", description="torch device")

    @property
    def name(self) -> str:
        """Its name in a pipeline file and its weights."""
        return f"sentence-transformers/{self.model}"

    @property
    def fingerprint(self) -> str:
        """Name and 12 hex digits over weights and what shapes a score."""
        return _identity(self)

    def score(self, query: str, texts: Sequence[str], /) -> NDArray[np.float32]:
        """float32 (n,), logits, higher is better, in the order of the texts.

        Raises:
            MissingExtra: the extra `sentence-transformers` is not installed.
            MissingWeights: the model's files are not here.
            ModelError: not one finite number a pair.
        """
        if not texts:
            return np.zeros(0, dtype=np.float32)
        torch = require("torch", extra="sentence-transformers", by=self.name)
        values = self._net.predict(
            [(clean(query), clean(text)) for text in texts],
            batch_size=self.batch,
            show_progress_bar=False,
            activation_fn=torch.nn.Identity(),
            convert_to_numpy=True,
        )
        return logits(np.array(values, dtype=np.float32), len(texts), self.name)

    @cached_property
    def _net(self) -> Any:
        return _open(self, "CrossEncoder")


def _open(stage: SentenceTransformersEmbedder | TorchCrossEncoder, kind: str) -> Any:
    """The model, from the cache or a folder, or from the hub where that is permitted."""
    where = stage.model if stage.hub else str(_folder(stage.model, stage.name))
    library = require("sentence_transformers", extra="sentence-transformers", by=stage.name)
    try:
        with _quiet():
            return getattr(library, kind)(
                where,
                device=stage.device,
                revision=stage.revision,
                local_files_only=not stage.hub,
                trust_remote_code=False,
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ModelError(f"{stage.name}: {where} holds no whole {kind} model: {reason}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bar off while weights load; only the command line shows progress."""
    bars = require("transformers.utils.logging", extra="sentence-transformers", by="loading weights")
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()


def _folder(model: str, name: str) -> Any:
    try:
        return locate(model)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error} A model hub is asked only with `hub: true`.") from error


def _identity(stage: SentenceTransformersEmbedder | TorchCrossEncoder) -> str:
    weights = f"hub:{stage.revision}" if stage.hub else fingerprint(stage.model)
    return f"{stage.name}@{hashlib.sha256(repr((type(stage).__name__, weights)).encode()).hexdigest()[:12]}"
