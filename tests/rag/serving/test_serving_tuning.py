"""Numbers that callers may change: the same pipeline as by `--set`, the same models, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from compressors.extract import Extract
from rag import Document, Pipeline
from rag.errors import ConfigError
from rag.index import Index
from rag.models.embed import HashEmbedder
from rag.serving.told import answer, plain
from rag.serving.tuning import tunable, tuned
from rerankers.mmr import MMR
from retrievers.bm25 import BM25
from retrievers.dense import Dense
from retrievers.hybrid import Hybrid

EMBEDDER = HashEmbedder(dim=64)
STAGES = (
    Hybrid(retrievers=(BM25(k=9), Dense(embedder=EMBEDDER, k=8)), k=7),
    MMR(embedder=EMBEDDER, k=5),
    Extract(budget=50),
)


@pytest.fixture(scope="module")
def index() -> Index:
    text = "".join(f"The harbour number {i} is {i + 2} metres deep. " for i in range(60))
    made: Index = Pipeline(chunker=StructureChunker(size=30), stages=STAGES).index([Document("a.txt", text)])
    return made


def test_numbers_and_switches_of_stages_are_listed_and_no_model_and_no_shape(index: Index) -> None:
    found = tunable(index)
    assert found["stages[0].retrievers[0].k"] == 9
    assert found["stages[1].lam"] == 0.7
    assert found["stages[2].distinct"] is True
    assert not any("embedder" in path or path.endswith((".b", ".k1", ".tokenizer")) for path in found)


@settings(max_examples=40)
@given(k=st.integers(1, 50), lam=st.floats(0, 1), distinct=st.booleans(), budget=st.integers(0, 400))
def test_a_change_gives_the_pipeline_that_set_gives(
    index: Index, k: int, lam: float, distinct: bool, budget: int
) -> None:
    changes = {
        "stages[0].retrievers[1].k": k,
        "stages[1].lam": lam,
        "stages[2].distinct": distinct,
        "stages[2].budget": budget,
    }
    made = tuned(index, changes)
    told = [
        f"{path}={str(value).lower() if isinstance(value, bool) else repr(value)}" for path, value in changes.items()
    ]
    assert made.pipeline == index.tuned(*told).pipeline
    assert made.pipeline.stages[1].embedder is index.pipeline.stages[1].embedder, "open models are shared"  # type: ignore[attr-defined]
    assert answer(made.ask("How deep is harbour 7?"))["tokens"] <= budget


@given(path=st.text(max_size=20) | st.sampled_from(["stages[0].k.x", "stages[0]", "chunker.size", "stages[2].scorer"]),
       value=st.integers() | st.floats() | st.booleans())  # fmt: skip
def test_no_other_path_can_be_changed(index: Index, path: str, value: Any) -> None:
    with pytest.raises(ConfigError, match="no setting"):
        tuned(index, {path: value})


@settings(max_examples=40)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.builds(object) | st.binary(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.frozensets(
                        st.integers()), max_leaves=8))  # fmt: skip
def test_notes_become_json_whatever_they_hold(value: Any) -> None:
    import json

    json.dumps(plain(value), allow_nan=False)
