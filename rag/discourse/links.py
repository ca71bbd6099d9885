"""What a discourse unit needs to be understood: its host clause, its antecedent, the definition of a term it uses.

The links follow cues alone and are made to be kept, not to be right in every case: a packer that keeps what a unit
needs spends some tokens too many, one that drops it leaves a clause without its subject. They always point inside
a range, a host inside its sentence, and chains of hosts end, or end in the two pieces of an interrupted clause: a unit
points forward only to a main clause, which has no host but its own second piece.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rag.discourse.roles import (
    ATTRIBUTION,
    BIT,
    COORDINATED,
    HEADING,
    MAIN,
    PARENTHESIS,
    PARTICIPLE,
    PURPOSE,
    RELATIVE,
    SUBORDINATE,
    TAIL,
)
from rag.discourse.words import TOKEN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.discourse.roles import Leads
    from rag.discourse.words import Words

__all__ = ["antecedents", "definitions", "hosts"]

BESIDE = frozenset({RELATIVE, PARENTHESIS, PARTICIPLE, PURPOSE})  # belong to what stands directly before
STANDS = frozenset({MAIN, HEADING})
REFERS = BIT["pronoun"] | BIT["connective"]
QUOTE = '"“”«»'
TERM = rf"[{QUOTE}]([^{QUOTE}\n]{{2,60}})[{QUOTE}]"
DEFINED = re.compile(
    rf"\((?:[^()\n{QUOTE}]{{0,40}}){TERM}[^()\n]{{0,20}}\)"
    rf"|{TERM}\s+(?:shall\s+)?(?:means?|refers?\s+to|is\s+defined\s+as|(?:has|have)\s+the\s+meanings?)\b"
    r"|\(([A-Z][A-Z0-9-]{1,9})s?\)"
)
SENTENCES = 4  # back to which a person's name is looked for
PER_WORD = 8  # terms that begin with the same word


def hosts(role: NDArray[np.uint8], sentence: NDArray[np.int64], lead: Leads) -> NDArray[np.int64]:
    """For each unit the one that it cannot stand without, -1 for none.

    Args:
        role: uint8 (n,), index into `rag.discourse.ROLES`.
        sentence: int64 (n,), not descending.
        lead: the first words of each unit.

    Returns:
        int64 (n,). What stands beside belongs to the unit before it (parentheses in between passed over), a subordinate
        clause to the main clause before it, else to the one behind, an attribution to what is said, the second piece
        of an interrupted unit to its first, and this to it where it has no verb, what goes on without a mark or a
        subject to what it goes on from.
    """
    n = len(role)
    found = [-1] * n
    if not len(lead.flags):
        return np.array(found, dtype=np.int64)
    roles, of = role.tolist(), sentence.tolist()
    slight, joined = lead.slight.tolist(), lead.joined.tolist()
    bare = (lead.bare & (role == COORDINATED)).tolist()
    tight = [
        roles[i] == MAIN and joined[i] and i > 0 and of[i] == of[i - 1] and roles[i - 1] != ATTRIBUTION
        for i in range(n)
    ]
    broken = lead.verbless.tolist()
    following = _next_main(roles, of, tight)
    clause = before = previous = -1  # in this sentence: last clause, last unit but parentheses, the one before
    for i, kind in enumerate(roles):
        if i and of[i] != of[i - 1]:
            clause = before = previous = -1
        if kind in BESIDE:
            found[i] = before if before >= 0 else previous if previous >= 0 else following[i]
        elif kind == SUBORDINATE:
            near = before if before >= 0 and joined[i] else clause if clause >= 0 else following[i]
            found[i] = near if near >= 0 else previous
        elif tight[i]:
            found[i] = previous
        elif bare[i] or kind == TAIL:
            found[i] = clause if clause >= 0 else before
            if kind == TAIL and found[i] >= 0 and found[found[i]] < 0 and broken[found[i]]:
                found[found[i]] = i
        elif kind == ATTRIBUTION:
            after = i + 1 < n and of[i + 1] == of[i] and roles[i + 1] == MAIN and not tight[i + 1]
            found[i] = i + 1 if after else clause if clause >= 0 else following[i]
        if (kind in STANDS and not tight[i] and not slight[i]) or kind == COORDINATED:
            clause = i
        if kind != PARENTHESIS and not slight[i]:
            before = i
        previous = i
    return np.array(found, dtype=np.int64)


def _next_main(roles: Sequence[int], of: Sequence[int], tight: Sequence[bool]) -> list[int]:
    """For each unit the next main clause of its sentence that needs nothing itself, -1 for none."""
    found = [-1] * len(roles)
    ahead = -1
    for i in range(len(roles) - 1, -1, -1):
        if ahead >= 0 and of[ahead] != of[i]:
            ahead = -1
        found[i] = ahead
        if roles[i] == MAIN and not tight[i]:
            ahead = i
    return found


def antecedents(
    cue: NDArray[np.uint32],
    role: NDArray[np.uint8],
    sentence: NDArray[np.int64],
    within: NDArray[np.int64],
    names: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """For each unit that opens its sentence with a pronoun or connective the one that this refers to, -1 for none.

    Args:
        cue: uint32 (n,), cues of the first word that is no mark.
        role: uint8 (n,).
        sentence: int64 (n,), not descending.
        within: int64 (n,), range of each unit, not descending.
        names: bool (n,), whether a unit holds a name: a capital not at the beginning of a sentence.

    Returns:
        int64 (n,): for a person's pronoun the last unit of the `SENTENCES` sentences before that holds a name; for
        other words, and where there is none, the main clause of the sentence before.
    """
    n = len(role)
    found = np.full(n, -1, dtype=np.int64)
    opens = np.append(True, sentence[1:] != sentence[:-1])[:n]
    same = np.append(False, within[1:] == within[:-1])[:n]
    asking = np.flatnonzero(opens & same & ((cue & np.uint32(REFERS)) != 0) & (role != HEADING))
    if not len(asking):
        return found
    index = np.arange(n)
    named = np.maximum.accumulate(np.where(names, index, -1))
    main = np.maximum.accumulate(np.where((role == MAIN) | (role == COORDINATED), index, -1))
    person = (cue[asking] & np.uint32(BIT["person"])) != 0
    last_name, last_main = named[asking - 1], main[asking - 1]
    near = (last_name >= 0) & (sentence[asking] - sentence[last_name] <= SENTENCES)
    near &= within[last_name] == within[asking]
    stands = (last_main >= 0) & (sentence[last_main] == sentence[asking] - 1)
    found[asking] = np.where(person & near, last_name, np.where(stands, last_main, asking - 1))
    return found


def definitions(
    text: str,
    ranges: Sequence[tuple[int, int]],
    words: Words,
    bounds: NDArray[np.int64],
    first: NDArray[np.int64],
) -> NDArray[np.int64]:
    """For each unit the earlier one of its range that defines a term it uses, -1 for none.

    Terms are those in quotes within brackets or before "means", and short forms in capitals within brackets. A unit
    that uses several has the link of the first. Linear: only words that begin a term are looked at.

    Args:
        text: any text.
        ranges: half-open ranges of it.
        words: of the ranges.
        bounds: int64 (ranges + 1,), number of the first word of each range, and of all words.
        first: int64 (n,), ascending, number of each unit's first word.
    """
    found = np.full(len(first), -1, dtype=np.int64)
    for k, (start, end) in enumerate(ranges):
        terms: dict[str, list[tuple[str, int]]] = {}
        at = words.start[bounds[k] : bounds[k + 1]]
        for match in DEFINED.finditer(text, start, end):
            term = (match[1] or match[2] or match[3]).strip()
            head = TOKEN.match(term)
            if head and term[0].isupper() and len(mine := terms.setdefault(head[0], [])) < PER_WORD:
                mine.append((term, int(bounds[k] + np.searchsorted(at, match.start()))))
        if not terms:
            continue
        begins = np.fromiter((form in terms for form in words.forms), np.bool_, len(words.forms))
        mine_words = words.kind[bounds[k] : bounds[k + 1]]
        for word in (bounds[k] + np.flatnonzero(begins[mine_words])).tolist():
            place = int(words.start[word])
            for term, defined in terms[words.forms[words.kind[word]]]:
                if defined < word and text.startswith(term, place):
                    unit, source = (int(np.searchsorted(first, w, side="right")) - 1 for w in (word, defined))
                    if source < unit and found[unit] < 0:
                        found[unit] = source
    return found
