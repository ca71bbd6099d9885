import numpy as np
import pytest

from rag.errors import ModelError
from rag.models.states import exposed, states

MODEL = "ms-marco-MiniLM-L12-v2"
LAYERS = tuple(f"/bert/encoder/layer.{n}/output/LayerNorm/Add_1_output_0" for n in (6, 8))


def field(number: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([number << 3 | 2, len(body)]) + body


def node(made: bytes) -> bytes:
    return field(1, field(1, b"x") + field(2, made))


def test_outputs_are_replaced_and_what_only_they_need_is_left_out() -> None:
    weight, version = field(5, b"w"), b"\x08\x07"
    old = version + field(7, node(b"a") + node(b"b") + weight + node(b"c") + field(12, field(1, b"c")))
    new = version + field(7, node(b"a") + node(b"b") + weight + field(12, field(1, b"b")))
    assert exposed(old, ["b"]) == new


@pytest.mark.parametrize("broken", [b"\x3a\x7f", b"\x3a\xff", b"\x0d1234", b""])
def test_what_is_no_model_is_refused(broken: bytes) -> None:
    with pytest.raises(ModelError):
        exposed(broken, ["b"])


@pytest.mark.model
def test_states_belong_to_the_characters_of_each_token() -> None:
    texts = ["The tenant is Ann Miller.", "", "Il pleut à Genève \ud83d 😀. " * 200]
    found = states(MODEL, LAYERS, "Who is the tenant?", texts, threads=1)
    assert [texts[0][a:b] for a, b in zip(found[0].starts, found[0].ends, strict=True)] == [
        *("The", "tenant", "is", "Ann", "Miller", ".")
    ]
    assert found[0].values.shape == (6, 768)
    assert len(found[1].starts) == 0
    assert len(found[2].starts) == len(found[2].values) < 512
    again = states(MODEL, LAYERS, "Who is the tenant?", texts, threads=2)
    assert all(np.array_equal(a.values, b.values) for a, b in zip(found, again, strict=True))


@pytest.mark.model
def test_a_layer_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelError, match="'nowhere'"):
        states(MODEL, ("nowhere",), "Who?", ["Ann."])
