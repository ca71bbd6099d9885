"""The bridge to llama-index-core: node parsers, postprocessors, retrievers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from rag.bridge.carry import Piece, anchored, doc_of, document_of, kept, pieces
from rag.errors import ConfigError
from rag.types import Document, Hits, Query

if TYPE_CHECKING:
    from rag.store.corpus import Store

__all__ = ["model", "rank", "ranker", "retrieve", "retriever", "split", "splitter", "stage_of"]


def splitter(chunker: Any, **options: Any) -> Any:
    """A `NodeParser`: a node a leaf, with its exact offsets."""
    return _kinds()["parser"](chunker, options)


def ranker(step: Any, store: Store | None, **options: Any) -> Any:
    """A `BaseNodePostprocessor`."""
    return _kinds()["postprocessor"](step, store, options)


def retriever(ask: Callable[[Query], Hits], **options: Any) -> Any:
    """A `BaseRetriever`."""
    return _kinds()["retriever"](ask, options)


def model(stage: Any, options: dict[str, Any]) -> Any:
    """A language model or an embedder in llama-index's form; None for anything else."""
    from rag.models import embed, llm

    if isinstance(stage, embed.Embedder):
        return embed.to_llama_index(stage, **options)
    if isinstance(stage, llm.LLM):
        return llm.to_llama_index(stage, **options)
    return None


def stage_of(held: Any, options: dict[str, Any]) -> Any:
    """The stage around an object of llama-index."""
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.node_parser import NodeParser
    from llama_index.core.postprocessor.types import BaseNodePostprocessor

    from rag.bridge.foreign import ForeignChunker, ForeignRanker, ForeignRetriever, theirs

    if isinstance(held, NodeParser):
        overlap = int(getattr(held, "chunk_overlap", 0))
        return ForeignChunker(theirs=theirs("llama_index", held), **{"overlap": overlap, **options})
    for kind, made in ((BaseNodePostprocessor, ForeignRanker), (BaseRetriever, ForeignRetriever)):
        if isinstance(held, kind):
            return made(theirs=theirs("llama_index", held), **options)
    raise ConfigError(
        f"from_llama_index: must be a NodeParser, BaseNodePostprocessor or BaseRetriever, got {type(held).__name__}."
    )


def split(held: Any, document: Document) -> list[tuple[str, int]]:
    """A document's pieces and where the parser says they begin."""
    from llama_index.core.schema import Document as Source

    from rag.models.tokens import clean

    source = Source(text=clean(document.text), id_=document.id)
    nodes = held.get_nodes_from_documents([source])
    return [(node.text, -1 if node.start_char_idx is None else node.start_char_idx) for node in nodes]


def rank(held: Any, question: str, given: Sequence[Piece]) -> list[tuple[int, str, float | None]]:
    """Number, text and score of what comes back."""
    from llama_index.core.schema import NodeWithScore, TextNode

    nodes = [
        NodeWithScore(node=TextNode(text=one.text, id_=str(i), metadata=one.facts), score=one.score)
        for i, one in enumerate(given)
    ]
    made = held.postprocess_nodes(nodes, query_str=question)
    return [(int(one.node.node_id), one.node.text, one.score) for one in made if one.node.node_id.isdigit()]


def retrieve(held: Any, question: str, _: int) -> list[Piece]:
    """What a retriever finds."""
    return [piece_of(one.node, one.score) for one in held.retrieve(question)]


def piece_of(node: Any, score: float | None) -> Piece:
    """A node as a piece."""
    metadata = dict(node.metadata)
    start = metadata.get("start", node.start_char_idx)
    start = start if isinstance(start, int) else -1
    return Piece(node.get_content(), doc_of(metadata, node.ref_doc_id or ""), start, score, metadata)


