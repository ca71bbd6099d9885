"""Postings: brought up to date they are what a fresh count gives; terms are found where they lie."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rag.store import postings
from rag.store.corpus import MemoryPart
from rag.store.postings import Vocabulary
from rag.store.terms import Analyzer, TermCounts

TEXTS = st.lists(st.text(st.sampled_from("abcd éß水火 "), max_size=12), max_size=8)
PLAIN = Analyzer("none")


def same(one: TermCounts, other: TermCounts) -> bool:
    arrays = ("indptr", "text", "count", "length")
    return list(one.terms) == list(other.terms) and all(
        getattr(one, a).dtype == getattr(other, a).dtype and np.array_equal(getattr(one, a), getattr(other, a))
        for a in arrays
    )


@given(TEXTS, TEXTS, st.randoms(use_true_random=False))
def test_an_update_equals_counting_all_afresh(before: list[str], added: list[str], random: object) -> None:
    kept = [i for i in range(len(before)) if random.random() < 0.7 for _ in range(random.choice([1, 1, 2]))]  # type: ignore[attr-defined]
    rows = [(before[i], i) for i in kept] + [(text, -1) for text in added]
    random.shuffle(rows)  # type: ignore[attr-defined]
    reuse = np.array([i for _, i in rows], dtype=np.int64)
    fresh = PLAIN.count(text for text, i in rows if i < 0)
    assert same(postings.merge(PLAIN.count(before), reuse, fresh), PLAIN.count(text for text, _ in rows))


@given(TEXTS)
def test_what_is_saved_is_loaded(texts: list[str]) -> None:
    part = MemoryPart()
    counted = PLAIN.count(texts)
    postings.save(part, counted)
    assert same(postings.load(part), counted)


@given(st.sets(st.text(max_size=6)), st.text(max_size=6))
def test_a_term_is_found_exactly_when_it_is_there(words: set[str], other: str) -> None:
    terms = sorted(words)
    ends = np.cumsum([0, *(len(w.encode()) for w in terms)]).astype(np.int64)
    vocabulary = Vocabulary(np.frombuffer("".join(terms).encode(), dtype=np.uint8), ends)
    assert [vocabulary.find(w) for w in terms] == list(range(len(terms)))
    assert vocabulary.find(other) == (terms.index(other) if other in words else -1)
    assert vocabulary.terms() == terms
