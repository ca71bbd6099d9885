"""Our stages in llama-index, langchain and haystack, and theirs in our pipelines.

    from rag.bridge import to_llama_index
    from chunkers.structure import StructureChunker
    nodes = to_llama_index(StructureChunker()).get_nodes_from_documents(documents)

`to_*` takes a chunker, a reranker or a compressor, a bound retriever or a pipeline without a reader, or an `Index`, and
gives what that framework calls a splitter, a postprocessor or ranker, and a retriever. `from_*` takes theirs and gives
a stage. Whatever crosses keeps its place: texts that leave are slices with `doc`, `start` and `end` in their metadata,
texts that come in are put back where they stand in their source, and one that is no slice of it is dropped and said.

The same questions give the same spans on both sides, at 2 to 3 ms more a question for three stages
(`evals/expected/bridges.json`). Tested with llama-index-core 0.14.25, langchain-core 1.7.2,
langchain-text-splitters 1.1.3 and haystack-ai 3.4.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rag.errors import ConfigError

if TYPE_CHECKING:
    from rag.index import Index

__all__ = ["from_haystack", "from_langchain", "from_llama_index", "to_haystack", "to_langchain", "to_llama_index"]


def to_llama_index(stage: Any, *, index: Index | None = None, **options: Any) -> Any:
    """A stage or an index as llama-index's `NodeParser`, `BaseNodePostprocessor` or `BaseRetriever`.

    Language models and embedders become llama-index's `LLM` and `BaseEmbedding`.

    Args:
        stage: a chunker, a reranker or compressor, a bound retriever, a pipeline of these, or an `Index`.
        index: where the nodes come from, for rerankers and compressors: nodes are then anchored in its documents, with
            headings and neighbours; without it each node is a document of its own.
        options: fields of the object that is made.

    Raises:
        ConfigError: it is none of these.
    """
    from rag.bridge import llama_index

    return _to(llama_index, stage, index, options)


def to_langchain(stage: Any, *, index: Index | None = None, **options: Any) -> Any:
    """A stage or an index as langchain's `TextSplitter`, `BaseDocumentCompressor` or `BaseRetriever`.

    Args:
        stage: as for `to_llama_index`, models excepted.
        index: as for `to_llama_index`.
        options: fields of the object that is made.

    Raises:
        ConfigError: it is none of these.
    """
    from rag.bridge import langchain

    return _to(langchain, stage, index, options)


def to_haystack(stage: Any, *, index: Index | None = None, **options: Any) -> Any:
    """A stage or an index as a haystack component: a splitter, a ranker or a retriever.

    Args:
        stage: as for `to_llama_index`, models excepted.
        index: as for `to_llama_index`.
        options: arguments of the component.

    Raises:
        ConfigError: it is none of these.
        MissingExtra: haystack is not installed.
    """
    from rag.bridge import haystack

    return _to(haystack, stage, index, options)


def from_llama_index(theirs: Any, **options: Any) -> Any:
    """llama-index's node parser, postprocessor or retriever as a stage.

    Args:
        theirs: the object, ready to use.
        options: fields of the stage, such as `k` of a retriever.

    Raises:
        ConfigError: it is none of these.
    """
    from rag.bridge import llama_index

    return llama_index.stage_of(theirs, options)


def from_langchain(theirs: Any, **options: Any) -> Any:
    """langchain's text splitter, document compressor or retriever as a stage.

    Args:
        theirs: the object, ready to use.
        options: fields of the stage, such as `k` of a retriever.

    Raises:
        ConfigError: it is none of these.
    """
    from rag.bridge import langchain

    return langchain.stage_of(theirs, options)


def from_haystack(theirs: Any, **options: Any) -> Any:
    """haystack's splitter, ranker or text retriever as a stage.

    Args:
        theirs: the component, warmed up.
        options: fields of the stage, such as `k` of a retriever.

    Raises:
        ConfigError: its `run` takes neither documents nor a query.
    """
    from rag.bridge import haystack

    return haystack.stage_of(theirs, options)


def _to(framework: Any, stage: Any, index: Index | None, options: dict[str, Any]) -> Any:
    """The one of `splitter`, `ranker`, `retriever` and `model` of a framework's module that fits."""
    from rag.index import Index
    from rag.pipeline import Pipeline, kind_of

    if isinstance(stage, Index):
        finds = stage.bound.stages[:-1] if stage.pipeline.reads else stage.bound.stages
        return framework.retriever(Pipeline(stages=finds), **options)
    model = getattr(framework, "model", None)
    if model is not None and (found := model(stage, options)) is not None:
        return found
    kind = kind_of(stage) if callable(stage) else type(stage).__name__
    if kind == "chunker":
        return framework.splitter(stage, **options)
    if kind in ("reranker", "compressor"):
        return framework.ranker(stage, None if index is None else index.store, **options)
    if kind == "retriever":
        return framework.retriever(stage, **options)
    raise ConfigError(f"a bridge takes a chunker, reranker, compressor, bound retriever or an Index, got a {kind}.")
