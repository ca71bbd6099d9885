"""Language models for tests of retrievers that ask one: by rule, lying, looping, failing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rag.models.llm import Message, Reply, TokenProb
from rag.types import Document

TOWNS = (
    Document("lind", "Ada Lind was an engineer. Ada Lind was born in the town of Orm.", "Ada Lind"),
    Document("harbour", "The harbour of Vell was dredged by Ada Lind in 1904.", "Harbour of Vell"),
    Document("orm", "The town of Orm lies in Tamland. Its mayor is Bo Reed.", "Orm"),
    Document("vell", "Vell has a castle. The mayor of Vell is Cy Dune.", "Vell"),
    Document("bread", "Bread rises when yeast eats sugar.", "Bread"),
)
HOPS = "Who is the mayor of the town where the person who dredged the harbour of Vell was born?"


@dataclass
class Model:
    """Says what a function makes of the prompt; raises where that is an error."""

    says: Callable[[str], Any]
    name: str = "model"
    probs: bool = False
    asked: list[str] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        return f"{self.name}@1"

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Any] | None = None,
        logprobs: int = 0,
        **settings: Any,
    ) -> Reply:
        prompt = "\n".join(one.content for one in messages)
        self.asked.append(prompt)
        said = self.says(prompt)
        if isinstance(said, Exception):
            raise said
        text = said if isinstance(said, str) else json.dumps(said)
        told = (TokenProb(text, -0.1),) if self.probs and logprobs else None
        return Reply(text, 10, 5, logprobs=told)
