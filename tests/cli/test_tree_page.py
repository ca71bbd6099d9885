"""`rag tree` as a page, in GraphViz's language, and only some levels of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
GUIDE = (
    "# Harbour\n\nShips leave at dawn. The lamp is lit at dusk.\n\n## Berths\n\nBerth B is <b>nine</b> metres deep.\n"
)


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    file = tmp_path / "guide.md"
    file.write_text(
        GUIDE + "\n".join(f"\n## Bay {i}\n\nBay {i} is let to crew {i}. {'It is full. ' * 30}\n" for i in range(6))
    )
    return file


@pytest.mark.parametrize("option", ["--query", "--question"])
def test_hits_of_a_query_are_on_the_page(option: str, guide: Path, tmp_path: Path, rag: Run) -> None:
    page = tmp_path / "tree.html"
    done = rag("tree", "lexical", guide, "--html", page, option, "Who has bay 3?", "--depth", 1)
    assert done.code == 0
    shown = page.read_text()
    assert "Who has bay 3?" in shown
    assert '"x":1' in shown
    assert "<b>nine" not in shown
    assert "http://" not in shown
    assert "https://" not in shown


def test_a_question_without_a_page_is_refused_in_one_line(guide: Path, rag: Run) -> None:
    done = rag("tree", "lexical", guide, "--query", "Who?")
    assert done.code == 2
    assert "--html FILE" in done.err


def test_levels_are_bounded_in_every_form(guide: Path, rag: Run) -> None:
    whole = rag("tree", "lexical", guide).out.splitlines()
    top = rag("tree", "lexical", guide, "--depth", 1).out.splitlines()
    assert 1 < len(top) < len(whole)
    assert set(top) <= set(whole)
    drawn = rag("tree", "lexical", guide, "--dot", "--depth", 1).out
    assert drawn.count("[label=") == len(top)
    assert rag("tree", "lexical", guide, "--depth", -1).code == 2
