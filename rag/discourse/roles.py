"""What a discourse unit is in its sentence, by its first words and those before it.

Closed lists of English cues and no parser: a role is a reading of the surface, right where cues are plain, and `main`
where there is none.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.discourse.words import Words

    Flags = NDArray[np.uint32]

__all__ = ["DELETABLE", "ROLES", "Leads", "leads", "named", "roles_of"]

ROLES = (
    *("main", "coordinated", "subordinate", "relative", "participle"),
    *("purpose", "attribution", "parenthesis", "tail", "heading"),
)
MAIN, COORDINATED, SUBORDINATE, RELATIVE, PARTICIPLE, PURPOSE, ATTRIBUTION, PARENTHESIS, TAIL, HEADING = range(10)
DELETABLE = frozenset({RELATIVE, PARTICIPLE, PURPOSE, ATTRIBUTION, PARENTHESIS, SUBORDINATE})
"""Roles of units that may go while the rest of their sentence stays, where they have a host."""

CUES: Mapping[str, str] = {
    "subordinator": (
        "because although though whereas unless whenever if until till while when since as before after once despite "
        "lest except given provided assuming wherever whether instead"
    ),
    "relative": "which who whose whom",
    "that": "that",
    "where": "where why how",
    "to": "to",
    "coordinator": "and or but nor yet plus",
    "preposition": "in on at by for with from of about into through under over upon without among during within than",
    "even": "even just only especially particularly simply",
    "order": "order so",
    "pronoun": "he she it they his her its their him them this these those such one both neither",
    "person": "he she his her him they their them",
    "subject": "i you he she it we they there this these those the a an my your our his her its their no some many",
    "connective": (
        "however therefore thus moreover furthermore nevertheless nonetheless then also besides consequently hence "
        "instead meanwhile otherwise similarly likewise still additionally accordingly"
    ),
    "verb": (
        "is are was were be been am has have had do does did will would can could may might shall should must 's "
        "'re 've 'll went came made took gave got saw became brought built kept left lost met paid ran sent set won "
        "wrote held led"
    ),
    "speech": (
        "say says said saying tell told tells think thinks thought believe believes believed claim claims claimed "
        "argue argues argued report reports reported state states stated suggest suggests suggested show shows showed "
        "explain explained explains note noted notes announce announced add added adds ask asked hope hoped according "
        "wrote writes acknowledged insisted warned admitted concluded observed commented replied answered remarked "
        "confirmed denied"
    ),
    "according": "according",
    "open": "( [",
    "close": ") ]",
    "mark": ", ; : . ! ? - – — \" “ ” ' ’ … / * _ | >",
    "stop": ". ! ? ; :",
    "comma": ",",
    "hash": "#",
}
BIT = {name: 1 << place for place, name in enumerate(CUES)}
TABLE: dict[int, int] = {}
for _name, _words in CUES.items():
    for _word in _words.split():
        _key = zlib.crc32(_word.encode())
        TABLE[_key] = TABLE.get(_key, 0) | BIT[_name]
ING, ED, ADVERB = 41, 42, 43  # classes of words
HEADING_WORDS = 16
SAID_WORDS = 10


class Leads(NamedTuple):
    """The first words of each unit.

    Args:
        first: int64 (n,), number of its first word; last: one past that of its last, equal where it has none.
        flags: uint32 (words,), the cues that each word is, bits of `BIT`.
        cue: the cues of its first, second and third word, marks in front passed over; uint32 (n,), 0 for none.
        kind: the classes of these words; uint32 (n,).
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    flags: Flags
    cue: tuple[Flags, Flags, Flags]
    kind: tuple[Flags, Flags, Flags]

    def verb(self, word: int) -> NDArray[np.bool_]:
        """Whether a word looks like a finite verb."""
        found: NDArray[np.bool_] = _has(self.cue[word], "verb") | (self.kind[word] == ED)
        return found

    @property
    def bare(self) -> NDArray[np.bool_]:
        """Whether no subject stands behind the first word, an adverb passed over: "and promote", "and then fell"."""
        second = _has(self.cue[1], "subject") | ((self.kind[1] == ADVERB) & _has(self.cue[2], "subject"))
        found: NDArray[np.bool_] = ~second
        return found

    @property
    def joined(self) -> NDArray[np.bool_]:
        """Whether no mark stands before a unit."""
        before = np.append(np.uint32(BIT["mark"]), self.flags)[self.first]
        found: NDArray[np.bool_] = ~_has(before | self.flags[np.minimum(self.first, len(self.flags) - 1)], "mark")
        return found & ~_has(before, "close")

    @property
    def verbless(self) -> NDArray[np.bool_]:
        """Whether a unit holds no word that is known as a verb."""
        verbs = np.append(0, np.cumsum(_has(self.flags, "verb") | _has(self.flags, "speech")))
        found: NDArray[np.bool_] = verbs[self.last] == verbs[self.first]
        return found

    @property
    def slight(self) -> NDArray[np.bool_]:
        """Whether a unit is a single word, or a few that lead over and end in a comma: "But", "On the other hand,"."""
        counted = np.append(0, np.cumsum(~_has(self.flags, "mark")))
        size = counted[self.last] - counted[self.first]
        over = (self.cue[0] & np.uint32(BIT["preposition"] | BIT["connective"] | BIT["coordinator"])) != 0
        comma = _has(self.flags[np.maximum(self.last - 1, 0)], "comma")
        found: NDArray[np.bool_] = (size <= 1) | (comma & over & self.verbless & (size <= 5))
        return found


