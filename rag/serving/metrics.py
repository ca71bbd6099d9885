"""Counts and times of the service in the text format that Prometheus reads.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version 0.0.4). Labels take values
from a closed set only (routes, statuses), so a caller cannot make the page grow.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

__all__ = ["BOUNDS", "Metrics"]

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Counters and one histogram a route; calls from several threads take turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: Counter[str] = Counter()
        self._within: Counter[tuple[str, float]] = Counter()
        self._usage: Counter[str] = Counter()
        self._answers: Counter[str] = Counter()

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        with self._lock:
            self._requests[route, status] += 1
            self._seconds[route] += seconds  # type: ignore[assignment]
            for bound in BOUNDS:
                if seconds <= bound:
                    self._within[route, bound] += 1

    def answer(self, status: str, usage: Iterable[tuple[str, float]]) -> None:
        """Count an answer, and what it cost."""
        with self._lock:
            self._answers[status] += 1
            for name, value in usage:
                self._usage[name] += value  # type: ignore[assignment]

    def text(self, gauges: Iterable[tuple[str, str, float]]) -> str:
        """The page.

        Args:
            gauges: name, labels as `key="value"` or "", and value, of what is now.
        """
        with self._lock:
            lines = [
                "# HELP rag_requests_total Requests answered.",
                "# TYPE rag_requests_total counter",
                *(
                    f'rag_requests_total{{route="{route}",status="{status}"}} {count}'
                    for (route, status), count in sorted(self._requests.items())
                ),
                "# HELP rag_request_seconds Time from the first byte of a request to the last of its answer.",
                "# TYPE rag_request_seconds histogram",
            ]
            for route in sorted(self._seconds):
                total = sum(count for (one, _), count in self._requests.items() if one == route)
                lines += [
                    f'rag_request_seconds_bucket{{route="{route}",le="{bound:g}"}} {self._within[route, bound]}'
                    for bound in BOUNDS
                ]
                lines += [
                    f'rag_request_seconds_bucket{{route="{route}",le="+Inf"}} {total}',
                    f'rag_request_seconds_sum{{route="{route}"}} {self._seconds[route]:.6f}',
                    f'rag_request_seconds_count{{route="{route}"}} {total}',
                ]
            lines += ["# HELP rag_answers_total Questions by the answer's status.", "# TYPE rag_answers_total counter"]
            lines += [f'rag_answers_total{{status="{key}"}} {count}' for key, count in sorted(self._answers.items())]
            lines += ["# HELP rag_usage_total What answers cost: calls, tokens.", "# TYPE rag_usage_total counter"]
            lines += [f'rag_usage_total{{kind="{key}"}} {value:g}' for key, value in sorted(self._usage.items())]
        for name, labels, value in gauges:
            if f"# TYPE {name} gauge" not in lines:
                lines.append(f"# TYPE {name} gauge")
            lines.append(f"{name}{{{labels}}} {value:g}" if labels else f"{name} {value:g}")
        return "\n".join(lines) + "\n"


def resident() -> int:
    """Bytes of memory this process holds; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096
    except (OSError, ValueError, IndexError):
        return 0
