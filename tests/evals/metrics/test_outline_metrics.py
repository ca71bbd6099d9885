"""Tree edit distance against its plain recursive definition."""

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from evals.metrics.outline import Outline, distance, exact, node_recall, outline

HEADINGS = st.lists(st.tuples(st.integers(1, 3), st.sampled_from("abc")), max_size=6)


def size(forest):
    return sum(1 + size(tree.below) for tree in forest)


@cache
def plain(one, other):
    """Edit distance of two forests, by taking away the last root of either or matching the two."""
    if not one or not other:
        return size(one) + size(other)
    a, b = one[-1], other[-1]
    return min(
        plain(one[:-1] + a.below, other) + 1,
        plain(one, other[:-1] + b.below) + 1,
        plain(one[:-1], other[:-1]) + plain(a.below, b.below) + (a.label != b.label),
    )


@given(HEADINGS, HEADINGS)
def test_the_distance_is_that_of_the_recursive_definition(found, gold):
    a, b = outline(found), outline(gold)
    assert distance(a, b) == plain((a,), (b,)) == distance(b, a)
    assert exact(a, b) == float(distance(a, b) == 0)


def test_headings_stand_below_the_last_of_a_smaller_level():
    found = outline([(1, "a"), (3, "b"), (2, "c"), (1, "d")])
    assert found == Outline(None, (Outline("a", (Outline("b"), Outline("c"))), Outline("d")))
    assert outline([]) == Outline(None)


def test_a_lost_heading_costs_one_and_so_does_another_word():
    gold = outline([(1, "a"), (2, "b"), (2, "c")])
    assert distance(outline([(1, "a"), (2, "c")]), gold) == 1
    assert distance(outline([(1, "x"), (2, "b"), (2, "c")]), gold) == 1
    assert distance(outline([]), gold) == 3
    assert distance(outline([(1, "a"), (1, "b"), (1, "c")]), gold) == 2  # "a" goes and comes back above them


def test_node_recall_asks_for_whole_nodes_unless_told():
    nodes = [("d", 0, 10), ("d", 20, 30), ("e", 0, 4)]
    found = [("d", 0, 12), ("d", 25, 40)]
    assert node_recall(found, nodes) == 1 / 3
    assert node_recall(found, nodes, least=0.0) == 2 / 3
    assert node_recall([], nodes) == 0.0
