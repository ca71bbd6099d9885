"""The service under load: pinned, said in the guide, and measured again for a moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag.site.pages import guide

ROOT = Path(__file__).parents[2]
PINNED = json.loads((ROOT / "evals" / "expected" / "serve.json").read_text())


def test_no_error_and_flat_memory_for_a_minute() -> None:
    assert (PINNED["clients"], PINNED["seconds"], PINNED["errors"]) == (32, 60, 0)
    assert PINNED["n"] > 10_000
    early, late = PINNED["memory"]
    assert late < 1.05 * early
    for rank in ("p50", "p99"):
        low, high = PINNED[f"{rank} interval"]
        assert 0 < low < high < 1


def test_the_guide_says_what_is_pinned() -> None:
    said = " ".join(guide()["deploy"].split())
    early, late = PINNED["memory"]
    assert f"{PINNED['n']:,} answers, no error, half of them within {1000 * PINNED['p50']:.0f} ms" in said
    assert f"99 % within {1000 * PINNED['p99']:.0f} ms, memory {early / 1e6:.0f} MB" in said
    assert f"{late / 1e6:.0f} MB at the end" in said
    assert (
        f"An answer of {PINNED['bytes'] / 1000:.0f} kB takes {1000 * PINNED['processor']:.1f} ms of the processor"
        in said
    )
    assert f"as many bytes takes {1000 * PINNED['processor bare']:.1f} ms" in said


@pytest.mark.service
def test_measured_again_for_a_moment() -> None:
    pytest.importorskip("uvicorn", reason="the extra serve is not installed")
    from evals.bench.serve import bench

    figures = bench(clients=8, seconds=2.0)["figures"]["serve"]
    assert figures["errors"] == 0
    assert figures["requests"] > 50
    assert figures["p99"] < 5
    assert 0 < figures["processor bare"] < figures["processor"] < 0.02
