"""Keep the sentences whose vectors are nearest to the question's: extractive compression by a bi-encoder."""

from __future__ import annotations

import numpy as np
from pydantic import SkipValidation

from compressors.account import accounted, best_first, one_text, short_enough
from compressors.fit import fit
from rag.errors import ModelError
from rag.models.embed import Embedder
from rag.models.onnx import OnnxEmbedder
from rag.models.tokens import counter
from rag.readers.render import heading
from rag.stage import Field, stage
from rag.types import Hits
from rag.units import units

__all__ = ["Recomp"]

NAME = "compressors/recomp"


@stage
class Recomp:
    """Keep the sentences whose vectors are nearest to the question's, up to `k` and within a budget.

    The extractive compressor of Xu, Shi and Choi, "RECOMP", ICLR 2024, https://arxiv.org/abs/2310.04408: sentences and
    question are embedded apart, and the best k by inner product stay. It is here to be compared with. Departures: the
    embedder is a general one, not one trained on what helps a reader; the budget is hard; what stays is in source
    order, not in that of scores; headings are read with a sentence where `path` says so, and always shown.

    Args:
        hits: n >= 0; neither their order nor their scores have an effect, but on the order of documents.

    Returns:
        The hits that keep something; `tokens` is the size of the rendered context.

    Raises:
        StoreMismatch: one document name stands for two texts, as in hits of two indexes.
        ModelError: the embedder gave not-a-numbers, or another number of vectors than it got texts.
    """

    budget: int = Field(default=1000, ge=0, description="tokens of rendered context; a query's own budget goes first")
    embedder: SkipValidation[Embedder] = Field(default_factory=OnnxEmbedder, description="embeds sentences, question")
    k: int | None = Field(default=None, ge=1, description="sentences kept at most; None: what the budget holds")
    path: bool = Field(default=True, description="read title and headings with a sentence")
    tokenizer: str = Field(default="cl100k", description="the reader's tokenizer, which counts the budget")

    def __call__(self, hits: Hits, /) -> Hits:
        """Embed, order, fill."""
        budget = self.budget if hits.query.budget is None else hits.query.budget
        ranked, tokenizer = best_first(hits), counter(self.tokenizer)
        one_text(NAME, ranked)
        pool = short_enough(ranked, units(ranked), budget, tokenizer) if budget > 0 else []
        heads = [heading(hit) if self.path else "" for hit in ranked]
        texts = [ranked[u.hit].document.text[u.start : u.end].strip() for u in pool]
        shown = [f"{heads[u.hit]}\n{t}" if heads[u.hit] else t for u, t in zip(pool, texts, strict=True)]
        scores = self._scores(hits.query.text, shown) if pool else []
        order = sorted(range(len(pool)), key=lambda i: (-scores[i], ranked[pool[i].hit].doc, pool[i].start))
        tried = order[: self.k]
        reasons = {i: f"rank {rank} > k={self.k}" for rank, i in enumerate(order, 1) if rank > len(tried)}
        fitted = fit(ranked, pool, tried, budget, tokenizer)
        notes = {"embedder": self.embedder.name}
        return accounted(NAME, hits, ranked, pool, fitted=fitted, budget=budget, reasons=reasons, notes=notes)

    def _scores(self, question: str, texts: list[str]) -> list[float]:
        """Inner products, rounded to 1e-6: an embedder's last bits differ between machines."""
        vectors = np.asarray(self.embedder.embed(texts), dtype=np.float64)
        asked = np.asarray(self.embedder.embed([question], query=True), dtype=np.float64)
        if vectors.shape != (len(texts), asked.shape[-1]) or not np.isfinite(vectors).all():
            raise ModelError(
                f"{NAME}: {self.embedder.name} must give {len(texts)} finite vectors of {asked.shape[-1]} numbers, got"
                f" shape {vectors.shape} with {int((~np.isfinite(vectors)).sum())} not finite. Check the model's files."
            )
        found: list[float] = np.round(vectors @ asked[0], 6).tolist()
        return found
