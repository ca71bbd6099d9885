from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from small_index import Pieces, build, doc, snapshot

from rag.errors import ConfigError, RagError, StoreError
from rag.store.folder import open_store
from rag.types import Document


def version(number: int) -> list[Document]:
    """Twenty documents that all say the same number, so that a mixture of generations would show."""
    return [doc(f"d{i:02}", f"version {number} " * (i + 1)) for i in range(20)]


def test_readers_see_one_generation_whole_while_a_writer_works(tmp_path: Path) -> None:
    out = tmp_path / "index"
    build(version(0), out)[0].close()
    done = threading.Event()
    seen: list[set[str]] = []
    errors: list[str] = []

    def read() -> None:
        while not done.is_set():
            try:
                with open_store(out) as store:
                    said = {store.document(i).text.split()[1] for i, _ in store.documents()}
                    assert store.part(store.manifest.parts[0]).load("lengths").sum() == len(
                        "".join(store.corpus.texts())
                    )
                seen.append(said)
            except StoreError as error:  # updated twice while it was read
                errors.append(str(error))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for one in readers:
        one.start()
    for number in range(1, 13):
        build(version(number), out)[0].close()
    done.set()
    for one in readers:
        one.join()
    assert all(len(said) == 1 for said in seen)
    assert len(set.union(*seen)) > 1
    assert all("open" in error.lower() and "again" in error for error in errors)


def test_of_two_writers_at_once_one_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "index"
    refused: list[str] = []
    start = threading.Barrier(4)

    def write(number: int) -> None:
        start.wait()
        try:
            build(version(number), out)[0].close()
        except StoreError as error:
            refused.append(str(error))

    writers = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert all("is writing this index" in message for message in refused)
    with open_store(out) as store:
        store.verify()
        assert snapshot(store) == snapshot(build([store.document(i) for i, _ in store.documents()])[0])


@pytest.mark.slow
def test_files_are_read_in_processes_in_the_order_of_their_names(tmp_path: Path) -> None:
    for i in range(40):
        (tmp_path / f"f{i:02}.txt").write_text(f"file {i}" * (40 - i))
    (tmp_path / "f20.txt").write_bytes(b"")
    (tmp_path / "g.jsonl").write_text('{"_id": "r1", "text": "record"}\n{"_id": "r2"}\n')
    one, first = build([tmp_path])
    two, second = build([tmp_path], workers=2)
    assert snapshot(one) == snapshot(two)
    assert [str(f) for f in first.failures] == [str(f) for f in second.failures]
    assert len(first.failures) == 2
    assert "r1" in {i for i, _ in two.documents()}


class Hopeless(Pieces):
    """Needs what is not there, whatever the document."""

    def __call__(self, document: Document, /) -> object:
        raise ConfigError("hopeless: needs a model that is not there")


def test_what_would_fail_on_every_document_is_said_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="^hopeless: needs a model"):
        build(version(0), tmp_path / "index", chunker=Hopeless())


class Dying(Pieces):
    """Ends the process that calls it."""

    def __call__(self, document: Document, /) -> object:
        os._exit(9)


@pytest.mark.slow
def test_a_process_that_dies_is_told_and_the_old_index_stays(tmp_path: Path) -> None:
    out = tmp_path / "index"
    before = snapshot(build(version(0), out)[0])
    with pytest.raises(RagError, match="a worker process died"):
        build(version(1), out, chunker=Dying(), workers=2)
    assert snapshot(open_store(out)) == before


SCRIPT = """
import sys, time
from pathlib import Path
from small_index import Pieces, build, doc
from test_indexing_parallel import Slow
if __name__ == "__main__":
    build([doc(f"d{i}", "text " * 200) for i in range(1000)], Path(sys.argv[1]), chunker=Slow(), workers=2)
"""


class Slow(Pieces):
    """Takes its time."""

    def __call__(self, document: Document, /) -> object:
        time.sleep(0.05)
        return super().__call__(document)


@pytest.mark.slow
def test_processes_end_when_the_one_that_started_them_is_killed(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "script.py", tmp_path / "index"], env={**os.environ, "PYTHONPATH": path}
    )
    watched = psutil.Process(parent.pid)
    until = time.monotonic() + 60
    while sum("spawn_main" in " ".join(c.cmdline()) for c in watched.children()) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    children = watched.children()
    assert len(children) >= 2
    time.sleep(1)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
