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
from rag.errors import MissingExtra, MissingWeights
from rag.loaders.scan import scanned
from rag.models.tokens import counter
from rag.types import Document

OURS = [
    name for name in registry.names("chunkers") if registry.find(f"chunkers/{name}").__module__.startswith("chunkers.")
]
OFFLINE: dict[str, dict[str, Any]] = {}  # settings of chunkers that need something to run without weights
PROBE = Document("probe", "A text of two sentences. Here is the second.\n\n# And a heading\n\nMore of it.\n")


def made(name: str, **settings_: Any) -> Any:
    cls = registry.find(f"chunkers/{name}")
    known = cls.__dataclass_fields__
    return cls(**{k: v for k, v in {**OFFLINE.get(name, {}), **settings_}.items() if k in known})


def runs(name: str) -> bool:
    try:
        made(name)(PROBE)
    except (MissingExtra, MissingWeights):
        return False
    except Exception as error:
        if isinstance(error.__cause__, (MissingExtra, MissingWeights)):
            return False
        raise
    return True


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


def cap_of(chunker: Any) -> int | None:
    for name in ("cap", "max_size", "size"):
        found = getattr(chunker, name, None)
        if isinstance(found, int):
            return found
    return None


@pytest.mark.parametrize("name", OURS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_leaves_tile_the_text_within_the_cap_whatever_the_format(name: str, data: st.DataObject) -> None:
    if not runs(name):
        pytest.skip("needs weights or an extra")
    document = data.draw(FORMATS[data.draw(st.sampled_from(sorted(FORMATS)))])
    chunker = made(name, size=data.draw(st.sampled_from([16, 24, 64])))
    tree = chunker(document)
    check(tree, cap_of(chunker))
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
