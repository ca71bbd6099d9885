"""Probabilities of tokens and choices: kept, counted, and refused when they are none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rag.errors import ConfigError, ModelError
from rag.models.calls import Calls, using
from rag.models.llm import Message, Reply, TokenProb
from rag.models.logprobs import TokenProbs, choices, tells_tokens, token_probs

ASKED = [[Message("user", "one or two?")], [Message("user", "two or one?")]]


class Letters:
    """Finds every letter as likely as it says."""

    name = "letters"
    fingerprint = "letters@1"

    def __init__(self, value: float = -1.5, shift: int = 0) -> None:
        self.value, self.shift, self.asked = value, shift, 0

    def token_logprobs(self, text: str, /) -> TokenProbs:
        self.asked += 1
        at = np.arange(len(text), dtype=np.int64) + self.shift
        return TokenProbs(at, at + 1, np.full(len(text), self.value, dtype=np.float32))

    def choice_logprobs(self, messages: Sequence[Message], options: Sequence[str], /) -> list[float]:
        self.asked += 1
        return [self.value * i for i in range(len(options))]


class Hosted:
    """Reports its likeliest first tokens."""

    name = "hosted"
    fingerprint = "hosted@1"

    def __init__(self, *top: tuple[str, float]) -> None:
        self.top = top

    def complete(self, messages: Sequence[Message], **settings: object) -> Reply:
        return Reply("1", 3, 1, logprobs=(TokenProb("1", -0.1, self.top),) if self.top else None)


def test_the_same_text_is_read_once_and_counted(tmp_path: Path) -> None:
    model = Letters()
    with using(Calls(cache=tmp_path / "replies.sqlite")) as calls:
        first, again = token_probs(model, "some text"), token_probs(model, "some text")
        assert model.asked == 1
        assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(first, again, strict=True))
        assert calls.ledger.usage()["tokens_in"] == 9
        assert calls.ledger.usage()["cached"] == 1
        assert np.array_equal(choices(model, ASKED, ("1", "2")), choices(model, ASKED, ("1", "2")))
        assert model.asked == 3
    assert len(token_probs(model, "").starts) == 0


@pytest.mark.parametrize("model", [Letters(float("nan")), Letters(0.5), Letters(-1, 1), Letters(float("-inf"))])
def test_numbers_that_are_no_probabilities_are_refused(model: Letters) -> None:
    with pytest.raises(ModelError, match="letters: gave"):
        token_probs(model, "text")


def test_choices_are_shares_of_the_options_alone() -> None:
    found = choices(Letters(), ASKED, ("1", "2"))
    assert np.allclose(found, [[1 / (1 + np.exp(-1.5)), 1 - 1 / (1 + np.exp(-1.5))]] * 2)
    hosted = choices(Hosted((" 2", -0.1), ("The", -0.2), ("1", -3.1)), ASKED[:1], ("1", "2"))
    assert np.isclose(hosted[0, 1] / hosted[0, 0], np.exp(3.0))
    assert np.allclose(choices(Hosted(), ASKED, ("1", "2")), 0.5)  # it reports nothing
    assert choices(Letters(), [], ("1", "2")).shape == (0, 2)
    with pytest.raises(ModelError, match="for 2 choices"):
        choices(Letters(float("nan")), ASKED, ("1", "2"))


def test_a_model_that_cannot_tell_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="chunkers/perplexity: llm: must tell the probability .* got Hosted"):
        tells_tokens(Hosted(), "chunkers/perplexity: llm")
