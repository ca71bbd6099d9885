"""BM25: the scores of bm25s, the order of a full sort, no leaf out of bounds, and cheap updates."""

from __future__ import annotations

from pathlib import Path

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.doctree import DocTree, flat
from rag.errors import RagError
from rag.store.corpus import Corpus, MemoryPart, MemoryStore, in_memory
from rag.store.parts import part_key
from rag.store.terms import Analyzer
from rag.types import Document, Query
from retrievers.bm25 import BM25

WORDS = st.lists(st.sampled_from(["oak", "elm", "ash", "fir", "yew", "box", "the", "and"]), max_size=12).map(" ".join)
METHODS = ["lucene", "robertson", "atire", "bm25l", "bm25+"]
SPEC = (Path(__file__).parents[1] / "data" / "commonmark_spec.md").read_bytes().decode()


def tree(name: str, *texts: str, **metadata: object) -> DocTree:
    spans, at = [], 0
    for text in texts:
        spans.append((at, at + len(text)))
        at += len(text)
    return flat(Document(name, "".join(texts), metadata=metadata), spans)


def built(retriever: BM25, trees: list[DocTree]) -> MemoryStore:
    store = in_memory(trees)
    retriever.build(store.corpus, store.part(part_key(retriever)))
    return store


def asked(retriever: BM25, trees: list[DocTree], text: str, **query: object) -> list[tuple[str, int, float]]:
    hits = retriever.bind(built(retriever, trees))(Query("q", text, **query))  # type: ignore[arg-type]
    return [(hit.doc, hit.node, hit.score) for hit in hits]


PARAGRAPHS = [p + "\n\n" for p in SPEC.split("\n\n") if p.strip()]
SPEC_TREES = [tree(f"d{i // 5:03}", *PARAGRAPHS[i : i + 5]) for i in range(0, len(PARAGRAPHS), 5)]
LEAVES = [leaf for one in SPEC_TREES for leaf in one.leaves()]


@pytest.mark.parametrize("method", METHODS)
def test_scores_on_a_real_text_are_those_of_bm25s(method: str) -> None:
    bags = [Analyzer().terms(leaf.text) for leaf in LEAVES]
    reference = bm25s.BM25(method=method, k1=1.3, b=0.6, delta=0.7)
    reference.index(bags, show_progress=False)
    ours = BM25(method=method, k1=1.3, b=0.6, delta=0.7, k=10_000, path=False, stopwords="none")
    bound = ours.bind(built(ours, SPEC_TREES))
    for question in ("How is a fenced code block closed?", "link reference definitions in lists", "tabs tabs unicode"):
        terms = Analyzer().terms(question)
        expected = reference.get_scores([t for t in terms if t in reference.vocab_dict])
        found = bound(Query("q", question))
        place = {(leaf.tree.document.id, leaf.index): i for i, leaf in enumerate(LEAVES)}
        scores = {place[hit.doc, hit.node]: hit.score for hit in found}
        matching = [i for i, bag in enumerate(bags) if set(bag) & set(terms)]
        assert sorted(scores) == [i for i in matching if expected[i] > expected.min()]
        np.testing.assert_allclose([scores[i] for i in scores], [expected[i] for i in scores], rtol=2e-5)
        assert len(found) > 20


@given(st.lists(WORDS, min_size=1, max_size=9), WORDS, st.integers(1, 12))
def test_hits_share_a_term_and_come_in_the_order_of_score_then_leaf(texts: list[str], question: str, k: int) -> None:
    trees = [tree(f"d{i}", text + ".") for i, text in enumerate(texts)]
    found = asked(BM25(k=k, path=False, stopwords="none"), trees, question)
    sharing = {f"d{i}" for i, text in enumerate(texts) if set(text.split()) & set(question.split())}
    assert {doc for doc, _, _ in found} <= sharing
    assert len(found) == min(k, len(sharing))
    assert found == sorted(found, key=lambda row: (-row[2], row[0]))


@given(st.lists(WORDS, min_size=2, max_size=9), WORDS, st.data())
def test_a_scope_gives_the_hits_that_lie_in_it(texts: list[str], words: str, data: st.DataObject) -> None:
    trees = [tree(f"d{i}", text + ".", even=i % 2 == 0) for i, text in enumerate(texts)]
    scope = tuple(data.draw(st.lists(st.sampled_from([f"d{i}" for i in range(len(texts) + 1)]), unique=True)))
    everything = asked(BM25(k=99), trees, words)
    assert asked(BM25(k=99), trees, words, scope=scope) == [row for row in everything if row[0] in scope]
    evens = [row for row in everything if int(row[0][1:]) % 2 == 0]
    assert asked(BM25(k=99), trees, words, filters={"even": True}) == evens


