"""The pages as files: menu, links that hold, one style, no script and nothing from elsewhere."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from functools import cache, partial
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any

from rag.errors import ConfigError, RagError
from rag.site.markdown import render, slug
from rag.site.pages import Page, names_of, pages
from rag.site.style import CSS

__all__ = ["dead_links", "rendered", "write"]

HREF = re.compile(r'href="([^"]*)"')
PLACE = re.compile(r'<(?:h[1-6]|main|nav) id="([^"]*)"')


def rendered(made: Sequence[Page]) -> dict[str, str]:
    """Path -> HTML of every page.

    Raises:
        RagError: a link leads nowhere.
    """
    names = names_of(made)
    done = {}
    for page in made:
        link = partial(_address, posixpath.dirname(page.path))
        done[page.path] = _page(page, render(page.text, names=names, link=link), _menu(page, made))
    dead = dead_links(done)
    if dead:
        raise RagError(
            f"{len(dead)} dead links in the documentation: {'; '.join(f'{b!r} on {a}' for a, b in dead[:5])}."
        )
    return done


def write(folder: Path, command: Any = None) -> list[Path]:
    """Write the site; files of an earlier one are replaced, others stay.

    Args:
        folder: where it goes.
        command: the command line, as click has it, for the page of commands.

    Raises:
        ConfigError: the folder is a file, or holds something else than a site.
    """
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / "commands.html").is_file())
    ):
        raise ConfigError(f"{folder}: is there and is no site of `rag docs`. Choose another folder.")
    written = []
    for path, html in rendered(pages(command)).items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(html, encoding="utf-8", newline="\n")
        written.append(place)
    return written


@cache
def _address(here: str, target: str) -> str:
    """A target as seen from a folder: the site works from a disk, and at any place of a server."""
    if re.match(r"[a-z]+:", target) or target.startswith("#"):
        return target
    path, mark, place = target.partition("#")
    if path.endswith(".md"):  # pages of the guide name each other by their files
        name = PurePosixPath(path).stem
        path = "index.html" if name == "index" else f"guide/{name}.html"
    address = posixpath.relpath("/" + path.lstrip("/"), "/" + here)
    return f"{address}{mark}{slug(place)}" if mark else address


def _menu(page: Page, made: Sequence[Page]) -> str:
    """The guide, the page's own group, and the way to the others; groups of one name before the colon together."""
    here = posixpath.dirname(page.path)
    shown: dict[str, list[str]] = {}
    for group in dict.fromkeys(one.group for one in made):
        inside = [one for one in made if one.group == group]
        family, _, name = group.partition(": ")
        if group in {page.group, "Guide"}:
            rows = "".join(
                f'<a href="{_address(here, one.path)}"{" aria-current=page" if one is page else ""}>'
                f"{escape(one.title)}</a>"
                for one in inside
            )
            row = f"<details open><summary>{escape(name or group)}</summary>{rows}</details>"
        else:
            row = f'<a href="{_address(here, inside[0].path)}">{escape(name or group)}</a>'
        shown.setdefault(family, []).append(row)
    mine = page.group.partition(": ")[0]
    return "".join(
        rows[0]
        if len(rows) == 1
        else f"<details{' open' if family == mine else ''}><summary>{escape(family)}</summary>{''.join(rows)}</details>"
        for family, rows in shown.items()
    )


def _page(page: Page, body: str, menu: str) -> str:
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{escape(page.title)} · ragtree</title>"
        '<meta name=viewport content="width=device-width,initial-scale=1"><link rel=icon href="data:,">'
        f'<style>{CSS}</style></head><body><a class=jump href="#the-text">To the text</a>'
        '<a class=menu href="#the-menu">Menu</a><div class=frame>'
        f'<nav id="the-menu" aria-label=Pages>{menu}</nav><main id="the-text">{body}</main></div></body></html>\n'
    )


def dead_links(done: dict[str, str]) -> list[tuple[str, str]]:
    """(page, link) for every link inside the site that leads to no page or to no place on it."""
    places = {path: set(PLACE.findall(html)) for path, html in done.items()}
    dead = []
    for path, html in done.items():
        folder = posixpath.dirname(path)
        for href in dict.fromkeys(HREF.findall(html)):
            if re.match(r"[a-z]+:", href):
                continue
            target, _, place = href.partition("#")
            file = posixpath.normpath(posixpath.join(folder, target)) if target else path
            if file not in done or (place and place not in places[file]):
                dead.append((path, href))
    return dead
