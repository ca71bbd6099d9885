"""Compressors that are there to be compared with keep the contract of all compressors, and do what was published."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from compressor_cases import Broken, Lengths, characters, hit_lists
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from compressors.adaptive import Adaptive
from compressors.dslr import Dslr
from compressors.edu import Edu
from compressors.levels import Levels
from compressors.recomp import Recomp
from rag.doctree import flat
from rag.errors import ConfigError, ModelError, StoreMismatch
from rag.models.embed import HashEmbedder
from rag.models.tokens import counter
from rag.readers.render import cost, render
from rag.types import Document, Hit, Hits, Query

STEPS: list[Any] = [
    Dslr(scorer=Lengths()),
    Dslr(scorer=Lengths(), threshold=0.0),
    Dslr(scorer=Lengths(), threshold=0.5, least=0),
    Recomp(embedder=HashEmbedder(dim=64)),
    Recomp(embedder=HashEmbedder(dim=64), k=2, path=False),
    Levels(),
    Levels(k=1, scorer=Lengths()),
]
steps = st.sampled_from(STEPS)
TEXT = "The sky is blue. Rent is due monthly. Dogs bark at night. The tenant signs the lease. Cats sleep a lot."


def one(text: str, question: str) -> Hits:
    return Hits(Query("q", question), (Hit(flat(Document("d", text), [(0, len(text))]), 1, ((0, len(text)),), 1.0),))


@settings(deadline=None, max_examples=200)
@given(
    step=steps, hits=hit_lists(), budget=st.integers(0, 300), tokenizer=st.sampled_from(["chars", "words", "cl100k"])
)
def test_the_context_fits_lies_in_the_input_and_every_loss_has_a_reason(
    step: Any, hits: Hits, budget: int, tokenizer: str
) -> None:
    out = replace(step, budget=budget, tokenizer=tokenizer)(hits)
    assert out.tokens == cost(out, counter(tokenizer)) <= budget
    for hit in out:
        assert all(a < b for a, b in hit.spans)
        assert all(x[1] < y[0] for x, y in itertools.pairwise(hit.spans))
    dropped = {(d.hit.doc, i) for d in out.drops for s, e in d.hit.spans for i in range(s, e)}
    assert characters(out) <= characters(hits) <= characters(out) | dropped
    assert all(drop.reason and drop.stage.startswith("compressors/") for drop in out.drops)


@settings(deadline=None, max_examples=60)
@given(step=steps, hits=hit_lists(), budget=st.integers(1, 200), data=st.data())
def test_the_order_of_the_input_has_no_effect(step: Any, hits: Hits, budget: int, data: st.DataObject) -> None:
    other = replace(hits, items=tuple(data.draw(st.permutations(hits.items))))
    assert replace(step, budget=budget)(hits) == replace(step, budget=budget)(other)


@pytest.mark.parametrize("cls", [Dslr, Levels])
@pytest.mark.parametrize("extra", [0, 1])
def test_a_scorer_that_gives_nonsense_is_an_error_that_names_the_stage(cls: Any, extra: int) -> None:
    with pytest.raises(ModelError, match=f"compressors/{cls.__name__.lower()}: broken must give"):
        cls(scorer=Broken(extra))(one(TEXT, "lease"))
    with pytest.raises(ConfigError, match="must be a scorer"):
        cls(scorer="broken")


def test_what_scores_below_the_threshold_goes_though_there_is_room() -> None:
    out = Dslr(scorer=Lengths(), threshold=0.6)(one(TEXT, "lease"))
    assert render(out) == "[1]\nRent is due monthly. … The tenant signs the lease."
    assert {drop.reason for drop in out.drops} == {"below 0.6 of the scorer"}
    none = Dslr(scorer=Lengths(), threshold=0.99)
    assert len(none(one(TEXT, "lease")).spans()) == 1
    assert replace(none, least=0)(one(TEXT, "lease")).items == ()


def test_recomp_keeps_k_sentences_in_source_order() -> None:
    out = Recomp(embedder=HashEmbedder(dim=256), k=2)(one(TEXT, "tenant signs lease monthly rent"))
    assert render(out) == "[1]\nRent is due monthly. … The tenant signs the lease."
    assert {drop.reason for drop in out.drops} == {f"rank {n} > k=2" for n in (3, 4, 5)}


def test_levels_keeps_the_best_sections_of_each_level() -> None:
    text = "".join(f"# Part {n}\n\n" + f"Filler of part {n} stands here. " * 12 + "\n\n" for n in range(1, 6))
    text = text.replace("Filler of part 4 stands", "The lease of part 4 is signed", 1)
    tree = StructureChunker(size=40, min_size=0)(Document("d", text, "", "text/markdown"))
    hits = Hits(
        Query("q", "who signed the lease"), tuple(Hit(tree, n.index, ((n.start, n.end),), 0.0) for n in tree.leaves())
    )
    out = Levels(k=1, budget=60)(hits)
    assert {hit.path[0] for hit in out} == {"Part 4"}
    assert any(drop.reason == "not among the best 1 of a level" for drop in out.drops)
    assert "lease" in render(out)


@pytest.mark.parametrize("step", [*STEPS, Edu(), Adaptive(), Edu(grain="edu")], ids=lambda step: type(step).__name__)
def test_hits_of_two_indexes_that_share_a_name_are_refused_by_name(step: Any) -> None:
    two = (one(TEXT, "lease").items[0], one(TEXT.upper() + " More.", "lease").items[0])
    with pytest.raises(StoreMismatch, match=f"compressors/{type(step).__name__.lower()}: document 'd' has two texts"):
        step(Hits(Query("q", "lease"), two))


@pytest.mark.parametrize("step", [*STEPS, Edu(), Adaptive()], ids=lambda step: type(step).__name__)
@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
def test_scores_of_hits_that_are_no_numbers_have_a_place(step: Any, score: float) -> None:
    base = one(TEXT, "lease").items[0]
    other = Hit(flat(Document("e", "The lease ends. Fish swim."), [(0, 26)]), 1, ((0, 26),), 0.5)
    hits = Hits(Query("q", "lease", budget=40), (replace(base, score=score), other))
    out = step(hits)
    assert (out.tokens or 0) <= 40
    assert out == step(replace(hits, items=hits.items[::-1]))
