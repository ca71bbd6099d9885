"""What is pinned of the tree studies says what the docs say, and cheap parts are measured again."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from chunkers.structure import StructureChunker
from evals.datasets import load
from evals.reproduce import location, treebench
from rag.testing import indexed
from rag.types import Document
from retrievers.bm25 import BM25
from retrievers.location import LocationRetriever

EXPECTED = Path(__file__).parents[2] / "evals" / "expected"
POOL = [
    ("a", "Scope. This part applies to boats.", "T1_XML__title_1__part_2__section_2.1"),
    ("b", "The fee for a boat is nine euro.", "T1_XML__title_1__part_2__section_2.1__para_a"),
    ("c", "No fee is due for rafts.", "T1_XML__title_1__part_2__section_2.1__para_b"),
    ("d", "Lamps are to be lit at dusk.", "T1_XML__title_1__part_10__section_10.4__para_a"),
    ("e", "Whole text of the section on lamps.", "T1_XML__section_§_10.4"),
    ("f", "Trains keep left.", "T2_XML__section_§_7.1"),
]


def pinned(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXPECTED / f"{name}.json").read_text())
    return found


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    rows = [{"id": i, "title": "", "text": t, "metadata": {"node_id": n}} for i, t, n in POOL]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [{"id": "q1", "text": "Which fee for a boat?"}, {"id": "q2", "text": "lit lamps at dusk in the section"}]
    (tmp_path / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\ta\t1\nq1\tb\t1\nq2\td\t1\nq2\te\t1\n")
    return tmp_path


def test_regulations_hang_where_their_ids_say(pool: Path) -> None:
    trees, which = treebench.titles(load(pool))
    assert [tree.document.id for tree in trees] == ["T1_XML", "T2_XML"]
    paths = {which[tree.document.id, leaf.index]: leaf.path for tree in trees for leaf in tree.leaves()}
    assert paths["b"] == ("Title 1", "Part 2", "§ 2.1", "Paragraph a")
    assert paths["e"][:3] == ("Title 1", "Part 10", "§ 10.4")
    assert paths["d"] == ("Title 1", "Part 10", "§ 10.4", "Paragraph a")
    assert set(which.values()) == {doc for doc, _, _ in POOL}


def test_the_study_runs_on_a_small_pool(pool: Path) -> None:
    result = treebench.reproduce(Namespace(data=pool, limit=None, seed=0), lambda _: None)
    assert result["n"] == 2
    assert set(result["rows"]) == set(treebench.CASES)
    assert result["rows"]["flat"]["against_flat"] == [0.0, 0.0, 0.0]


def test_trees_beat_flat_search_on_regulations_beyond_chance() -> None:
    rows = pinned("treebench")["rows"]
    for name in ("collapsed", "beam", "beam, bundle 1"):
        assert rows[name]["against_flat"][1] > 0, name
        assert rows[name]["complete"] > rows["flat"]["complete"], name
    assert rows["beam"]["unquoted_against_flat"][0] > 0


def test_location_search_finds_named_places_fifteen_points_more_often() -> None:
    for rows in pinned("location")["rows"].values():
        for row in ("all made", "held out", "asked"):
            assert rows[row]["gain"][0] >= 15, row
            assert rows[row]["gain"][1] > 0, row


def test_made_questions_have_gold_and_are_answered_from_their_place() -> None:
    pages = [f"Title {i}\n\nThe quartz of house {i} shines brightly under lamps.\n\n" * 3 + "\f" for i in range(6)]
    at = [sum(map(len, pages[:i])) for i in range(7)]
    document = Document("d", "".join(pages), metadata={"pages": [[at[i], at[i + 1]] for i in range(6)]})
    tree = StructureChunker(size=32)(document)
    made = location.make([tree], 0, each=5)
    assert {one.kind for one in made} >= {"page", "last page"}
    search = indexed(StructureChunker(size=32), LocationRetriever(inner=BM25()), [document])
    for one in made:
        if one.kind == "page":
            assert one.gold & {hit.node for hit in search(one.query).items[:3]}, one.query.text
