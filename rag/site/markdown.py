"""Markdown to HTML, with names turned into links; needs the extra `docs`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from rag.optional import require

__all__ = ["inline", "render", "slug"]

ADDRESS = re.compile(r"(https?://[^\s<>()\"]*[\w/])")
STUDY = re.compile(r"(?:python -m )?evals\.reproduce[. ]([a-z][\w-]*)")


def slug(title: str) -> str:
    """A heading as the name of its place on the page."""
    return re.sub(r"[^\w]+", "-", title.lower()).strip("-") or "top"


@cache
def _parser() -> Any:
    made: Any = require("markdown_it", extra="docs", by="rag docs").MarkdownIt("commonmark", {"html": False})
    return made.enable("table")


def inline(text: str) -> str:
    """One line of Markdown without a paragraph around it."""
    return str(_parser().renderInline(text))


def render(text: str, *, names: Mapping[str, str], link: Callable[[str], str]) -> str:
    """The text as HTML: headings get places, names in backticks lead to their pages, raw HTML stays text.

    Args:
        text: Markdown of CommonMark, with tables.
        names: what stands between backticks -> the target that `link` is given.
        link: turns the target of a link, as written or from `names`, into an address.
    """
    parser = _parser()
    tokens = parser.parse(text)
    taken: dict[str, int] = {}
    for i, token in enumerate(tokens):
        if token.type == "heading_open":
            place = slug(tokens[i + 1].content)
            taken[place] = taken.get(place, 0) + 1
            token.attrSet("id", place if taken[place] == 1 else f"{place}-{taken[place]}")
        if token.type == "inline":
            known = {} if tokens[i - 1].type == "heading_open" else names
            token.children = _linked(token.children or [], known, link)
    shown = str(parser.renderer.render(tokens, parser.options, {}))
    return shown.replace("<table>", "<div class=wide><table>").replace("</table>", "</table></div>")


def _linked(children: list[Any], names: Mapping[str, str], link: Callable[[str], str]) -> list[Any]:
    """The pieces of a line with links resolved and known names made links."""
    made: list[Any] = []
    depth = 0
    for one in children:
        if one.type == "link_open":
            one.attrSet("href", link(str(one.attrGet("href"))))
        depth += {"link_open": 1, "link_close": -1}.get(one.type, 0)
        if one.type == "text" and not depth and "://" in one.content:
            made += _addresses(one)
            continue
        target = _target(one.content, names) if one.type == "code_inline" and not depth else None
        if target is None:
            made.append(one)
            continue
        opened = type(one)("link_open", "a", 1)
        opened.attrSet("href", link(target))
        made += [opened, one, type(one)("link_close", "a", -1)]
    return made


def _addresses(text: Any) -> list[Any]:
    """A run of text with the addresses in it made links."""
    made: list[Any] = []
    for piece in ADDRESS.split(text.content):
        inner = type(text)("text", "", 0)
        inner.content = piece
        if ADDRESS.fullmatch(piece):
            opened = type(text)("link_open", "a", 1)
            opened.attrSet("href", piece)
            made += [opened, inner, type(text)("link_close", "a", -1)]
        elif piece:
            made.append(inner)
    return made


def _target(name: str, names: Mapping[str, str]) -> str | None:
    if name in names:
        return names[name]
    study = STUDY.match(name)
    return names.get(f"evals.reproduce.{study[1].replace('-', '_')}") if study else None
