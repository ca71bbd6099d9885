"""What holds for every installed chunker that runs offline, on random documents of every format."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from formats import FORMATS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag import registry
from rag.doctree import CODE, KINDS, DocTree
from rag.loaders.scan import scanned
from rag.models.tokens import counter

OURS = [
    name for name in registry.names("chunkers") if registry.find(f"chunkers/{name}").__module__.startswith("chunkers.")
]


def made(name: str, **given: Any) -> Any:
    """The chunker with a small embedder in the place of a real one; settings that it does not have are left out."""
    cls = registry.find(f"chunkers/{name}")
    given["embedder"] = registry.find("embedders/hash")(dim=64)
    if name == "auto":
        given["candidates"] = tuple(made(one, **given) for one in ("structure", "sentences", "recursive"))
    return cls(**{key: value for key, value in given.items() if key in cls.__dataclass_fields__})


# those that read with a language model are run on fewer documents, with the models
CASES = [
    pytest.param(name, marks=pytest.mark.model) if getattr(made(name), "llm", None) is not None else name
    for name in OURS
]


def check(tree: DocTree, cap: int | None) -> None:
    tree.check()
    text = tree.document.text
    leaves = tree.leaves()
    assert "".join(leaf.text for leaf in leaves) == text
    assert all(one.text == text[one.start : one.end] for one in tree)
    for node in tree:
        a, b = tree.titles[node.index].tolist()
        assert (a, b) == (0, 0) or node.start <= a <= b <= node.end
        assert all(0 <= a < b <= len(text) for a, b in node.repeats)
    if cap is None or not tree.tokenizer:
        return
    count = counter(tree.tokenizer)
    for leaf in leaves:
        assert leaf.tokens in (-1, count.count(leaf.text))
        again = sum(count.count(text[a:b]) for a, b in leaf.repeats)
        assert count.count(leaf.text) + again <= cap or leaf.end - leaf.start == 1


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_leaves_tile_the_text_within_the_cap_whatever_the_format(name: str, data: st.DataObject) -> None:
    document = data.draw(FORMATS[data.draw(st.sampled_from(sorted(FORMATS)))])
    size = data.draw(st.sampled_from([16, 24, 64]))
    chunker = made(name, size=size, max_size=size * 3 // 2)
    tree = chunker(document)
    check(tree, size * 3 // 2 if hasattr(chunker, "max_size") or name == "auto" else size)
    assert tree == chunker(document)
    assert tree.digest() == chunker(document).digest()


@pytest.mark.parametrize("form", sorted(FORMATS))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_blocks_of_a_format_are_ordered_and_hold_all_but_white_space(form: str, data: st.DataObject) -> None:
    document = data.draw(FORMATS[form])
    text = document.text
    found = document.blocks or scanned(text, document.media_type)
    blocks = list(found or ())
    if form == "text/plain" or not blocks:
        assert form == "text/plain" or not text.strip().strip("\ufeff").strip() or document.media_type == "text/plain"
        return
    places = [0, *(place for b in blocks for place in (b.start, b.end)), len(text)]
    assert places == sorted(places)
    for (_, a), (b, _) in itertools.pairwise([(0, 0), *((b.start, b.end) for b in blocks), (len(text), len(text))]):
        assert not text[a:b].replace("\ufeff", "").strip(), repr(text[a:b])
    for b in blocks:
        assert b.start <= b.inner[0] <= b.inner[1] <= b.end, b
        assert b.kind in KINDS
        assert b.kind != "root"
        assert CODE[b.kind] < len(KINDS)
    structure = registry.find("chunkers/structure")(size=24)
    check(structure(document), structure.cap)
