from __future__ import annotations

import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from rag.loaders.blocks import Blocks
from rag.loaders.plain import scan
from rag.types import Block

DATA = Path(__file__).parents[2] / "data"


def kinds(text: str) -> list[tuple[str, int, str]]:
    return [(b.kind, b.level, text[b.inner[0] : b.inner[1]]) for b in scan(text)]


def heads(text: str) -> list[tuple[int, str]]:
    return [(level, title) for kind, level, title in kinds(text) if kind == "heading"]


PROSE = "This is a paragraph that goes on for a while, so that nobody takes it for a title at all.\n"


def test_titles_of_wikitext_are_headings() -> None:
    text = f" = Music = \n {PROSE} = = Early life = = \n {PROSE} === Death ===\n{PROSE}"
    assert heads(text) == [(1, "Music"), (2, "Early life"), (3, "Death")]


def test_a_line_drawn_under_a_title_makes_it_a_heading() -> None:
    text = f"Title\n=====\n\n{PROSE}\nPart\n----\n{PROSE}\n-----\n\n{PROSE}"
    assert heads(text) == [(1, "Title"), (2, "Part")]
    assert [k for k, _, _ in kinds(text)].count("rule") == 1


def test_numbers_give_the_level() -> None:
    text = (
        f"1 Introduction\n\n{PROSE}\n1.2 Related work\n\n{PROSE}\n1.2.3 Older work\n\n{PROSE}\n12 men came.\n\n{PROSE}"
    )
    assert heads(text) == [(1, "1 Introduction"), (2, "1.2 Related work"), (3, "1.2.3 Older work")]


def test_a_short_capitalised_line_between_blanks_is_a_heading_and_a_sentence_is_not() -> None:
    text = f"THE END OF IT\n\n{PROSE}\nMaterials and Methods\n\n{PROSE}\nIt ended.\n\n{PROSE}\nDr. Lee: Yes\n\n{PROSE}\nwhat now\n\n{PROSE}"
    assert heads(text) == [(1, "THE END OF IT"), (2, "Materials and Methods")]


def test_too_many_titles_are_none() -> None:
    assert heads("".join(f"Name Number {c}\n\n" for c in "ABCDEFGHIJ")) == []


def test_lines_as_long_as_paragraphs_are_paragraphs() -> None:
    line = "word " * 60 + "\n"
    assert [k for k, _, _ in kinds("Introduction\n" + line * 3)] == ["heading", "text", "text", "text"]
    assert [k for k, _, _ in kinds(PROSE * 3 + "\n" + PROSE)] == ["text", "text"]


def test_rows_with_pipes_are_a_table_and_marks_open_items() -> None:
    text = f"a | b\n1 | 2\n3 | 4\n\n- one\n- two\n  more\n\n* * *\n\n{PROSE}"
    assert [k for k, _, _ in kinds(text)] == ["table", "list", "list", "rule", "text"]


def test_a_speech_has_no_headings_and_a_story_few() -> None:
    speech = (DATA / "state_of_the_union.txt").read_text(encoding="utf-8")
    story = (DATA / "spy_in_the_elevator.txt").read_text(encoding="utf-8")
    assert heads(speech) == []
    assert len(heads(story)) <= 5


LINES = st.tuples(
    st.sampled_from(["", "  ", "\t", "\ufeff"]),
    st.one_of(
        st.sampled_from(["= A =", "====", "Title", "- x", "1. y", "a | b", "|", "word " * 30, "2.1 Next", "---", ""]),
        st.text(max_size=20),
    ),
    st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
).map("".join)


@settings(max_examples=400, deadline=None)
@given(st.lists(LINES, max_size=20).map("".join))
def test_blocks_are_ordered_and_nothing_but_blanks_is_between_them(text: str) -> None:
    at = 1 if text.startswith("\ufeff") else 0
    for block in scan(text):
        assert at <= block.start < block.end
        assert block.start <= block.inner[0] <= block.inner[1] <= block.end
        assert not text[at : block.start].strip(" \t\r\n")
        at = block.end
    assert not text[at:].strip(" \t\r\n")


def test_a_megabyte_takes_less_than_a_second() -> None:
    speech = (DATA / "state_of_the_union.txt").read_text(encoding="utf-8")
    text = speech * (1_000_000 // len(speech) + 1)
    begin = time.process_time()
    scan(text)
    assert time.process_time() - begin < 1


def test_arrays_of_blocks_read_like_a_sequence() -> None:
    blocks = scan(f"= A =\n{PROSE}")
    rows = list(blocks)
    assert blocks[0] == rows[0] == Block(0, 5, "heading", 1, (2, 3))
    assert blocks[-1:] == rows[-1:]
    assert Blocks.of(rows) == blocks
    assert blocks != rows[:1]
