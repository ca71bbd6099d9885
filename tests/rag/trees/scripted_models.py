"""Language models and scorers for tests that answer by rule; where processes import them they must live in a module."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.doctree import DocTree, flat
from rag.errors import ModelError, Unavailable
from rag.models.llm import Message, Reply
from rag.stage import Field, stage
from rag.types import Document, Query

ASKED = Query("q", "Who painted the Winter Gate?")
LINE = re.compile(r"^(\d+)\. (.*)$", re.MULTILINE)


def leaves(*texts: str) -> DocTree:
    """A flat tree of these texts."""
    ends = np.cumsum([len(t) for t in texts]).tolist()
    return flat(Document("d", "".join(texts)), list(zip([0, *ends[:-1]], ends, strict=True)))


def report(prompt: str) -> str:
    """A valid record: the first shown sentence with a capitalised word of the question, or none."""
    question = prompt.partition("Question: ")[2].partition("\n")[0]
    names = re.findall(r"[A-Z]\w{3,}", question[1:])
    lines = LINE.findall(prompt)
    if "findings" in prompt:
        found = [int(n) for n, _ in lines][:2]
        answer = lines[0][1].partition(" (confidence")[0]
        return json.dumps({"answer": answer, "findings": found, "confidence": 10, "reasoning": "r"})
    for number, text in lines:
        if any(name in text for name in names):
            by = re.search(r"by (\w+)", text)
            answer = by[1] if by else text.split()[-1].strip(".")
            item = {"answer": answer, "sentence": int(number), "quote": " ".join(text.split()[:2])}
            return json.dumps({"status": "answered", "items": [item], "confidence": 8, "reasoning": "stated"})
    return json.dumps({"status": "none", "items": [], "confidence": 0, "reasoning": ""})


@stage
class Scripted:
    """Answers by rule, or in the way its `how` names."""

    how: str = Field(default="well", description="well, invents-id, invents-quote, refuses, truncates, down, confident")
    every: int = Field(default=1, ge=1, description="misbehaves on prompts whose digest is divisible by it")
    pause: float = Field(default=0.0, description="seconds a call takes")

    @property
    def name(self) -> str:
        return f"scripted/{self.how}"

    @property
    def fingerprint(self) -> str:
        return f"{self.name}/{self.every}"

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Any] | None = None,
        max_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
        logprobs: int = 0,
    ) -> Reply:
        if self.pause:
            time.sleep(self.pause)
        prompt = messages[1].content
        text = report(prompt)
        if self.how != "well" and sum(prompt.encode()) % self.every == 0:
            text = self._badly(text)
        return Reply(text, sum(len(m.content) for m in messages) // 4, len(text) // 4)

    def _badly(self, text: str) -> str:
        if self.how == "down":
            raise ModelError(f"{self.name}: broken")
        if self.how == "unavailable":
            raise Unavailable(f"{self.name}: busy")
        if self.how == "refuses":
            return "I am sorry, but I cannot help with that."
        if self.how == "truncates":
            return text[: len(text) // 2]
        made = json.loads(text)
        if self.how == "invents-id":
            made = {**made, "status": "answered", "items": [{"answer": "Zorro", "sentence": 999, "quote": "Zorro"}]}
        if self.how == "invents-quote":
            made = {**made, "status": "answered", "items": [{"answer": "Zorro", "sentence": 1, "quote": "Zorro rode"}]}
        if "findings" in made and self.how in ("invents-id", "invents-quote"):
            made = {"answer": "Zorro", "findings": [999], "confidence": 10, "reasoning": ""}
        return json.dumps(made)


@stage
class FailingScorer:
    """Scores by shared words, and fails on texts that hold a word."""

    word: str = "FAILS"

    @property
    def name(self) -> str:
        return "failing"

    @property
    def fingerprint(self) -> str:
        return "failing@1"

    def score(self, query: str, texts: Sequence[str], /) -> NDArray[np.float32]:
        if any(self.word in text for text in texts):
            raise ModelError("failing: no scores")
        asked = set(query.lower().split())
        return np.array([4.0 * len(asked & set(t.lower().split())) for t in texts], dtype=np.float32)
