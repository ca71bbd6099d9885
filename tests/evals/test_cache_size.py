"""The cache of stages stays below its limit: oldest first, and nothing that a run is using."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from conftest import First, Lines, Words

from evals import run as runs
from evals.cache import StageCache
from evals.run import run
from rag.pipeline import Pipeline

METRICS = "R@5,EM"


def pipe(k: int) -> Pipeline:
    return Pipeline(chunker=Lines(), stages=(Words(k=k), First()))


def aged(folder: Path, seconds: int) -> None:
    """As if all that the cache holds had been used so much earlier."""
    with sqlite3.connect(folder / "stages.sqlite") as db:
        db.execute("UPDATE kept SET used = used - ?", (seconds,))
    db.close()
    for index in folder.glob("index-*"):
        os.utime(index, (index.stat().st_mtime - seconds,) * 2)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def keys(folder: Path) -> set[str]:
    db = sqlite3.connect(folder / "stages.sqlite")
    try:
        return {row[0] for row in db.execute("SELECT key FROM kept")}
    finally:
        db.close()


def test_what_was_not_used_for_longest_goes_and_the_runs_own_stays(data, tmp_path):
    cache = tmp_path / "cache"
    run(pipe(1), data, tmp_path / "a", metrics=METRICS, cache=cache, cache_gib=0)
    old = keys(cache)
    aged(cache, 3600)
    run(pipe(2), data, tmp_path / "b", metrics=METRICS, cache=cache, cache_gib=0)
    both = keys(cache)
    aged(cache, 60)
    third = run(pipe(1), data, tmp_path / "c", metrics=METRICS, cache=cache, cache_gib=1e-9)
    assert [stage.ran for stage in third.reuse] == [0, 0]
    assert keys(cache) == old, "used again, so the second run's are the oldest"
    assert both > old
    assert len(list(cache.glob("index-*"))) == 1
    again = run(pipe(1), data, tmp_path / "d", metrics=METRICS, cache=cache, cache_gib=1e-9)
    assert [stage.ran for stage in again.reuse] == [0, 0], "what the last run used is never taken away"


def test_below_the_limit_nothing_goes_and_above_it_a_fifth_of_room_is_made(data, tmp_path):
    cache = tmp_path / "cache"
    for k in (1, 2, 3, 4):
        run(pipe(k), data, tmp_path / f"r{k}", metrics=METRICS, cache=cache)
        aged(cache, 60)
    before, held = size(cache), keys(cache)
    most = before // 2
    run(pipe(4), data, tmp_path / "again", metrics=METRICS, cache=cache, cache_gib=most / (1 << 30))
    assert size(cache) < before
    assert keys(cache) < held
    assert len(keys(cache)) >= 2 * len(data), "the newest stay"


def test_another_run_that_has_it_open_loses_nothing(data, tmp_path):
    cache = tmp_path / "cache"
    run(pipe(1), data, tmp_path / "a", metrics=METRICS, cache=cache)
    aged(cache, 3600)
    held = keys(cache)
    other = StageCache(cache)
    run(pipe(2), data, tmp_path / "b", metrics=METRICS, cache=cache, cache_gib=1e-9)
    assert held < keys(cache)
    other.close()
    run(pipe(2), data, tmp_path / "c", metrics=METRICS, cache=cache, cache_gib=1e-9)
    assert not held & keys(cache)


def test_an_index_of_other_documents_goes_with_its_values(data, tmp_path, folder):
    from conftest import write_dataset

    from evals.datasets import load

    cache = tmp_path / "cache"
    run(pipe(1), data, tmp_path / "a", metrics=METRICS, cache=cache)
    aged(cache, 3600)
    (first,) = cache.glob("index-*")
    fewer = write_dataset(tmp_path / "fewer", questions=4)
    with (fewer / "corpus.jsonl").open("a") as more:
        more.write('{"id": "more", "title": "", "text": "One more document.\\n"}\n')
    run(pipe(1), load(fewer), tmp_path / "b", metrics=METRICS, cache=cache, cache_gib=1e-9)
    (left,) = cache.glob("index-*")
    assert left != first


def test_a_cache_of_the_form_before_is_taken_up(data, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    with sqlite3.connect(cache / "stages.sqlite") as db:
        db.execute("CREATE TABLE kept (key TEXT PRIMARY KEY, value BLOB NOT NULL)")
        db.execute("INSERT INTO kept VALUES ('old', x'00')")
    db.close()
    run(pipe(1), data, tmp_path / "a", metrics=METRICS, cache=cache)
    assert "old" in keys(cache)
    run(pipe(1), data, tmp_path / "b", metrics=METRICS, cache=cache, cache_gib=1e-9)
    assert "old" not in keys(cache)


def test_a_run_that_is_stopped_lets_the_cache_go(data, tmp_path, monkeypatch):
    cache = tmp_path / "cache"

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs, "_append", stopped)
        with pytest.raises(KeyboardInterrupt):
            run(pipe(1), data, tmp_path / "a", metrics=METRICS, cache=cache)
    alone = StageCache(cache, most=1)
    alone.close()
    assert keys(cache) == set()
