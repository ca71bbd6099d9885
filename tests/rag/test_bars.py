"""Progress where the person is: a log, a terminal, a notebook; nothing for quick work."""

from __future__ import annotations

import io
import sys
import types

import pytest

from rag import bars
from rag.bars import in_notebook, progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(bars, "time", made)
    return made


def work(update, clock: Clock, *, seconds: float, total: int = 100) -> None:
    for done in range(total + 1):
        update(done, total, "chunks")
        clock.now += seconds / total


def test_quick_work_leaves_no_line_in_a_log(clock: Clock) -> None:
    out = io.StringIO()
    with progress(stream=out) as update:
        work(update, clock, seconds=5)
    assert out.getvalue() == ""


def test_long_work_leaves_a_line_now_and_then_and_one_at_its_end(clock: Clock) -> None:
    out = io.StringIO()
    with progress(stream=out) as update:
        work(update, clock, seconds=100)
    lines = out.getvalue().splitlines()
    assert lines[0] == "rag: chunks: 10 of 100 (1.0/s, 90 s left)"
    assert lines[-1].startswith("rag: chunks: 100 of 100")
    assert 4 <= len(lines) <= 6


def test_quick_pieces_of_long_work_leave_no_line(clock: Clock) -> None:
    out = io.StringIO()
    with progress(stream=out) as update:
        for _ in range(20):
            work(update, clock, seconds=5)
    assert out.getvalue() == ""


def test_quiet_is_silent(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=True) as update:
        work(update, clock, seconds=1000)
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("seconds", "drawn"), [(1.0, False), (20.0, True)])
def test_a_terminal_gets_a_bar_for_what_takes_longer(
    seconds: float, drawn: bool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    with progress(stream=out) as update:
        work(update, clock, seconds=seconds)
    assert ("chunks" in out.getvalue()) == drawn


def test_a_terminal_without_colour_gets_lines(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    with progress(stream=out) as update:
        work(update, clock, seconds=50)
    assert "\x1b" not in out.getvalue()
    assert "of 100" in out.getvalue()


def test_a_total_of_nothing_is_no_error(clock: Clock) -> None:
    with progress(stream=io.StringIO()) as update:
        update(0, 0, "none")
        clock.now += 50
        update(0, 0, "none")


def test_a_notebook_gets_one_bar_that_is_drawn_in_place(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    module, show = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    module.get_ipython = lambda: types.SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    show.HTML = str  # type: ignore[attr-defined]

    def display(page: str, *, display_id: bool) -> object:
        drawn.append(page)
        return types.SimpleNamespace(update=drawn.append)

    show.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", show)
    assert in_notebook()
    with progress() as update:
        work(update, clock, seconds=10)
    assert 20 < len(drawn) < 60
    assert "<rect" in drawn[0]
    assert "<rect" not in drawn[-1]
    assert "100 of 100" in drawn[-1]


def test_here_is_no_notebook() -> None:
    assert not in_notebook()
