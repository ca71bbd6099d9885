"""What is said of taking questions apart is what is pinned; likeness is worked out again on small cases."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evals.reproduce import decomposition
from retrievers.decompose import decompose
from retrievers.questions import Questions

PINNED = json.loads((Path(decomposition.__file__).parents[1] / "expected" / "decomposition.json").read_text())


def cell(values: list[float]) -> str:
    value, low, high = values
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def test_the_study_says_what_is_pinned() -> None:
    told = " ".join((decomposition.__doc__ or "").split())
    assert f"likeness to the gold steps in points: {PINNED['likeness'][0]:.1f}" in told
    assert f"undivided {PINNED['undivided'][0]:.1f}" in told
    assert f"as many steps as gold in {PINNED['same number'][0]:.1f} per cent" in told
    rows = re.findall(r"(\w+), (bm25|graph|by steps) +(\d+) +([\d.]+) +([\d.]+)(.*)", decomposition.__doc__ or "")
    assert len(rows) == 4 * len(decomposition.SETS)
    for i, (name, way, n, *means, gain) in enumerate(rows):
        base = ("bm25", "graph")[i % 4 // 2]
        found = PINNED["sets"][name][f"steps over {base}" if way == "by steps" else base]
        assert int(n) == PINNED["sets"][name]["n"]
        assert means == [f"{found[metric][0]:.1f}" for metric in ("R@5", "AllR@5")]
        if way == "by steps":
            assert gain.split() == " ".join(cell(found["gain"][metric]) for metric in ("R@5", "AllR@5")).split()


def test_the_stage_says_what_is_pinned() -> None:
    told = " ".join((Questions.__doc__ or "").split())
    sets = PINNED["sets"]
    wiki, hotpot, musique = (
        sets[name]["steps over bm25"]["gain"]["R@5"] for name in ("twowiki", "hotpotqa", "musique")
    )
    assert f"{wiki[0]:+.1f} points (95 %: {wiki[1]:+.1f} to {wiki[2]:+.1f}) on 2WikiMultihopQA" in told
    assert f"{cell(hotpot)} on HotpotQA" in told
    graph = sets["musique"]["steps over graph"]["gain"]["R@5"]
    assert f"{musique[0]:+.1f} over BM25 and {cell(graph)} over the graph" in told


def test_taking_apart_is_ahead_of_the_whole_question() -> None:
    assert PINNED["gain"][1] > 30
    assert all(PINNED["sets"][name]["steps over bm25"]["gain"]["AllR@5"][0] > 0 for name in decomposition.SETS)


@pytest.mark.parametrize(
    ("steps", "gold", "value"),
    [
        (["Who is the father of Ann?"], ["Ann >> father"], 1.0),
        (["mayor of #1?", "father of Ann?"], ["Ann >> father", "#1 >> mayor"], 1.0),
        (["father of Ann?"], ["Ann >> father", "#1 >> mayor"], 0.5),
        (["mayor", "zebra", "father of Ann?"], ["Ann >> father"], 1.0),
        (["zebra"], ["Ann >> father"], 0.0),
    ],
)
def test_likeness_pairs_steps_whatever_their_order(steps: list[str], gold: list[str], value: float) -> None:
    assert decomposition.likeness(steps, gold) == pytest.approx(value)


def test_a_part_measured_again_agrees() -> None:
    """Four questions in MuSiQue's form, with steps written by hand."""
    cases = [
        ("Who is the spouse of the director of Some Film?", ["Some Film >> director", "#1 >> spouse"]),
        ("Who leads the country where Norview is located?", ["Norview >> country", "Who leads #1 ?"]),
        (
            "When did the country Ann Moor is from join the league?",
            ["Ann Moor >> country", "when did #1 join the league"],
        ),
        ("What is the capital of Bo Reed's country?", ["Bo Reed >> country", "#1 >> capital"]),
    ]
    values = [100 * decomposition.likeness(decompose(question), gold) for question, gold in cases]
    whole = [100 * decomposition.likeness((question,), gold) for question, gold in cases]
    assert sum(values) / 4 >= PINNED["likeness"][0]
    assert sum(whole) / 4 < 50
