"""The budget curves are pinned, said on the page as measured, and those that need no model are measured again."""

from __future__ import annotations

import importlib.resources
import json
from pathlib import Path
from typing import Any

import pytest

from compressors.adaptive import Adaptive
from compressors.edu import Edu
from evals.reproduce import compress
from rag.models import keep

PINNED: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "evals" / "expected" / "compress.json").read_text(encoding="utf-8")
)
PAGE = importlib.resources.files("rag").joinpath("docs", "fit_a_budget.md").read_text(encoding="utf-8")


def cells(part: str, row: str, what: str = "mean") -> list[str]:
    found = PINNED[part][row][what]
    return [f"{found[str(b)][0] if isinstance(found[str(b)], list) else found[str(b)]:.1f}" for b in compress.BUDGETS]


@pytest.mark.parametrize("row", PINNED["mean"])
def test_the_page_has_every_curve_as_pinned(row: str) -> None:
    assert f"| {row} | {' | '.join(cells('mean', row))} |" in PAGE


@pytest.mark.parametrize("row", [row for row in PINNED["mean"] if row != compress.MINE])
def test_the_page_has_every_difference_with_its_interval(row: str) -> None:
    gaps = [PINNED["mean"][row]["less_edu"][str(b)] for b in compress.BUDGETS]
    shown = " | ".join(f"{-g[0]:+.1f} ({-g[2]:+.1f} to {-g[1]:+.1f})" for g in gaps)
    assert f"| {row} | {shown} |" in PAGE


@pytest.mark.parametrize("part", ["mean", "unseen"])
def test_the_page_has_what_a_bubble_has_more_than_each_on_sets_that_chose_weights_and_on_others(part: str) -> None:
    for row in PINNED[part]:
        assert f"| {'unseen, ' * (part == 'unseen')}{row} | {' | '.join(cells(part, row))} |" in PAGE
        gaps = [PINNED[part][row]["less_bubble"][str(b)] for b in compress.BUDGETS]
        shown = " | ".join(f"{-g[0]:+.1f} ({-g[2]:+.1f} to {-g[1]:+.1f})" for g in gaps)
        assert row == compress.OTHER or f"| {row} | {shown} |" in PAGE


def test_no_row_is_surely_ahead_of_the_bubble_on_the_mean() -> None:
    for part in ("mean", "unseen"):
        for one in PINNED[part].values():
            assert all(low <= 0 for _, low, _ in one["less_bubble"].values())


def test_the_page_says_how_many_questions_of_which_sets() -> None:
    for name, one in PINNED["sets"].items():
        assert f"{name} {one['n']}" in PAGE


def test_intervals_hold_their_means() -> None:
    for one in (*PINNED["mean"].values(), *PINNED["unseen"].values()):
        for what in ("mean", "less_edu", "less_bubble"):
            assert all(low <= value <= high for value, low, high in one[what].values())


def test_docstrings_say_what_is_pinned() -> None:
    said = " ".join((Edu.__doc__ or "").split())
    labels = {
        "whole hits": "whole hits",
        "sentences": "sentences by `compressors/extract`",
        "edu": "these",
        "bubble": "`compressors/bubble`",
    }
    for row, label in labels.items():
        assert f"{label} {' '.join(cells('mean', row))}" in said
    told = " ".join((Adaptive.__doc__ or "").split())
    for budget in ("1024", "2048"):
        for row in ("edu", "adaptive"):
            assert f"{PINNED['mean'][row]['tokens'][budget]:,.0f}" in told
        assert f"{-PINNED['mean']['adaptive']['less_edu'][budget][0]:.1f}" in told
    assert f"{sum(PINNED['sets'][name]['n'] for name in compress.SETS)} questions" in told
    for row in (compress.MINE, compress.OTHER):
        assert " ".join(cells("unseen", row)) in said


def test_the_mask_says_what_is_pinned() -> None:
    said = " ".join((keep.__doc__ or "").split())
    for found in PINNED["detail"].values():
        mine, other = (" ".join(f"{x:.1f}" for x in found[row][:4]) for row in ("edu, mask", "edu"))
        assert f"{mine} against {other}" in said


def test_the_page_has_the_rows_of_two_sets() -> None:
    assert tuple(PINNED["detail"]) == compress.DETAILED
    for name, found in PINNED["detail"].items():
        for row, values in found.items():
            assert f"| {name}, {row} | {' | '.join(f'{x:.1f}' for x in values)} |" in PAGE


def test_adaptive_uses_fewer_tokens_as_the_page_says() -> None:
    row = PINNED["mean"]["adaptive"]
    assert f"| adaptive, tokens used | {' | '.join(cells('mean', 'adaptive', 'tokens'))} |" in PAGE
    assert row["tokens"]["2048"] < 0.75 * PINNED["mean"]["edu"]["tokens"]["2048"]


def test_what_needs_no_model_is_measured_again() -> None:
    known = PINNED["sample"]
    again = compress.sample()
    assert set(again) == set(known)
    for row, values in again.items():
        assert values == pytest.approx(known[row], abs=2.6)  # one question of 40: stemmers of two versions differ
