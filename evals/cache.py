"""What stages gave in earlier runs, kept on disk, so that changing a late stage runs the late stages alone.

A value is kept under the documents, the code, the libraries, the shape of the index, every setting of the
stage and of all stages before it, the question and the budget. Nothing else decides what a stage gives: one
that draws has a seed among its settings, and a model answering differently a second time is not asked twice.
Failures are never kept. A run says which stages were reused, which ran, and what had changed.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from evals import runfolder
from evals.cachesize import Use
from evals.datasets import Dataset
from evals.packed import pack, unpack
from evals.sharing import attempt, replay
from rag import config
from rag.doctree import DocTree
from rag.errors import DataError, StageError
from rag.index import Index, shape
from rag.pipeline import Pipeline
from rag.registry import name_of
from rag.stage import fields_of
from rag.types import Query

__all__ = ["Cached", "Reuse", "StageCache", "ground"]

BASE = {
    "documents": "other documents",
    "code": "another version of the code",
    "libraries": "other versions of libraries",
    "index": "another index",
}
NEW = "questions or budgets that were not asked before"


def ground(pipeline: Pipeline, data: Dataset, code: str, libraries: Mapping[str, str]) -> dict[str, Any]:
    """All that decides what stages give, apart from the question: documents, code, libraries, index, settings."""
    with data.corpus.open("rb") as source:
        documents = hashlib.file_digest(source, "sha256").hexdigest()
    return {
        "documents": documents,
        "code": _digest([code, *_foreign(pipeline)]),
        "libraries": dict(libraries),
        "index": json.loads(json.dumps(shape(pipeline), default=str)),
        "stages": [json.loads(json.dumps(config.spec(stage), default=str)) for stage in pipeline.stages],
    }


def _foreign(pipeline: Pipeline) -> list[str]:
    """Digests of the files that define stages of other packages; ours are part of the code's digest."""
    found: set[str] = set()

    def visit(value: Any) -> None:
        if isinstance(value, (list, tuple)):
            for one in value:
                visit(one)
        elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
            if type(value).__module__.partition(".")[0] not in runfolder.PACKAGES:
                file = inspect.getsourcefile(type(value))
                found.add(hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else type(value).__qualname__)
            for inner in fields_of(value).values():
                visit(inner)

    visit(pipeline)
    return sorted(found)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


@dataclass(frozen=True)
class Reuse:
    """One stage of a run: calls answered from the cache, calls made, and why those were made.

    Args:
        place: such as `stages[1]`.
        name: such as `rerankers/mmr`.
        reused: calls that were not made.
        ran: calls that were.
        why: what had changed; "" when nothing ran.
        unkept: values that could not be kept because they would not come back equal.
    """

    place: str
    name: str
    reused: int
    ran: int
    why: str
    unkept: int = 0

    def json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


