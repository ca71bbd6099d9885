"""A question of several steps as sub-questions, by rule: possessives, chains of `of`, relative clauses, comparisons."""

from __future__ import annotations

import re
from collections.abc import Callable

from rag.lexical import terms

__all__ = ["REFERENCE", "decompose", "references"]

REFERENCE = re.compile(r"#(\d{1,2})\b")
ASKS = re.compile(r"\?|\b(?:who|whom|whose|when|where|why|how|what|which)\b", re.IGNORECASE)
MOST = 6  # steps
LONGEST = 600  # characters of a question that are looked at
_SMALL = "of|the|and|in|on|for|to|a|an|with|by|at|from|de|la|le|von|van|der|den|del|di|da|el|al|und|et|y"
_CAP = r"(?:[^\W\d_a-zß-öø-ÿ][\w'’.&!-]*|\d[\w.-]*)"
NAME = rf"(?:\"[^\"]+\"|“[^”]+”|{_CAP}(?:,? (?:(?:{_SMALL}) ){{0,3}}\(?{_CAP}\)?)*(?: \([^)]*\))?)"
THING = rf"(?:{NAME}|#\d{{1,2}})"
WORK = r"(?:(?:film|movie|song|book|novel|album|band|play|show|series|game|magazine|person|character|version) )?"
COMPOUND = r"(?:(?:place|date|country|city|cause|year|time|region) of (?:birth|death|origin|citizenship|burial))"
NOT = (  # words that no noun phrase goes through
    r"(?!(?:of|in|on|at|for|to|with|by|from|as|that|which|where|who|whom|whose|when|what|how|is|are|was|were|did|does"
    r"|do|become|became|becomes|directly|considered|the|an?|and|or|has|have|had|during|under)\b)"
)
PART = r"(?!(?:kind|name|part|type|number|member|most|one|percentage|amount|sort|some|term|area) of)"
WORD = rf"{NOT}[a-z][a-z-]*"
RELATED = rf"(?:{COMPOUND}|{PART}{WORD}(?: {PART}{WORD})?)"
NOUN = rf"(?:{WORD} ){{0,3}}{WORD}"
OF = re.compile(rf"\b(?:[Tt]he )?(?P<rel>{RELATED}) of (?:the )?(?P<name>{WORK}{THING})")
OWNS = re.compile(
    rf"(?P<name>{THING})(?:['’]s|(?<=s)['’]) (?P<rel>(?:(?:main|own|first|oldest|youngest) )?{COMPOUND}"
    r"|birth country|(?:main )?[a-z][a-z-]+)"
)
WHERE = r"where|when|that|which|who|whom|whose|(?:in|from|on|at|for|by|to|of|with|under) (?:which|whom)"
CLAUSE = re.compile(rf"\b(?:[Tt]he|[Aa]n?|that) (?P<noun>{NOUN}),? (?P<rel>{WHERE}) (?P<rest>.+)")
BARE = re.compile(
    rf"\b(?:[Tt]he|[Aa]) (?P<noun>{NOUN}) (?:the )?(?P<name>{THING})"
    r" (?P<verb>(?:is|was|are|were)(?: an?| the)?(?: [a-z]+)? (?:in|from|of|at|on|to|by|with)|(?:is|was) from"
    r"|belongs to|belonged to|lives? in|plays? for|was (?:born|fought)"
    r"|attended|won|founded)\b"
)
HOLDS = re.compile(
    rf"\b(?:the|a) (?P<noun>{NOUN}) (?P<verb>containing|including|hosting|[a-z]+ing|[a-z]+ed by|having)"
    rf" (?P<name>{THING})"
)
CLOSES = re.compile(
    r"(?:is|was|are|were|been|be|'s)(?: a| an)?(?: \w+ly)? (?:located|born|found|based|situated|held|set|formed|from"
    r"|part|published|released|filmed|buried|citizens?|made|created|founded|signed|produced|stationed|headquartered"
    r"|played|living|raised)(?: (?:in|of|at|by)(?! #| [A-Z]))?|(?:took|takes) place|occur(?:red|s)?|died"
    r"|(?:belongs|belonged) to"
)
SIDE = NAME.replace("|and|", "|").replace("|et|y", "")
EITHER = re.compile(rf"(?:[,:] (?P<c>[^,:?]{{2,60}}?)|[,:]? (?P<a>{SIDE})),? or (?P<b>[^,?]+?)\s*\?*$")
BOTH = re.compile(
    r"^(?P<verb>(?i:are|were|is|was|do|did|does|have|has))\s+(?:both |the )*"
    rf"(?:(?P<noun>{NOUN})(?:,|,? of (?:the )?film)? )?"
    rf"(?P<a>{SIDE}),? and (?:(?:the )?(?:{NOUN}(?: of film)?) )?(?P<b>{SIDE}),? (?P<rest>.+?)\s*\?*$"
)
PEOPLE = frozenset(
    terms(
        "director author composer performer singer writer founder producer person actor actress president king queen"
        " father mother wife husband spouse son daughter child brother sister creator owner man woman player artist"
    )
)


def references(text: str) -> tuple[int, ...]:
    """Numbers of the steps that a sub-question names, `#1` for the first, in order."""
    return tuple(dict.fromkeys(int(one) for one in REFERENCE.findall(text)))


