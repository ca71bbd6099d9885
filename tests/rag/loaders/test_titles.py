"""Headings of plain text: what is one, what looks like one, and how deep it stands."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.synth.plains import LAYOUTS, text_of
from rag.loaders.plain import scan

DATA = Path(__file__).parents[2] / "data"
MANUAL = Path(__file__).parents[3] / "evals" / "samples" / "manual" / "docs"
PROSE = "This is a paragraph that goes on for a while, so that nobody takes it for a title at all.\n"


def heads(text: str) -> list[tuple[int, str]]:
    return [(b.level, text[slice(*b.inner)]) for b in scan(text) if b.kind == "heading"]


def laid(*titles: str) -> str:
    return "\n".join(f"{title}\n\n{PROSE}" for title in titles)


def test_the_sections_of_an_rfc_are_those_of_its_contents() -> None:
    text = (DATA / "rfc7911.txt").read_text(encoding="utf-8")
    entries = re.findall(r"(?m)^ {3,5}((?:\d+\.)+)  (\S.*)$", text)
    found = [(level, " ".join(title.split())) for level, title in heads(text) if title[0].isdigit()]
    assert found == [(number.count("."), f"{number} {title}") for number, title in entries]
    assert (1, "Advertisement of Multiple Paths in BGP") in heads(text)


def test_the_articles_of_a_contract_are_found() -> None:
    found = heads((DATA / "contract.txt").read_text(encoding="utf-8"))
    assert found[0] == (1, "STRATEGIC ALLIANCE AGREEMENT")
    numbers = [title.split()[0] for level, title in found if level == 2]
    assert numbers == [f"{k}." for k in range(2, 13)]
    assert [title.split()[0] for level, title in found if level == 3] == [f"12.{k}." for k in range(1, 9)]


def test_items_of_a_yearly_report_stand_below_its_parts() -> None:
    text = laid(
        "PART I", "Item 1. Business", "Item 1A. Risk Factors", "Item 2. Properties", "PART II", "Item 5. Market"
    )
    assert [level for level, _ in heads(text)] == [1, 2, 2, 2, 1, 2]


def test_articles_stand_above_sections_and_sections_above_their_parts() -> None:
    text = laid(
        "ARTICLE I. DEFINITIONS", "Section 1.01. Terms.", "Section 1.02. Rules.", "1.2.1 Order", "ARTICLE II. LOAN"
    )
    assert [level for level, _ in heads(text)] == [1, 2, 2, 3, 1]


def test_a_title_in_the_case_of_a_sentence_is_a_heading_where_prose_follows_it() -> None:
    assert heads(laid("How a retry looks", "What you can defer")) == [
        (1, "How a retry looks"),
        (2, "What you can defer"),
    ]
    assert heads(f"{PROSE}\nThe tools are\n\n- a\n- b\n\n{PROSE}") == []


@pytest.mark.parametrize(
    "line",
    [
        "he went away again",
        "The end, or so they said;",
        "Figure 3 The parts of it",
        "By Donald E. Westlake",
        "foo_bar(x)",
        "Name      Size      Price",
        "Page 3 of 7",
        "Postel, et al.    Standards Track     [Page 3]",
        "1.2 and 3.4 are close",
    ],
)
def test_lines_that_are_no_titles(line: str) -> None:
    assert heads(f"{PROSE}\n{line}\n\n{PROSE}\n{PROSE}") == []


def test_contents_and_running_heads_are_no_headings() -> None:
    names = ["1. First Things", "2. Second Things", "3. Third Things"]
    contents = "\n".join(f"{name} {'.' * 20} {k}" for k, name in enumerate(names))
    assert [title for _, title in heads(f"{contents}\n\n{laid(*names)}")] == names
    plain = "\n\n".join(names)
    assert [title for _, title in heads(f"{plain}\n\n{laid(*names)}")] == names
    running = f"{PROSE}\nLicense and Development Agreement\n\n"
    assert len(heads(running * 5)) == 1  # where it stands first it may be the title


def test_a_list_of_short_items_is_a_list() -> None:
    assert heads(f"{PROSE}\n" + "".join(f"{k}. Buy fresh apples\n\n" for k in range(1, 9)) + PROSE) == []


def test_scripts_without_cases_have_headings() -> None:
    body = "这是一个足够长的段落，没有人会把它当作标题，因为它一直在继续，而且以句号结束。" * 3 + "\n"
    text = "\n".join(f"{title}\n\n{body}" for title in ("1 引言", "1.1 背景", "1.2 方法", "2 结论"))
    assert [level for level, _ in heads(text)] == [1, 2, 2, 1]


def test_code_between_fences_has_no_headings() -> None:
    text = f"{PROSE}\n```\nMain Title\n\n1.1 Not This\n```\n\n{PROSE}"
    assert [b.kind for b in scan(text)] == ["text", "code", "text"]


@pytest.mark.parametrize(("layout", "share"), [(name, 0.5 if name == "lines" else 0.85) for name in LAYOUTS])
def test_most_headings_of_a_manual_are_found_in_every_layout(layout: str, share: float) -> None:
    found = wanted = said = 0
    for path in sorted(MANUAL.glob("ch0[348]-0[12]*.md")):
        made = text_of(path.read_text(encoding="utf-8"), layout)
        places = {place for place, _ in made.heads}
        mine = {b.inner[0] for b in scan(made.text) if b.kind == "heading"}
        found, wanted, said = found + len(places & mine), wanted + len(places), said + len(mine)
    assert found >= share * wanted
    assert found >= 0.9 * said


LINES = st.sampled_from(
    ["1. One", "1.1 Two", "ARTICLE I", "Item 1A. Risks", "TITLE", "Title Here", "II", "```", "~~~", PROSE.strip(), "", "",
     "- item", "Section 2.01. Term.", "Title", "=====", "a b  c   d", "Page 2", "第一章 开始", "x" * 130]
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(LINES, max_size=30).map("\n".join))
def test_levels_begin_at_one_and_go_down_by_one_step(text: str) -> None:
    levels = [level for level, _ in heads(text)]
    assert all(level <= before + 1 for before, level in zip([0, *levels], levels, strict=False))
    assert all(title == title.strip() and title for _, title in heads(text))


def test_tens_of_thousands_of_titles_take_seconds() -> None:
    begin = time.process_time()
    scan("1.1 Title Word\n\n" * 20_000 + f"II\n\n{PROSE}\n" * 5_000 + "```x\n" * 20_000)
    assert time.process_time() - begin < 10
