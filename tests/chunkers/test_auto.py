"""The best of several chunkers by scores that need no question."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.auto import AutoChunker
from chunkers.labelfree import material, scores
from chunkers.sentences import SentenceChunker
from chunkers.structure import StructureChunker
from rag.doctree import DocTree, flat
from rag.errors import ModelError
from rag.models.embed import HashEmbedder
from rag.notes import notes_of
from rag.stage import stage
from rag.testing import check_stage
from rag.types import Document

SEA = "Ships leave the harbour at dawn. Sails and ships fill the harbour. "
LAW = "The court heard the appeal. The judge read the statute of the court. "


@stage
class Fails:
    """Cuts nothing."""

    def __call__(self, document: Document, /) -> DocTree:
        raise ModelError("the network failed")


def cut(text: str, *places: int) -> DocTree:
    bounds = [0, *places, len(text)]
    return flat(Document("d", text), list(pairwise(bounds)))


def judged(tree: DocTree, least: int = 1, most: int = 500) -> dict[str, float]:
    known = material(tree.document, HashEmbedder(), most, "cl100k")
    return scores(tree, known, least, most)._asdict()


def test_it_keeps_the_contract() -> None:
    check_stage(AutoChunker())


def test_cohesion_and_coherence_prefer_cuts_where_the_matter_changes() -> None:
    text = SEA * 2 + LAW * 2
    right, wrong = judged(cut(text, len(SEA) * 2)), judged(cut(text, len(SEA)))
    assert right["cohesion"] > wrong["cohesion"]
    single = cut(text, *[i + 2 for i in range(len(text) - 3) if text[i : i + 2] == ". "])
    assert judged(single)["cohesion"] == 0.0  # every sentence alone
    assert judged(cut(text))["coherence"] == 1.0  # nothing stands around it


def test_sizes_and_blocks_count_as_they_are() -> None:
    text = "One two three four five six seven.\n\nAlpha beta gamma delta epsilon zeta.\n"
    middle = text.index("Alpha")
    assert judged(cut(text, middle))["integrity"] == 1.0
    assert judged(cut(text, 12))["integrity"] == 0.5
    assert judged(cut(text, 12, middle + 15))["integrity"] == 0.0
    assert judged(cut(text, middle), least=100)["size"] == 0.0
    assert judged(cut(text), least=100)["size"] == 1.0  # one chunk cannot be longer
    assert judged(cut(text), most=5)["integrity"] == 1.0  # blocks that nobody may keep whole do not count


def test_the_table_stands_with_the_winner() -> None:
    text = "# Sea\n\n" + SEA * 12 + "\n\n# Law\n\n" + LAW * 12
    tree = AutoChunker(candidates=(SentenceChunker(size=16), StructureChunker(), Fails()))(Document("d", text))
    rows = [note.text for note in notes_of(tree, "auto", 0)]
    assert rows[0].startswith("StructureChunker(160): 0.")
    assert rows[1].startswith("SentenceChunker(16): 0.")
    assert rows[2] == "Fails: the network failed"
    plain = StructureChunker()(Document("d", text))
    assert replace(tree, notes={}) == plain


def test_of_equals_the_first_wins_and_a_failure_of_all_is_told() -> None:
    document = Document("d", SEA)
    twice = AutoChunker(candidates=(StructureChunker(), StructureChunker()))(document)
    assert [n.text.split(":")[0] for n in notes_of(twice, "auto", 0)] == [
        "StructureChunker(160)",
        "StructureChunker(160) #2",
    ]
    with pytest.raises(ModelError, match="the network failed"):
        AutoChunker(candidates=(Fails(), Fails()))(document)
    with pytest.raises(ValueError, match="most must be >= least"):
        AutoChunker(least=9, most=3)


def test_an_earlier_candidate_is_kept_within_the_margin() -> None:
    text = "# Sea\n\n" + SEA * 12 + "\n\n# Law\n\n" + LAW * 12
    both = (SentenceChunker(size=40), StructureChunker(size=40))
    document = Document("d", text)
    strict = AutoChunker(candidates=both, margin=0.0, least=1)(document)
    lenient = AutoChunker(candidates=both, margin=1.0, least=1)(document)
    told = [[note.text for note in notes_of(tree, "auto", 0)] for tree in (strict, lenient)]
    assert told[0][0].startswith("StructureChunker")
    assert told[1][0].startswith("SentenceChunker")
    assert sorted(told[0]) == sorted(told[1])


@given(
    st.lists(
        st.sampled_from([SEA, LAW, "\n\n", "# x\n\n", "x" * 400, "港は。", "| a |\n|---|\n| b |\n"]), max_size=20
    ).map("".join)
)
@settings(max_examples=40, deadline=None)
def test_scores_are_shares_whatever_the_text(text: str) -> None:
    tree = AutoChunker()(Document("d", text))
    tree.check()
    if text:
        found = judged(tree, 48, 512)
        assert all(0 <= value <= 1 and np.isfinite(value) for value in found.values())
