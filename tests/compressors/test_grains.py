"""Taking regions whole or in parts, against every choice there is."""

from __future__ import annotations

import itertools
import random

import pytest

from compressors import grains
from compressors.grains import Regions, solve


def drawn(seed: int) -> Regions:
    rng = random.Random(seed)
    count = rng.randint(1, 9)
    parent = [-1] + [rng.randrange(-1, i) for i in range(1, count)]
    order: list[int] = []

    def walk(node: int) -> None:
        order.append(node)
        for child in range(count):
            if parent[child] == node:
                walk(child)

    for top in (n for n in range(count) if parent[n] < 0):
        walk(top)
    place = {node: k for k, node in enumerate(order)}
    above = [place[parent[node]] if parent[node] >= 0 else -1 for node in order]
    behind = list(range(1, count + 1))
    for k in range(count - 1, -1, -1):
        if above[k] >= 0:
            behind[above[k]] = max(behind[above[k]], behind[k])
    return Regions(
        [rng.choice([0.0, 0.5, rng.random() * 3]) for _ in order],
        [rng.randint(0, 6) for _ in order],
        behind,
        [behind[k] > k + 1 and rng.random() < 0.4 for k in range(count)],
    )


def allowed(regions: Regions, chosen: frozenset[int]) -> bool:
    for k, end in enumerate(regions.behind):
        below = chosen & set(range(k + 1, end))
        if regions.door[k] and below and k not in chosen:
            return False
        if not regions.door[k] and k in chosen and below:
            return False
    return True


def brute(regions: Regions, budget: int) -> float:
    best = 0.0
    for flags in itertools.product((False, True), repeat=len(regions.value)):
        chosen = frozenset(k for k, flag in enumerate(flags) if flag)
        if sum(regions.cost[k] for k in chosen) <= budget and allowed(regions, chosen):
            best = max(best, sum(regions.value[k] for k in chosen))
    return best


@pytest.mark.parametrize("block", range(8))
def test_the_programme_equals_trying_every_choice(block: int) -> None:
    for seed in range(25 * block, 25 * block + 25):
        regions = drawn(seed)
        for budget in (0, 3, 7, 12, 20, 60):
            found = solve(regions, budget)
            chosen = frozenset(found.taken(budget))
            assert found.value(budget) == pytest.approx(brute(regions, budget))
            assert allowed(regions, chosen)
            assert sum(regions.cost[k] for k in chosen) <= budget
            assert sum(regions.value[k] for k in chosen) == pytest.approx(found.value(budget))


def test_smaller_budgets_are_read_from_the_same_table() -> None:
    regions = drawn(3)
    found = solve(regions, 40)
    values = [found.value(b) for b in range(41)]
    assert values == sorted(values)
    assert values == [solve(regions, b).value(b) for b in range(41)]


def test_rounded_costs_stay_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grains, "CELLS", 40)
    for seed in range(40):
        regions = drawn(seed)
        found = solve(regions, 30)
        chosen = found.taken(30)
        assert found.step > 1 or len(regions.value) * 31 <= 40
        assert sum(regions.cost[k] for k in chosen) <= 30
        assert allowed(regions, frozenset(chosen))


def test_nothing_is_taken_from_nothing() -> None:
    assert solve(Regions([], [], [], []), 10).taken(10) == []
    assert solve(drawn(1), 0).value(-5) == solve(drawn(1), 0).value(0)
