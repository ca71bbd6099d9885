"""Real tokens, counted offline: cl100k, o200k, and the tokenizers of the embedded models.

A token here is what the model of that name reads. The two byte-pair vocabularies of tiktoken come from
the files that the llama-index-core wheel carries (their sha256 is checked), so nothing is downloaded and
`llama_index` itself is never imported.

What exact means: `count(text) == len(starts(text))`, the same on every machine, and equal to tiktoken's
own number, with two exceptions. A run of more than `RUN` characters without a blank (or of blanks alone)
is encoded in pieces, because tiktoken's regular expression overflows its stack on such runs and its older
releases need quadratic time; the cut goes before a punctuation mark that follows a letter, where the
vocabularies always cut as well, and only where there is none after exactly `RUN` characters. A lone
surrogate, which has no UTF-8, counts as U+FFFD. Text that looks like a special token (`<|endoftext|>`) is
ordinary text.

Counts do not add up: the tokens of `a + b` may be fewer or more than those of `a` and `b` apart. A cap on a
slice must be checked with `count` of that slice; `starts` of the whole text is a guide for where to cut.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from rag.errors import ConfigError, MissingWeights

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RUN", "Tokenizer", "clean", "counter", "nltk_data_dir"]

RUN = 8192  # characters; longer runs without a blank, or of blanks, are encoded in pieces

_BLOCK = RUN // 2  # a run longer than RUN covers at least one aligned block of this length
_RUNS = re.compile(r"\s+|\S+")
# before ASCII or CJK punctuation that follows a letter; apostrophes may belong to the word in o200k
_SAFE = re.compile(r"(?<=[^\W\d_])[!-&(-/:-@\[-^`{-~\u3001\u3002\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


@runtime_checkable
class Tokenizer(Protocol):
    """Counts and places the tokens of a text."""

    @property
    def name(self) -> str:
        """The name `counter` knows it by."""

    def count(self, text: str, /) -> int:
        """Number of tokens, without the marks a model adds around its input."""

    def counts(self, texts: Sequence[str], /) -> list[int]:
        """`count` of each text, in order."""

    def starts(self, text: str, /) -> NDArray[np.int64]:
        """int64 (t,), the code point each token starts in; non-decreasing.

        Tokens that share a code point (its bytes fell apart) have the same start.
        """


@dataclass(frozen=True)
class _Bpe:
    """A tiktoken vocabulary."""

    name: str
    file: str
    sha256: str
    pattern: str

    @cached_property
    def _encoding(self) -> Any:
        import tiktoken
        from tiktoken.load import load_tiktoken_bpe

        path = _static("tiktoken_cache") / self.file
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != self.sha256:
            raise MissingWeights(
                f"tokens {self.name!r}: {path} is missing or damaged. "
                "Run: pip install --force-reinstall --no-deps llama-index-core"
            )
        ranks = load_tiktoken_bpe(str(path))
        return tiktoken.Encoding(self.name, pat_str=self.pattern, mergeable_ranks=ranks, special_tokens={})

    @cached_property
    def _lengths(self) -> NDArray[np.int64]:
        """Token id -> its length in bytes."""
        ranks: dict[bytes, int] = self._encoding._mergeable_ranks
        lengths = np.zeros(max(ranks.values()) + 1, dtype=np.int64)
        lengths[np.fromiter(ranks.values(), np.int64, len(ranks))] = [len(token) for token in ranks]
        return lengths

    def count(self, text: str, /) -> int:
        encode = self._encoding.encode_ordinary
        return sum(len(encode(piece)) for piece in _pieces(clean(text)))

    def counts(self, texts: Sequence[str], /) -> list[int]:
        encode = self._encoding.encode_ordinary  # thousands of single words come here when chunks are measured
        return [len(encode(text)) if len(text) <= RUN and text.isascii() else self.count(text) for text in texts]

    def starts(self, text: str, /) -> NDArray[np.int64]:
        text = clean(text)
        encode = self._encoding.encode_ordinary
        ids = [np.asarray(encode(piece), dtype=np.int64) for piece in _pieces(text)]
        lengths = self._lengths[np.concatenate(ids)] if ids else np.zeros(0, dtype=np.int64)
        at = np.cumsum(lengths) - lengths  # first byte of each token
        if text.isascii():
            return at
        raw = np.frombuffer(text.encode(), dtype=np.uint8)
        begins = (raw & 0xC0) != 0x80  # a byte 10xxxxxx continues a code point
        starts: NDArray[np.int64] = (np.cumsum(begins, dtype=np.int64) - 1)[at]
        return starts


@dataclass(frozen=True)
class _Model:
    """The tokenizer of an embedded model."""

    name: str

    @cached_property
    def _tokenizer(self) -> Any:
        import tokenizers

        from rag.models.weights import locate

        path = locate(self.name) / "tokenizer.json"
        if not path.is_file():
            raise ConfigError(f"tokens {self.name!r}: this model has no tokenizer.json. Use one of: {_NAMES}.")
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def count(self, text: str, /) -> int:
        return len(self._tokenizer.encode(clean(text), add_special_tokens=False).ids)

    def counts(self, texts: Sequence[str], /) -> list[int]:
        encodings = self._tokenizer.encode_batch_fast([clean(t) for t in texts], add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]

    def starts(self, text: str, /) -> NDArray[np.int64]:
        offsets = self._tokenizer.encode(clean(text), add_special_tokens=False).offsets
        return np.asarray([start for start, _ in offsets], dtype=np.int64)


@dataclass(frozen=True)
class _Chars:
    """Every code point is a token; for tests and for limits in characters."""

    name: str = "chars"

    def count(self, text: str, /) -> int:
        return len(text)

    def counts(self, texts: Sequence[str], /) -> list[int]:
        return [len(text) for text in texts]

    def starts(self, text: str, /) -> NDArray[np.int64]:
        return np.arange(len(text), dtype=np.int64)


@dataclass(frozen=True)
class _Words:
    """Every run without a blank is a token; for tests and for limits in words."""

    name: str = "words"

    def count(self, text: str, /) -> int:
        return len(text.split())

    def counts(self, texts: Sequence[str], /) -> list[int]:
        return [len(text.split()) for text in texts]

    def starts(self, text: str, /) -> NDArray[np.int64]:
        return np.asarray([match.start() for match in re.finditer(r"\S+", text)], dtype=np.int64)


_CL100K = _Bpe(
    "cl100k",
    "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
    "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|"
    r"\s+(?!\S)|\s",
)
_O200K = _Bpe(
    "o200k",
    "fb374d419588a4632f3f557e76b4b70aebbca790",
    "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
)
_OWN: dict[str, Tokenizer] = {t.name: t for t in (_CL100K, _O200K, _Chars(), _Words())}
_NAMES = ", ".join([*_OWN, "or the name of an embedded model with a tokenizer, such as bge-small-en-v1.5"])


@cache
def counter(name: str = "cl100k") -> Tokenizer:
    """The tokenizer of this name; its files are read on first use.

    Args:
        name: `cl100k`, `o200k`, `chars`, `words`, or an embedded model such as `bge-small-en-v1.5`.

    Raises:
        ConfigError: no tokenizer has this name.
    """
    if name in _OWN:
        return _OWN[name]
    from rag.models.weights import known

    if not known(name):
        raise ConfigError(f"no tokenizer {name!r}. Use one of: {_NAMES}.")
    return _Model(name)


def nltk_data_dir() -> Path:
    """The folder of NLTK data (punkt_tab, stop words) that the llama-index-core wheel carries.

    Raises:
        MissingWeights: that package is not installed, or was installed without its data.
    """
    return _static("nltk_cache")


@cache
def _static(folder: str) -> Path:
    spec = find_spec("llama_index.core") if find_spec("llama_index") else None
    path = Path(spec.origin).parent / "_static" / folder if spec and spec.origin else None
    if path is None or not path.is_dir():
        raise MissingWeights(
            f"llama-index-core's data folder {folder!r} was not found. Run: pip install llama-index-core"
        )
    return path


def clean(text: str) -> str:
    """The text with every lone surrogate replaced, one code point for one."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text


def _pieces(text: str) -> Iterator[str]:
    """The text, cut inside every run that is longer than RUN (none, nearly always)."""
    if not text:
        return
    if len(text) <= RUN or not any(
        len(match[0]) >= _BLOCK for at in range(0, len(text), _BLOCK) if (match := _RUNS.match(text, at))
    ):
        yield text
        return
    begin = 0
    for match in _RUNS.finditer(text):
        at, end = match.span()
        while end - at > RUN:
            marks = [mark.start() for mark in _SAFE.finditer(text, at + 1, at + RUN)]
            at = marks[-1] if marks else at + RUN
            yield text[begin:at]
            begin = at
    yield text[begin:]
