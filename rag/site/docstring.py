"""Docstrings as Markdown: the sections `Args`, `Returns`, `Raises` become headings and lists."""

from __future__ import annotations

import re

__all__ = ["as_markdown", "first_line"]

SECTIONS = ("Args", "Returns", "Raises", "Yields")
ITEM = re.compile(r"( *)(\*{0,2}\w[\w, *]*): (.*)")


def first_line(doc: str) -> str:
    """The first sentence or paragraph on one line."""
    return " ".join(doc.strip().partition("\n\n")[0].split())


def as_markdown(doc: str, *, level: int = 3, skip_first: bool = False) -> str:
    """A cleaned docstring as Markdown.

    Args:
        doc: as `inspect.cleandoc` gives it.
        level: of the sections' headings.
        skip_first: leave the first paragraph out, where the page has it already.
    """
    body = doc.partition("\n\n")[2] if skip_first else doc
    out: list[str] = []
    section = ""
    for line in body.splitlines():
        name = line.removesuffix(":")
        if line.endswith(":") and name in SECTIONS:
            section = name
            out += ["", f"{'#' * level} {name}", ""]
        elif section and line and not line.startswith(" "):
            section = ""
            out += ["", line]
        elif section:
            out.append(_entry(line, section))
        else:
            out.append(line)
    return "\n".join(out)


def _entry(line: str, section: str) -> str:
    """A line of a section: a list item where it names something."""
    match = ITEM.fullmatch(line)
    if match is None or len(match[1]) != 4 or section in {"Returns", "Yields"}:
        return "  " + line.strip() if section not in {"Returns", "Yields"} else line.strip()
    return f"- `{match[2]}`: {match[3]}"
