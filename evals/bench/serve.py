"""What `rag bench serve` measures: `rag serve` under many clients at once, its times, errors and memory.

The service runs in a process of its own and is asked over loopback, each client on one kept connection, the next
question as soon as the last is answered. An answer counts as an error unless it is complete and the same as every other
answer to that question. Times are of whole requests as a client sees them; with more clients than cores they are mostly
waiting, so the rate beside them says what one answer costs. A client alone and the library without a service, on the
same questions, say what the service adds to an answer. `evals.bench.bare_service` gives as many bytes and does nothing
else: what it takes of the processor is the bound. Processor time is of the service's process, so it does not depend on
who else uses the machine.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from evals.bench.contest import Tell, silent
from rag.errors import RagError

__all__ = ["bench"]

START = "from rag.cli import main; main()"
WINDOWS = 12
WARM = 0.1  # share of the time after which memory is first looked at


def bench(
    index: Path | None = None,
    *,
    clients: int = 32,
    seconds: float = 60.0,
    recipe: str = "lexical",
    progress: Tell | None = None,
) -> dict[str, Any]:
    """Ask a service for a while.

    Args:
        index: an index folder; by default the bundled articles are indexed with `recipe`.
        clients: that ask at the same time.
        seconds: they ask for so long.
        recipe: of the bundled index.
        progress: called with (done, total, label).

    Returns:
        `tables` to print, `notes`, and `figures`: `requests`, `errors`, `rate` (requests a second), `p50`, `p90`, `p99`
        and `worst` (seconds), `memory` (bytes, after a tenth of the time and at the end); `windows` (how many parts of
        equal length the time has) and the 95 % intervals of `p50` and `p99` over them; `one` and `library`: the median
        of a client alone and of the library; `processor` and `processor bare`: processor seconds an answer, of the
        service and of the bound.
    """
    tell = progress or silent
    questions = _questions()
    with tempfile.TemporaryDirectory() as base:
        folder = index if index is not None else _indexed(Path(base) / "index", recipe)
        with _started("-c", START, "serve", f"bench={folder}", "--port", "0") as (port, process):
            alone, errors, _ = _asked(port, questions, 1, seconds / 10, silent)
            before = _processor(process)
            times, more, memory = _asked(port, questions, clients, seconds, tell)
            spent = (_processor(process) - before) / len(times)
            usual = sorted((_answer(port, question) for question in questions), key=len)[len(questions) // 2]
        (Path(base) / "answer").write_bytes(usual)
        with _started("-m", "evals.bench.bare_service", str(Path(base) / "answer")) as (port, process):
            before = _processor(process)
            bare, _, _ = _asked(port, questions, clients, seconds / 6, silent, same=False)
            bound = (_processor(process) - before) / len(bare)
        library = _library(folder, questions, seconds / 10)
    errors += more
    figures = _figures(times, errors, memory) | {"clients": clients, "seconds": seconds, "bytes": len(usual)}
    figures |= {"rate": len(times) / seconds, "one": median(t for _, t in alone), "library": median(library)}
    figures |= {"processor": spent, "processor bare": bound, "rate bare": len(bare) / (seconds / 6)}
    return _told(figures, sorted(set(errors)), recipe if index is None else str(index))


def _questions() -> list[str]:
    import evals
    from evals.datasets import load

    sample = load(Path(evals.__path__[0]) / "samples" / "wikipedia")
    return [item.query().text for item in sample.items]


def _indexed(folder: Path, recipe: str) -> Path:
    import evals
    from rag.config import load

    load(recipe).index(Path(evals.__path__[0]) / "samples" / "wikipedia", folder)
    return folder


@contextmanager
def _started(*arguments: str) -> Iterator[tuple[int, int]]:
    """Port and process number of a service that says on standard error where it listens."""
    with subprocess.Popen([sys.executable, *arguments], stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        said = process.stderr.readline() if process.stderr is not None else ""
        found = re.search(r"http://[^:]+:(\d+)", said)
        reading = threading.Thread(target=lambda: list(process.stderr or ()))
        reading.start()
        try:
            if found is None:
                raise RagError(f"rag serve: did not start: {said.strip()}")
            yield int(found[1]), process.pid
        finally:
            process.terminate()
            process.wait(60)
            reading.join()


def _processor(process: int) -> float:
    """Seconds of processor time of a process so far; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _answer(port: int, question: str) -> bytes:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    link.request("POST", "/ask", json.dumps({"question": question}), {"content-type": "application/json"})
    body = link.getresponse().read()
    link.close()
    return body


