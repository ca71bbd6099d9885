"""One index asked through other pipelines, and stages that no YAML can hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import rag
from rag import Answer, Document, Hits
from rag.errors import ConfigError, StoreMismatch


class Client:
    """Something live that only Python can hold."""

    name = "client"


LIVE = Client()


@dataclass(frozen=True)
class Reads:
    """Answer with the first hit; holds a client."""

    client: Client = LIVE

    def __call__(self, hits: Hits, /) -> Answer:
        return Answer(hits.query, self.client.name, "answered", context=hits)


DOCUMENTS = [Document("a", "The lamp was lit in 1872.")]


def reading() -> rag.Pipeline:
    base = rag.load("lexical")
    return replace(base, stages=(*base.stages, Reads()))


def test_in_memory_a_stage_that_yaml_cannot_hold_is_no_obstacle() -> None:
    assert reading().index(DOCUMENTS).ask("lamp").text == "client"


def test_a_folder_says_what_to_do_with_such_a_stage(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be written as YAML.*index\.under\(pipeline\)"):
        reading().index(DOCUMENTS, tmp_path / "index")
    index = rag.load("lexical").index(DOCUMENTS, tmp_path / "index")
    assert index.under(reading()).ask("lamp").text == "client"


def test_a_pipeline_that_needs_another_index_is_refused() -> None:
    index = rag.load("lexical").index(DOCUMENTS)
    with pytest.raises(StoreMismatch, match="chunker: this index was built with"):
        index.under(rag.load("lexical", set=["chunker.size=32"]))
