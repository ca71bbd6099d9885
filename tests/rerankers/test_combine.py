"""Sets of hits: never over the budget, never below greedy, as good as trying every set."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.doctree import flat
from rag.models.tokens import counter
from rag.readers.render import cost, render
from rag.testing import check_stage
from rag.types import Document, Hit, Hits, Query
from rerankers.combine import Combine
from rerankers.setsearch import search
from rerankers.worth import Coverage

WORDS = [
    "rent",
    "deposit",
    "tenant",
    "landlord",
    "keys",
    "garden",
    "notice",
    "month",
    "repair",
    "lease",
    "clause",
    "party",
    "sum",
    "date",
    "roof",
    "wall",
]
HOW = ("greedy", "beam", "mcts")


def worth(seed: int, *, monotone: bool) -> tuple[Coverage, np.ndarray, int]:
    rng = np.random.default_rng(seed)
    n, t = int(rng.integers(1, 11)), int(rng.integers(1, 8))
    cover = rng.random((t, n)) * (rng.random((t, n)) < 0.5)
    own = rng.random(n) * 0.2 if monotone else rng.normal(0, 0.2, n)
    alike = rng.random((n, n)) * 0.2
    made = Coverage(rng.random(t), cover, own, None if monotone else (alike + alike.T) / 2)
    return made, rng.integers(1, 50, n), int(rng.integers(0, 120))


def best_of_all(made: Coverage, cost_: np.ndarray, budget: int) -> float:
    sets = (s for r in range(len(cost_) + 1) for s in itertools.combinations(range(len(cost_)), r))
    return max(made.value(s) for s in sets if cost_[list(s)].sum() <= budget)


@pytest.mark.parametrize("monotone", [True, False])
def test_searches_keep_the_budget_and_find_the_best_of_every_set(monotone):
    shares: dict[str, list[float]] = {how: [] for how in HOW}
    for seed in range(60):
        made, price, budget = worth(seed, monotone=monotone)
        best = best_of_all(made, price, budget)
        for how in HOW:
            found = search(made, price, budget, how=how)
            assert price[list(found.chosen)].sum() <= budget
            assert found.value == pytest.approx(made.value(tuple(sorted(found.chosen))), abs=1e-8)
            assert found.value >= found.greedy
            if monotone:
                assert found.value >= (1 - 1 / np.sqrt(np.e)) * best - 1e-8
            shares[how].append(found.value / best if best > 1e-9 else 1.0)
            assert found.proven == (how != "greedy")
    assert min(shares["beam"] + shares["mcts"]) >= 1 - 1e-6


def test_a_proof_is_claimed_only_where_the_evaluations_sufficed():
    for seed in range(40):
        made, price, budget = worth(seed, monotone=seed % 2 == 0)
        best = best_of_all(made, price, budget)
        for limit in (0, 5, 20, 60):
            found = search(made, price, budget, evaluations=limit)
            assert not found.proven or found.value == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("how", ["beam", "mcts"])
def test_more_evaluations_are_never_worse(how):
    for seed in range(30):
        made, price, budget = worth(seed, monotone=False)
        values = [
            search(made, price, budget, how=how, evaluations=limit).value for limit in (0, 1, 3, 7, 20, 100, 1000)
        ]
        assert values == sorted(values)


@pytest.mark.parametrize("cases", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_the_budget_holds_in_every_random_case(cases):
    rng = np.random.default_rng(5)
    for _ in range(cases // 20):
        n = int(rng.integers(1, 6))
        made = Coverage(rng.random(2), rng.random((2, n)), rng.normal(0, 0.1, n))
        price = rng.integers(1, 30, n)
        for budget in rng.integers(0, 80, 20).tolist():
            assert price[list(search(made, price, budget, how="greedy").chosen)].sum() <= budget


def evidence(bags: list[list[str]], question: str = "Who pays the rent and the deposit?") -> Hits:
    texts = [f"{' '.join(bag).capitalize()}. " for bag in bags]
    ends = list(itertools.accumulate(map(len, texts)))
    tree = flat(Document("d", "".join(texts)), list(zip([0, *ends], ends, strict=False)))
    found = (Hit(tree, x.index, ((x.start, x.end),), 10.0 - i) for i, x in enumerate(tree.leaves()))
    return Hits(Query("q", question), tuple(found))


BAGS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9), min_size=0, max_size=9)


@settings(max_examples=60, deadline=None)
@given(BAGS, st.integers(0, 200), st.sampled_from(HOW), st.sampled_from(["document", "score", "ends"]))
def test_the_rendering_keeps_the_budget_in_any_order(bags, budget, how, order):
    given_ = evidence(bags)
    made = Combine(budget=budget, search=how, order=order)(given_)
    tokenizer = counter("cl100k")
    assert made.tokens == cost(made.items, tokenizer) <= budget
    assert tokenizer.count(render(made, tokenizer)) <= budget or not made.items
    assert len(made) + len(made.drops) == len(given_)
    assert Combine(budget=budget, search=how, order=order)(replace(given_, items=given_.items[::-1])) == replace(
        made, drops=made.drops
    )


def test_a_hit_that_adds_nothing_is_left_out_though_there_is_room():
    given_ = evidence([["rent", "tenant"], ["rent", "tenant"], ["deposit", "landlord"], ["wall", "roof"]])
    kept = [hit.text.strip() for hit in Combine(budget=500, floor=0.3)(given_)]
    assert kept == ["Rent tenant.", "Rent tenant.", "Deposit landlord."]


def test_every_order_is_a_rearrangement():
    given_ = evidence([["rent"], ["deposit"], ["pays"], ["rent", "deposit"]])
    made = {o: Combine(order=o)(given_).items for o in ("document", "score", "ends")}
    assert {frozenset(hit.key for hit in items) for items in made.values()} == {
        frozenset(hit.key for hit in made["score"])
    }
    assert [hit.start for hit in made["document"]] == sorted(hit.start for hit in made["document"])


def test_a_budget_below_every_hit_gives_nothing_and_says_so():
    made = Combine(budget=5)(evidence([["rent"] * 9, ["deposit"] * 9]))
    assert (len(made), made.tokens) == (0, 0)
    assert all("do not fit into 5" in drop.reason for drop in made.drops)


class Longest:
    """A scorer that likes the word rent, once."""

    name = fingerprint = "longest"

    def score(self, query, texts, /):
        return np.array([2.0 * ("rent" in t.lower()) + 1.0 * ("deposit" in t.lower()) - 3 for t in texts])


def test_a_scorer_reads_the_joined_text():
    given_ = evidence([["wall"], ["roof"], ["rent"], ["deposit"], ["rent", "rent"]])
    made = Combine(scorer=Longest(), budget=300)(given_)
    assert [hit.text.strip() for hit in made] == ["Rent.", "Deposit."]


def test_the_contract_holds():
    check_stage(Combine(), hits=[evidence([["rent"], ["deposit"]])])
