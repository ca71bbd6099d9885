"""Every example on the pages of the guide runs: Python, commands with what they print, and YAML.

A fenced block says what it is: `python`, `console` (lines that begin with `$`, and below them what is printed), `yaml`.
`model` behind it runs it with the embedded models only. A page runs from top to bottom in an empty folder.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import yaml

from evals.reproduce.__main__ import studies
from rag import config
from rag.cli import app, main
from rag.site.pages import guide

PAGES = guide()
FENCE = re.compile(r"^```(\S*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
PLACEHOLDER = re.compile(r"\b[A-Z]{2,}\b|…|\.\.\.|\|")  # FOLDER, FILE, a|b


class Block(NamedTuple):
    kind: str
    model: bool
    code: str


def blocks(text: str) -> list[Block]:
    return [Block(kind, "model" in more.split(), code) for kind, more, code in FENCE.findall(text)]


def commands(code: str) -> Iterator[tuple[list[str], list[str]]]:
    """(arguments, lines that are shown below) for each command of a console block."""
    for part in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
        line, *shown = part.splitlines()
        yield shlex.split(line, comments=True), [one for one in shown if one.strip() and one.strip() != "…"]


def call(arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "argv", arguments)
    capsys.readouterr()
    code: Any = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code
    told = capsys.readouterr()
    assert not code, f"{' '.join(arguments)}: exit {code}: {told.err}"
    return told.out


def check_yaml(code: str) -> None:
    value = yaml.safe_load(code)
    if set(value) == {"llm"}:
        value = {"version": 1, "stages": [{"use": "retrievers/bm25"}, {"use": "readers/stuff", **value}]}
    if "stages" in value or "extends" in value:
        config.load(value, allow=re.findall(r"(\w+):[A-Z]\w+", code))


def run(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, models: bool) -> int:
    module = ModuleType(f"page_{name}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, "my_stages", module)
    monkeypatch.delitem(sys.modules, "my_stages")
    done = 0
    for block in blocks(PAGES[name]):
        if block.model and not models:
            continue
        if block.kind == "python":
            exec(compile(block.code, f"{name}.md", "exec"), module.__dict__)
            done += 1
        elif block.kind in {"console", "bash", "sh"}:
            for arguments, shown in commands(block.code):
                if arguments[0] != "rag" or PLACEHOLDER.search(" ".join(arguments)):
                    continue
                printed = call(arguments, capsys, monkeypatch)
                for line in shown:
                    assert line in printed, f"{' '.join(arguments)}: does not print {line!r}, but\n{printed}"
                done += 1
        elif block.kind == "yaml":
            if "my_stages" not in sys.modules and "my_stages:" in block.code:
                monkeypatch.setitem(sys.modules, "my_stages", module)
            check_yaml(block.code)
            done += 1
    return done


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_from_top_to_bottom(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(name, capsys, monkeypatch, models=False)


@pytest.mark.model
@pytest.mark.parametrize("name", [name for name, text in PAGES.items() if any(b.model for b in blocks(text))])
def test_a_page_runs_with_the_models(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(name, capsys, monkeypatch, models=True) > 0


def test_there_is_something_to_run() -> None:
    kinds = [block.kind for text in PAGES.values() for block in blocks(text)]
    assert kinds.count("python") > 10
    assert kinds.count("console") > 5


def known() -> dict[str, set[str]]:
    """Every command -> its options."""
    import typer.main

    found: dict[str, set[str]] = {}

    def add(command: Any, path: str) -> None:
        found[path] = {opt for p in command.params for opt in (*p.opts, *p.secondary_opts)} | {"--help"}
        for name, inner in getattr(command, "commands", {}).items():
            add(inner, f"{path} {name}")

    add(typer.main.get_command(app), "rag")
    return found


@pytest.mark.parametrize("name", PAGES)
def test_commands_that_a_page_names_exist_with_their_options(name: str) -> None:
    have = known()
    told = [code for code in INLINE.findall(FENCE.sub("", PAGES[name])) if code.startswith("rag ")]
    told += [
        line.removeprefix("$ ")
        for block in blocks(PAGES[name])
        if block.kind in {"console", "bash", "sh"}
        for line in block.code.splitlines()
        if line.startswith("$ rag ")
    ]
    for line in told:
        words = line.split()
        path = next(" ".join(words[:n]) for n in (3, 2, 1) if " ".join(words[:n]) in have)
        assert path != "rag" or words[1].startswith("-"), line
        assert path in have, line
        for option in re.findall(r"(?<=\s)--?[a-z][a-z-]*", line):
            assert option in have[path], f"{option} in {line}"


@pytest.mark.parametrize("name", PAGES)
def test_studies_that_a_page_names_exist(name: str) -> None:
    named = re.findall(r"evals\.reproduce[. ]([a-z][\w-]*)", PAGES[name])
    assert {one.replace("_", "-") for one in named} <= set(studies())


@pytest.mark.parametrize("name", PAGES)
def test_extras_that_a_page_names_exist(name: str) -> None:
    from importlib.metadata import metadata

    have = set(metadata("ragtree").get_all("Provides-Extra") or ())
    named = {one for found in re.findall(r"ragtree\[([\w,-]+)\]", PAGES[name]) for one in found.split(",")}
    assert named <= have
