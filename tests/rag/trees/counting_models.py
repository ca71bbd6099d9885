"""Models that count what they are given: texts to embed, passages to write about."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rag.models.embed import HashEmbedder
from rag.models.llm import Message, Reply
from rag.stage import stage

PASSAGE = re.compile(
    r"^Passage (\d+)(?: \([^\n]*\))?:\n(.*?)(?=\n\nPassage \d+|\n</passages)", re.MULTILINE | re.DOTALL
)


@stage
class CountingEmbedder:
    """HashEmbedder that keeps a list of the texts it embedded."""

    seen: list[str]

    name = "counting/64"
    fingerprint = "counting/64@1"
    dim = 64
    max_tokens = 8192

    def embed(self, texts: Any, *, query: bool = False) -> Any:
        self.seen.extend(texts)
        return HashEmbedder(dim=64).embed(texts) if len(texts) else np.zeros((0, 64), dtype=np.float32)


@dataclass
class FirstWords:
    """Names the first words of every passage as its keywords, or the first sentence as its fact."""

    asked: list[str] = field(default_factory=list, repr=False)

    @property
    def name(self) -> str:
        return "first-words"

    @property
    def fingerprint(self) -> str:
        return "first-words@1"

    def complete(self, messages: list[Message], **settings: Any) -> Reply:
        shown = messages[1].content
        self.asked.append(shown)
        if "[1] " in shown:
            first = shown.split("[1] ", 1)[1].split("\n", 1)[0]
            return Reply(json.dumps({"facts": [{"sentence": 1, "text": first}]}), 8, 8)
        said = [{"id": int(m[1]), "keywords": [" ".join(m[2].split()[:2])]} for m in PASSAGE.finditer(shown)]
        return Reply(json.dumps({"passages": said}), 8, 8)
