"""Whether what a model said about a passage holds: copied words stand in it, sentences name nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from rag.lexical import STOP, stem
from rag.readers.quotes import find

__all__ = ["Evidence", "copied", "listed"]

NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
SAID = re.compile(r"[^\W_]")
SHARE = 0.6  # of a sentence's content words that must stand in its evidence
LONGEST = 600  # characters of one statement


@dataclass(frozen=True, eq=False)
class Evidence:
    """A text that statements are held against; its words are gathered once.

    Args:
        text: a document with its title, or a passage with the headings above it.
    """

    text: str

    @cached_property
    def words(self) -> frozenset[str]:
        """Its words, folded, and the parts of hyphenated ones."""
        found = WORD.findall(self.text.casefold())
        return frozenset(found) | {part for word in found for part in re.split(r"['’-]", word)}

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of its words."""
        return frozenset(map(stem, self.words))

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Its numbers, thousands marks left out."""
        return frozenset(map(_plain, NUMBER.findall(self.text)))

    def supports(self, said: str, share: float = SHARE) -> bool:
        """Whether every number and every name of a statement stands here, and most of its content words do.

        A name is a capitalised word that no sentence opens with. Words, not facts, are compared: a statement that turns
        the evidence's own words into something wrong passes.
        """
        body = said.strip()
        if not body or len(body) > LONGEST:
            return False
        if not all(_plain(one) in self.numbers for one in NUMBER.findall(body)):
            return False
        if any(name.casefold() not in self.words for name in _names(body)):
            return False
        content = [stem(word) for word in WORD.findall(body.casefold()) if word not in STOP]
        return bool(content) and sum(one in self.stems for one in content) >= share * len(content)


def _plain(number: str) -> str:
    return re.sub(r"(?<=\d),(?=\d{3}\b)", "", number)


def _names(text: str) -> Iterable[str]:
    """Capitalised words, those that a sentence opens with left out."""
    for found in WORD.finditer(text):
        word = found.group()
        if word[0].isupper() and word.casefold() not in STOP:
            before = text[: found.start()].rstrip(" \"'“‘([")
            if before and before[-1] not in ".!?:;":
                yield word


def copied(said: str, text: str, start: int, end: int) -> tuple[int, int] | None:
    """Where a copied phrase stands in a range as whole words; None where it does not."""
    body = said.strip()
    if len(body) > LONGEST or not SAID.search(body):
        return None
    found = find(body, text, start, end)
    if found is None:
        return None
    a, b = found
    inside = (a > start and text[a - 1].isalnum() and text[a].isalnum() and text[a].isascii()) or (
        b < end and text[b].isalnum() and text[b - 1].isalnum() and text[b].isascii()
    )
    return None if inside else found


def listed(value: object, most: int) -> list[str]:
    """The texts of a list of texts, blank ones and repetitions left out; ValueError where it is none."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("a list of strings was asked for")
    return list(dict.fromkeys(one.strip() for one in value if one.strip()))[:most]
