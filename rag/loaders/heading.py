"""The title a Markdown file gives itself."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

__all__ = ["markdown_title", "rst_title"]

FRONT = re.compile(r"\ufeff?(---|\+\+\+)[ \t]*\r?\n")
FIELD = re.compile(r"""title[ \t]*[:=][ \t]*(?:"([^"\r\n]*)"|'([^'\r\n]*)'|((?:[^\r\n#]|(?<=\S)#)*))""", re.IGNORECASE)
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$")
CLOSING = re.compile(r"(?:[ \t]+#+|[ \t]*\{#[^{}]*\})?[ \t]*$")
SETEXT = re.compile(r" {0,3}=+[ \t]*$")
MARKS = re.compile(r"(\*\*|__|`+)(.+?)\1")
RST_UNDER = re.compile(r"([!-/:-@\[-`{-~])\1{2,}$")
FRONT_LINES = 500
LONGEST = 500  # characters of a title


def markdown_title(text: str) -> str:
    """The `title` of the front matter, else the first heading that is of level 1 or opens the text, else nothing.

    Reads lines only up to the first hit. Emphasis and code marks around words are taken off.
    """
    title, body = _front(text)
    if title:
        return title
    fence, before, opened = "", "", False
    for raw in body:
        line = raw.lstrip("\ufeff")
        if fence:
            mark = FENCE.match(line)
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
                fence = ""
            continue
        if mark := FENCE.match(line):
            fence, before = mark[1], ""
        elif (head := ATX.match(line)) and (head[1] == "#" or not opened) and (title := _plain(head[2] or "")):
            return title
        elif before and SETEXT.match(line):
            return _plain(before)
        else:
            before = line if line.strip() and not line.startswith(("    ", "\t", ">", "-", "*", "+")) else ""
        opened = opened or bool(line.strip())
    return ""


def rst_title(text: str) -> str:
    """The first line with a line drawn under it, among the first lines of a reStructuredText document."""
    lines = text[:20_000].lstrip("\ufeff").splitlines()[:FRONT_LINES]
    for title, under in itertools.pairwise(lines):
        line = under.rstrip()
        drawn = RST_UNDER.match(line) and not RST_UNDER.match(title.rstrip())
        if drawn and title.strip() and title[0] != "." and len(line) >= len(title.strip()):
            return title.strip()[:LONGEST]
    return ""


def _plain(title: str) -> str:
    return MARKS.sub(r"\2", CLOSING.sub("", title[:LONGEST].strip())).strip()


def _front(text: str) -> tuple[str, Sequence[str]]:
    """Title in the front matter, and the lines below it; an unclosed one is a rule, not front matter."""
    lines = text.splitlines()
    found = FRONT.match(text)
    title = ""
    for i, line in enumerate(lines[1:FRONT_LINES] if found else ()):
        if found and line.rstrip() in (found[1], "..."):
            return title, lines[i + 2 :]
        if not title and (field := FIELD.match(line)):
            title = next((g for g in field.groups() if g is not None), "").strip()
    return "", lines