def _asked(
    port: int, questions: Sequence[str], clients: int, seconds: float, tell: Tell, *, same: bool = True
) -> tuple[list[tuple[float, float]], list[str], list[int]]:
    """When each request began and how long it took, what went wrong, and the service's memory once a second."""
    times: list[list[tuple[float, float]]] = [[] for _ in range(clients)]
    errors: list[str] = []
    seen: dict[str, str] = {}
    began = time.monotonic()

    def go(number: int) -> None:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        at = number
        while time.monotonic() - began < seconds:
            body = json.dumps({"question": questions[at % len(questions)]})
            at += clients
            start = time.perf_counter()
            try:
                link.request("POST", "/ask", body, {"content-type": "application/json"})
                answer = link.getresponse()
                told = _said(json.loads(answer.read()))
                if answer.status != 200:
                    errors.append(f"status {answer.status}")
                elif same and seen.setdefault(body, told) != told:
                    errors.append("another answer to the same question")
            except (OSError, http.client.HTTPException, ValueError) as error:
                errors.append(type(error).__name__)
                link.close()
            times[number].append((time.monotonic() - began, time.perf_counter() - start))
        link.close()

    threads = [threading.Thread(target=go, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    memory = []
    while any(thread.is_alive() for thread in threads):
        time.sleep(min(1.0, seconds / 20))
        memory.append(_resident(port))
        tell(min(round(time.monotonic() - began), round(seconds)), round(seconds), "asking")
    return [one for some in times for one in some], errors, memory


def _said(answer: dict[str, Any]) -> str:
    """What an answer says, without what may differ from one time to the next."""
    return json.dumps([answer.get(name) for name in ("answer", "status", "citations", "context")])


def _library(folder: Path, questions: Sequence[str], seconds: float) -> list[float]:
    """Seconds an answer takes without a service."""
    from rag.index import open_index

    index, ends = open_index(folder), time.monotonic() + seconds
    times: list[float] = []
    while time.monotonic() < ends:
        start = time.perf_counter()
        index.ask(questions[len(times) % len(questions)])
        times.append(time.perf_counter() - start)
    return times


def _resident(port: int) -> int:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    link.request("GET", "/metrics")
    found = re.search(rb"^rag_resident_bytes (\S+)$", link.getresponse().read(), re.MULTILINE)
    link.close()
    return round(float(found[1])) if found else 0


def _figures(times: Sequence[tuple[float, float]], errors: Sequence[str], memory: Sequence[int]) -> dict[str, Any]:
    import numpy as np

    from evals.stats import interval

    began, took = np.array(times, dtype=np.float64).T
    part = np.minimum((began / began.max() * WINDOWS).astype(int), WINDOWS - 1)
    p50, p90, p99, worst = (float(value) for value in np.percentile(took, (50, 90, 99, 100)))
    found: dict[str, Any] = {
        "requests": len(times),
        "errors": len(errors),
        **{"p50": p50, "p90": p90, "p99": p99, "worst": worst},
        "windows": WINDOWS,
        "memory": [memory[int(len(memory) * WARM)], memory[-1]],
    }
    for rank in (50, 99):
        parts = [float(np.percentile(took[part == i], rank)) for i in range(WINDOWS) if (part == i).any()]
        over = interval(parts, seed=0)
        found[f"p{rank} interval"] = [over.low, over.high]
    return found


def _told(figures: dict[str, Any], errors: Sequence[str], what: str) -> dict[str, Any]:
    times = [1000 * figures[name] for name in ("p50", "p90", "p99", "worst")]
    table = {
        "title": f"{figures['clients']} clients for {figures['seconds']:g} s, {what}",
        "columns": ["requests", "errors", "a second", "p50 ms", "p90 ms", "p99 ms", "worst ms", "MB", "MB later"],
        "rows": [
            [
                *(figures["requests"], figures["errors"], figures["rate"], *times),
                *(size / 1e6 for size in figures["memory"]),
            ]
        ],
    }
    notes = [
        f"an answer alone takes {1000 * figures['one']:.2f} ms, without the service {1000 * figures['library']:.2f} ms",
        f"processor time an answer: {1000 * figures['processor']:.2f} ms; of a bare service that gives as many bytes"
        f" ({figures['bytes']:,}): {1000 * figures['processor bare']:.2f} ms",
        *([f"errors: {', '.join(errors)}"] if errors else []),
    ]
    return {"tables": [table], "notes": notes, "figures": {"serve": figures}}
