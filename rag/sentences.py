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

CLOSERS = "\"'”’»)\\]}*_"
# a stop, more of them, what closes with it, white space; the look-ahead keeps decimals and addresses out
STOP = re.compile(rf"[.!?…؟۔।॥։።။។](?=[\s.!?…{CLOSERS}\[])[.!?…]*+(?:[{CLOSERS}]|\[\d{{1,4}}\])*+(\s*+)")
FULL_STOP = re.compile(r"[。！？｡]++[」』”’）】》〉]*+\s*+")  # full-width stops need no white space
BLANK = re.compile(r"\n[^\S\n]*+\n\s*+")
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


# Last letters of the words above that are that long; behind other four small letters a stop is no riddle.
PLAIN = re.compile(
    "(?!" + "|".join(sorted({w[-4:] for w in NEVER | BEFORE_NUMBER | MAYBE if w[-4:].isalpha()})) + ")[a-z]{4}"
).fullmatch


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
    cuts = [m.span() for m in STOP.finditer(text, start, stop) if m.end() > m.start(1)]
    extra = [m.span() for m in BLANK.finditer(text, start, stop)]
    if any(text.find(mark, start, stop) >= 0 for mark in "。！？｡"):
        extra += [m.span() for m in FULL_STOP.finditer(text, start, stop)]
    if extra:
        cuts = sorted(cuts + extra, key=_end)
    small = _lower(text, start, stop)
    spans = []
    last = start
    for at, cut in cuts:
        if cut >= stop:
            break
        # most stops follow a word of four small letters or more, and are followed by one blank and a capital
        if cut - at == 2 and at - last > 4 and "A" <= text[cut] <= "Z" and PLAIN(text, at - 4, at):
            spans.append((last, cut))
            last = cut
            continue
        if cut <= last or (at - last < 4 and text[last:at].isspace()) or (at == last and text[at] == "\n"):
            continue  # nothing but white space so far
        if _ends(text, last, at, cut, small):
            spans.append((last, cut))
            last = cut
    spans.append((last, stop))
    return spans


def _end(span: tuple[int, int]) -> int:
    return span[1]


def _lower(text: str, start: int, stop: int) -> bool:
    """Whether a range is written without capitals, so that a small letter may open a sentence."""
    sample = text[start : min(stop, start + 2000)]
    return sample == sample.lower()


def _ends(text: str, last: int, at: int, cut: int, small: bool) -> bool:  # noqa: PLR0911 - one rule a line
    """Whether the candidate at `at`, whose white space ends at `cut`, ends a sentence."""
    mark = text[at]
    if mark == "\n":
        return True
    if cut - at > 2 and BLANK.search(text, at, cut):
        return True
    if mark in "。！？｡":
        return not (text[cut - 1] in "」』" and text[cut] in "とっのはがをも")
    ahead = text[cut : cut + 16].lstrip(OPENERS)
    if not small and ahead[:1].islower():
        return False
    if mark != "." or text[at + 1] == ".":
        return True
    behind = text[max(last, at - 24) : at].split()
    if not behind:
        return True
    word = behind[-1].lstrip(OPENERS)
    if (word.isdigit() and len(word) < 4) or (len(word) == 1 and word.islower()):
        return _mid_line(text, last, at - len(word))
    if len(word) == 1 and word.isupper():
        return _opens(ahead)
    low = word.lower()
    if low in NEVER:
        return False
    if low in BEFORE_NUMBER:
        return not ahead[:1].isdigit()
    if low in MAYBE or (len(low) < 12 and "." in low and all(len(part) == 1 for part in low.split("."))):
        return _opens(ahead)
    return True


def _mid_line(text: str, last: int, begin: int) -> bool:
    """Whether more than white space stands between the start of the line and `begin`: no list mark."""
    return bool(text[max(last, begin - 8) : begin].rpartition("\n")[2].strip())


def _opens(ahead: str) -> bool:
    """Whether the text ahead begins with a word that usually opens a sentence."""
    match = WORD.match(ahead)
    return bool(match) and match.group().lower() in STARTERS  # type: ignore[union-attr]
