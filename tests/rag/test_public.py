from __future__ import annotations

import subprocess
import sys

import pytest

import rag


def test_every_public_name_resolves_and_no_other_does() -> None:
    for name in rag.__all__:
        assert getattr(rag, name) is not None
    assert sorted(rag.__all__) == list(rag.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        rag.nothing  # noqa: B018


@pytest.mark.parametrize("module", ["rag", "rag.pipeline", "rag.cli"])
def test_importing_loads_no_model_library(module: str) -> None:
    heavy = {
        "torch",
        "llama_index",
        "faiss",
        "onnxruntime",
        "xllamacpp",
        "sentence_transformers",
        "nltk",
        "bm25s",
        "scipy",
    }
    code = f"import sys, {module}; print(*sorted({heavy!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
