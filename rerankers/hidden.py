"""What a passage says that a reader of the page does not see, made readable.

A language model reads characters, not the page: comments and unseen elements of HTML, characters of no width, letters
of other alphabets that look alike, text in reverse order, the invisible copies of ASCII in Unicode's block of tags,
and what is spelt in base64 or hex. Each is undone into a view, and the views are judged like plain text (attacks of
this kind: Greshake et al., "Not what you've signed up for", AISec 2023, https://arxiv.org/abs/2302.12173, section
3.2). That a passage hides something is no fault by itself: emoji are joined by a character of no width, and comments
stand in every page.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from html import unescape
from typing import NamedTuple
from urllib.parse import unquote

__all__ = ["View", "plain", "views"]

UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
TURNED = re.compile("[\u202e\u202d]([^\u202c\n]{8,})")
TAGS = re.compile("[\U000e0020-\U000e007e]{4,}")
COMMENT = re.compile(r"<!--(.*?)(?:-->|\Z)", re.DOTALL)
STYLE = (
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0?\.?0*\s*[;\"']|font-size\s*:\s*[01](?:px|pt|em|%)?"
    r"\s*[;\"']|(?:text-indent|left|top)\s*:\s*-\d{3,}|clip\s*:\s*rect|(?:width|height)\s*:\s*[01](?:px)?\s*[;\"']"
    r"|(?<!-)color\s*:\s*(?:white|transparent|#fff(?:fff)?|rgba?\(\s*255\s*,\s*255\s*,\s*255)"
)
ELEMENT = re.compile(
    rf"<(\w+)\b[^<>]{{0,300}}?(?:\bhidden\b|aria-hidden\s*=\s*[\"']?true|(?:style|color)\s*=\s*[\"']?[^<>]{{0,300}}?(?:{STYLE}|#fff|white))[^<>]{{0,300}}>"
    r"(.*?)(?:</\1\s*>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
ATTRIBUTE = re.compile(
    r"\b(?:alt|title|aria-label|content|data-[\w-]+)\s*=\s*(?:\"([^\"<>]{6,})\"|'([^'<>]{6,})')", re.IGNORECASE
)
BASE64 = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/_-]{4}(?:[A-Za-z0-9+/_-]|[\r\n](?=[A-Za-z0-9+/_-]{16})){16,}={0,2}")
HEX = re.compile(r"(?:(?:0x|\\x|%)?[0-9a-fA-F]{2}[\s,]?){16,}")
SPELT = re.compile(r"(?:(?<!\w)\w[ .\-_*]{1,2}){8,}\w(?!\w)")
WORD = re.compile(r"\w+")
MARKUP = re.compile(r"<[^<>]{1,400}>")
LONGEST = 20_000  # characters of one view
LOOKS = str.maketrans(  # Cyrillic and Greek letters -> the Latin ones they look like
    "аеорсухіјѕԁһӏԛԝѵАВЕКМНОРСТУХІЈЅαεορνικτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧı",
    "aeopcyxijsdhlqwvABEKMHOPCTYXIJSaeopviktuxABEZHIKMNOPTYXi",
)


class View(NamedTuple):
    """One reading of a passage.

    Args:
        kind: `text`, or how it was hidden: `html`, `no width`, `reversed`, `tags`, `base64`, `hex`, `spelt out`.
        text: what it says.
    """

    kind: str
    text: str


def plain(text: str) -> str:
    """A text as it looks: one form for each letter, nothing that takes no room.

    Letters of other alphabets are only replaced where some word mixes them with Latin ones.
    """
    shown = unicodedata.normalize("NFKC", UNSEEN.sub("", text))
    if shown.isascii() or not any(_mixed(m.group()) for m in WORD.finditer(shown)):
        return shown
    return WORD.sub(_latin, shown)


def views(text: str) -> list[View]:
    """Every reading of a passage, the visible one first; linear in its length."""
    shown = plain(text)
    found = [View("text", shown)]
    if UNSEEN.search(text):
        spaced = plain(UNSEEN.sub(" ", text))
        found += [View("no width", one) for one in (shown, " ".join(spaced.split())) if one]
        found += [View("tags", "".join(chr(ord(c) - 0xE0000) for c in m.group())) for m in TAGS.finditer(text)]
        found += [View("reversed", plain(m.group(1))[::-1]) for m in TURNED.finditer(text)]
    if "<" in text:
        inner = [m.group(1) for m in COMMENT.finditer(shown)]
        inner += [m.group(2) for m in ELEMENT.finditer(shown)]
        inner += [m.group(1) or m.group(2) for m in ATTRIBUTE.finditer(shown)]
        found += [View("html", plain(unescape(MARKUP.sub(" ", one)))) for one in inner if len(one) > 5]
    if "&#" in text or "%20" in text:
        found.append(View("html", plain(unquote(unescape(text)))))
    found += [View("base64", one) for m in BASE64.finditer(shown) for one in _base64(m.group())]
    found += [View("hex", one) for m in HEX.finditer(shown) for one in _hex(m.group())]
    found += [View("spelt out", re.sub(r"[ .\-_*]", "", m.group())) for m in SPELT.finditer(shown)]
    return [View(kind, one[:LONGEST]) for kind, one in found]


def _mixed(word: str) -> bool:
    """Whether a word has letters of the Latin alphabet and letters that look like them."""
    return not word.isascii() and any("a" <= c.lower() <= "z" for c in word) and word.translate(LOOKS) != word


def _latin(match: re.Match[str]) -> str:
    word = match.group()
    return word.translate(LOOKS) if _mixed(word) or word.translate(LOOKS).isascii() else word


def _base64(text: str) -> list[str]:
    body = re.sub(r"\s", "", text).rstrip("=").replace("-", "+").replace("_", "/")
    body = body[: len(body) - (len(body) % 4 == 1)]
    try:
        return _readable(base64.b64decode(body + "=" * (-len(body) % 4)))
    except binascii.Error:
        return []


def _hex(text: str) -> list[str]:
    digits = re.sub(r"0x|\\x|[%\s,]", "", text)
    return _readable(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _readable(data: bytes) -> list[str]:
    """The data as text, where it is text."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return []
    letters = sum(c.isalnum() or c.isspace() for c in text)
    return [plain(text)] if len(text) > 8 and letters > 0.7 * len(text) else []
