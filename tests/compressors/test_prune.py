from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from compressors.knapsack import ADJACENT, FIRST, GAPPED, Forest, solve
from compressors.prune import Prune
from compressors.subtrees import pieces
from rag.models.tokens import counter
from rag.readers.render import cost, render
from rag.types import Document, Hit, Hits, Query

CODE = '''"""Ships in a harbour."""


class Harbour:
    """Berths and their ships."""

    def __init__(self, berths: int) -> None:
        self.ships = {}
        self.berths = berths

    def enter(self, ship: str, length: float) -> int:
        """Give a ship a berth."""
        pilot = self.pilots.next()
        if length > 90:
            if pilot is None:
                raise ValueError("a long ship needs a pilot")
            pilot.board(ship)
        else:
            self.log.append("no pilot")
        for berth in range(self.berths):
            if berth not in self.ships:
                self.ships[berth] = ship
                return berth
        raise LookupError("full")
'''
PROSE = """# Harbour

The office opens at eight. Ships over 90 metres must book a pilot. The wall is of granite.

These fees are due:

- 10 for a berth
- 20 for a pilot

| berth | depth |
| --- | --- |
| A | 9 m |
| B | 12 m |
"""


def hits(text: str, kind: str, size: int = 400, question: str = "who needs a pilot") -> Hits:
    tree = StructureChunker(size=size, min_size=0)(Document("d", text, "", kind))
    found = [Hit(tree, n.index, ((n.start, n.end),), 1.0 / (k + 1)) for k, n in enumerate(tree.leaves())]
    return Hits(Query("q", question), tuple(found))


def kept(made: Hits) -> set[int]:
    return {i for hit in made for a, b in hit.spans for i in range(a, b)}


@pytest.mark.parametrize("budget", range(0, 260, 7))
@pytest.mark.parametrize(("text", "kind"), [(CODE, "text/x-python"), (PROSE, "text/markdown")])
def test_what_is_kept_fits_and_is_closed(text: str, kind: str, budget: int) -> None:
    given_ = hits(text, kind, size=48)
    made = Prune(budget=budget)(given_)
    tokenizer = counter("cl100k")
    assert made.tokens == cost(made, tokenizer) <= budget
    have = kept(made)
    assert have <= kept(given_)
    pool = pieces(given_.items)
    for piece in pool:
        inside = text[piece.start : piece.end].strip() and piece.start in have
        if inside and piece.above >= 0:
            assert pool[piece.above].start in have, text[piece.start : piece.end]
        if piece.forced and pool[piece.above].start in have:
            assert piece.start in have
    dropped = {i for d in made.drops for a, b in d.hit.spans for i in range(a, b)}
    blank = {i for i, c in enumerate(text) if c.isspace()}
    assert have | dropped | blank >= kept(given_)
    assert not have & dropped


def test_a_branch_that_does_not_matter_is_left_out_and_the_signature_stays() -> None:
    made = Prune(budget=75, focus=2)(hits(CODE, "text/x-python"))
    shown = render(made)
    assert "def enter(self, ship: str, length: float) -> int" in shown
    assert "if length > 90" in shown
    assert "needs a pilot" in shown
    assert "LookupError" not in shown
    assert " … " in shown


