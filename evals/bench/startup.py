"""How long one waits before anything happens."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from evals.bench.contest import Tell, silent, table

__all__ = ["startup"]

IMPORT = "import time; t = time.perf_counter(); import rag; print(time.perf_counter() - t)"


def startup(repeat: int = 5, tell: Tell = silent) -> dict[str, Any]:
    """Seconds of `import rag`, inside a running interpreter, and of the whole process `rag --help`.

    Args:
        repeat: processes of each, in turn, after one to warm the disk; medians and the fastest are reported.
        tell: called with (done, total, label).
    """
    script = Path(sys.executable).with_name("rag")
    command = [str(script)] if script.exists() else [sys.executable, "-c", "from rag.cli import main; main()"]
    times: dict[str, list[float]] = {"import rag": [], "rag --help": [], "python -c pass": []}
    for turn in range(repeat + 1):
        out = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, check=True, text=True)  # noqa: S603
        seconds = {"import rag": float(out.stdout)}
        seconds["rag --help"] = _wall([*command, "--help"])
        seconds["python -c pass"] = _wall([sys.executable, "-c", "pass"])
        for name, value in seconds.items():
            if turn:
                times[name].append(value)
        tell(turn, repeat, "start")
    rows = [[name, statistics.median(values), min(values)] for name, values in times.items()]
    return {
        "table": table(f"Time to start (median of {repeat})", ["what", "seconds", "fastest"], rows),
        "figures": {name: {"seconds": median, "fastest": fastest} for name, median, fastest in rows},
    }


def _wall(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - our own command
    return time.perf_counter() - began
