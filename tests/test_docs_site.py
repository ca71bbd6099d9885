"""The site: no dead link, every public name, nothing from elsewhere, and text that stays text."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from html.parser import HTMLParser
from pathlib import Path

import pytest

import rag
from rag import registry
from rag.config import recipes
from rag.errors import ConfigError
from rag.site.docstring import as_markdown, first_line
from rag.site.markdown import render, slug
from rag.site.pages import GUIDE, Page, guide, names_of, pages
from rag.site.write import dead_links, rendered, write

ROOT = Path(__file__).parents[1]
PACKAGES = ("rag", "chunkers", "retrievers", "rerankers", "compressors", "evals")
VOID = {"meta", "link", "hr", "br", "img"}


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.ids: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        given = dict(attrs)
        self.ids += [given["id"]] if given.get("id") else []
        self.outside += [str(given[name]) for name in ("src", "srcset", "action") if name in given]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def public() -> list[tuple[str, str]]:
    """(module, name) for all that `__all__` lists anywhere."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.name == "__main__.py" or "samples" in path.parts:
                continue
            dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "__all__" for t in node.targets):
                    found += [(dotted, name) for name in ast.literal_eval(node.value)]
    return found


@pytest.fixture(scope="module")
def made(public: list[tuple[str, str]]) -> list[Page]:
    from typer.main import get_command

    from rag.cli import app

    return pages(get_command(app))


@pytest.fixture(scope="module")
def site(made: list[Page]) -> dict[str, str]:
    return rendered(made)  # raises where a link is dead


def test_a_dead_link_is_found(site: dict[str, str]) -> None:
    assert site
    broken = {"a/b.html": '<a href="../c.html">', "c.html": '<h1 id="x"></h1><a href="a/b.html#y">'}
    assert dead_links(broken) == [("c.html", "a/b.html#y")]
    assert dead_links({"a.html": '<a href="b.html">'}) == [("a.html", "b.html")]


def test_every_page_is_whole_html_with_nothing_from_elsewhere(site: dict[str, str]) -> None:
    for path, html in site.items():
        tags = Tags()
        tags.feed(html)
        tags.close()
        assert tags.open == [], path
        assert not tags.seen & {"script", "iframe", "img", "object", "form"}, path
        assert tags.outside == [], path
        assert len(tags.ids) == len(set(tags.ids)), path
        assert "@import" not in html


def test_every_public_name_has_a_place(public: list[tuple[str, str]], site: dict[str, str]) -> None:
    assert len(public) > 500
    missing = [f"{m}.{name}" for m, name in public if f'id="{slug(name)}' not in site.get(f"reference/{m}.html", "")]
    assert missing == []
    assert all(f'id="{slug(name)}"' in site["reference/rag.html"] for name in rag.__all__)


def test_every_stage_recipe_and_command_has_its_page(site: dict[str, str]) -> None:
    for kind in registry.KINDS:
        for name in registry.names(kind):
            page = site[f"stages/{kind}/{name}.html"]
            assert all(f"<code>{field.name}</code>" in page for field in fields(registry.find(f"{kind}/{name}"))), name
    assert all(f"recipes/{name}.html" in site for name in recipes())
    assert '<h2 id="rag-data-import"' in site["commands.html"]
    assert "--metrics" in site["commands.html"]


def test_what_is_measured_stands_with_its_command(site: dict[str, str]) -> None:
    pinned = sorted((ROOT / "evals" / "expected").glob("*.json"))
    assert pinned
    for one in pinned:
        assert f"measured/{one.stem}.html" in site
    assert "python -m evals.reproduce trees" in site["measured/trees.html"]


def test_the_pages_that_a_person_needs_are_there() -> None:
    needed = {"index", "tutorial", "bring_your_data", "choose_a_chunker", "guard", "evaluate", "add_a_stage"}
    needed |= {"run_in_batch", "when_this_does_not_help"}
    assert needed <= set(guide())
    assert next(iter(guide())) == "index"
    assert [name for name in guide() if name in GUIDE] == [name for name in GUIDE if name in guide()]


def test_markup_in_a_text_stays_text_and_names_become_links() -> None:
    text = "# A <b>\n\n<script>alert(1)</script> `rerankers/mmr` [x](javascript:alert(1)) https://a.org/b.\n\n# A <b>\n"
    shown = render(text, names={"rerankers/mmr": "stages/rerankers/mmr.html"}, link=lambda target: f"L:{target}")
    assert "<script" not in shown
    assert 'href="L:stages/rerankers/mmr.html"><code>' in shown
    assert 'href="https://a.org/b">' in shown
    assert "javascript" not in re.sub(r">[^<]*<", "><", shown)
    assert re.findall(r'id="([^"]+)"', shown) == ["a-b", "a-b-2"]


def test_sections_of_a_docstring_become_lists() -> None:
    doc = "Do it.\n\nMore.\n\nArgs:\n    x: first,\n        goes on.\n    y: second.\n\nReturns:\n    A thing.\n"
    assert first_line(doc) == "Do it."
    shown = as_markdown(doc, skip_first=True)
    assert "- `x`: first," in shown
    assert "- `y`: second." in shown
    assert "### Returns" in shown
    assert "Do it." not in shown


def test_names_lead_to_their_pages(made: list[Page]) -> None:
    names = names_of(made)
    assert names["rerankers/mmr"] == "stages/rerankers/mmr.html"
    assert names["rag.Pipeline"].startswith("reference/rag.html#")
    assert names["evals.reproduce.trees"] == "measured/trees.html"


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is no site of `rag docs`"):
        write(tmp_path)
    with pytest.raises(ConfigError, match="is no site of `rag docs`"):
        write(tmp_path / "mine.txt")
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]