class StageCache:
    """A folder of values and indexes, shared by runs, threads and processes.

    Args:
        folder: where it lies.
        most: bytes it may have when a run ends; None sets no limit. See `evals.cachesize`.

    Raises:
        DataError: the file cannot be opened, or is no such cache.
    """

    def __init__(self, folder: Path, most: int | None = None) -> None:
        self.folder, self.path, self.most = folder, folder / "stages.sqlite", most
        self._lock = threading.Lock()
        self._used: set[str] = set()
        self._index: Path | None = None
        self._use = Use(folder)
        try:
            self._db = sqlite3.connect(self.path, timeout=30, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=OFF")  # a torn file costs time, never a result
            self._db.execute("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value BLOB NOT NULL)")
            if "used" not in [row[1] for row in self._db.execute("PRAGMA table_info(kept)")]:
                self._db.execute("ALTER TABLE kept ADD COLUMN used INTEGER NOT NULL DEFAULT 0")
            self._db.execute("CREATE TABLE IF NOT EXISTS grounds (number INTEGER PRIMARY KEY, facts TEXT UNIQUE)")
        except (sqlite3.Error, OSError) as error:
            self._use.leave()
            raise DataError(f"{self.path}: cannot be opened as a cache: {error}. Delete it or move it.") from error

    def _ask(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            with self._lock:
                return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise DataError(f"{self.path}: {error}. Free some space, or delete it.") from error

    def get(self, key: str) -> bytes | None:
        """The bytes kept under a key."""
        rows = self._ask("SELECT value FROM kept WHERE key = ?", (key,))
        self._used.add(key)
        return rows[0][0] if rows else None

    def put(self, key: str, value: bytes) -> None:
        """Keep bytes under a key."""
        self._ask("INSERT OR REPLACE INTO kept (key, value, used) VALUES (?, ?, ?)", (key, value, int(time.time())))

    def grounds(self) -> list[dict[str, Any]]:
        """What earlier runs stood on, newest first."""
        return [json.loads(row[0]) for row in self._ask("SELECT facts FROM grounds ORDER BY number DESC")]

    def stand(self, facts: Mapping[str, Any]) -> None:
        """Remember what a run stands on."""
        self._ask("INSERT OR IGNORE INTO grounds (facts) VALUES (?)", (json.dumps(facts, sort_keys=True),))

    def index_folder(self, facts: Mapping[str, Any]) -> Path:
        """Where the index of these documents lies."""
        self._index = self.folder / f"index-{_digest([facts[name] for name in BASE])[:12]}"
        return self._index

    def over(self, index: Index, facts: Mapping[str, Any]) -> Cached:
        """The index's pipeline with its stages looking here first; remembers what it stands on."""
        before = self.grounds()
        self.stand(facts)
        return Cached(index, self, facts, before)

    def close(self) -> None:
        """Note what was used, take away the oldest if it is too large and nobody else has it open, and let go."""
        try:
            with self._lock:
                self._use.end(self._db, self.most, frozenset(self._used), self._index)
        except (sqlite3.Error, OSError) as error:
            raise DataError(f"{self.path}: {error}. Free some space, or delete it.") from error
        finally:
            self._db.close()
            self._use.leave()


@dataclass(frozen=True, eq=False)
class Cached:
    """A bound pipeline whose stages look into a cache first.

    Args:
        index: what is asked.
        cache: where values are kept.
        facts: from `ground`.
        before: what earlier runs stood on, newest first.
    """

    index: Index
    cache: StageCache
    facts: Mapping[str, Any]
    before: Sequence[Mapping[str, Any]] = ()

    @property
    def stages(self) -> tuple[Any, ...]:
        """The pipeline's stages."""
        return self.index.bound.stages

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(name_of(type(stage)) for stage in self.stages)

    @cached_property
    def _prefixes(self) -> tuple[str, ...]:
        return _prefixes(self.facts)

    @cached_property
    def _counts(self) -> Counter[tuple[str, int]]:
        return Counter()

    @cached_property
    def _lock(self) -> Any:
        return threading.Lock()

    def _tree(self, doc: str) -> DocTree:
        corpus = self.index.store.corpus
        return corpus.tree(corpus.ordinals[doc])

    def steps(self, query: Query) -> Iterator[tuple[str, str, Any]]:
        """As `Pipeline.steps`."""
        value: Any = query
        for i, name in enumerate(self._names):
            value = self.apply(i, value, query)
            yield f"stages[{i}]", name, value

    def apply(self, i: int, value: Any, query: Query) -> Any:
        """Stage `i` on a value that came from the stages before it, on this question and budget."""
        asked = [getattr(query, name) for name in Query.__slots__]
        key = _digest([self._prefixes[i], json.dumps(asked, sort_keys=True, default=str)])
        raw = self.cache.get(key)
        if raw is not None:
            try:
                kept = unpack(raw, query, self._tree)
            except (ValueError, KeyError, TypeError):
                raw = None
        if raw is None:
            kept = attempt(self.stages[i], f"stages[{i}]", self._names[i], value, query)
            packed = None if isinstance(kept[0], StageError) else pack(*kept, query, self._tree)
            if packed is not None:
                self.cache.put(key, packed)
            elif not isinstance(kept[0], StageError):
                self._count("unkept", i)
        self._count("ran" if raw is None else "reused", i)
        return replay(*kept)

    def _count(self, what: str, i: int) -> None:
        with self._lock:
            self._counts[what, i] += 1

    def reuse(self) -> tuple[Reuse, ...]:
        """What was reused and what ran, by stage."""
        rows = []
        for i, name in enumerate(self._names):
            ran = self._counts["ran", i]
            why = missed(self.facts, self.before, i) if ran else ""
            rows.append(Reuse(f"stages[{i}]", name, self._counts["reused", i], ran, why, self._counts["unkept", i]))
        return tuple(rows)


def _prefixes(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """For each stage a digest of the ground and of all stages up to it."""
    base = [facts[name] for name in BASE]
    return tuple(_digest([base, facts["stages"][: i + 1]]) for i in range(len(facts["stages"])))


def missed(facts: Mapping[str, Any], before: Sequence[Mapping[str, Any]], i: int) -> str:
    """Why stage `i` had to run: the first thing that differs from the earlier run that agrees longest."""
    if not before:
        return "nothing was kept before"
    same = [old for old in before if all(old[name] == facts[name] for name in BASE)]
    if not same:
        return ", ".join(words for name, words in BASE.items() if before[0][name] != facts[name])

    def agreed(old: Mapping[str, Any]) -> int:
        pairs = zip(old["stages"], facts["stages"], strict=False)
        return next((j for j, (a, b) in enumerate(pairs) if a != b), min(len(old["stages"]), len(facts["stages"])))

    old = max(same, key=agreed)
    j = agreed(old)
    if j > i:
        return NEW
    now = facts["stages"][j]
    was = old["stages"][j] if j < len(old["stages"]) else {}
    if was.get("use") != now["use"]:
        return f"stages[{j}]: {was.get('use', 'nothing')} -> {now['use']}"
    changed = [f"{k}: {_short(was.get(k))} -> {_short(v)}" for k, v in now.items() if was.get(k) != v]
    return f"stages[{j}] ({now['use']}): {', '.join(changed)}"


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:60]
