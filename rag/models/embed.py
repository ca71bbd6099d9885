"""Text -> vectors: the protocol, an embedder that needs no weights, and bridges to llama-index."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable
from zlib import crc32

import numpy as np

from rag.errors import ConfigError, ModelError
from rag.models.late import TokenVectors
from rag.stage import Field, stage

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from numpy.typing import NDArray

__all__ = ["Embedder", "HashEmbedder", "adapt_embedder", "to_llama_index", "unit"]

_WORD = re.compile(r"\w+|[^\w\s]")


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors of length 1, so that a dot product is a cosine."""

    @property
    def name(self) -> str:
        """What a person calls it, such as `onnx/bge-small-en-v1.5`."""

    @property
    def fingerprint(self) -> str:
        """Identity of its vectors: equal fingerprints, interchangeable vectors."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def max_tokens(self) -> int:
        """Tokens of its own tokenizer that it reads; the rest of a text is not seen."""

    def embed(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        """float32 (n, dim), rows of length 1, in the order of the texts.

        A text's row does not depend on the texts beside it.

        Args:
            texts: n >= 0 texts.
            query: they are questions, which some models want marked.
        """


@stage
class HashEmbedder:
    """Vectors from hashed words and letter trigrams: no weights, the same bytes on any machine.

    Feature hashing with signs: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning",
    ICML 2009, https://arxiv.org/abs/0902.2206. Departures: features are counted at most three times, and a
    word weighs by its length, since there is no corpus to take weights from. Sums are of integers, so the
    result depends on no machine and no hash seed. Made for tests and for small collections; a trained
    model ranks better.
    """

    dim: int = Field(default=512, ge=8, le=65536, description="length of a vector")

    @property
    def name(self) -> str:
        """Its name and size."""
        return f"hash/{self.dim}"

    @property
    def fingerprint(self) -> str:
        """Its name; raise the number when the features change."""
        return f"{self.name}@1"

    @property
    def max_tokens(self) -> int:
        """It reads everything."""
        return 1 << 30

    def embed(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        """float32 (n, dim), rows of length 1; questions are treated as any text."""
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        known: dict[str, list[tuple[int, int]]] = {}
        for row, text in enumerate(texts):
            sums = np.zeros(self.dim, dtype=np.int64)
            for word, times in (Counter(_WORD.findall(text.lower())) or {"": 1}).items():
                if word not in known:
                    known[word] = self._features(word)
                for place, weight in known[word]:
                    sums[place] += weight * min(times, 3)
            if not sums.any():  # features that cancelled out
                sums[0] = 1
            out[row] = sums / np.sqrt(float(int(sums @ sums)))
        return out

    def token_vectors(
        self, texts: Sequence[str], *, before: Sequence[str] | None = None
    ) -> Iterator[tuple[int, TokenVectors]]:
        """The features of every word, a few thousand at a time; they do not depend on the words around."""
        known: dict[str, NDArray[np.float32]] = {}
        for index, text in enumerate(texts):
            found = [(match.start(), match[0].lower()) for match in _WORD.finditer(text)]
            for _, word in found:
                if word not in known:
                    known[word] = np.zeros(self.dim, dtype=np.float32)
                    for place, weight in self._features(word):
                        known[word][place] += weight
            for low in range(0, len(found), 4096):
                some = found[low : low + 4096]
                at = np.array([place for place, _ in some], dtype=np.int64)
                yield index, TokenVectors(at, np.stack([known[word] for _, word in some]), np.ones(len(some)))

    def _features(self, word: str) -> list[tuple[int, int]]:
        """The places of a word and its trigrams, with signed weights."""
        marked = f"<{word}>"
        features = [(word, 2 * min(len(word), 8)), *((marked[i : i + 3], 1) for i in range(len(marked) - 2))]
        hashed = [(crc32(feature.encode("utf-8", "surrogatepass")), weight) for feature, weight in features]
        return [((code >> 1) % self.dim, weight if code & 1 else -weight) for code, weight in hashed]


class _FromLlamaIndex:
    """A llama-index embedding model, seen as an `Embedder`."""

    def __init__(self, model: BaseEmbedding) -> None:
        self.model = model

    @property
    def name(self) -> str:
        return f"{type(self.model).__name__}/{self.model.model_name}"

    @property
    def fingerprint(self) -> str:
        kind = type(self.model)
        facts = f"{kind.__module__}.{kind.__qualname__}:{self.model.model_name}:{self.dim}"
        return f"{self.name}@{hashlib.sha256(facts.encode()).hexdigest()[:12]}"

    @cached_property
    def dim(self) -> int:
        """Learnt from the vector of one word, once."""
        return len(self.model.get_text_embedding("dimension"))

    @property
    def max_tokens(self) -> int:
        """Not known here; the model cuts on its own."""
        return 1 << 30

    def embed(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        if query:
            vectors = [self.model.get_query_embedding(text) for text in texts]
        else:
            vectors = self.model.get_text_embedding_batch(list(texts))
        return unit(np.asarray(vectors, dtype=np.float32), len(texts), self.name)


def adapt_embedder(model: Any) -> Embedder:
    """Take an `Embedder` as it is, and any llama-index `BaseEmbedding` through a thin wrapper.

    Raises:
        ConfigError: it is neither.
    """
    if isinstance(model, Embedder):
        return model
    if hasattr(model, "get_text_embedding_batch") and hasattr(model, "get_query_embedding"):
        return _FromLlamaIndex(model)
    raise ConfigError(
        f"not an embedder: {type(model).__name__}. Give a stage of kind embedders, an object with "
        "`name, fingerprint, dim, max_tokens, embed`, or a llama-index BaseEmbedding."
    )


def to_llama_index(embedder: Embedder) -> BaseEmbedding:
    """A real llama-index `BaseEmbedding` that asks this embedder."""
    return cast("BaseEmbedding", _bridge()(embedder))


def unit(vectors: NDArray[np.float32], rows: int, name: str) -> NDArray[np.float32]:
    """The rows scaled to length 1, in place.

    Raises:
        ModelError: the shape is wrong, or a row is not a direction (not finite, or all zero).
    """
    if vectors.ndim != 2 or len(vectors) != rows:
        raise ModelError(f"{name}: must give {rows} vectors of one length, got shape {vectors.shape}.")
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(bad):
        raise ModelError(f"{name}: vector {bad[0]} of {rows} has length {lengths[bad[0]]}; must be finite and above 0.")
    vectors /= lengths[:, None]
    return vectors


@cache
def _bridge() -> Any:
    """The subclass, made when llama-index is first needed: its import takes a second."""
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from pydantic import PrivateAttr

    class RagtreeEmbedding(BaseEmbedding):
        """One of our embedders in llama-index's clothes."""

        _embedder: Embedder = PrivateAttr()

        def __init__(self, embedder: Embedder) -> None:
            super().__init__(model_name=embedder.fingerprint, embed_batch_size=256)
            self._embedder = embedder

        @classmethod
        def class_name(cls) -> str:
            return "RagtreeEmbedding"

        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return [[float(x) for x in row] for row in self._embedder.embed(texts)]

        def _get_text_embedding(self, text: str) -> list[float]:
            return self._get_text_embeddings([text])[0]

        def _get_query_embedding(self, query: str) -> list[float]:
            return [float(x) for x in self._embedder.embed([query], query=True)[0]]

        async def _aget_query_embedding(self, query: str) -> list[float]:
            import asyncio

            return await asyncio.to_thread(self._get_query_embedding, query)

    return RagtreeEmbedding
