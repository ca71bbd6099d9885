"""The recipe `living` from a folder to cited answers, and through an edit."""

from __future__ import annotations

from pathlib import Path

import rag
from rag.notes import notes_of

HASH = "{use: embedders/hash}"
PARTS = [
    f"## {word} works\n\n"
    + " ".join(f"The {word} of bay {i} is checked on day {i * 3} by crew {i % 4}." for i in range(40))
    + f"\n\nThe {word} works use oil of grade {grade}.\n"
    for word, grade in (("pump", 32), ("winch", 46), ("crane", 68))
]
MANUAL = "# Manual\n\n" + "\n".join(PARTS)


def test_an_edit_of_a_file_makes_one_chunk_new_and_answers_change(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "manual.md").write_text(MANUAL)
    pipe = rag.load(
        "living",
        set=(
            f"stages[0].inner.retrievers[1].embedder={HASH}",
            "stages[1]={use: rerankers/mmr}",
            "stages[2].scorer=null",
        ),
    )
    pipe.index([docs], tmp_path / "index")
    before = rag.open(tmp_path / "index")
    tree = before.store.corpus.tree(0)
    assert len(before.store.corpus) > 8
    assert all(notes_of(tree, "summary", i) for i, children in enumerate(tree.child_ids) if children)
    (docs / "manual.md").write_text(MANUAL.replace("oil of grade 46.", "oil of grade 150 since spring."))
    after = pipe.index([docs], tmp_path / "index")
    assert after.report.new_leaves == 1
    answer = rag.open(tmp_path / "index").ask("Which grade of oil do the winch works use?")
    assert answer.status == "answered"
    assert "150" in " ".join(cited.quote for cited in answer.citations)
    assert all(after.verify(cited) for cited in answer.citations)
