from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from rag import trace


def test_spans_nest_and_carry_times_and_facts() -> None:
    with trace.record() as spans, trace.span("outer", "stages[0]", items_in=1) as outer:
        with trace.span("inner"):
            time.sleep(0.01)
        outer.facts["items_out"] = 3
    assert [(s.name, s.place, s.parent) for s in spans] == [("outer", "stages[0]", -1), ("inner", "", 0)]
    assert spans[0].facts == {"items_in": 1, "items_out": 3}
    assert spans[0].seconds >= spans[1].seconds >= 0.01


def test_nothing_is_kept_outside_a_recording() -> None:
    with trace.span("alone") as span:
        assert trace.current() is None
    assert span.seconds == -1.0


def test_an_error_is_noted_and_passes_through() -> None:
    with trace.record() as spans:
        with pytest.raises(KeyError), trace.span("broken"):
            raise KeyError("x")
        with trace.span("after"):
            pass
    assert spans[0].facts == {"error": "KeyError"}
    assert spans[1].parent == -1


def test_the_table_indents_what_ran_inside() -> None:
    with trace.record() as spans, trace.span("pipeline", items_in=2, cost=0.25), trace.span("model"):
        pass
    lines = trace.table(spans).splitlines()
    assert lines[0].split() == [
        "stage",
        "seconds",
        "items",
        "in",
        "items",
        "out",
        "tokens",
        "in",
        "tokens",
        "out",
        "cost",
    ]
    assert lines[1].startswith("pipeline")
    assert lines[1].endswith("0.25")
    assert lines[2].startswith("  model")


def test_lines_of_jsonl_carry_what_is_common_to_them(tmp_path: Path) -> None:
    with trace.record() as spans, trace.span("a"):
        pass
    for item in ("q1", "q2"):
        trace.write_jsonl(spans, tmp_path / "trace.jsonl", item=item)
    lines = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    assert [(line["item"], line["name"]) for line in lines] == [("q1", "a"), ("q2", "a")]


def test_opentelemetry_gets_times_nesting_and_facts() -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    kept = export.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with trace.record() as spans, trace.span("outer", items_in=4), trace.span("inner"):
        time.sleep(0.005)
    trace.to_otel(spans, began=1_000.0, tracer=provider.get_tracer("test"))
    sent = {span.name: span for span in kept.get_finished_spans()}
    assert sent["inner"].parent.span_id == sent["outer"].context.span_id
    assert sent["outer"].attributes["rag.items_in"] == 4
    assert sent["inner"].end_time - sent["inner"].start_time >= 5e6
    assert sent["outer"].start_time // 10**9 == 1_000
