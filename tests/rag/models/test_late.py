"""Word pieces with their places, windows over them, and means over spans."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag.errors import ConfigError
from rag.models.embed import HashEmbedder
from rag.models.late import Pieces, TokenEmbedder, TokenVectors, pooled, read, slices, windows
from rag.models.onnx import OnnxEmbedder
from rag.models.torch import SentenceTransformersEmbedder

TEXT = "The lease of the harbour house in Zürich was signed. It runs for ten years, and rain fell on 港. "


@given(st.integers(0, 3000), st.integers(1, 600))
def test_windows_cover_every_piece_and_weights_add_up_to_one(count: int, room: int) -> None:
    found, total = windows(count, room)
    assert all(0 < b - a <= room for a, b in found)
    assert {i for a, b in found for i in range(a, b)} == set(range(count))
    assert np.all(total > 0)
    if count > room:
        assert all(b - a == room for a, b in found)
        assert all(b2 > b1 and a2 <= max(b1 - room // 5, a1 + 1) for (a1, b1), (a2, b2) in pairwise(found))


@given(st.text(alphabet="ab \n", max_size=40), st.integers(1, 3))
def test_slices_tile_the_text_and_end_where_words_do(text: str, times: int) -> None:
    whole = (text + " words ") * times * 700
    cut = list(slices(whole))
    assert "".join(whole[a:b] for a, b in cut) == whole
    assert all(whole[b] in " \n" for _, b in cut[:-1])
    assert list(slices("x" * 250_000)) == [(0, 100_000), (100_000, 200_000), (200_000, 250_000)]


def letters(text: str) -> Pieces:
    """A piece a letter; blanks are none."""
    return Pieces(
        np.array([ord(c) for c in text if c != " "], dtype=np.int64),
        np.array([i for i, c in enumerate(text) if c != " "], dtype=np.int64),
    )


def echoed(rows: list[list[int]]) -> list[np.ndarray]:
    """The id and how many stand in the row."""
    return [np.array([[i, len(row)] for i in row], dtype=np.float32) for row in rows]


def windows_of(texts: list[str], before: list[str] | None = None, limit: int = 12) -> list[tuple[int, TokenVectors]]:
    return list(read(texts, before, pieces=letters, states=echoed, marks=([1], [2]), limit=limit))


@given(st.lists(st.text(alphabet="abc ", max_size=60), max_size=4), st.data())
@settings(max_examples=60)
def test_every_piece_counts_once_in_the_span_where_it_begins(texts: list[str], data: st.DataObject) -> None:
    found = windows_of(texts)
    for index, text in enumerate(texts):
        cuts = sorted({0, len(text), *data.draw(st.lists(st.integers(0, len(text)), max_size=5))})
        start, end = np.array(cuts[:-1], dtype=np.int64), np.array(cuts[1:], dtype=np.int64)
        parts = [part for one, part in found if one == index]
        sums, mass = pooled(iter(parts), start, end, 2)
        wanted = [[ord(c) for c in text[a:b] if c != " "] for a, b in pairwise(cuts)]
        assert mass.tolist() == pytest.approx([len(row) for row in wanted])
        assert sums[:, 0].tolist() == pytest.approx([sum(row) for row in wanted], rel=1e-6)


def test_words_before_are_read_and_not_pooled() -> None:
    ((_, plain),) = windows_of(["abc"], [""])
    ((_, headed),) = windows_of(["abc"], ["zzzzz"], limit=24)
    assert headed.at.tolist() == plain.at.tolist() == [0, 1, 2]
    assert headed.rows[:, 0].tolist() == [97, 98, 99]
    assert plain.rows[0, 1] == 5  # three pieces and two marks
    assert headed.rows[0, 1] == 8  # and an eighth of the window


@given(st.text(max_size=200), st.integers(0, 200))
@example("It İs 港", 2)
def test_the_hash_embedder_gives_the_bag_of_each_spans_words(text: str, cut: int) -> None:
    embedder = HashEmbedder(dim=64)
    assert isinstance(embedder, TokenEmbedder)
    parts = [part for _, part in embedder.token_vectors([text])]
    whole = np.array([0, min(cut, len(text))]), np.array([min(cut, len(text)), len(text)])
    sums, mass = pooled(iter(parts), *whole, 64)
    assert mass.sum() == sum(len(part.at) for part in parts)
    alone, _ = pooled(iter(parts), np.array([0]), np.array([len(text)]), 64)
    assert np.allclose(alone[0], sums.sum(axis=0))


def test_an_embedder_that_does_not_average_is_refused() -> None:
    with pytest.raises(ConfigError, match="pooling is 'cls'. Say"):
        OnnxEmbedder().token_vectors(["text"])


@pytest.mark.model
@pytest.mark.parametrize("embedder", [OnnxEmbedder(pooling="mean"), SentenceTransformersEmbedder()])
def test_pieces_have_the_places_that_the_whole_text_gives_them(embedder) -> None:
    text = TEXT * 120
    parts = [part for _, part in embedder.token_vectors([text])]
    assert len(parts) > 1
    assert all(len(part.at) <= embedder.max_tokens - 2 for part in parts)
    at = np.unique(np.concatenate([part.at for part in parts]))
    assert all(not text[i].isspace() for i in at.tolist())
    words = [i for i, c in enumerate(text) if not c.isspace() and (i == 0 or text[i - 1].isspace())]
    assert set(words) <= set(at.tolist())
    _, mass = pooled(iter(parts), np.array([0]), np.array([len(text)]), embedder.dim)
    alone = [part for _, part in embedder.token_vectors([TEXT])]
    assert mass[0] == pytest.approx(120 * len(alone[0].at))
    mean = alone[0].rows.mean(axis=0)
    cosine = mean @ embedder.embed([TEXT])[0] / np.linalg.norm(mean)
    assert cosine > 0.98  # all that differs are the two marks
    again = [part for _, part in embedder.token_vectors(["", TEXT, text])]
    assert np.array_equal(again[0].rows, alone[0].rows)  # what is read beside it changes nothing
