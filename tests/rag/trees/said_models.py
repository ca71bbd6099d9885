"""Language models that say what they are told to, for the tests of enrichment."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, ClassVar

from rag.models.llm import Message, Reply
from rag.stage import stage

PASSAGE = re.compile(r"^Passage (\d+)(?: \([^\n]*\))?:\n(.*?)(?=\n\nPassage \d+|\n</passages)", re.M | re.S)


@stage
class Scripted:
    """Answers with what a function makes of the passages it was shown."""

    say: Callable[[dict[int, str]], Any]
    asked: list[str]

    @property
    def name(self) -> str:
        return "scripted/1"

    @property
    def fingerprint(self) -> str:
        return "scripted/1@1"

    def complete(self, messages: list[Message], **settings: Any) -> Reply:
        shown = messages[1].content
        self.asked.append(shown)
        said = self.say({int(m[1]): m[2] for m in PASSAGE.finditer(shown)})
        text = said if isinstance(said, str) else json.dumps(said)
        return Reply(text, len(shown) // 4, len(text) // 4)


@stage
class Same:
    """Gives every passage the same keyword; can be written as YAML."""

    counted: ClassVar[list[str]] = []
    word: str = "harbour"

    @property
    def name(self) -> str:
        return "same/1"

    @property
    def fingerprint(self) -> str:
        return "same/1@1"

    def complete(self, messages: list[Message], **settings: Any) -> Reply:
        shown = messages[1].content
        self.counted.append(shown)
        said = {"passages": [{"id": int(m[1]), "keywords": [self.word]} for m in PASSAGE.finditer(shown)]}
        return Reply(json.dumps(said), 8, 8)
