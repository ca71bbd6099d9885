from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from small_index import Lengths, Pieces, Shout, build, doc, snapshot

from rag.models.embed import HashEmbedder
from rag.types import Document, Query
from retrievers.bm25 import BM25
from retrievers.dense import Dense
from retrievers.hybrid import Hybrid

IDS = ("a", "b", "é", "\ud800", "z/1", "z")
TEXT = st.text(alphabet=st.sampled_from("ab cdé\n中\ud800"), max_size=40)
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # hundreds of small indexes, and durability is not the point
BOTH = (Lengths(), Lengths(scale=3))

CHANGE = st.one_of(
    st.tuples(st.just("put"), st.dictionaries(st.sampled_from(IDS), TEXT, min_size=1, max_size=4)),
    st.tuples(st.just("delete"), st.sets(st.sampled_from(IDS), min_size=1, max_size=3)),
    st.tuples(st.just("title"), st.sampled_from(IDS)),
    st.tuples(st.just("chunker"), st.integers(1, 9).map(lambda size: Pieces(size=size))),
    st.tuples(st.just("retrievers"), st.sampled_from([BOTH, BOTH[:1], BOTH[::-1]])),
)


def changed(have: dict[str, Document], kind: str, value: Any) -> tuple[dict[str, Document], list[Document], list[str]]:
    """The documents after a change, and what `index` is to be given for it."""
    if kind == "put":
        given_ = [doc(name, text) for name, text in value.items()]
        return have | {one.id: one for one in given_}, given_, []
    if kind == "delete":
        return {name: one for name, one in have.items() if name not in value}, [], sorted(value & have.keys())
    if kind == "title" and value in have:
        titled = doc(value, have[value].text, title="Title")
        return have | {value: titled}, [titled], []
    return have, [], []


@settings(max_examples=30)
@given(
    first=st.dictionaries(st.sampled_from(IDS), TEXT.filter(bool), min_size=1),
    changes=st.lists(CHANGE, min_size=1, max_size=6),
)
def test_an_index_that_was_changed_equals_one_that_was_built_at_once(
    first: dict[str, str], changes: list[tuple[str, Any]]
) -> None:
    """Text, trees, order and arrays are those of a fresh build, on disk and in memory, after every change."""
    have = {name: doc(name, text) for name, text in first.items()}
    more: dict[str, Any] = {"retrievers": BOTH, "growers": (Shout(),), "chunker": Pieces()}
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        out = Path(folder) / "index"
        base, _ = build(list(have.values()), **more)
        build(list(have.values()), out, **more)[0].close()
        for kind, value in changes:
            after, given_, delete = changed(have, kind, value)
            if not any(one.text for one in after.values()):
                continue  # refused, see the tests of an empty corpus
            have = after
            if kind in more:
                more[kind] = value
            base, _ = build(given_, base=base, delete=delete, **more)
            with build(given_, out, delete=delete, **more)[0] as kept:
                fresh, _ = build(list(have.values()), **more)
                assert snapshot(kept) == snapshot(fresh)
                assert snapshot(base) == snapshot(fresh)


class Counting:
    """An embedder that counts what it embeds."""

    def __init__(self) -> None:
        self.inner = HashEmbedder()
        self.texts = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def embed(self, texts: Any, *, query: bool = False) -> Any:
        self.texts += 0 if query else len(texts)
        return self.inner.embed(texts, query=query)


def test_retrievers_after_changes_rank_and_score_as_ones_built_at_once(tmp_path: Path) -> None:
    dice = random.Random(7)
    words = [f"word{i}" for i in range(60)]
    have: dict[str, Document] = {}
    counting = Counting()
    bm25, dense = BM25(k=20), Dense(embedder=counting, k=20)
    retrievers = (bm25, dense, Hybrid(retrievers=(bm25, dense), k=20))
    more: dict[str, Any] = {"chunker": Pieces(size=60), "retrievers": retrievers}

    def write(name: str) -> Document:
        have[name] = doc(name, " ".join(dice.choices(words, k=dice.randint(5, 80))))
        return have[name]

    build([write(f"d{i}") for i in range(40)], tmp_path / "index", **more)[0].close()
    for _ in range(5):
        given_ = list({one.id: one for one in [write(f"d{dice.randrange(60)}") for _ in range(4)]}.values())
        gone = dice.sample(sorted(have.keys() - {one.id for one in given_}), 3)
        for name in gone:
            del have[name]
        counting.texts = 0
        kept, report = build(given_, tmp_path / "index", delete=gone, **more)
        assert counting.texts == report.new_leaves < sum(len(one.text) // 60 + 1 for one in given_) + 1
        fresh, _ = build(list(have.values()), **more)
        for retriever in retrievers:
            for word in words[:10]:
                query = Query(word, f"{word} {dice.choice(words)}")
                found = [[(hit.key, hit.score) for hit in retriever.bind(store)(query)] for store in (kept, fresh)]
                assert found[0] == found[1]
                assert found[0]
                assert {key[0] for key, _ in found[0]} <= have.keys()
        kept.close()