def test_an_empty_question_an_unknown_word_and_an_empty_index_find_nothing() -> None:
    trees = [tree("d", "oak and elm")]
    assert asked(BM25(), trees, "") == asked(BM25(), trees, " \n") == asked(BM25(), trees, "zebra") == []
    assert asked(BM25(), [], "oak") == asked(BM25(), [flat(Document("e", ""), [])], "oak") == []
    assert asked(BM25(), [tree("d", "...")], "oak") == []


def test_stop_words_count_only_in_a_question_made_of_nothing_else() -> None:
    trees = [tree("a", "the oak"), tree("b", "to be or not to be"), tree("c", "the elm of the wood")]
    assert [doc for doc, _, _ in asked(BM25(), trees, "what is the oak")] == ["a"]
    assert [doc for doc, _, _ in asked(BM25(), trees, "To be, or not to be?")] == ["b"]


def test_the_title_and_headings_are_searched_with_a_leaf_unless_told_otherwise() -> None:
    trees = [flat(Document("d", "grows slowly", title="Yew"), [(0, 12)])]
    assert [doc for doc, _, _ in asked(BM25(), trees, "yew")] == ["d"]
    assert asked(BM25(path=False), trees, "yew") == []


def test_chinese_and_thai_are_searched_without_spaces() -> None:
    trees = [
        tree("zh", "东京大学是日本的一所国立大学。"),
        tree("th", "กรุงเทพมหานครเป็นเมืองหลวง"),
        tree("en", "a capital"),
    ]
    assert [doc for doc, _, _ in asked(BM25(), trees, "国立大学")] == ["zh"]
    assert [doc for doc, _, _ in asked(BM25(), trees, "เมืองหลวง")] == ["th"]


def test_the_order_of_the_words_of_a_question_changes_no_digit() -> None:
    question = "closing fence of code blocks in lists"
    turned = " ".join(reversed(question.split()))
    assert asked(BM25(), SPEC_TREES, question) == asked(BM25(), SPEC_TREES, turned)


def test_a_question_of_100_000_characters_is_answered() -> None:
    assert asked(BM25(k=5), SPEC_TREES, SPEC[:100_000])


class Reading(Corpus):
    """A corpus that notes which leaves were read."""

    def texts(self, leaves=None, *, path=False):  # type: ignore[no-untyped-def]
        self.__dict__["read"] = list(range(len(self)) if leaves is None else leaves)
        return super().texts(leaves, path=path)


@pytest.mark.parametrize("method", ["lucene", "bm25+"])
def test_an_update_reads_only_new_leaves_and_equals_a_fresh_build(method: str) -> None:
    retriever = BM25(method=method)
    old = built(retriever, SPEC_TREES[:30])
    changed = [*SPEC_TREES[:7], tree("d007", "An oak stands here. ", "The block is closed."), *SPEC_TREES[8:32]]
    fresh = built(retriever, changed)
    place = {(d, n): i for i, (d, n) in enumerate(zip(old.corpus.doc.tolist(), old.corpus.node.tolist(), strict=True))}
    reuse = [
        -1 if d == 7 else place.get((d, n), -1)
        for d, n in zip(fresh.corpus.doc.tolist(), fresh.corpus.node.tolist(), strict=True)
    ]
    given = {name: getattr(fresh.corpus, name) for name in ("doc_ids", "metadata", "doc", "node", "tree")}
    corpus = Reading(**given, reuse=np.array(reuse, dtype=np.int64))
    part = MemoryPart(old=old.part(part_key(retriever)))
    retriever.build(corpus, part)
    assert corpus.__dict__["read"] == [i for i, at in enumerate(reuse) if at < 0]
    expected = fresh.part(part_key(retriever)).values
    assert part.values.keys() == expected.keys()
    for name, array in expected.items():
        assert array.dtype == part.values[name].dtype, name
        assert array.tobytes() == part.values[name].tobytes(), name


def test_an_unbound_retriever_says_what_to_do() -> None:
    with pytest.raises(RagError, match=r"retrievers/bm25: not bound to an index.*bind\(store\)"):
        BM25()(Query("q", "oak"))


def test_names_of_several_words_are_found_by_their_words_where_identifiers_are_divided() -> None:
    documents = [Document(str(i), text) for i, text in enumerate(("x = parseHTTPHeader(a)", "y = other(b)"))]

    def found(question: str, identifiers: bool) -> list[str]:
        store = in_memory([flat(one, [(0, len(one.text))]) for one in documents])
        bm25 = BM25(identifiers=identifiers, language="none")
        bm25.build(store.corpus, store.part(part_key(bm25)))
        return [hit.doc for hit in bm25.bind(store)(Query("q", question))]

    for question in ("header", "http", "parse", "parseHTTPHeader", "parsehttpheader"):
        assert found(question, identifiers=True) == ["0"]
    assert found("header", identifiers=False) == []
    assert found("parseHTTPHeader", identifiers=False) == ["0"]
