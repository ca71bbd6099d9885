"""`rag docs`: the documentation, in the terminal or as a static site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.common import Json, emit, say
from rag.cli.completing import pages


def command(
    page: Annotated[
        str | None, typer.Argument(help="a page to print, such as tutorial; without it, the list", autocompletion=pages)
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="write all of it as a static site here")] = None,
    json: Json = False,
) -> None:
    """List the pages, print one, or write the site: guide, stages, recipes, commands, measurements, reference."""
    import difflib

    from rag.errors import ConfigError
    from rag.site.pages import guide

    if out is not None:
        from typer.main import get_command

        from rag.cli import app
        from rag.site.write import write

        written = write(out, get_command(app))
        if json:
            emit({"index": str(out / "index.html"), "pages": len(written)})
        else:
            print(out / "index.html")
            say(f"rag: {len(written)} pages")
        return
    found = guide()
    if page is None:
        rows = {name: text.partition("\n")[0].removeprefix("# ") for name, text in found.items()}
        if json:
            emit(rows)
            return
        width = max(map(len, rows))
        for name, title in rows.items():
            print(f"{name:<{width}}  {title}")
        say("Print one: rag docs tutorial. All of it as a site: rag docs --out site")
        return
    name = page.replace("-", "_")
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"no page {page!r}.{hint} Pages: {', '.join(found)}.")
    print(found[name], end="")
