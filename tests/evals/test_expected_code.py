"""What the study of code says is what was pinned, and its questions are made as described."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evals.reproduce import code

PINNED = json.loads((Path(code.__file__).parents[1] / "expected" / "code.json").read_text())


@pytest.mark.parametrize("name", list(PINNED["rows"]))
def test_the_docstring_shows_the_pinned_row(name: str) -> None:
    shown = re.search(rf"^ +{re.escape(name)}((?: +[\d.]+){{4}})$", code.__doc__ or "", re.MULTILINE)
    assert shown
    assert [float(v) for v in shown[1].split()] == pytest.approx([row[0] for row in PINNED["rows"][name]], abs=0.051)


def test_reading_code_as_code_gains_at_every_budget() -> None:
    for value, low, high in PINNED["against"][code.OURS]:
        assert 0 < low < value < high
    assert PINNED["n"] == code.QUESTIONS
    assert set(PINNED["rows"]) == {*code.ROWS, "the same, pruned"}


def test_doc_strings_become_questions_and_leave_the_code(tmp_path: Path) -> None:
    (tmp_path / "json").mkdir()
    body = (
        'def f(a):\n    """Say how many ships are in port.\n\n    More.\n    """\n    b = a\n    c = b\n    return c\n'
    )
    (tmp_path / "json" / "a.py").write_text(f"import os\n\n\n{body}")
    (document,), (task,) = code.tasks(tmp_path, ("json",))
    assert task.question == "Say how many ships are in port."
    assert document.text[task.start : task.end] == "def f(a):\n    b = a\n    c = b\n    return c\n"
    assert "ships" not in document.text
