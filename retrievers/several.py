"""Whether a question needs evidence from more than one passage, by rule."""

from __future__ import annotations

import re

from retrievers.decompose import decompose
from retrievers.names import names

__all__ = ["several"]

LONGEST = 600  # characters of a question that are looked at
_MORE = (
    "older younger earlier later first last longer shorter larger bigger smaller taller higher lower closer more fewer"
    " most less better worse recently"
)
_MADE = (
    "directed written performed born founded located named built owned created composed produced played signed"
    " published recorded sung portrayed starring married based known released developed formed operated designed"
    " headquartered"
)
BOTH = re.compile(r"\bboth\b")
EITHER = re.compile(rf"\b(?:{'|'.join(_MORE.split())})\b.*[,\s].*\bor\b ")
SAME = re.compile(r"\bsame \w+")
JOINED = re.compile(r"\b(?:and|as|with)\b")
NESTED = re.compile(r"\bof\s+(?:the\s+)?(?:\w+\s+){0,2}?(?:of|in|from|that|who|where|which|whose)\b")
OWNED_TWICE = re.compile(r"\w['’]s? \w+(?: \w+)?['’]s\b")
CLAUSE = re.compile(
    r"\b(?:the|a|an|its|his|her)\s+(?:[\w-]+\s+){1,4}(?:,\s*)?(?:who|that|which|whose|whom|where|(?:in|for|of) which)\b"
)
PARTICIPLE = re.compile(
    rf"\bthe\s+(?:[\w-]+\s+){{1,3}}(?:{'|'.join(_MADE.split())})\s+(?:by|in|at|from|for|as|on|to)\b"
)
ASKS_FIRST = re.compile(
    r"^(?:(?:in|on|at|of|for|to|with|by|from)\s+)?(?:what|which|who|whom|whose|when|where|why|how)\b"
)
ASKS_LATE = re.compile(r"\s(?:what|which|who|whom|whose)\b(?=[^?]{0,60}\?*\s*$)")


def several(question: str) -> tuple[str, ...]:
    """Why a question seems to need several passages; () where one should do.

    English forms only: a comparison, a relative clause or participle about something unnamed, `of` within `of`, a
    question word that comes late, or steps that `retrievers.decompose` finds.
    """
    text = " ".join(question[:LONGEST].split())
    low = text.lower()
    body = ASKS_FIRST.sub("", low)
    found = {
        "comparison": BOTH.search(low) or EITHER.search(low) or (SAME.search(low) and JOINED.search(low)),
        "nested": NESTED.search(low) or OWNED_TWICE.search(text),
        "clause": CLAUSE.search(body) or PARTICIPLE.search(body),
        "late": body == low and ASKS_LATE.search(low) and names(text),
        "steps": len(decompose(text)) > 1,
    }
    return tuple(name for name, there in found.items() if there)
