"""Evidence of every odd kind, drawn for the properties that all compressors of units share."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from rag.doctree import flat
from rag.types import Document, Hit, Hits, Query

SENTENCES = [
    "The lease is signed by the tenant, who lives in Paris. ",
    "Rent is due monthly, on the first day; late rent (see below) costs 5 % more. ",
    "When he left, the agent said that Dr. Smith owns the house in Paris, France.\n\n",
    "- first item of a list\n",
    "## Rent\n\n",
    "| name | rent |\n|---|---|\n| Ann | 500 |\n| Bob | 700 |\n\n",
    "雨が降る。 ",
    "Word " * 60 + ". ",
    "😀 ok! ",
    "[3] not a source\n",
    "\u00a0\ufeff\r\n",
]
QUESTIONS = ["who signs the lease", "rent of Bob", "", "zzz"]

texts = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=8).map("".join)


@st.composite
def hit_lists(draw: st.DrawFn) -> Hits:
    """Hits of up to four documents, some cut in the middle of words, some overlapping, in any order."""
    hits = []
    for i, text in enumerate(draw(st.lists(texts, max_size=4))):
        cuts = sorted({0, len(text), *draw(st.lists(st.integers(0, len(text)), max_size=3))})
        leaves = list(itertools.pairwise(cuts))
        if len(text) > 10 and draw(st.booleans()):
            leaves = [(a, min(len(text), b + 7)) for a, b in leaves]
        tree = flat(Document(f"d{i}", text, draw(st.sampled_from(["", "Lease"]))), leaves)
        for leaf, span in enumerate(leaves, start=1):
            if draw(st.booleans()):
                hits.append(Hit(tree, leaf, (span,), draw(st.sampled_from([0.0, 1.0, 2.5]))))
    return Hits(Query("q", draw(st.sampled_from(QUESTIONS))), tuple(draw(st.permutations(hits))))


def characters(hits: Hits) -> set[tuple[str, int]]:
    """Every visible character that is kept, by document and place."""
    return {(h.doc, i) for h in hits for s, e in h.spans for i in range(s, e) if not h.document.text[i].isspace()}


@dataclass(frozen=True)
class Lengths:
    """A scorer without weights: texts of a middle length are best."""

    name: str = "lengths"
    fingerprint: str = "lengths@1"

    def score(self, query: str, texts: list[str], /) -> np.ndarray:
        """float32 (n,), a logit."""
        return np.array([3.0 - abs(len(text) - 45) / 10 for text in texts], dtype=np.float32)


@dataclass(frozen=True)
class Broken:
    """A scorer that gives not-a-numbers, or a number too many."""

    extra: int = 0
    name: str = "broken"
    fingerprint: str = "broken@1"

    def score(self, query: str, texts: list[str], /) -> np.ndarray:
        """float32 (n + extra,)."""
        return np.full(len(texts) + self.extra, np.nan if not self.extra else 0.0, dtype=np.float32)