def node_of(piece: Piece, **more: Any) -> Any:
    """A piece as a node, related to its document, its offsets where llama-index keeps them."""
    from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

    place = piece.facts
    node = TextNode(
        text=piece.text,
        metadata={**piece.metadata, **place},
        start_char_idx=place["start"],
        end_char_idx=place["end"],
        excluded_embed_metadata_keys=list(place),
        excluded_llm_metadata_keys=list(place),
        **more,
    )
    node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=piece.doc)
    return node


@cache
def _kinds() -> dict[str, Any]:
    """The subclasses, made when llama-index is first needed: its import takes a second."""
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.node_parser import NodeParser
    from llama_index.core.node_parser.node_utils import build_nodes_from_splits
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import NodeWithScore, QueryBundle
    from pydantic import PrivateAttr

    class RagtreeNodeParser(NodeParser):
        """One of our chunkers in llama-index's clothes."""

        _chunker: Any = PrivateAttr()

        def __init__(self, chunker: Any, options: dict[str, Any]) -> None:
            super().__init__(**options)
            self._chunker = chunker

        @classmethod
        def class_name(cls) -> str:
            return "RagtreeNodeParser"

        def _parse_nodes(self, nodes: Sequence[Any], show_progress: bool = False, **kwargs: Any) -> list[Any]:
            found = []
            for source in nodes:
                text = source.get_content(metadata_mode="none")
                leaves = self._chunker(document_of(source.node_id, text, source.metadata)).leaves()
                made = build_nodes_from_splits([leaf.text for leaf in leaves], source, id_func=self.id_func)
                for node, leaf in zip(made, leaves, strict=True):
                    place = {"doc": source.node_id, "start": leaf.start, "end": leaf.end}
                    node.metadata.update(place)
                    if leaf.path:
                        node.metadata["path"] = " > ".join(leaf.path)
                    node.excluded_embed_metadata_keys += [*place]
                    node.excluded_llm_metadata_keys += [*place]
                found += made
            return found

        def _postprocess_parsed_nodes(self, nodes: list[Any], parent_doc_map: dict[str, Any]) -> list[Any]:
            """llama-index searches for each text anew, and errs where texts repeat: our offsets are put back."""
            done: list[Any] = super()._postprocess_parsed_nodes(nodes, parent_doc_map)
            for node in done:
                node.start_char_idx, node.end_char_idx = node.metadata["start"], node.metadata["end"]
            return done

    class RagtreePostprocessor(BaseNodePostprocessor):
        """One of our rerankers or compressors in llama-index's clothes."""

        _step: Any = PrivateAttr()
        _store: Any = PrivateAttr()

        def __init__(self, step: Any, store: Any, options: dict[str, Any]) -> None:
            super().__init__(**options)
            self._step, self._store = step, store

        @classmethod
        def class_name(cls) -> str:
            return "RagtreePostprocessor"

        def _postprocess_nodes(self, nodes: list[Any], query_bundle: Any = None) -> list[Any]:
            if query_bundle is None:
                raise ConfigError("RagtreePostprocessor: needs the question. Pass query_bundle or query_str.")
            given = [piece_of(one.node, one.score) for one in nodes]
            hits, number = anchored(Query("question", query_bundle.query_str), given, self._store)
            made = self._step(hits) if len(hits) else hits
            found = []
            for one in kept(made, given, number):
                node = nodes[one.source].node if one.source >= 0 and one.whole else node_of(one.piece)
                found.append(NodeWithScore(node=node, score=one.piece.score))
            return found

    class RagtreeRetriever(BaseRetriever):
        """Our retrieval in llama-index's clothes."""

        def __init__(self, ask: Callable[[Query], Hits], options: dict[str, Any]) -> None:
            self._ask = ask
            super().__init__(**options)

        def _retrieve(self, query_bundle: QueryBundle) -> list[Any]:
            return [
                NodeWithScore(node=node_of(piece, id_=f"{piece.doc}:{piece.start}"), score=piece.score)
                for piece in pieces(self._ask(Query("question", query_bundle.query_str)))
            ]

    return {"parser": RagtreeNodeParser, "postprocessor": RagtreePostprocessor, "retriever": RagtreeRetriever}
