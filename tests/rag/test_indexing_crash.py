from __future__ import annotations

import random
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from crashing import index, killed
from small_index import doc, snapshot

from rag.errors import StoreError
from rag.store.folder import open_store

OLD = [doc(f"d{i:02}", f"document {i} " * (i % 5 + 1)) for i in range(30)]
NEW = [doc(f"d{i:02}", f"document {i} " * (i % 5 + 1) + "!" * (i % 3)) for i in range(10, 40)]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished index in its second generation, so that an update has one to drop."""
    out = tmp_path_factory.mktemp("old") / "index"
    index(out, OLD[1:]).close()
    index(out, OLD).close()
    return out


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory, old: Path) -> dict[str, Any]:
    """What the index may say: before, after an update, after a first build."""
    work = tmp_path_factory.mktemp("states")
    shutil.copytree(old, work / "new")
    found = {}
    for name, folder, documents in (("new", work / "new", NEW), ("first", work / "first", OLD)):
        with index(folder, documents) as store:
            found[name] = snapshot(store)
    with open_store(old) as store:
        found["old"] = snapshot(store)
    assert found["first"] == found["old"] != found["new"]
    return found


def look(out: Path) -> Any:
    """What a reader sees now; None where there is no index."""
    if not (out / "manifest.json").exists():
        with pytest.raises(StoreError, match="Make one with `rag index"):
            open_store(out)
        return None
    with open_store(out) as store:
        store.verify()
        return snapshot(store)


def tidy(out: Path) -> None:
    """Assert that nothing is left of what was not finished."""
    with open_store(out) as store:
        kept = {store.manifest.generation, store.manifest.previous} - {0}
        assert sorted(p.name for p in out.glob("gen-*")) == [f"gen-{g:06d}" for g in sorted(kept)]
        assert not list(out.glob("*.new"))
        link = sqlite3.connect(out / "documents.sqlite")
        rows = link.execute("SELECT born, died FROM documents").fetchall()
        assert link.execute("SELECT count(*) FROM bodies").fetchone() == (len(rows),)
        assert link.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        link.close()
        assert all(born <= store.manifest.generation for born, _ in rows)
        assert all(died is None or died == store.manifest.generation for _, died in rows)


def check(out: Path, documents: list[Any], before: Any, after: Any) -> str:
    """Whatever was interrupted, the index is the old or the new one, and a second start finishes it."""
    seen = look(out)
    assert seen in (before, after)
    with index(out, documents) as store:
        assert snapshot(store) == after
    tidy(out)
    return "new" if seen == after else "old"


def update(out: Path, old: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(old, out)


def points(tmp_path: Path, old: Path | None, documents: list[Any]) -> int:
    if old is not None:
        update(tmp_path / "count", old)
    total = killed(tmp_path / "count", documents)
    assert total is not None
    return total


@pytest.mark.slow
def test_a_first_build_killed_before_any_step_leaves_none_or_all(tmp_path: Path, states: dict[str, Any]) -> None:
    total = points(tmp_path, None, OLD)
    seen = []
    for point in range(total):
        out = tmp_path / f"at{point}"
        assert killed(out, OLD, point=point) is None
        seen.append(check(out, OLD, None, states["first"]))
    assert seen == sorted(seen, reverse=True)  # old, old ... new: one instant decides
    assert set(seen) == {"old", "new"}


@pytest.mark.slow
def test_an_update_killed_before_any_step_leaves_the_old_index_or_the_new(
    tmp_path: Path, old: Path, states: dict[str, Any]
) -> None:
    total = points(tmp_path, old, NEW)
    seen = []
    for point in range(total):
        out = tmp_path / "index"
        update(out, old)
        assert killed(out, NEW, point=point) is None
        seen.append(check(out, NEW, states["old"], states["new"]))
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == {"old", "new"}


def test_an_update_killed_at_some_steps_leaves_the_old_index_or_the_new(
    tmp_path: Path, old: Path, states: dict[str, Any]
) -> None:
    total = points(tmp_path, old, NEW)
    seen = []
    for point in (0, total // 3, 2 * total // 3, total - 9, total - 5, total - 1):
        out = tmp_path / "index"
        update(out, old)
        assert killed(out, NEW, point=point) is None
        seen.append(check(out, NEW, states["old"], states["new"]))
    assert seen[0] == "old"
    assert seen[-1] == "new"


def instants(tmp_path: Path, old: Path, states: dict[str, Any], count: int) -> None:
    """Kill builds and updates, in turn, at random moments of the time that one takes."""
    began = time.perf_counter()
    update(tmp_path / "timed", old)
    killed(tmp_path / "timed", NEW)
    takes = time.perf_counter() - began
    dice = random.Random(20260101)
    for turn in range(count):
        out = tmp_path / f"turn{turn}"
        first = turn % 2 == 0
        if not first:
            update(out, old)
        documents, before, after = (OLD, None, states["first"]) if first else (NEW, states["old"], states["new"])
        killed(out, documents, after=dice.random() * takes)
        check(out, documents, before, after)


def test_a_kill_at_random_instants_leaves_the_old_index_or_the_new(
    tmp_path: Path, old: Path, states: dict[str, Any]
) -> None:
    instants(tmp_path, old, states, 6)


@pytest.mark.slow
def test_fifty_kills_at_random_instants_leave_the_old_index_or_the_new(
    tmp_path: Path, old: Path, states: dict[str, Any]
) -> None:
    instants(tmp_path, old, states, 50)


def test_a_reader_goes_on_while_an_update_is_killed(tmp_path: Path, old: Path, states: dict[str, Any]) -> None:
    out = tmp_path / "index"
    update(out, old)
    with open_store(out) as reader:
        assert killed(out, NEW, point=40) is None
        assert snapshot(reader) == states["old"]


def test_a_chain_of_kills_ends_in_the_index_that_was_asked_for(
    tmp_path: Path, old: Path, states: dict[str, Any]
) -> None:
    out = tmp_path / "index"
    update(out, old)
    for point in (5, 60, 11, 90, 2):
        killed(out, NEW, point=point)
        assert look(out) in (states["old"], states["new"])
    check(out, NEW, states["old"], states["new"])
