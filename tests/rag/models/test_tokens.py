from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import ConfigError
from rag.models.tokens import RUN, Tokenizer, counter, nltk_data_dir

NAMES = ["cl100k", "o200k", "chars", "words"]
TEXTS = [
    "",
    " ",
    "Hello, world! It's 2024 - we'll see.\r\n\r\n\tdef f(x):\n    return x**2  # done\n",
    "Zürich: 東京 は 首都。 Привет мир! नमस्ते दुनिया 👩‍👩‍👧‍👦 🇫🇷 e\u0301a\u0308",
    "<|endoftext|> is ordinary <|fim_prefix|> text",
    "\ufeffbyte order mark\x00\x0b\u2028",
]


@pytest.fixture(scope="module", params=["cl100k", "o200k"])
def theirs(request):
    """Ours and tiktoken's own encoding of the same name, from the same files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(nltk_data_dir().parent / "tiktoken_cache"))
        return counter(request.param), tiktoken.get_encoding(f"{request.param}_base")


@pytest.mark.parametrize("text", TEXTS)
def test_counts_are_those_of_tiktoken(theirs, text):
    ours, reference = theirs
    assert ours.count(text) == len(reference.encode_ordinary(text))


@pytest.mark.parametrize("text", TEXTS)
def test_starts_are_those_of_tiktoken(theirs, text):
    ours, reference = theirs
    _, offsets = reference.decode_with_offsets(reference.encode_ordinary(text))
    assert ours.starts(text).tolist() == offsets


@given(text=st.text(max_size=200))
def test_every_tokenizer_counts_what_it_places(text):
    for name in NAMES:
        tokens = counter(name)
        starts = tokens.starts(text)
        assert starts.dtype == np.int64
        assert len(starts) == tokens.count(text) == tokens.counts([text])[0]
        assert (np.diff(starts) >= 0).all()
        assert not len(starts) or 0 <= starts[0] <= starts[-1] < len(text)


@given(text=st.text(st.characters(categories=["Cs", "Lu", "So"]), max_size=30))
def test_lone_surrogates_count_as_replacement_characters(text):
    clean = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    for name in ("cl100k", "o200k"):
        assert counter(name).starts(text).tolist() == counter(name).starts(clean).tolist()


@pytest.mark.parametrize("name", ["cl100k", "o200k"])
@pytest.mark.parametrize("unit", ["a", " ", "-", "\n", "\u4e2d", "e\u0301", "\t ", "1"])
def test_long_runs_take_linear_time_and_never_overflow(name, unit):
    tokens = counter(name)
    tokens.count("warm")
    text = unit * (300_000 // len(unit)) + "x"
    began = time.perf_counter()
    starts = tokens.starts(text)
    assert time.perf_counter() - began < 5
    assert len(starts) == tokens.count(text)
    assert starts[0] == 0
    assert starts[-1] < len(text)


def test_cuts_of_long_runs_at_punctuation_change_no_count(theirs):
    ours, reference = theirs
    text = "".join(f"word{'abc'[i % 3] * (i % 7)},東京は首都。don't;" for i in range(3_000))
    assert len(text) > 2 * RUN
    assert ours.count(text) == len(reference.encode_ordinary(text))


def test_a_long_text_of_short_words_is_encoded_whole(theirs):
    ours, reference = theirs
    text = "The quick brown fox, don't you know?   \n\n" * 2_000
    assert ours.count(text) == len(reference.encode_ordinary(text))


def test_counters_are_shared_and_typed():
    assert counter() is counter("cl100k")
    assert isinstance(counter(), Tokenizer)
    assert [counter(name).name for name in NAMES] == NAMES


def test_an_unknown_name_is_an_error_that_lists_the_known():
    with pytest.raises(ConfigError, match=r"no tokenizer 'gpt5'.*cl100k, o200k, chars, words"):
        counter("gpt5")


def test_words_are_what_stands_between_blanks():
    assert counter("words").starts("  one two\n").tolist() == [2, 6]
    assert counter("words").count(" \n ") == 0


def test_sentence_data_is_found_offline():
    assert (nltk_data_dir() / "tokenizers" / "punkt_tab" / "english").is_dir()
    assert (nltk_data_dir() / "corpora" / "stopwords" / "english").is_file()


def test_counting_imports_no_llama_index():
    code = "import sys, rag.models.tokens as t; t.counter().count('x'); print('llama_index.core' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


@pytest.mark.model
def test_an_embedded_model_counts_with_its_own_tokenizer():
    tokens = counter("bge-small-en-v1.5")
    assert tokens.count("Hello world") == 2
    assert tokens.counts(["Hello world", "", "tokenization"]) == [2, 0, 2]
    assert tokens.starts("Zürich  tokenization").tolist() == [0, 8, 13]
    assert tokens.count("word " * 2_000) == 2_000
