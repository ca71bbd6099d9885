"""The pages as files: menu, links that hold, one style, no script and nothing from elsewhere."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any

from rag.errors import ConfigError, RagError
from rag.site.markdown import render, slug
from rag.site.pages import Page, names_of, pages
from rag.site.style import CSS

__all__ = ["dead_links", "rendered", "write"]

HREF = re.compile(r'href="([^"]*)"')
PLACE = re.compile(r'<(?:h[1-6]|a|div) id="([^"]*)"')


def rendered(made: Sequence[Page]) -> dict[str, str]:
    """Path -> HTML of every page.

    Raises:
        RagError: a link leads nowhere.
    """
    names = names_of(made)
    menu = _menu(made)
    done = {page.path: _page(page, render(page.text, names=names, link=_Links(page.path)), menu) for page in made}
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


class _Links:
    """Addresses relative to one page: the site works from a disk, at any place of a server."""

    def __init__(self, path: str) -> None:
        self.here = PurePosixPath(path).parent

    def __call__(self, target: str) -> str:
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            return target
        path, mark, place = target.partition("#")
        if path.endswith(".md"):  # pages of the guide name each other by their files
            name = PurePosixPath(path).stem
            path = "index.html" if name == "index" else f"guide/{name}.html"
        address = os.path.relpath(path.lstrip("/") or ".", self.here).replace(os.sep, "/")
        return f"{address}{mark}{slug(place)}" if mark else address


def _menu(made: Sequence[Page]) -> list[tuple[str, list[Page]]]:
    groups: dict[str, list[Page]] = {}
    for page in made:
        groups.setdefault(page.group, []).append(page)
    return list(groups.items())


def _page(page: Page, body: str, menu: Iterable[tuple[str, list[Page]]]) -> str:
    links = _Links(page.path)
    shown = []
    for group, inside in menu:
        rows = "".join(
            f'<a href="{links(one.path)}"{" aria-current=page" if one is page else ""}>{escape(one.title)}</a>'
            for one in inside
        )
        opened = " open" if group in {"Guide", page.group} else ""
        shown.append(f"<details{opened}><summary>{escape(group)}</summary>{rows}</details>")
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{escape(page.title)} · ragtree</title>"
        '<meta name=viewport content="width=device-width,initial-scale=1"><link rel=icon href="data:,">'
        f'<style>{CSS}</style></head><body><a class=jump href="#main">To the text</a><div class=frame>'
        f"<nav aria-label=Pages>{''.join(shown)}</nav><main id=main>{body}</main></div></body></html>\n"
    )


def dead_links(done: dict[str, str]) -> list[tuple[str, str]]:
    """(page, link) for every link inside the site that leads to no page or to no place on it."""
    places = {path: {*PLACE.findall(html), "main"} for path, html in done.items()}
    dead = []
    for path, html in done.items():
        for href in dict.fromkeys(HREF.findall(html)):
            if re.match(r"[a-z]+:", href):
                continue
            target, _, place = href.partition("#")
            file = os.path.normpath(PurePosixPath(path).parent / target).replace(os.sep, "/") if target else path
            if file not in done or (place and place not in places[file]):
                dead.append((path, href))
    return dead
