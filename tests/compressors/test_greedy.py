"""The greedy choice: equal however it is computed, never over budget, never above its bound, closed under needs."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressors.duplicates import covered
from compressors.greedy import Costs, choose, eager, lazy
from compressors.objective import Objective


def instance(seed: int, *, n: int = 9, needs: bool = False, cap: bool = False) -> tuple[Objective, Costs, int]:
    rng = np.random.default_rng(seed)
    likeness = rng.random((n, n)) * (rng.random() < 0.5)
    objective = Objective(
        np.round(rng.random(n), 3),
        np.round(rng.random((n, 4)) * (rng.random((n, 4)) < 0.4), 3),
        np.round(rng.random((n, 2)), 3),
        np.round((likeness + likeness.T) / 2, 3),
        rng.integers(0, 3, n),
        tuple(np.round(rng.random(5), 2).tolist()),
    )
    group = rng.integers(0, 3, n)
    wanted = [tuple(sorted({int(rng.integers(0, i))})) if needs and i and rng.random() < 0.4 else () for i in range(n)]
    closed: list[tuple[int, ...]] = []
    for one in wanted:
        closed.append(tuple(sorted({*one, *(o for i in one for o in closed[i])})))
    costs = Costs(
        rng.integers(1, 12, n),
        rng.integers(0, 4, 3),
        group,
        objective.section,
        15 if cap else None,
        closed if needs else (),
    )
    return objective, costs, int(rng.integers(0, 45))


def price(costs: Costs, chosen) -> int:
    rows = list(chosen)
    heads = {int(costs.group[i]) for i in rows}
    return int(costs.unit[rows].sum()) + sum(int(costs.head[g]) for g in heads) if rows else 0


def best(objective: Objective, costs: Costs, budget: int) -> float:
    n, found = len(costs.unit), 0.0
    for size in range(n + 1):
        for chosen in itertools.combinations(range(n), size):
            if price(costs, chosen) <= budget:
                found = max(found, objective.value(objective.reached(chosen)))
    return found


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_lazy_and_eager_choose_the_same(seed: int, needs: bool, cap: bool) -> None:
    objective, costs, budget = instance(seed, needs=needs, cap=cap)
    assert lazy(objective, costs, budget)[0].order == eager(objective, costs, budget).order


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_the_choice_fits_is_closed_and_says_its_worth(seed: int, needs: bool, cap: bool) -> None:
    objective, costs, budget = instance(seed, needs=needs, cap=cap)
    made = choose(objective, costs, budget)
    assert price(costs, made.order) <= budget
    assert len(set(made.order)) == len(made.order)
    assert made.value == pytest.approx(objective.value(objective.reached(made.order)), abs=1e-5)
    for place, unit in enumerate(made.order):
        assert set(costs.needs[unit] if costs.needs else ()) <= set(made.order[:place])
    if cap:
        for section in range(3):
            assert sum(int(costs.unit[u]) for u in made.order if costs.section[u] == section) <= 15


def bound_holds(seed: int) -> None:
    objective, costs, budget = instance(seed)
    made = choose(objective, costs, budget)
    top = best(objective, costs, budget)
    assert made.value <= top + 1e-5
    assert top <= made.bound + 1e-5
    assert made.certificate <= made.value / max(top, 1e-9) + 1e-4 or top < 1e-6


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6))
def test_no_set_is_worth_more_than_the_bound(seed: int) -> None:
    bound_holds(seed)


@pytest.mark.slow
def test_the_bound_holds_on_ten_thousand_instances() -> None:
    for seed in range(10_000):
        objective, costs, budget = instance(seed, n=6)
        made = choose(objective, costs, budget)
        assert made.value - 1e-5 <= best(objective, costs, budget) <= made.bound + 1e-5


def test_swaps_never_lower_the_worth() -> None:
    for seed in range(60):
        parts = instance(seed)
        assert choose(*parts).value >= choose(*parts, swaps=False).value - 1e-9


def test_nothing_fits_nothing_is_chosen() -> None:
    objective, costs, _ = instance(1)
    assert choose(objective, costs, 0).order == ()
    assert choose(objective, costs, 0).certificate == 1.0


def test_gains_are_differences_of_the_worth() -> None:
    objective, _, _ = instance(3)
    state = objective.reached([0, 4])
    for unit in (1, 2, 3):
        more = objective.value(objective.reached([0, 4, unit])) - objective.value(state)
        assert objective.gains(state, np.array([unit]))[0] == pytest.approx(more, abs=1e-7)


def test_what_says_the_same_is_covered_by_the_better_one() -> None:
    texts = [
        "The tenant pays the rent on the first day of each month.",
        "zzz",
        "The tenant pays the rent on the first day of each month.",
    ]
    assert covered(texts, [2, 1, 0]) == {0: 2}


@pytest.mark.parametrize(
    "other",
    [
        "The tenant pays 600 euros of rent on the first day of each month.",
        "The tenant pays 500 pounds never of rent on the first day of each month.",
        "The tenant Smith pays 500 euros of rent on the first day of each month.",
    ],
)
def test_units_that_differ_in_a_number_a_name_or_a_negation_both_stay(other: str) -> None:
    one = "The tenant pays 500 euros of rent on the first day of each month."
    assert covered([one, other], [0, 1]) == {}


def test_a_part_of_a_unit_is_covered_but_not_the_whole_by_its_part() -> None:
    part, whole = "the rent is due every month", "please note that the rent is due every month in advance"
    assert covered([part, whole], [1, 0]) == {0: 1}
    assert covered([part, whole], [0, 1]) == {}
