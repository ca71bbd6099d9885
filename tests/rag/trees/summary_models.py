"""Language models that answer by rule, well or badly."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from rag.errors import Refused, Unavailable
from rag.models.llm import Reply

LINE = re.compile(r"^(\d+)\. (.+)$", re.MULTILINE)


@dataclass
class Teller:
    """Says the first numbered sentence, citing it; or misbehaves as told."""

    habit: str = "good"
    calls: list[str] = field(default_factory=list, repr=False)

    @property
    def name(self):
        return f"rule/{self.habit}"

    @property
    def fingerprint(self):
        return self.name

    def complete(self, messages, **settings):
        shown = messages[-1].content
        self.calls.append(shown)
        habit = self.habit
        if habit == "third":
            habit = ("good", "unavailable", "truncated", "refused", "good", "good", "good")[len(self.calls) % 7]
        if habit == "unavailable":
            raise Unavailable("rule: busy")
        if habit == "refused":
            raise Refused("rule: no")
        listed = LINE.findall(messages[1].content)
        number, said = listed[0]
        told = {"sentences": [{"text": said, "cites": [int(number)]}]}
        if habit == "inventor":
            told = {"sentences": [{"text": said, "cites": [999]}]}
        if habit == "liar":
            told = {"sentences": [{"text": "Dragons ate 77 purple bicycles yesterday.", "cites": [1]}]}
        if habit == "babbler":
            told = {"sentences": [{"text": " ".join(text for _, text in listed) * 3, "cites": [1]}]}
        text = json.dumps(told)
        return Reply(text[: len(text) // 2] if habit == "truncated" else text, 10, 10)
