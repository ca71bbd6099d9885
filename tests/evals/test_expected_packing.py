from __future__ import annotations

import json
from pathlib import Path

import chunkers.structure
from evals.bench.chunk import OURS
from evals.reproduce import SAMPLE
from evals.reproduce.packing import compare, documents, speed
from rag.types import Document

PINNED = json.loads((Path(__file__).parents[2] / "evals" / "expected" / "packing.json").read_text())
ROWS = {(row["size"], row["even"]): row for row in PINNED["rows"]}


def test_weighing_even_sizes_more_halves_their_spread_against_the_recursive_splitter() -> None:
    assert all(row["over_cap"] == 0 and row["runts"] == 0 for row in ROWS.values())
    assert all(ROWS[size, 3.0]["ratio"][2] < 0.5 for size in (96, 160, 256))
    assert all(ROWS[size, 1.0]["ratio"][2] < 0.5 for size in (96, 160, 256))
    assert all(0.5 < ROWS[size, 0.3]["ratio"][0] < 0.65 for size in (96, 160, 256))


def test_five_million_characters_a_cpu_second_are_cut_and_langchain_is_slower() -> None:
    rows = PINNED["speed"]["rows"]
    assert rows[OURS]["characters_per_cpu_second"][0] > 5_000_000
    langchain = next(row for name, row in rows.items() if name.startswith("langchain"))
    assert langchain["ours_is_faster_by"][1] > 1


def test_the_docstring_says_what_is_pinned() -> None:
    said = " ".join((chunkers.structure.StructureChunker.__doc__ or "").split())
    for even in (0.3, 1.0, 3.0):
        ratios = [ROWS[size, even]["ratio"][0] for size in (96, 160, 256)]
        assert f"{min(ratios):.2f} to {max(ratios):.2f}" in said
    rows = PINNED["speed"]["rows"]
    assert f"{rows[OURS]['characters_per_cpu_second'][0] / 1e6:.1f} million characters a CPU second" in said
    langchain = next(row for name, row in rows.items() if name.startswith("langchain"))
    assert "{:.1f} times fewer (95 %: {:.1f} to {:.1f})".format(*langchain["ours_is_faster_by"]) in said


def test_one_document_measured_again_agrees() -> None:
    docs = sorted(documents(SAMPLE), key=lambda doc: len(doc.text))[:1]
    row = compare(docs, 160, 3.0)
    assert row["over_cap"] == 0
    assert row["ratio"][0] < 0.6
    again = speed([Document("part", docs[0].text[:30_000])], rounds=1)["rows"]
    assert again[OURS]["ours_is_faster_by"][0] == 1
    assert again["tokens alone"]["ours_is_faster_by"][0] < 1
