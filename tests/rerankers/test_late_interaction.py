"""Late interaction: the published formula, an independent reading of the model, order and bad input."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.doctree import flat
from rag.errors import ConfigError, ModelError
from rag.models.embed import HashEmbedder
from rag.models.late import TokenVectors
from rag.models.onnx import OnnxEmbedder
from rag.models.weights import locate
from rag.types import Document, Hit, Hits, Query
from rerankers.late import Late, maxsim

HASH = HashEmbedder(dim=64)


def hit(text: str, doc: str, title: str = "") -> Hit:
    return Hit(flat(Document(doc, text, title), [(0, len(text))]), 1, ((0, len(text)),), 0.0)


def slowly(question: list[list[float]], passage: list[list[float]]) -> float:
    """The sum of best cosines, as the paper writes it, in plain Python."""

    def cosine(a: list[float], b: list[float]) -> float:
        long = sum(x * x for x in a) ** 0.5 * sum(x * x for x in b) ** 0.5
        return sum(x * y for x, y in zip(a, b, strict=True)) / long if long else 0.0

    return sum(max(cosine(q, p) for p in passage) for q in question)


VECTORS = st.lists(st.lists(st.integers(-4, 4), min_size=3, max_size=3).filter(any), min_size=1, max_size=6)


@given(VECTORS, VECTORS)
def test_maxsim_is_the_published_sum(question: list[list[float]], passage: list[list[float]]) -> None:
    def unit(rows: list[list[float]]) -> Any:
        made = np.array(rows, dtype=np.float32)
        return made / np.linalg.norm(made, axis=1, keepdims=True)

    assert float(maxsim(unit(question), unit(passage)).sum()) == pytest.approx(slowly(question, passage), abs=1e-4)


def test_scores_are_those_of_plain_loops_over_the_states() -> None:
    text = "Ann signs the lease, says the lease of Vell!"
    (_, asked), *_ = HASH.token_vectors(["who signs the lease"])
    (_, read), *_ = HASH.token_vectors([text])
    words = [row.tolist() for at, row in zip(read.at.tolist(), read.rows, strict=True) if text[at].isalnum()]
    wanted = slowly([row.tolist() for row in asked.rows], words) / len(asked.at)
    out = Late(embedder=HASH)(Hits(Query("q", "who signs the lease"), (hit(text, "a"),)))
    assert out[0].score == pytest.approx(wanted, abs=1e-5)


def test_the_passage_with_the_questions_words_comes_first_and_headings_are_read() -> None:
    query = Query("q", "who signs the lease")
    hits = Hits(
        query, (hit("Dogs bark at night.", "a"), hit("Ann signs the lease.", "b"), hit("It ends.", "c", "Lease"))
    )
    out = Late(embedder=HASH, k=2)(hits)
    assert [h.doc for h in out] == ["b", "c"]
    assert [(d.hit.doc, d.reason) for d in out.drops] == [("a", "rank 3 > k=2")]
    bare = {h.doc: h.score for h in Late(embedder=HASH, path=False)(hits)}
    assert bare["c"] < out[1].score


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(5)))
def test_the_order_of_the_input_has_no_effect(order: list[int]) -> None:
    items = [hit(text, f"d{i}") for i, text in enumerate(["the lease", "a dog", "the lease", "", "!!"])]
    step = Late(embedder=HASH, k=4)
    hits = tuple(items[i] for i in order if items[i].text)
    assert step(Hits(Query("q", "lease"), hits)) == step(Hits(Query("q", "lease"), tuple(i for i in items if i.text)))


class Broken:
    """Gives states that are no numbers, or none at all."""

    def __init__(self, value: float | None) -> None:
        self.value = value

    def token_vectors(self, texts: Sequence[str], *, before: Any = None) -> Iterator[tuple[int, TokenVectors]]:
        for i, text in enumerate(texts):
            if self.value is not None or text == "lease":
                rows = np.full((1, 3), 1.0 if self.value is None else self.value, dtype=np.float32)
                yield i, TokenVectors(np.zeros(1, dtype=np.int64), rows, np.ones(1))


def test_bad_states_are_an_error_and_a_passage_without_any_comes_last() -> None:
    hits = Hits(Query("q", "lease"), (hit("a", "a"), hit("lease", "b")))
    with pytest.raises(ModelError, match="rerankers/late: 1 of 1 states are not finite"):
        Late(embedder=Broken(float("nan")))(hits)
    assert [(h.doc, h.score) for h in Late(embedder=Broken(None))(hits)] == [("b", 1.0), ("a", -1.0)]
    assert all(h.score == 0 for h in Late(embedder=Broken(0.0))(hits))


def test_nothing_in_nothing_out_and_an_embedder_without_words_is_refused() -> None:
    empty = Hits(Query("q", "lease"))
    assert Late(embedder=HASH)(empty) == empty
    blank = Hits(Query("q", " "), (hit("a", "a"),))
    assert Late(embedder=HASH)(blank) == blank
    with pytest.raises(ConfigError, match="rerankers/late: embedder: needs one with token vectors"):
        Late(embedder=3)


@pytest.mark.model
def test_states_are_those_of_the_bare_network_and_the_answer_comes_first() -> None:
    import onnxruntime as ort
    import tokenizers

    folder = locate("answerai-colbert-small-v1")
    network = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(json.loads((folder / "tokenizer.json").read_text())))
    tokenizer.no_padding()

    def states(text: str, question: bool) -> list[list[float]]:
        made = tokenizer.encode(text)
        ids = np.array([made.ids], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        rows = network.run(["last_hidden_state"], feed)[0][0]
        keep = [question or text[a : a + 1].isalnum() for a, _ in made.offsets]
        return [
            row.tolist() for row, ok, mark in zip(rows, keep, made.special_tokens_mask, strict=True) if ok and not mark
        ]

    question = "who wrote Hamlet"
    texts = ("It is raining in Paris.", "Hamlet was written by William Shakespeare.", "Hamlet is a small settlement.")
    out = Late()(Hits(Query("q", question), tuple(hit(t, str(i)) for i, t in enumerate(texts))))
    assert out[0].doc == "1"
    asked = states(question, True)
    for one in out:
        wanted = slowly(asked, states(texts[int(one.doc)], False)) / len(asked)
        assert one.score == pytest.approx(wanted, abs=1e-4)


@pytest.mark.model
def test_any_model_of_means_serves() -> None:
    step = Late(embedder=OnnxEmbedder(pooling="mean"))
    out = step(Hits(Query("q", "who wrote Hamlet"), (hit("It rains.", "a"), hit("Shakespeare wrote Hamlet.", "b"))))
    assert out[0].doc == "b"
