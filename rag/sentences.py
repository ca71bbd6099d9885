"""Sentences by rule: where one ends, and where a full stop is only part of a word.

Candidates come from one regular expression that passes over the text once; each is then judged by
the word before it and the word after it. Grefenstette and Tapanainen ("What is a word, what is a
sentence?", COMPLEX 1994) report that abbreviation lists plus the case of the next word decide nearly all
full stops of English prose. Here a second list, of words that open sentences, decides after
abbreviations that may also end one ("in the U.S. The court", but "the U.S. Supreme Court").
"""

from __future__ import annotations

import re

__all__ = ["sentence_spans"]

STOPS = ".!?…؟۔।॥։።။។"
CLOSERS = "\"'”’»)\\]}*_"
CANDIDATE = re.compile(
    rf"(?<![{STOPS}])[{STOPS}]++(?:[{CLOSERS}]|\[\d{{1,4}}\])*+\s++"  # a stop, what closes with it, white space
    r"|[。！？｡]++[」』”’）】》〉]*+\s*+"  # full-width stops need no white space
    r"|\n[^\S\n]*+\n\s*+"  # a blank line
)
BLANK = re.compile(r"\n[^\S\n]*+\n")
WORD = re.compile(r"[^\W\d_]+")
OPENERS = "\"'“‘«([{*_¿¡"


def _words(line: str) -> frozenset[str]:
    return frozenset(line.split())


# Never the end of a sentence, whatever follows.
NEVER = _words(
    "mr mrs ms mx dr prof mt rev hon gen col maj capt cmdr lt sgt gov sen rep pres messrs mme mlle fr "
    "vs cf viz approx resp fig figs eq eqs refs eds e.g i.e a.k.a z.b d.h u.a bzw vgl"
)
# An abbreviation only in front of a number ("no. 5"), else a word like any other.
BEFORE_NUMBER = _words(
    "no nos art arts sec secs ch chap p pp par para vol vols jan feb mar apr jun jul aug sep sept oct nov dec "
    "op cl reg regs abs nr ex exh ca ref tab"
)
# May end a sentence: it does when an opening word follows.
MAYBE = _words(
    "inc ltd co corp llc plc bros jr sr al ph.d m.d b.a m.a a.m p.m etc est dept univ assn ave blvd rd st "
    "mon tue thu fri ed trans supp"
)
STARTERS = _words(
    "the a an this that these those it its he she they we you i his her their our my there here in on at by for from "
    "with without as if when while where after before although though because since but and or however moreover "
    "thus therefore then so also such each every all some many most no not what who which why how one two "
    "another other under during despite to of once both neither either until unless"
)


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Cut a range of a text into sentences.

    Linear in the length of the range. Decimals, initials, abbreviations, addresses and numbered list
    marks do not end a sentence; closing quotes and brackets and the white space behind them belong to
    the sentence before; a blank line always ends one; full-width stops need no space behind them.

    Args:
        text: any text.
        start: first code point of the range.
        end: one past its last; None means the end of the text.

    Returns:
        Non-empty `(start, end)` ranges of the text, in order, that tile the range exactly.
    """
    stop = len(text) if end is None else end
    if start >= stop:
        return []
    spans = []
    last = start
    for match in CANDIDATE.finditer(text, start, stop):
        cut = match.end()
        if cut >= stop:
            break
        if text[last : match.start()].isspace() or (match.start() == last and text[last] == "\n"):
            continue  # nothing but white space so far
        if _ends(text, last, match.start(), cut, stop):
            spans.append((last, cut))
            last = cut
    spans.append((last, stop))
    return spans


def _ends(text: str, last: int, at: int, cut: int, stop: int) -> bool:  # noqa: PLR0911 - one rule a line
    """Whether the candidate at `at`, whose white space ends at `cut`, ends a sentence."""
    mark = text[at]
    if mark == "\n" or BLANK.search(text, at, cut):
        return True
    if mark in "。！？｡":
        return not (text[cut - 1] in "」』" and text[cut] in "とっのはがをも")
    ahead = text[cut : min(cut + 24, stop)].lstrip(OPENERS)
    if ahead[:1].islower():
        return False
    if mark != "." or text[at + 1] == ".":
        return True
    behind = text[max(last, at - 24) : at].split()
    if not behind or text[at - 1].isspace():
        return True
    word = behind[-1].lstrip("\"'“‘«([{*_")
    opens = _opens(ahead)
    if (word.isdigit() and len(word) < 4) or (len(word) == 1 and word.islower()):
        return _mid_line(text, last, at - len(word))
    if len(word) == 1 and word.isupper():
        return opens
    low = word.lower()
    if low in NEVER:
        return False
    if low in BEFORE_NUMBER:
        return not ahead[:1].isdigit()
    if low in MAYBE or ("." in low and all(len(part) == 1 for part in low.split("."))):
        return opens
    return True


def _mid_line(text: str, last: int, begin: int) -> bool:
    """Whether more than white space stands between the start of the line and `begin`: no list mark."""
    return bool(text[max(last, begin - 8) : begin].rpartition("\n")[2].strip())


def _opens(ahead: str) -> bool:
    """Whether the text ahead begins with a word that usually opens a sentence."""
    match = WORD.match(ahead)
    return bool(match) and match.group().lower() in STARTERS  # type: ignore[union-attr]
