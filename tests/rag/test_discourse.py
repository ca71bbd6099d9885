"""Discourse units tile their ranges, are the same however they are asked for, and their links end."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.discourse import DELETABLE, ROLES, Edus, edus
from rag.discourse.network import network
from rag.discourse.rules import rule_starts
from rag.discourse.words import words_of

PIECES = [
    *("The tenant, who lives in Rome, ", "said that ", "it would pay ", "because ", "he likes it. ", "However, "),
    *('(the "Lease") ', "The Lease ends. ", "to win ", "\n\n", "\n- item ", "| a | b |\n", "|---|---|\n", "# Head\n"),
    *(
        "\r\n",
        "\t",
        "\x00",
        "é",
        "e\u0301",
        "👩‍👩‍👧",
        "مرحبا. ",
        "שלום, ",
        "日本語。",
        "\ud800",
        "[1] ",
        "…",
        "\u200f",
        " " * 9,
        "a" * 90,
    ),
]
TEXTS = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))


def tiles(found: Edus, ranges: list[tuple[int, int]]) -> bool:
    return all(
        (one := found.range == k).any()
        and found.start[one][0] == start
        and found.end[one][-1] == end
        and np.array_equal(found.start[one][1:], found.end[one][:-1])
        and bool((found.end[one] > found.start[one]).all())
        for k, (start, end) in enumerate(ranges)
    )


@given(TEXTS)
def test_units_tile_the_text_and_links_end(text: str) -> None:
    found = edus(text)
    assert tiles(found, [(0, len(text))] if text else [])
    assert "".join(text[a:b] for a, b in zip(found.start, found.end, strict=True)) == text
    index = np.arange(len(found.start))
    for links in (found.antecedent, found.definition):
        assert ((links == -1) | ((links >= 0) & (links < index))).all()
    hosted = np.flatnonzero(found.host >= 0)
    assert (found.sentence[found.host[hosted]] == found.sentence[hosted]).all()
    assert (found.host[hosted] != hosted).all()
    for unit in hosted.tolist():
        chain: list[int] = []
        while unit >= 0 and unit not in chain[-2:]:
            assert unit not in chain, "hosts go round in a circle of more than two"
            chain.append(unit)
            unit = int(found.host[unit])
        if unit >= 0:
            assert "tail" in {ROLES[found.role[one]] for one in chain[-2:]}
    assert (np.diff(found.sentence) >= 0).all()
    assert found.role.max(initial=0) < len(ROLES)


@given(TEXTS, st.data())
def test_a_range_is_read_by_itself(text: str, data: st.DataObject) -> None:
    bounds = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    ranges = data.draw(st.permutations([(a, b) for a, b in itertools.pairwise(bounds) if b > a]))
    found = edus(text, ranges)
    assert tiles(found, list(ranges))
    for k, (a, b) in enumerate(ranges):
        mine, alone = found.range == k, edus(text[a:b])
        assert np.array_equal(found.start[mine], alone.start + a)
        assert np.array_equal(found.role[mine], alone.role)
        first = int(np.flatnonzero(mine)[0])
        for name in ("host", "antecedent", "definition"):
            ours, theirs = getattr(found, name)[mine], getattr(alone, name)
            assert np.array_equal(np.where(ours < 0, -1, ours - first), theirs)


@given(TEXTS)
def test_boundaries_never_lie_inside_a_word(text: str) -> None:
    inside = {i for a, b in [(m, m + 1) for m in range(1, len(text))] if text[a - 1 : b].isalnum() for i in [a]}
    ascii_words = {i for i in inside if text[i - 1].isascii() and text[i].isascii()}
    assert not ascii_words & set(edus(text).start.tolist())


@given(TEXTS)
def test_rules_start_where_the_range_does_and_ascend(text: str) -> None:
    found = rule_starts(text)
    assert found[0] == 0
    assert (np.diff(found) > 0).all()
    assert found[-1] < max(len(text), 1)


def said(text: str) -> list[tuple[str, str]]:
    found = edus(text)
    return [(text[a:b].strip(), ROLES[r]) for a, b, r in zip(found.start, found.end, found.role, strict=True)]


def test_clauses_and_what_they_are() -> None:
    text = "He stayed because demand had fallen. She said that it would rain. The house (it is old) is sold."
    assert said(text) == [
        ("He stayed", "main"),
        ("because demand had fallen.", "subordinate"),
        ("She said", "attribution"),
        ("that it would rain.", "main"),
        ("The house", "main"),
        ("(it is old)", "parenthesis"),
        ("is sold.", "tail"),
    ]
    found = edus(text)
    assert found.host.tolist() == [-1, 0, 3, -1, 6, 4, 4]
    assert found.closure([5]) == [4, 5, 6]
    assert found.closure([1, 2]) == [0, 1, 2, 3]


def test_a_table_row_and_a_list_item_are_never_cut_or_joined() -> None:
    text = "Prices follow:\n\n| item | note |\n|---|---|\n| tea | which we like because it is hot |\n\n- one\n- two\n"
    found = [piece for piece, _ in said(text)]
    assert "| tea | which we like because it is hot |" in found
    assert found[-2:] == ["- one", "- two"]


def test_a_term_needs_its_definition_and_a_pronoun_its_name() -> None:
    text = 'Acme Corp. (the "Landlord") owns it. Rent is due. The Landlord may sell. He met Ada Lovelace. She left.'
    found = edus(text)
    at = {text[a:b].strip(): i for i, (a, b) in enumerate(zip(found.start, found.end, strict=True))}
    assert found.definition[at["The Landlord may sell."]] == at['(the "Landlord")']
    assert found.antecedent[at["She left."]] == at["He met Ada Lovelace."]
    assert at["He met Ada Lovelace."] in found.closure([at["She left."]], links=("antecedent",))
    assert found.needs(at["She left."]) == (at["He met Ada Lovelace."],)


def test_roles_that_may_go_are_not_those_that_carry() -> None:
    assert {"main", "coordinated", "tail", "heading"}.isdisjoint(ROLES[r] for r in DELETABLE)


def test_no_text_and_blank_text() -> None:
    assert len(edus("").start) == 0
    assert len(edus("x", []).start) == 0
    assert edus(" \n ").end.tolist() == [3]


@pytest.mark.parametrize("bad", [(0, 0), (2, 1), (-1, 2), (0, 9)])
def test_a_range_that_holds_nothing_or_too_much_is_an_error(bad: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"text of 3 code points, got \("):
        edus("abc", [(0, 3), bad])


@pytest.mark.parametrize(
    "text",
    ["a" * 3_000_000, "word " * 60_000, "x,y;" * 20_000, "(" * 60_000, '("A") ' * 16_000, "a\n" * 50_000],
    ids=["one word", "one line", "no spaces", "brackets", "definitions", "lines"],
)
def test_a_large_text_of_one_kind_takes_linear_time(text: str) -> None:
    half, whole = (min(_timed(part) for _ in range(2)) for part in (text[: len(text) // 4], text))
    assert whole < 12 * half + 0.2


def _timed(text: str) -> float:
    begin = time.process_time()
    assert tiles(edus(text), [(0, len(text))])
    return time.process_time() - begin


def test_sums_stay_exact_in_single_precision() -> None:
    net = network()
    top = max(np.abs(table).max() for table in (net.word, net.ending, net.kind, net.look))
    for _, _, weight, _, _ in net.layers:
        assert np.abs(weight).sum(0).max() * top < 2**24
        top = 127.0 if weight is net.layers[0][2] else top + 127
    assert np.abs(net.out).sum() * top < 2**24


def test_scores_do_not_depend_on_how_much_is_read_at_a_time() -> None:
    text = "He said that it works, because it was tried and, when asked, they agreed to go on. " * 60
    words, bounds = words_of(text, [(0, len(text))])
    whole = network()(words, bounds)
    more, edges = words_of(text * 3, [(0, len(text) * 3), (len(text), len(text) * 2)])
    assert np.array_equal(network()(more, edges)[edges[1] :], whole)


def test_the_same_units_under_any_hash_seed() -> None:
    code = "from rag.discourse import edus; e = edus('She left, because he said (twice) that they must go. ' * 9); print([c.tolist() for c in e])"
    outs = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("0", "7")
    }
    assert len(outs) == 1


def test_words_are_the_same_however_much_is_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "She left, because  he's \n\n late – a_b (twice)… 日本語。 " * 40 + "x" * 300
    ranges = [(3, len(text)), (0, 90)]
    whole, bounds = words_of(text, ranges)
    monkeypatch.setattr("rag.discourse.words.PORTION", 16)
    parts, edges = words_of(text, ranges)
    assert np.array_equal(bounds, edges)
    for one, other in zip(whole[:3], parts[:3], strict=True):
        assert np.array_equal(one, other)
    assert [whole.forms[k] for k in whole.kind] == [parts.forms[k] for k in parts.kind]
