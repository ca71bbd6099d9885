"""Names in a text, found by their capitals, as keys under which two spellings of one name meet."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

from rag.store.terms import ENGLISH

__all__ = ["key", "names", "spoken", "subjects", "title_keys"]

MOST_WORDS = 6  # of a name inside a longer row of capitals
LONGEST_RUN = 24  # words of a row that are looked at; a longer one is a heading in capitals
TITLE_WORDS = 10  # of a name that a question says
QUESTION_WORDS = 400  # of a question that are looked at

_UP = f"[{''.join(chr(c) for c in range(0x0588) if chr(c).isupper())}]"  # scripts with two cases: Latin to Armenian
_CAP = rf"{_UP}(?:[^\W_]|[\u0300-\u036f])*(?:['’](?!s\b)[^\W_]+)?(?:['’]s\b)?"
_NUMBER = r"(?:\d[\d.,]*\d\w{0,2}|\d\w{0,2})"
_INNER = (
    "of|the|and|von|van|der|den|de|del|della|da|di|do|dos|du|la|le|les|el|al|bin|ibn|for|in|on|at|to|a|y|und|zu|ter"
)
_INITIAL = rf"(?<=[\s.(\"]{_UP})\. ?|(?<=\b(?:Mr|Dr|St|Jr|Sr|Mt))\. |(?<=\bMrs)\. "
_PARTICLES = rf" (?:(?:{_INNER}) ){{1,2}}"
RUN = re.compile(
    rf"(?<![^\W_]){_CAP}(?:(?:[ \u00a0]|-|{_INITIAL}|, |: | ?& ?| \(|\) ?|{_PARTICLES})(?:{_CAP}|{_NUMBER}))*"
)
PART = re.compile(rf"{_CAP}|{_NUMBER}|[^\W_]+")
SUBJECT = re.compile(
    rf"\W{{0,3}}(?P<name>(?:(?:The|A|An) )?(?:{_CAP}|{_NUMBER})"
    rf"(?:(?:[ \u00a0]|- ?|{_INITIAL}|: | ?& ?|{_PARTICLES})(?:{_CAP}|{_NUMBER}))*)[\"”'’]?"
    r"(?P<tail> ?\(|,| (?:is|was|are|were|has|had|may|can|refers|–|-|—) | \[|;|(?P<bare> [a-z]))"
)
PARTICLE = re.compile(rf"\b(?:{_INNER}|The)\b|\d")
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[\u0300-\u036f]+")
BRACKET = re.compile(r"\s*\([^()]*\)\s*$")
_STARTS = (
    "the a an he she it they his her its their this that these those in on at by as after before during when while"
    " although however since both following there also for from with where who which what one two three other another"
    " some many most all according despite because if i we you our my and but or not is was are were did do does has"
)
STARTS = frozenset(_STARTS.split())  # what begins a sentence and no name
ARTICLES = ("the ", "a ", "an ")
_DATES = (
    "january february march april may june july august september october november december"
    " monday tuesday wednesday thursday friday saturday sunday"
)
DATES = frozenset(_DATES.split())


@lru_cache(maxsize=1 << 16)
def key(name: str) -> str:
    """One spelling for a name: lower case, without accents, possessive, punctuation and a leading article."""
    plain = name.replace("’", "'").replace("'s ", " ").removesuffix("'s").replace("'", "").replace("&", " and ")
    if not plain.isascii():
        plain = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", plain))
        plain = "".join(c for c in plain if not unicodedata.combining(c))
    words = " ".join(WORD.findall(plain.casefold().replace("'", "")))
    return next((words[len(one) :] for one in ARTICLES if words.startswith(one)), words)


def names(text: str) -> list[str]:
    """Keys of the names in a text, in order, repetitions included.

    A name is a row of words with capitals, with particles (`Bank of England`), initials and numbers inside; a date is
    none. Every shorter row within it counts too: where a row holds two names, or a word too many, one of them is the
    name that another text says. `Ada M. Lind` is `ada lind` as well. Scripts without capitals have none.
    """
    found: list[str] = []
    for run in RUN.finditer(text):
        parts = PART.findall(run.group())[:LONGEST_RUN]
        big = [i for i, part in enumerate(parts) if not part[0].islower()]
        for n, i in enumerate(big):
            if i == 0 and parts[0].casefold() in STARTS:
                continue
            for j in big[n : n + MOST_WORDS]:
                if j - i >= MOST_WORDS:
                    break
                one = key(" ".join(parts[i : j + 1]))
                words = one.split()
                if len(one) > 1 and one not in ENGLISH and not all(w in DATES or w.isdecimal() for w in words):
                    found.append(one)
                    if len(words) == 3 and [len(w) > 1 for w in words] == [True, False, True] and words[1].isalpha():
                        found.append(f"{words[0]} {words[2]}")
    return found


def title_keys(title: str) -> list[str]:
    """Keys a document is known by: its title, also without what stands in parentheses or behind a comma."""
    title = html.unescape(title)
    short = BRACKET.sub("", title)
    found = (key(title), key(short), key(short.split(", ")[0]))
    return list(dict.fromkeys(one for one in found if len(one) > 1))


def subjects(text: str) -> list[str]:
    """Keys of the name that a passage begins with and goes on to speak of; of a person also first and last name alone.

    `Ada M. Lind (born 1871) was ...` gives `ada m lind` and `ada lind`. Empty where the passage begins otherwise.
    """
    found = SUBJECT.match(text[:300])
    if not found:
        return []
    words = key(found["name"]).split()
    first = found["name"].split()[0].casefold()
    if not words or len(words) > TITLE_WORDS or (first in STARTS and first not in {"the", "a", "an"}):
        return []
    if len(words) == 1 and (len(words[0]) < 3 or words[0] in STARTS or found["bare"]):
        return []
    person = 3 <= len(words) <= 4 and found["tail"].strip() == "(" and not PARTICLE.search(found["name"])
    return [" ".join(words), f"{words[0]} {words[-1]}"] if person else [" ".join(words)]


def spoken(text: str) -> list[str]:
    """Keys of every row of words of a question that could be a name, longer ones first."""
    words = WORD.findall(text)[:QUESTION_WORDS]
    rows = (words[i : i + n] for n in range(TITLE_WORDS, 0, -1) for i in range(len(words) - n + 1))
    return list(dict.fromkeys(one for row in rows if (one := key(" ".join(row))) and one not in ENGLISH))