def leads(words: Words, first: NDArray[np.int64]) -> Leads:
    """The first words of each unit.

    Args:
        words: of ranges of a text.
        first: int64 (n,), ascending, number of each unit's first word; units of no word have that of the next.
    """
    known = np.array([TABLE.get(form, 0) for form in words.types[:, 0].tolist()], dtype=np.uint32)
    flags: Flags = known[words.kind] if len(known) else np.zeros(0, dtype=np.uint32)
    kinds = words.types[words.kind, 2] if len(known) else flags
    last = np.append(first[1:], len(flags))[: len(first)]
    at = _behind(flags, first, last, "mark")  # quotes, dashes and commas that a unit begins with are passed over
    cue, kind = ((_at(c, at, last), _at(c, at + 1, last), _at(c, at + 2, last)) for c in (flags, kinds))
    return Leads(first, last, flags, cue, kind)


def named(words: Words, lead: Leads, opens: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a unit holds a word with a capital that does not begin a sentence; bool (n,)."""
    if not len(words.start):
        return np.zeros(len(lead.first), dtype=np.bool_)
    shape = words.types[words.kind, 3]
    capital = (shape == 3) | (shape == 5)
    begins = _behind(lead.flags, lead.first, lead.last, "mark")[opens]
    capital[begins[begins < len(capital)]] = False
    counted = np.append(0, np.cumsum(capital))
    found: NDArray[np.bool_] = counted[lead.last] > counted[lead.first]
    return found


def roles_of(words: Words, lead: Leads, opens: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The role of each unit, index into `ROLES`.

    Args:
        words: of ranges of a text.
        lead: the first words of each unit.
        opens: bool (n,), whether the unit is the first of its sentence.
    """
    first, last, flags, cue, kind = lead
    n, total = len(first), len(words.start)
    if n == 0 or total == 0:
        return np.zeros(n, dtype=np.uint8)
    size = last - first
    before = np.where(opens | (first == 0), 0, flags[np.maximum(first - 1, 0)])
    words_only = np.flatnonzero(~_has(flags, "mark") & ~_has(flags, "that"))
    final = np.append(words_only, -1)[np.searchsorted(words_only, last) - 1]
    says = (final >= first) & _has(flags[final], "speech") | (~opens & _has(cue[0], "speech"))
    says &= size <= SAID_WORDS
    has = {name: _has(cue[0], name) for name in BIT}
    inner = ~opens

    role = np.zeros(n, dtype=np.uint8)
    # from the weakest cue to the strongest, each over those before
    role[has["coordinator"]] = COORDINATED
    role[inner & ((kind[0] == ING) | ((kind[0] == ED) & ~_has(before, "subject")))] = PARTICIPLE
    role[opens & (kind[0] == ING) & ~lead.verb(1) & ~has["verb"]] = PARTICIPLE
    role[has["preposition"] & (kind[1] == ING)] = PARTICIPLE
    role[inner & has["verb"] & ~_has(before, "speech")] = TAIL
    role[says & ~has["coordinator"]] = ATTRIBUTION
    role[has["according"]] = ATTRIBUTION
    role[has["to"]] = PURPOSE
    purpose = _has(cue[1], "to") | (_has(cue[1], "order") & _has(cue[2], "to"))
    role[(has["order"] | has["preposition"]) & purpose] = PURPOSE
    role[has["subordinator"]] = SUBORDINATE
    role[(has["even"] | has["order"] | has["coordinator"]) & _has(cue[1], "subordinator") & inner] = SUBORDINATE
    role[inner & has["where"]] = RELATIVE
    role[inner & has["that"] & ~_has(before, "speech")] = RELATIVE
    role[inner & (has["relative"] | (has["preposition"] & _has(cue[1], "relative")))] = RELATIVE
    role[_has(flags[np.minimum(first, total - 1)], "open") & (size > 0)] = PARENTHESIS
    role[_heading(words, flags, first, last, opens)] = HEADING
    role[size == 0] = MAIN
    role[_resumes(words, lead, opens, role)] = TAIL
    alone = opens & np.append(opens[1:], True)
    role[alone & np.isin(role, sorted(DELETABLE - {PARENTHESIS}))] = MAIN
    return role


def _resumes(words: Words, lead: Leads, opens: NDArray[np.bool_], role: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether a unit goes on where the one before the last broke off: "The sale, | which ..., | helped"."""
    verb = _has(lead.flags, "verb") | _has(lead.flags, "speech") | (words.types[words.kind, 2] == ED)
    counted = np.append(0, np.cumsum(verb))
    verbless = counted[lead.last] == counted[lead.first]
    ended = lead.flags[np.maximum(lead.last - 1, 0)] & np.uint32(BIT["comma"] | BIT["close"])
    aside = (role == PARENTHESIS) | (((role == RELATIVE) | (role == PARTICIPLE)) & (ended != 0))
    found = np.zeros(len(role), dtype=np.bool_)
    found[2:] = verbless[:-2] & (role[:-2] == MAIN) & aside[1:-1] & ~opens[2:] & ~opens[1:-1]
    found &= ((role == MAIN) | (role == PARTICIPLE)) & (lead.last > lead.first)
    return found


def _has(flags: Flags, name: str) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (flags & np.uint32(BIT[name])) != 0
    return found


def _at(column: NDArray[np.uint32], place: NDArray[np.int64], last: NDArray[np.int64]) -> Flags:
    """The values at some places, 0 where these lie behind the unit."""
    found: Flags = np.append(column, np.uint32(0))[np.where(place < last, place, len(column))]
    return found


def _behind(flags: Flags, first: NDArray[np.int64], last: NDArray[np.int64], name: str) -> NDArray[np.int64]:
    """The first word of each unit that is not of a kind; its end where all are."""
    other = np.append(np.flatnonzero(~_has(flags, name)), len(flags))
    found: NDArray[np.int64] = np.minimum(other[np.searchsorted(other, first)], last)
    return found


def _heading(
    words: Words, flags: Flags, first: NDArray[np.int64], last: NDArray[np.int64], opens: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Whether a unit is a short line of its own that no stop ends, or begins with a number sign."""
    gap = np.append(words.gap, 3)
    total = len(words.start)
    alone = (gap[np.minimum(first, total)] >= 2) & (gap[last] >= 3) & opens & np.append(opens[1:], True)
    short = (last - first <= HEADING_WORDS) & (last > first)
    ended = _has(flags[np.maximum(last - 1, 0)], "stop")
    hashed = _has(flags[np.minimum(first, total - 1)], "hash") & (gap[np.minimum(first, total)] >= 2) & opens
    titled = np.isin(words.types[words.kind, 3][np.minimum(first, total - 1)], (1, 3, 4, 5))
    found: NDArray[np.bool_] = short & ((alone & ~ended & titled) | hashed)
    return found
