"""The page on which chunker to choose says what is pinned, and nothing else."""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import rag
from evals.reproduce.__main__ import studies
from rag import registry

PAGE = importlib.resources.files("rag").joinpath("docs", "choose_a_chunker.md").read_text(encoding="utf-8")
EXPECTED = Path(__file__).parents[2] / "evals" / "expected"


def pinned(name: str) -> Any:
    return json.loads((EXPECTED / f"{name}.json").read_text())


def told(values: Sequence[float], digits: int = 1) -> str:
    """A gain with its interval."""
    return "{:+.{d}f} ({:+.{d}f} to {:+.{d}f})".format(*values[:3], d=digits)


def three(row: Any, *names: str) -> tuple[float, ...]:
    return tuple(row[name] for name in names)


def packing() -> list[str]:
    return [
        f"| {r['size']} | {r['even']} | {r['mean']:.0f} | {r['cv']:.2f} | {r['peer_cv']:.2f}"
        f" | {r['ratio'][0]:.2f} ({r['ratio'][1]:.2f} to {r['ratio'][2]:.2f}) | {r['runts']} | {r['peer_runts']} |"
        for r in pinned("packing")["rows"]
        if r["size"] == 160
    ]


def code() -> list[str]:
    found = pinned("code")
    shown = (
        "recursive",
        "structure, read as text",
        "structure, read as code",
        "structure, read as code, names divided",
    )
    return [
        f"| {name} | "
        + " | ".join(f"{value:.1f} ({low:.1f} to {high:.1f})" for value, low, high in found["rows"][name])
        + " |"
        for name in shown
    ]


def intent() -> list[str]:
    return [
        f"| {name} | "
        + " | ".join(told(three(row, "delta", "low", "high")) for row in rows[:3])
        + f" | {rows[0]['n']} |"
        for name, rows in pinned("intent")["paired"].items()
    ]


def auto() -> list[str]:
    found = pinned("auto")
    rows = [
        f"| {name} | {told(three(one['tau']['mean'], 'tau', 'low', 'high'), 2)}"
        f" | {one['rows']['auto'][0]:.1f} | {one['rows']['structure 160'][0]:.1f} | {one['questions']} |"
        for name, one in found["sets"].items()
    ]
    gain = found["auto_less"]["structure 160"][0]
    return [*rows, f"| all, gain | | {told(three(gain, 'delta', 'low', 'high'))} | | {gain['n']} |"]


def late() -> list[str]:
    return [
        f"| {name} | {' | '.join(told(three(gain, 'delta', 'low', 'high')) for gain in gains)} | {gains[0]['n']} |"
        for name, gains in pinned("late_chunks")["pairs"].items()
    ]


def meta() -> list[str]:
    return [
        f"| {name} | {' | '.join(told(three(row[budget], 'gain', 'low', 'high')) for budget in ('512', '1024'))} |"
        for name, row in pinned("meta")["all"].items()
        if name != "structure"
    ]


def chroma() -> list[str]:
    return [
        f"| {name} | {row['tokens']:.0f} | {row['omega'][0]:.1f} | {row['recall'][0]:.1f} | {row['recall_1024'][0]:.1f}"
        f" | {told(row['recall_1024_less_base'])} |"
        for name, row in pinned("chroma_best")["rows"].items()
    ]


def in_order() -> list[str]:
    share = pinned("auto")["in_order"]
    return [f"| {100 * share['value']:.0f} ({100 * share['low']:.0f} to {100 * share['high']:.0f}) | {share['n']} |"]


def sizes() -> list[str]:
    shown = ("structure 80", "structure 160", "structure 320", "recursive 160", "recursive 320")
    return [
        f"| {name} | {' | '.join(format(one['rows'][row][0], '.1f') for row in shown)} | {one['questions']} |"
        for name, one in pinned("auto")["sets"].items()
    ]


def fields(base: str) -> list[str]:
    sets = pinned("enrichment")[base]
    rows = []
    for field in next(iter(sets.values()))["fields"]:
        metrics = [one["fields"][field]["metrics"] for one in sets.values()]
        cells = [told(three(m["SpanR@512tok"], "gain", "low", "high")) for m in metrics if "SpanR@512tok" in m]
        rows.append(f"| {field} | {' | '.join(cells)} |")
    return rows


def verified() -> list[str]:
    return [
        f"| {name} | {100 * row['value']:.0f} ({100 * row['low']:.0f} to {100 * row['high']:.0f}) | {row['n']} |"
        for name, row in pinned("enrichment")["model"]["verified"].items()
    ]


TABLES: dict[str, Callable[[], list[str]]] = {
    "sizes": sizes,
    "packing": packing,
    "code": code,
    "intent": intent,
    "chroma": chroma,
    "meta": meta,
    "auto": auto,
    "in order": in_order,
    "late": late,
    "fields, bm25": partial(fields, "bm25"),
    "fields, hybrid": partial(fields, "hybrid"),
    "verified": verified,
}


@pytest.mark.parametrize("name", TABLES)
def test_every_row_of_a_table_is_what_was_measured(name: str) -> None:
    for row in TABLES[name]():
        assert row in PAGE, row


def test_no_figure_stands_outside_the_pinned_rows() -> None:
    rest = PAGE
    for rows in TABLES.values():
        for row in rows():
            rest = rest.replace(row, "")
    assert not re.findall(r"\d+\.\d+", rest)
    assert not [line for line in rest.splitlines() if line.startswith("| ") and "%" in line and "95" not in line]


def test_commands_recipes_and_stages_that_it_names_exist() -> None:
    assert set(re.findall(r"python -m evals\.reproduce ([a-z-]+)", PAGE)) <= set(studies())
    for use in set(re.findall(r"`((?:chunkers|trees|retrievers|rerankers)/[a-z0-9-]+)`", PAGE)):
        assert registry.find(use)
    for recipe in set(re.findall(r"recipe `([a-z-]+)`", PAGE)):
        assert rag.load(recipe)
