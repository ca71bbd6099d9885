"""Prompts: text files in `rag/prompts`, versioned by their content, with sources kept apart from instructions."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from rag.errors import ConfigError
from rag.models.llm import Message

__all__ = ["Prompt", "fenced", "prompt"]

ROLE = re.compile(r"^--- (system|user|assistant) ---\n", re.MULTILINE)
HOLE = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation with holes.

    Args:
        name: of its file.
        version: 12 hex digits of the digest of its text; part of the cache's key.
        turns: (role, text) of each message; `{name}` in a text is a hole.
    """

    name: str
    version: str
    turns: tuple[tuple[str, str], ...]

    def fill(self, **values: str) -> list[Message]:
        """The messages with every hole filled, in one pass: a value with braces in it stays as it is.

        Raises:
            ConfigError: a hole has no value, or a value no hole.
        """
        holes = {name for _, text in self.turns for name in HOLE.findall(text)}
        if holes != set(values):
            raise ConfigError(f"prompt {self.name!r}: needs {sorted(holes)}, got {sorted(values)}.")
        return [Message(role, HOLE.sub(lambda m: values[m.group(1)], text)) for role, text in self.turns]


@cache
def prompt(name: str) -> Prompt:
    """The prompt of `rag/prompts/NAME.txt`.

    Raises:
        ConfigError: there is no such file, or it has no turn.
    """
    folder = files("rag") / "prompts"
    file = folder / f"{name}.txt"
    if not re.fullmatch(r"[a-z0-9_-]+", name) or not file.is_file():
        have = sorted(f.name.removesuffix(".txt") for f in folder.iterdir() if f.name.endswith(".txt"))
        raise ConfigError(f"no prompt {name!r}. Use one of: {', '.join(have)}.")
    text = file.read_text(encoding="utf-8")
    parts = ROLE.split(text)[1:]
    turns = tuple((role, body.strip()) for role, body in zip(parts[::2], parts[1::2], strict=True))
    if not turns:
        raise ConfigError(f"prompt {name!r}: has no turn; begin one with a line such as `--- user ---`.")
    return Prompt(name, hashlib.sha256(text.encode()).hexdigest()[:12], turns)


def fenced(text: str, label: str = "sources") -> str:
    """A text between marks that do not occur in it, so that it cannot close its own fence.

    The mark is made of the text's digest: the same text, the same prompt.
    """
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"<{label} {mark}>\n{text}\n</{label} {mark}>"
