"""Entities by rule: dates, amounts, identifiers and names, each a slice with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from rag.doctree import DocTree
from rag.lexical import STOP
from rag.notes import Note, noted
from rag.stage import Field, stage
from rag.trees.keyphrases import MORE_STOP

__all__ = ["KINDS", "Entities", "Entity", "entities"]

NAME = "trees/entities"
KINDS = ("date", "amount", "identifier", "name")
MONTH = (
    "(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
UNIT = (
    "(?:%|‰|percent|per cent|million|billion|trillion|thousand|km|cm|mm|nm|kg|mg|ml|kW|MW|GW|kWh|MHz|GHz|KB|MB|GB|TB"
    "|dollars|euros|pounds|years?|months?|weeks?|days?|hours?|minutes?|seconds?|metres?|meters?|miles?|feet|acres"
    "|tokens?|bytes|patients|people|USD|EUR|GBP)"
)
NUMBER = r"\d{1,3}(?:[,.\u202f]\d{3})*(?:[.,]\d{1,6})?|\d{1,12}(?:\.\d{1,6})?"
DATE = (
    rf"\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {MONTH}(?:,? \d{{4}})?|{MONTH} \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?"
    rf"|{MONTH} \d{{4}}|\d{{4}}-\d\d-\d\d|\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{2,4}}|\d{{4}}年(?:\d{{1,2}}月(?:\d{{1,2}}日)?)?"
    r"|(?<![=$€£])(?:1[1-9]|20)\d\d"
)
AMOUNT = rf"[$€£¥](?:{NUMBER})(?: (?:million|billion|trillion|thousand))?|(?:{NUMBER})[ -]?{UNIT}"
IDENTIFIER = (
    r"https?://[^\s<>\"')\]]{3,200}|[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,32}){1,4}"
    r"|[A-Z]{2,10}[-_]?\d[\w-]{0,30}|[A-Z][A-Z0-9]{0,10}(?:[-_/][A-Z0-9]{1,10}){1,4}"
    r"|[a-z][a-z0-9]{0,40}(?:_[a-z0-9]{1,40}){1,6}|[a-z]{2,40}(?:[A-Z][a-z0-9]{1,40}){1,6}"
    r"|--[a-z][a-z0-9-]{1,40}|v?\d{1,4}\.\d{1,4}\.\d{1,6}"
)
PART = r"[^\W\d_a-z][\w’'&]{0,40}"  # begins with a letter that is no small Latin one; checked to be a capital below
ACRONYM = r"[A-Z][A-Z0-9]{1,9}s?"
FIRST = r"(?:[A-Z]|Dr|Mr|Mrs|Ms|Prof|St|Gen|Sir)\."
LINK = "(?:of|the|de|van|von|der|la|al|bin|and|for|du) "
TITLED = rf"(?:{FIRST}|{PART})(?:[ ](?:{LINK}){{0,2}}(?:[A-Z]\.(?= )|{PART})){{1,5}}"
FORMS = re.compile(
    rf"(?<![\w@])(?:(?P<identifier>{IDENTIFIER})|(?P<date>{DATE})|(?P<amount>{AMOUNT})|(?P<name>{TITLED}|{ACRONYM}"
    rf"|{PART}))(?![\w@])"
)
OPENS = re.compile(r"[.!?:;\n•|>#*\"“(\[]\s*$")
FUNCTION = STOP | MORE_STOP


class Entity(NamedTuple):
    """Something that has a name or a number: its range and which of `KINDS` it is."""

    start: int
    end: int
    kind: str


def entities(text: str, start: int, end: int) -> Iterator[Entity]:
    """The entities of a range, in order, disjoint.

    A capitalised word alone counts as a name where no sentence opens with it; of several side by side a function word
    in front is left out. Scripts without capitals give dates, amounts and identifiers only.
    """
    for found in FORMS.finditer(text, start, end):
        kind = str(found.lastgroup)
        begin, stop = found.span()
        if kind == "name":
            begin = _named(text, max(start, begin - 8), begin, stop)
        if begin < stop:
            yield Entity(begin, stop, kind)


def _named(text: str, before: int, start: int, end: int) -> int:
    """Where a name begins without a function word in front; its end where it is none."""
    while start < end:
        word = re.match(r"[^\s]+", text[start:end])
        length = len(word.group()) if word else end - start
        first = text[start : start + length]
        if not first[:1].isupper() and not first[:1].istitle():
            return end  # a script without capitals
        if first.rstrip(".").lower() not in FUNCTION:
            break
        start += length
        while start < end and (text[start] == " " or text[start].islower()):
            start += 1
    rest = text[start:end]
    single = " " not in rest
    if single and not (len(rest) > 1 and rest.rstrip("s").isupper()):
        behind = text[before:start]
        if len(rest) < 3 or not behind or OPENS.search(behind):
            return end
    return start


@stage
class Entities:
    """Note the names, dates, amounts and identifiers of every leaf, as they stand in it.

    By rule, for text written with capitals; in other scripts dates, amounts and identifiers alone are found. Nothing is
    linked or resolved: two spellings are two notes. What it adds is measured in `evals/reproduce/enrichment.py`.

    Args:
        tree: any tree.

    Returns:
        The tree with the field `entities`: at most k notes a leaf, in the order in which they first stand there, each a
        slice of the leaf with every place where it stands; `by` ends in its kind, such as `trees/entities#date`.
    """

    k: int = Field(default=16, ge=1, le=256, description="entities of a leaf at most")
    kinds: tuple[str, ...] = Field(default=KINDS, min_length=1, description="which: date, amount, identifier, name")

    def __post_init__(self) -> None:
        """Only kinds that there are."""
        from rag.errors import ConfigError

        wrong = [kind for kind in self.kinds if kind not in KINDS]
        if wrong:
            raise ConfigError(f"{NAME}: kinds: must be of {', '.join(KINDS)}, got {wrong[0]!r}.")

    def __call__(self, tree: DocTree, /) -> DocTree:
        """The tree with entities."""
        return noted(tree, "entities", {leaf.index: self._notes(tree, leaf.start, leaf.end) for leaf in tree.leaves()})

    def _notes(self, tree: DocTree, start: int, end: int) -> list[Note]:
        text = tree.document.text
        places: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for one in entities(text, start, end):
            if one.kind in self.kinds:
                places.setdefault((text[one.start : one.end], one.kind), []).append((one.start, one.end))
        return [Note(said, tuple(spans), f"{NAME}#{kind}", True) for (said, kind), spans in places.items()][: self.k]
