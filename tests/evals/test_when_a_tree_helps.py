"""The page on when a tree helps says what is pinned, and nothing else."""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evals.reproduce.__main__ import studies

PAGE = importlib.resources.files("rag").joinpath("docs", "when_a_tree_helps.md").read_text(encoding="utf-8")
EXPECTED = Path(__file__).parents[2] / "evals" / "expected"


def pinned(name: str) -> Any:
    return json.loads((EXPECTED / f"{name}.json").read_text())


def told(values: Sequence[float], digits: int = 1) -> str:
    """A gain with its interval."""
    return "{:+.{d}f} ({:+.{d}f} to {:+.{d}f})".format(*values[:3], d=digits)


def trees() -> list[str]:
    found = pinned("trees")
    rows = []
    for name in [*found["rows"], "all"]:
        cells = []
        for pair in ("tree against quickstart", "tree against flat, neighbours"):
            entry = found["pairs"][pair]
            cells += [told(entry["means" if name == "all" else "sets"][name][str(b)]) for b in found["budgets"]]
        n = sum(row["n"] for row in found["rows"].values()) if name == "all" else found["rows"][name]["n"]
        rows.append(f"| {'mean of sets' if name == 'all' else name} | {n} | {' | '.join(cells)} |")
    return rows


def trees_without() -> list[str]:
    found = pinned("trees")
    entry = found["pairs"]["tree, no cross-encoder against flat, no cross-encoder"]["means"]
    return [f"| {group} | {' | '.join(told(entry[group][str(b)]) for b in found['budgets'])} |" for group in entry]


def aggregation() -> list[str]:
    found = pinned("aggregation")
    rows = []
    for name, row in found["rows"].items():
        budget, events = name.split(" tokens, ")
        if budget != "512":
            continue
        recall, f1 = row["chapter recall"], row["list F1"]
        systems = ("flat", "sentences", "map-reduce")
        cells = [f"{recall[s]:.2f}" for s in systems] + [f"{f1[s]:.2f}" for s in systems]
        against = [f1["against"][s] for s in systems[:2]]
        cells += [told((d["value"], d["low"], d["high"]), 2) for d in against]
        rows.append(f"| {events.removesuffix(' events')} | {row['n']} | {' | '.join(cells)} |")
    return rows


def treebench() -> list[str]:
    rows = pinned("treebench")["rows"]
    return [
        f"| {name} | {row['recall'][0]:.1f} | {told(row['against_flat'])} | {row['unquoted'][0]:.1f}"
        f" | {told(row['unquoted_against_flat'])} |"
        for name, row in rows.items()
    ]


def location() -> list[str]:
    return [
        f"| {kind}, {row} | {one['n']} | {one['plain']:.1f} | {one['location']:.1f} | {told(one['gain'])} |"
        for kind, found in pinned("location")["rows"].items()
        for row in ("all made", "held out", "asked")
        for one in (found[row],)
    ]


TABLES = {
    "trees": trees,
    "trees_without": trees_without,
    "aggregation": aggregation,
    "treebench": treebench,
    "location": location,
}


@pytest.mark.parametrize("name", TABLES)
def test_every_row_of_the_page_is_the_pinned_one(name: str) -> None:
    for row in TABLES[name]():
        assert row in PAGE.splitlines()


def test_no_row_with_an_interval_stands_there_that_is_not_pinned() -> None:
    known = {row for table in TABLES.values() for row in table()}
    shown = [line for line in PAGE.splitlines() if re.search(r"\([+-]\d.* to ", line)]
    assert shown
    assert set(shown) <= known


def test_the_commands_on_the_page_are_studies() -> None:
    asked = re.findall(r"python -m evals\.reproduce ([\w-]+)", PAGE)
    assert set(asked) == {"trees", "aggregation", "treebench", "location"}
    assert set(asked) <= set(studies())
