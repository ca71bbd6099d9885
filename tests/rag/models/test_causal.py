"""A causal model in numpy: a tiny one checked by hand, the embedded one against llama.cpp."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from rag.errors import ModelError
from rag.models.causal import BLOCK, Causal, open_causal
from rag.models.gguf import opened

WIDTH, HEADS, GROUPS, INNER, LAYERS = 8, 2, 1, 12, 2
LETTERS = "abcdefghij"


def _text(value: str) -> bytes:
    body = value.encode()
    return struct.pack("<Q", len(body)) + body


def _fact(key: str, value: object) -> bytes:
    if isinstance(value, str):
        return _text(key) + struct.pack("<I", 8) + _text(value)
    if isinstance(value, float):
        return _text(key) + struct.pack("<If", 6, value)
    if isinstance(value, int):
        return _text(key) + struct.pack("<II", 4, value)
    assert isinstance(value, list)
    return _text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_text, value))


def written(file: Path, **changes: object) -> Path:
    """A GGUF file of a model with ten letters, two layers and random weights."""
    rng = np.random.default_rng(7)
    facts: dict[str, object] = {
        "general.architecture": "llama",
        "llama.block_count": LAYERS,
        "llama.embedding_length": WIDTH,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": GROUPS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.freq_base": 100.0,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": list(LETTERS),
        "tokenizer.ggml.merges": ["a b"],
        **changes,
    }
    d = WIDTH // HEADS
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (len(LETTERS), WIDTH), "output_norm": (WIDTH,)}
    for i in range(LAYERS):
        shapes |= {
            f"blk.{i}.attn_norm": (WIDTH,),
            f"blk.{i}.attn_q": (WIDTH, WIDTH),
            f"blk.{i}.attn_k": (GROUPS * d, WIDTH),
            f"blk.{i}.attn_v": (GROUPS * d, WIDTH),
            f"blk.{i}.attn_output": (WIDTH, WIDTH),
            f"blk.{i}.ffn_norm": (WIDTH,),
            f"blk.{i}.ffn_gate": (INNER, WIDTH),
            f"blk.{i}.ffn_up": (INNER, WIDTH),
            f"blk.{i}.ffn_down": (WIDTH, INNER),
        }
    table, body = b"", b""
    for name, shape in shapes.items():
        place = _text(f"{name}.weight") + struct.pack(f"<I{len(shape)}Q", len(shape), *shape[::-1])
        table += place + struct.pack("<IQ", 0, len(body))
        rows = rng.normal(size=shape).astype("<f4").tobytes()
        body += rows + b"\0" * (-len(rows) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(facts))
    head += b"".join(_fact(key, value) for key, value in facts.items()) + table
    file.write_bytes(head + b"\0" * (-len(head) % 32) + body)
    return file


def slow(model: Causal, ids: list[int]) -> np.ndarray:
    """Logits after the last token, one head and one position at a time."""
    f = {name.removesuffix(".weight"): model.file.floats(name).astype(float) for name in model.file.tensors}
    d = WIDTH // HEADS

    def norm(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return x / np.sqrt((x * x).mean() + 1e-5) * w

    def turn(x: np.ndarray, at: int) -> np.ndarray:
        out = x.copy()
        for j in range(0, d, 2):
            a = at * 100.0 ** (-j / d)
            out[j] = x[j] * np.cos(a) - x[j + 1] * np.sin(a)
            out[j + 1] = x[j] * np.sin(a) + x[j + 1] * np.cos(a)
        return out

    xs = [f["token_embd"][i] for i in ids]
    for i in range(LAYERS):
        rows = [norm(x, f[f"blk.{i}.attn_norm"]) for x in xs]
        keys = [turn(f[f"blk.{i}.attn_k"] @ r, t) for t, r in enumerate(rows)]
        values = [f[f"blk.{i}.attn_v"] @ r for r in rows]
        after = []
        for t, (x, r) in enumerate(zip(xs, rows, strict=True)):
            asked = f[f"blk.{i}.attn_q"] @ r
            mixed = []
            for h in range(HEADS):
                q = turn(asked[h * d : (h + 1) * d], t)
                w = np.exp([q @ k / np.sqrt(d) for k in keys[: t + 1]])
                mixed.append((w / w.sum()) @ np.array(values[: t + 1]))
            y = x + f[f"blk.{i}.attn_output"] @ np.concatenate(mixed)
            n = norm(y, f[f"blk.{i}.ffn_norm"])
            gate = f[f"blk.{i}.ffn_gate"] @ n
            y = y + f[f"blk.{i}.ffn_down"] @ (gate / (1 + np.exp(-gate)) * (f[f"blk.{i}.ffn_up"] @ n))
            after.append(y)
        xs = after
    return f["token_embd"] @ norm(xs[-1], f["output_norm"])


@pytest.fixture
def tiny(tmp_path: Path) -> Causal:
    return Causal(opened(written(tmp_path / "tiny.gguf")))


def test_a_tiny_model_computes_what_its_formulas_say(tiny: Causal) -> None:
    ids = [3, 1, 4, 1, 5, 9, 2, 6]
    logits = slow(tiny, ids)
    expected = logits - np.log(np.exp(logits).sum())
    assert np.allclose(tiny.following(ids), expected, atol=2e-4)


def test_probabilities_of_a_text_are_those_of_its_beginnings(tiny: Causal) -> None:
    ids = np.random.default_rng(0).integers(0, len(LETTERS), 40)
    whole = tiny.logprobs(ids)
    assert whole[0] == 0
    for t in (1, 2, 17, 39):
        assert np.isclose(whole[t], tiny.following(ids[:t].tolist())[ids[t]], atol=2e-4)


def test_a_long_text_is_read_in_blocks_that_see_what_came_before(tiny: Causal) -> None:
    ids = np.random.default_rng(1).integers(0, len(LETTERS), 2 * BLOCK)
    whole = tiny.logprobs(ids)
    at = BLOCK + 5  # everything before it is still in memory
    assert np.isclose(whole[at], tiny.following(ids[:at].tolist())[ids[at]], atol=2e-3)
    assert np.array_equal(whole, tiny.logprobs(ids))
    assert np.array_equal(whole[: BLOCK + 1], tiny.logprobs(ids[: BLOCK + 1]))  # the future changes nothing
    assert np.isfinite(tiny.logprobs(np.zeros(5 * BLOCK + 3, dtype=np.int64))).all()


def test_what_was_read_once_can_be_read_on_from(tiny: Causal) -> None:
    _, past = tiny.read([1, 2, 3, 4])
    assert np.allclose(tiny.following([5, 6], past), tiny.following([1, 2, 3, 4, 5, 6]), atol=2e-4)


def test_other_files_and_families_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"not a model at all")
    with pytest.raises(ModelError, match=r"a\.gguf.*GGUF"):
        opened(tmp_path / "a.gguf")
    whole = written(tmp_path / "b.gguf").read_bytes()
    (tmp_path / "b.gguf").write_bytes(whole[:300])
    with pytest.raises(ModelError, match=r"b\.gguf"):
        opened(tmp_path / "b.gguf")
    other = opened(written(tmp_path / "c.gguf", **{"general.architecture": "bert"}))
    with pytest.raises(ModelError, match="llama family, got 'bert'"):
        Causal(other)
    with pytest.raises(ModelError, match="no GGUF file"):
        open_causal(tmp_path / "empty")


def test_packed_weights_are_unpacked_as_their_blocks_say(tmp_path: Path) -> None:
    from rag.models.gguf import Q4_0, Q4_1, Q8_0, _plain

    rng = np.random.default_rng(3)
    scale, least = np.float16(0.5), np.float16(-1.25)
    packed = rng.integers(0, 256, 16).astype(np.uint8)
    halves = np.concatenate((packed & 15, packed >> 4)).astype(np.float32)
    head = np.frombuffer(scale.tobytes() + least.tobytes(), np.uint8)
    assert np.array_equal(_plain(np.concatenate((head, packed))[None], Q4_1)[0], halves * 0.5 - 1.25)
    assert np.array_equal(_plain(np.concatenate((head[:2], packed))[None], Q4_0)[0], (halves - 8) * 0.5)
    signed = rng.integers(-128, 128, 32).astype(np.int8)
    row = np.concatenate((head[:2], signed.view(np.uint8)))
    assert np.array_equal(_plain(row[None], Q8_0)[0], signed * np.float32(0.5))


@pytest.mark.model
def test_the_embedded_model_agrees_with_llama_cpp_on_what_follows() -> None:
    from rag.models.embedded import EmbeddedLLM
    from rag.models.weights import locate

    llm = EmbeddedLLM()
    text = "The harbour of Vell was dredged in 1904 by the engineer Ada Lind. It is 12 metres"
    told = dict(llm.next_tokens(text, top=8))
    model = open_causal(locate(llm.model))
    found = model.following(model.pieces(text).ids.tolist())
    ours = {token: float(found[int(model.pieces(token).ids[0])]) for token in told}
    assert max(abs(ours[token] - told[token]) for token in told) < 0.3  # it rounds activations to 8 bits
    assert max(ours, key=ours.__getitem__) == max(told, key=told.__getitem__)


@pytest.mark.model
def test_tokens_of_the_embedded_model_have_places_in_any_text() -> None:
    from rag.models.weights import locate

    model = open_causal(locate("SmolLM2-135M-Instruct"))
    text = "Über 12 km — 港は静かだ。 \ud800 <|im_end|> مرحبا\r\n"
    found = model.pieces(text)
    assert model.mark("<|im_end|>") not in found.ids.tolist()
    covered = {i for a, b in zip(found.starts, found.ends, strict=True) for i in range(a, b)}
    assert covered == set(range(len(text)))
    assert np.all(np.diff(found.starts) >= 0)
