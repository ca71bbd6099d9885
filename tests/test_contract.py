"""Every installed stage keeps the contract of its kind: `rag.testing` run over the entry points."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from rag import registry
from rag.errors import MissingExtra, RagError
from rag.stage import stage
from rag.testing import check_settings, check_stage, example_documents, example_queries, indexed
from rag.types import Hits

KINDS = ("chunkers", "trees", "retrievers", "rerankers", "compressors", "readers")
USES = [f"{kind}/{name}" for kind in KINDS for name in registry.names(kind)]
MODELS = [f"{kind}/{name}" for kind in ("llms", "embedders", "scorers") for name in registry.names(kind)]


def embedder() -> Any:
    return registry.find("embedders/hash")(dim=64)


# What a stage needs to run with no weights and no endpoint. A stage that is not here runs as it comes.
OFFLINE: dict[str, Callable[[], dict[str, Any]]] = {
    "chunkers/intent": lambda: {"embedder": embedder()},
    "chunkers/semantic": lambda: {"embedder": embedder()},
    "retrievers/dense": lambda: {"embedder": embedder()},
    "retrievers/sentences": lambda: {"embedder": embedder()},
    "retrievers/conversation": lambda: {"dense": None},
    "retrievers/hybrid": lambda: {
        "retrievers": (registry.find("retrievers/bm25")(), registry.find("retrievers/dense")(embedder=embedder()))
    },
    "retrievers/ledger": lambda: {"inner": registry.find("retrievers/bm25")()},
    "retrievers/clarify": lambda: {"inner": registry.find("retrievers/bm25")()},
    "retrievers/explore": lambda: {"inner": registry.find("retrievers/bm25")()},
    "retrievers/questions": lambda: {"inner": registry.find("retrievers/bm25")()},
    "retrievers/hop": lambda: {"inner": registry.find("retrievers/dense")(embedder=embedder())},
    "retrievers/multihop": lambda: {
        "single": registry.find("retrievers/bm25")(),
        "ways": (
            registry.find("retrievers/graph")(),
            registry.find("retrievers/hop")(inner=registry.find("retrievers/bm25")()),
        ),
    },
    "retrievers/tree": lambda: {"inner": registry.find("retrievers/bm25")()},
    "retrievers/merge": lambda: {"inner": registry.find("retrievers/bm25")()},
    "retrievers/location": lambda: {"inner": registry.find("retrievers/bm25")()},
    "retrievers/headings": lambda: {"inner": registry.find("retrievers/bm25")()},
    "retrievers/route": lambda: {"plain": registry.find("retrievers/bm25")()},
    "retrievers/tiers": lambda: {"fused": None},
    "rerankers/late": lambda: {"embedder": embedder()},
    "compressors/recomp": lambda: {"embedder": embedder()},
    "readers/extractive": lambda: {"scorer": None},
    "readers/evidence": lambda: {"plain": registry.find("readers/extractive")(scorer=None)},
    "readers/contrastive": lambda: {"plain": registry.find("readers/extractive")(scorer=None)},
    "readers/mapreduce": lambda: {"scorer": None},
    "readers/matrix": lambda: {"scorer": None},
}
WEIGHTS = {
    "chunkers/margin",
    "chunkers/perplexity",
    "rerankers/cross-encoder",
    "compressors/dslr",
    "compressors/mask",
    "readers/stuff",
}  # nothing to do without a model: checked with `-m model`


def made(use: str) -> Any:
    return registry.find(use)(**OFFLINE.get(use, dict)())


@cache
def pool() -> tuple[Hits, ...]:
    chunker = registry.find("chunkers/structure")(size=32)
    bm25 = indexed(chunker, registry.find("retrievers/bm25")(k=6))
    return tuple(bm25(query) for query in example_queries())


def run(use: str, step: Any) -> None:
    if use.startswith("retrievers/"):
        check_stage(indexed(registry.find("chunkers/structure")(size=32), step))
    elif use.startswith("trees/"):
        check_stage(step, trees=[registry.find("chunkers/structure")(size=32)(d) for d in example_documents()])
    else:
        check_stage(step, hits=pool())


@pytest.mark.parametrize("use", [use for use in USES if use not in WEIGHTS])
def test_a_stage_keeps_the_contract_of_its_kind(use: str) -> None:
    try:
        run(use, made(use))
    except RagError as error:
        missing = error if isinstance(error, MissingExtra) else error.__cause__
        if not isinstance(missing, MissingExtra):
            raise
        pytest.skip(str(missing))


@pytest.mark.model
@pytest.mark.parametrize("use", sorted(WEIGHTS | set(OFFLINE)))
def test_a_stage_with_its_default_model_keeps_the_contract(use: str) -> None:
    run(use, registry.find(use)())


@pytest.mark.parametrize("use", MODELS)
def test_a_models_settings_are_fixed_and_survive_yaml(use: str) -> None:
    needs = {"llms/openai": {"model": "some-model"}, "scorers/sentence-transformers": {"model": "some-folder/model"}}
    check_settings(registry.find(use)(**needs.get(use, {})))


def test_every_stage_says_what_it_does_in_one_line() -> None:
    for use in USES + MODELS:
        first = (registry.find(use).__doc__ or "").strip().splitlines()[0]
        assert first.endswith("."), f"{use}: the first line of its docstring must be a sentence, got {first!r}"


@stage
class Inventor:
    """Adds a hit that was not there."""

    def __call__(self, hits: Hits, /) -> Hits:
        return Hits(hits.query, (*hits.items, *pool()[0].items[:1], *pool()[0].items[:1]))


@stage
class Forgetful:
    """Drops a hit and says nothing."""

    def __call__(self, hits: Hits, /) -> Hits:
        return Hits(hits.query, hits.items[1:])


@pytest.mark.parametrize(("broken", "message"), [(Inventor(), "a hit twice"), (Forgetful(), "without a reason")])
def test_a_stage_that_breaks_the_contract_is_caught(broken: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_stage(broken, hits=pool())
