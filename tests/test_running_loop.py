"""Everything works where an event loop runs already, as in a notebook: the public calls are synchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rag
from evals.compare import compare_folders
from evals.datasets import load
from evals.run import evaluate, run
from evals.sweep import read_plan, sweep
from rag.cli.starter import files


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in files("lexical").items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def asked(project: Path) -> Any:
    index = rag.load("lexical").index(project / "docs", project / "index", workers=2)
    with rag.progress(quiet=True) as bar:
        index = rag.load("lexical").index(project / "docs", project / "index", progress=bar)
    answer = index.ask("When does the last climb start?")
    return [answer.context[0].doc, *(hits[0].doc for hits in index.batch([answer.query] * 3, workers=3))]


def measured(project: Path) -> Any:
    data, pipe = load(project / "questions"), rag.load("lexical")
    first = run(pipe, data, project / "a", metrics="R@1", workers=3)
    run(pipe, data, project / "b", metrics="R@1")
    plan = read_plan({"base": "lexical", "metric": "R@1", "grid": {"stages[0].k1": [0.9, 1.5]}})
    found = sweep(plan, data, project / "s")
    again = evaluate(pipe, data, "R@1")
    drawn = [one._repr_html_() for one in (first, found, compare_folders([project / "a", project / "b"]))]
    return first.metrics["R@1"]["value"], again["R@1"]["value"], len(found.rows), all("rag-look" in d for d in drawn)


@pytest.mark.parametrize("work", [asked, measured])
def test_inside_a_running_loop_the_same_comes_out(work: Callable[[Path], Any], project: Path, tmp_path: Path) -> None:
    async def inside() -> Any:
        assert asyncio.get_running_loop().is_running()
        return work(project)

    assert asyncio.run(inside()) == {"asked": ["lighthouse.md"] * 4, "measured": (1.0, 1.0, 2, True)}[work.__name__]
