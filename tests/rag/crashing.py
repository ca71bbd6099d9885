"""Runs indexing in processes that die: at a numbered point, at a moment, or against a full disk."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from small_index import Lengths, Pieces, build

from rag.errors import RagError

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pytest", "small_index", "rag.indexing", "rag.store.memory", "rag.store.write"])
RETRIEVERS = (Lengths(), Lengths(scale=3))


def index(out: Path, documents: list[Any]) -> Any:
    return build(documents, out, chunker=Pieces(size=40), retrievers=RETRIEVERS, config="version: 1\n")[0]


def _die_at(point: int) -> list[int]:
    """Count the steps that change the disk, and die by SIGKILL just before the numbered one."""
    from rag.store import arrays, database, manifest, write

    passed = [0]

    def watch(owner: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def step(*args: Any, **more: Any) -> Any:
            if passed[0] == point:
                os.kill(os.getpid(), signal.SIGKILL)
            passed[0] += 1
            return real(*args, **more)

        setattr(owner, name, step)

    for owner, names in (
        (os, ("fsync", "replace", "link")),
        (shutil, ("rmtree",)),
        (write, ("write_array",)),
        (arrays, ("write_array",)),
        (manifest, ("fsync_folder",)),
        (database.Database, ("commit", "add", "retire", "settle")),
    ):
        for name in names:
            watch(owner, name)
    return passed


def _run(out: Path, documents: list[Any], point: int, pipe: Any, small: bool) -> None:
    from rag.store import write

    if small:
        write.PENDING = 100  # a transaction for every few documents, as a large corpus has
    passed = _die_at(point)
    pipe.send("began")
    index(out, documents)
    pipe.send(passed[0])


def killed(out: Path, documents: list[Any], *, point: int = -1, after: float | None = None) -> int | None:
    """Index in a process that dies at a point, or after so many seconds; None when it died."""
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=_run, args=(out, documents, point, theirs, True))
    process.start()
    theirs.close()
    assert ours.recv() == "began"
    if after is not None:
        process.join(after)
        process.kill()
    process.join(60)
    try:
        return int(ours.recv())
    except EOFError:
        assert process.exitcode == -signal.SIGKILL
        return None


def _fill(out: Path, documents: list[Any], limit: int, pipe: Any) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        index(out, documents)
    except RagError as error:
        pipe.send(f"{type(error).__name__}: {error}")
    else:
        pipe.send("done")


def filled(out: Path, documents: list[Any], limit: int) -> str:
    """Index in a process that may write no file larger than `limit` bytes; what it said."""
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=_fill, args=(out, documents, limit, theirs))
    process.start()
    theirs.close()
    said = ours.recv()
    process.join(60)
    return str(said)