def test_a_line_comes_with_the_line_that_gives_its_name_a_value() -> None:
    text = "def f(a):\n    key = load(a)\n    other = 1\n    more = 2\n    third = 3\n    return pilot_of(key)\n"
    made = Prune(budget=42, around=0, prior=0, reads=1.0)(hits(text, "text/x-python", question="pilot of"))
    assert "key = load(a)" in render(made)
    without = Prune(budget=42, around=0, prior=0, reads=0.0)(hits(text, "text/x-python", question="pilot of"))
    assert "pilot_of(key)" in render(without)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 4),
            st.sampled_from(["x = pilot(1)", "if a:", "}", "return b", "else:", "for i in y {", "", "end", "[1] z"]),
        ),
        min_size=1,
        max_size=25,
    ),
    budgets=st.lists(st.integers(0, 120), min_size=2, max_size=4),
    tokenizer=st.sampled_from(["cl100k", "o200k", "words"]),
)
def test_budgets_hold_and_a_larger_one_never_keeps_less_worth(
    rows: list[tuple[int, str]], budgets: list[int], tokenizer: str
) -> None:
    text = "".join("    " * deep + row + "\n" for deep, row in rows)
    given_ = hits(text, "text/x-python", size=32)
    worths = []
    for budget in sorted(budgets):
        made = Prune(budget=budget, tokenizer=tokenizer)(given_)
        assert made.tokens is not None
        assert made.tokens <= budget
        assert made == Prune(budget=budget, tokenizer=tokenizer)(given_)
        if not made.notes["compressors/prune"]["repairs"]:
            worths.append(made.notes["compressors/prune"]["worth"])
    assert worths == sorted(worths)
    again = Prune(budget=budgets[0])(Hits(given_.query, given_.items[::-1]))
    assert again.items == Prune(budget=budgets[0])(given_).items


def test_counts_add_up_so_that_nothing_is_repaired() -> None:
    for text, kind in ((CODE, "text/x-python"), (PROSE, "text/markdown")):
        for budget in range(20, 240, 5):
            assert not Prune(budget=budget)(hits(text, kind, size=48)).notes["compressors/prune"]["repairs"]


def brute(forest: Forest, above: list[int], budget: int) -> float:
    best, count = 0.0, len(forest.value)
    for chosen in itertools.product((False, True), repeat=count):
        if any(c and above[i] >= 0 and not chosen[above[i]] for i, c in enumerate(chosen)):
            continue
        if any(forest.forced[i] and above[i] >= 0 and chosen[above[i]] and not chosen[i] for i in range(count)):
            continue
        state, weight = FIRST, 0
        for i, c in enumerate(chosen):
            if forest.root[i]:
                state = FIRST
            if c:
                weight += forest.weight[i][state]
                state = FIRST if forest.root[i] else ADJACENT
            elif state != FIRST:
                state = GAPPED
        if weight <= budget:
            best = max(best, sum(v for v, c in zip(forest.value, chosen, strict=True) if c))
    return best


def test_the_choice_equals_that_of_trying_all_on_small_forests() -> None:
    dice = random.Random(7)
    for _ in range(300):
        count = dice.randint(1, 9)
        root = [i == 0 or dice.random() < 0.15 for i in range(count)]
        above: list[int] = []
        line: list[int] = []
        for i in range(count):
            if root[i]:
                line = [i]
                above.append(-1)
                continue
            del line[dice.randint(1, len(line)) :]
            above.append(line[-1])
            line.append(i)
        forced = [not root[i] and dice.random() < 0.15 for i in range(count)]
        behind = [next((j for j in range(i + 1, count) if not _under(above, j, i)), count) for i in range(count)]
        weight = [(w := dice.randint(1, 5), w + dice.randint(0, 1), w + dice.randint(1, 2)) for _ in range(count)]
        weight = [(w[0],) * 3 if r else w for w, r in zip(weight, root, strict=True)]
        value = [0.0 if r else dice.choice((0.0, 1.0, 2.5, 4.0)) for r in root]
        forest = Forest(value, weight, behind, forced, root)
        choice = solve(forest, 14)
        for budget in (0, 3, 7, 14):
            assert choice.value(budget) == brute(forest, above, budget)
            assert sum(value[i] for i in choice.kept(budget)) == choice.value(budget)


def _under(above: list[int], i: int, top: int) -> bool:
    while i >= 0:
        if i == top:
            return True
        i = above[i]
    return False


def test_no_budget_and_no_hits_give_nothing() -> None:
    given_ = hits(CODE, "text/x-python")
    assert Prune(budget=0)(given_).items == ()
    assert Prune(budget=0)(given_).drops
    assert Prune()(Hits(Query("q", "x"))).tokens == 0