def decompose(question: str, most: int = MOST) -> tuple[str, ...]:
    """The steps of a question; `#i` stands for the answer of the i-th, which always comes before.

    ProbTree (Cao et al., EMNLP 2023, https://arxiv.org/abs/2311.13982) asks a model for this tree; here rules read
    English forms only: `X's father`, `the director of X`, `the city where X is`, `the country X is from`, `A or B`,
    `are both A and B`. A question of no such form, or in another language, is one step, itself.

    Args:
        question: any text; one of more than 600 characters, or that holds a reference itself, or asks nothing,
            is one step.
        most: steps at most.

    Returns:
        1 to `most` texts; the last asks for the answer.
    """
    text = " ".join(question[:LONGEST].split())
    if len(question) > LONGEST or REFERENCE.search(text) or not ASKS.search(text):
        return (question,)
    compared = _compared(text) if most > 2 else ()
    if compared:
        return compared
    steps: list[str] = []
    while len(steps) < most - 1:
        found = next((made for rule in RULES if (made := rule(text, len(steps) + 1)) is not None), None)
        if found is None or not _asks(found[1]):
            break
        steps.append(found[0])
        text = found[1]
    return (*steps, text) if steps else (question,)


def _asks(text: str) -> bool:
    """Whether something is left to ask beside the reference."""
    words = [word for word in terms(REFERENCE.sub(" ", text)) if word not in ("name", "call")]
    return bool(words) or len(references(text)) > 1


def _who(noun: str) -> str:
    return "Who" if PEOPLE.intersection(terms(noun)[-1:]) else "What"


def _of(text: str, number: int) -> tuple[str, str] | None:
    """`the director of X`, the innermost chain first."""
    for match in reversed(list(OF.finditer(text))):
        left = text[: match.start()] + f"#{number}" + text[match.end() :]
        if _asks(left) and match.start() > 0:
            return f"{_who(match['rel'])} is the {match['rel']} of {match['name']}?", left
    return None


def _owns(text: str, number: int) -> tuple[str, str] | None:
    """`X's father`."""
    match = OWNS.search(text)
    if match is None:
        return None
    left = text[: match.start()] + f"#{number}" + text[match.end() :]
    return f"{_who(match['rel'])} is the {match['rel']} of {match['name']}?", left


def _bare(text: str, number: int) -> tuple[str, str] | None:
    """`the country X is from`."""
    match = BARE.search(text)
    if match is None:
        return None
    verb, _, rest = match["verb"].partition(" ")
    asked = f"What {match['noun']} {verb} {match['name']} {rest}?".replace("  ", " ").replace(" ?", "?")
    return asked, text[: match.start()] + f"#{number}" + text[match.end() :]


def _holds(text: str, number: int) -> tuple[str, str] | None:
    """`the country containing X`."""
    match = HOLDS.search(text)
    if match is None:
        return None
    asked = f"Which {match['noun']} is {match['verb']} {match['name']}?"
    return asked, text[: match.start()] + f"#{number}" + text[match.end() :]


def _clause(text: str, number: int) -> tuple[str, str] | None:
    """`the city where X is located`, the innermost first, the end of its clause guessed."""
    match = None
    at = 0
    while (found := CLAUSE.search(text, at)) is not None:
        match, at = found, found.start("rest")
    if match is None:
        return None
    rest = match["rest"].rstrip(" ?.")
    end = len(rest)
    comma = rest.find(", ")
    close = CLOSES.search(rest)
    if comma > 0 and len(terms(rest[:comma])) > 1 and not re.match(r", (?:and |or |[A-Z])", rest[comma:]):
        end = comma
    elif close is not None and len(rest[close.end() :].split()) > 1:
        end = close.end()
    inside, behind = rest[:end].strip(), text[match.start("rest") + end :].lstrip(",")
    if not terms(inside):
        return None
    head = f"In which {match['noun']}" if match["rel"] == "where" else f"Which {match['noun']}"
    if " " in match["rel"]:
        head = f"{match['rel'].split()[0].capitalize()} which {match['noun']}"
    elif match["rel"] == "whose":
        head = f"Which {match['noun']} has"
    return f"{head} {inside}?", text[: match.start()] + f"#{number}" + behind


def _compared(text: str) -> tuple[str, ...]:
    """`Which is older, A or B?` and `Are both A and B ...?`: each side, then the question itself."""
    both = BOTH.match(text)
    if both is not None:
        one, other, rest = both["a"], both["b"], both["rest"]
        noun = f" {both['noun']}" if both["noun"] else ""
        told = re.sub(r"\b(?:both|the same|same)\b", "", rest)
        told = " ".join(told.split())
        sides = [f"What is known of{noun} {side}: {told}?" for side in (one, other)]
        return (*sides, text.replace(one, "#1", 1).replace(other, "#2", 1))
    either = EITHER.search(text)
    if either is None or not re.match(r"(?:which|who|what|between|is|are|was|were|did|does)\b", text, re.IGNORECASE):
        return ()
    one, other = (either["a"] or either["c"]).strip(" ,"), either["b"].strip(" ,?")
    asked = text[: either.start()].strip(" ,:?")
    if not terms(one) or not terms(other) or not terms(asked):
        return ()
    return f"{asked}: {one}?", f"{asked}: {other}?", f"{asked}, #1 or #2?"


RULES: tuple[Callable[[str, int], tuple[str, str] | None], ...] = (_owns, _of, _bare, _clause, _holds)
