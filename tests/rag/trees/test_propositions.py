"""Statements of a leaf: verbatim clauses by rule, verified facts by a model, clauses again where it fails."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from rag.errors import Unavailable
from rag.models.llm import Message, Reply
from rag.notes import notes_of
from rag.testing import check_stage, example_documents
from rag.trees.propositions import Propositions, statements
from rag.types import Document

TEXT = "The wall fell in 1911, and the masons of Vell rebuilt it in granite. It cost 40 crowns; nobody knew why it did."


class Says:
    """Answers with what it was given."""

    name = "says"

    def __init__(self, said: Any) -> None:
        self.said = said

    @property
    def fingerprint(self) -> str:
        return "says@1"

    def complete(self, messages: list[Message], **_: Any) -> Reply:
        if isinstance(self.said, Exception):
            raise self.said
        return Reply(self.said if isinstance(self.said, str) else json.dumps(self.said), 1, 1)


def grown(said: Any) -> Any:
    return Propositions(llm=Says(said))(StructureChunker(size=64)(Document("d", TEXT, "History")))


def test_clauses_are_the_source_word_for_word() -> None:
    assert [TEXT[a:b] for a, b in statements(TEXT, 0, len(TEXT))] == [
        "The wall fell in 1911,",
        "and the masons of Vell rebuilt it in granite.",
        "It cost 40 crowns; nobody knew why it did.",
    ]
    assert [TEXT[a:b] for a, b in statements(TEXT, 0, len(TEXT), 3)][2:] == [
        "It cost 40 crowns;",
        "nobody knew why it did.",
    ]


@given(
    st.lists(st.sampled_from(["Wall, and ships come in. ", "; ", "| a | b |\n", "- x\n", "港は。", "\n\n", " — "])).map(
        "".join
    )
)
def test_statements_are_ordered_slices_that_lose_no_word(text: str) -> None:
    found = list(statements(text, 0, len(text)))
    ends = [place for pair in found for place in pair]
    assert ends == sorted(ends)
    assert all(text[a:b].strip() == text[a:b] != "" for a, b in found)
    covered = {i for a, b in found for i in range(a, b)}
    assert all(i in covered for i, letter in enumerate(text) if letter.isalnum())


def test_it_keeps_the_contract() -> None:
    check_stage(Propositions(), trees=[StructureChunker(size=32)(d) for d in example_documents()])


def test_a_models_facts_rest_on_sentences_and_are_verified() -> None:
    tree = grown({"facts": [
        {"sentence": 1, "text": "The wall fell in 1911."},
        {"sentence": 1, "text": "The wall fell in 1812."},
        {"sentence": 2, "text": "The wall of History cost 40 crowns."},
    ]})  # fmt: skip
    rows = notes_of(tree, "propositions", int(tree.leaf_ids[0]))
    assert [(r.text, r.ok) for r in rows] == [
        ("The wall fell in 1911.", True),
        ("The wall fell in 1812.", False),
        ("The wall of History cost 40 crowns.", True),
    ]
    assert TEXT[slice(*rows[-1].spans[0])].startswith("It cost")


@pytest.mark.parametrize(
    "said",
    [
        "I would rather not.",
        {"facts": []},
        {"facts": [{"sentence": 9, "text": "x"}]},
        {"facts": "x"},
        "",
        [1],
        Unavailable("x"),
    ],
)
def test_a_useless_answer_leaves_the_clauses_and_is_counted(said: Any) -> None:
    tree = grown(said)
    rows = notes_of(tree, "propositions", int(tree.leaf_ids[0]))
    assert [r.text for r in rows] == [TEXT[a:b] for a, b in statements(TEXT, 0, len(TEXT))]
    assert notes_of(tree, "propositions-lost", 0)[0].text.startswith("1 leaves by rule: ")
