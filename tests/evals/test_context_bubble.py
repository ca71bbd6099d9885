"""The page on the context bubble says what is pinned, and its example runs."""

import importlib.resources
import json
import re
from pathlib import Path

import pytest

from evals.reproduce import bubble_citations, support

PAGE = importlib.resources.files("rag").joinpath("docs", "context_bubble.md").read_text(encoding="utf-8")
EXPECTED = Path(__file__).parents[2] / "evals" / "expected"
ROWS = ("bubble", support.BASE, "bubble, no bridge", "gates")


def test_the_table_of_support_is_the_pinned_one() -> None:
    for name, told in json.loads((EXPECTED / "support.json").read_text())["sets"].items():
        cells = [
            " / ".join(f"{told['rows'][row][str(budget)]['all'][0]:.1f}" for budget in support.BUDGETS) for row in ROWS
        ]
        assert f"| {name.rpartition('/')[2]} | {told['n']} | {' | '.join(cells)} |" in PAGE


@pytest.mark.parametrize("name", ["bubble_chroma", "bubble_chroma_models"])
def test_the_table_of_gold_text_is_the_pinned_one(name: str) -> None:
    found = json.loads((EXPECTED / f"{name}.json").read_text())
    assert f"{found['n']} " in PAGE
    for row, cells in found["rows"].items():
        assert f"| {row} | {' | '.join(f'{cell[0]:.1f}' for cell in cells)} |" in PAGE
    leads = " | ".join("{:+.1f} ({:+.1f} to {:+.1f})".format(*gap) for gap in found["less_best_chunks"])
    assert f"| lead | {leads} |" in PAGE


def test_the_gain_of_the_cross_encoder_is_the_pinned_one() -> None:
    for name, told in json.loads((EXPECTED / "support_models.json").read_text())["sets"].items():
        shares = [
            " / ".join(f"{told[str(budget)][row]['all'][0]:.1f}" for budget in support.BUDGETS)
            for row in ("words", "models")
        ]
        gains = [
            "{:+.1f} ({:+.1f} to {:+.1f})".format(*told[str(b)]["models"]["all_less_base"]) for b in support.BUDGETS
        ]
        assert f"| {name} | {told['n']} | {' | '.join([*shares, *gains])} |" in PAGE


def test_the_mean_gain_of_the_cross_encoder_is_the_pinned_one() -> None:
    found = json.loads((EXPECTED / "support_models.json").read_text())
    three, four = ("{:.1f} points ({:.1f} to {:.1f})".format(*found["sentences"]), found["mean"])
    assert f"adds {three}" in PAGE
    assert "of all four {:.1f} ({:.1f} to {:.1f})".format(*four) in PAGE


def test_the_table_of_sides_is_the_pinned_one() -> None:
    for name, told in json.loads((EXPECTED / "bubble_facets.json").read_text())["sets"].items():
        for row, cells in told["rows"].items():
            shown = [f"{cells['256'][metric][0]:.1f}" for metric in ("sides", "sections", "repeated")]
            gain = "{:+.1f} ({:+.1f} to {:+.1f})".format(*cells["256"]["sides_less_chunks"])
            assert f"| {name} | {told['n']} | {row} | {' | '.join(shown)} | {gain} |" in PAGE


def test_what_is_said_of_the_means_over_sets_is_pinned() -> None:
    rows = [told["rows"] for told in json.loads((EXPECTED / "bubble_facets.json").read_text())["sets"].values()]

    def mean(row: str, budget: str, metric: str) -> float:
        return sum(one[row][budget][metric][0] for one in rows) / len(rows)

    said = " ".join(PAGE.split())
    spread, plain = ([f"{mean(row, b, 'sides'):.1f}" for b in ("256", "512")] for row in ("spread", "bubble"))
    assert f"{spread[0]} and {spread[1]} % at 256 and 512 tokens" in said
    assert f"covers {plain[0]} and {plain[1]};" in said
    for row in ("bubble", "more terms", "spread"):
        assert all(mean(row, b, "repeated") > mean("chunks", b, "repeated") / 2 for b in ("256", "512"))


def test_the_example_runs() -> None:
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code, "context_bubble.md", "exec"), {})


def test_the_table_of_citations_is_the_pinned_one() -> None:
    found = json.loads((EXPECTED / "bubble_citations.json").read_text())
    for row, cells in found["rows"].items():
        shares = [f"{cells[metric][0]:.1f}" for metric in bubble_citations.METRICS]
        assert f"| {row} | {cells['tokens']:.0f} | {' | '.join(shares)} |" in PAGE
    gaps = ["{:+.1f} ({:+.1f} to {:+.1f})".format(*found["less"][metric]) for metric in bubble_citations.METRICS]
    assert f"| more | | {' | '.join(gaps)} |" in PAGE


def test_the_page_says_what_edu_keeps_of_the_support() -> None:
    sets = json.loads((EXPECTED / "support.json").read_text())["sets"]
    shown = [
        " / ".join(f"{sets[name]['rows']['edu'][str(b)]['all'][0]:.1f}" for b in support.BUDGETS)
        for name in support.SETS
    ]
    assert f"is at {shown[0]} on hotpotqa and {shown[1]} on 2wikimultihopqa" in PAGE
