"""The check of a ledger kept by a model: honest passes have no fault, and each kind of fault is seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from evals.datasets import load
from evals.reproduce import multihop_llm
from rag.models.llm import Message, Reply
from rag.types import Citation

FILE = Path(multihop_llm.__file__).parents[1] / "expected" / "multihop_llm.json"
TEXTS = {
    "lind": "Ada Lind was an engineer. Ada Lind was born in the town of Orm.",
    "harbour": "The harbour of Vell was dredged by Ada Lind in 1904.",
    "orm": "The town of Orm lies in Tamland. Its mayor is Bo Reed.",
}


@dataclass
class Honest:
    """Claims the first sentence it is shown, and asks for the mayor."""

    name: str = "honest"

    @property
    def fingerprint(self) -> str:
        return "honest@1"

    def complete(self, messages: Sequence[Message], *, schema: Mapping[str, Any] | None = None, **_: Any) -> Reply:
        prompt = messages[-1].content
        text = next((text for text in TEXTS.values() if text in prompt), "")
        said: dict[str, Any] = {"answer": "", "uses": [], "withdraw": [], "gaps": ["mayor of Orm"]}
        if "claims." in prompt and "gaps." not in prompt:
            said = {"claims": [{"claim": text, "source": 1, "quote": text}]}
        if "evidence" in prompt:
            quote = {"source": 1, "quote": "Bo Reed"}
            said = {"evidence": [quote], "explanation": "", "answer": "Bo Reed"}
        return Reply(json.dumps(said), 9, 9)


@pytest.fixture
def passed(tmp_path: Path) -> Any:
    rows = [json.dumps({"id": name, "title": name.title(), "text": text}) for name, text in TEXTS.items()]
    (tmp_path / "corpus.jsonl").write_text("\n".join(rows) + "\n")
    question = {"id": "q", "text": "Who is the mayor of the town where Ada Lind was born?", "answers": ["Bo Reed"]}
    (tmp_path / "queries.jsonl").write_text(json.dumps(question) + "\n")
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\torm\t1\n")
    data = load(tmp_path)
    search = multihop_llm.opened(data)(multihop_llm.ledger(Honest()))
    return (*multihop_llm.asked(data.items[0], search, Honest()), data.text)


def test_an_honest_pass_has_no_fault(passed: Any) -> None:
    hits, answer, text = passed
    assert sum(multihop_llm.wrong(hits, answer, text).values()) == 0
    assert hits.notes["retrievers/ledger"]["claims"]
    assert answer.citations


def test_every_kind_of_fault_is_seen(passed: Any) -> None:
    hits, answer, text = passed
    note = hits.notes["retrievers/ledger"]
    claim = {**note["claims"][0], "place": ["orm", 5, 9999]}
    bad = {**note, "claims": [claim], "calls": 99, "rounds": 9, "passages": 99, "stopped": ""}
    lie = Citation("orm", 0, 3, "xxx")
    found = multihop_llm.wrong(replace(hits, notes={"retrievers/ledger": bad}), replace(answer, citations=(lie,)), text)
    assert dict(found) == {
        "calls": 1, "rounds": 1, "passages": 1, "stop without a reason": 1, "claims without words": 1, "citations": 1
    }  # fmt: skip


def test_a_study_that_was_cut_asks_only_what_is_left(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    first = {"model": [50.0, 12.5], "printed": "a claim — „quoted“"}
    assert multihop_llm.Kept(file).row(("m", "set", "q1"), lambda: first)["model"] == [50.0, 12.5]
    rows = [multihop_llm.Kept(file).row(("m", "set", q), lambda: {"id": "made anew"}) for q in ("q1", "q2")]
    assert rows == [{"key": ["m", "set", "q1"], **first}, {"key": ["m", "set", "q2"], "id": "made anew"}]
    assert len(file.read_text().splitlines()) == 2
    assert multihop_llm.Kept(None).rows == {}


def test_what_is_pinned_has_no_fault_and_is_what_is_said() -> None:
    pinned = json.loads(FILE.read_text())
    assert sum(pinned["faults"].values()) == 0
    assert pinned["most calls"][0] <= multihop_llm.LEDGER_CALLS
    assert pinned["most calls"][1] <= multihop_llm.READER_CALLS
    told = " ".join((multihop_llm.__doc__ or "").split())
    total = sum(one["n"] for one in pinned["sets"].values())
    assert f"{total} questions" in told
    assert total >= 100
    for one in pinned["sets"].values():
        for metric in ("R@5", "F1"):
            value, low, high = one[metric]["gain"]
            assert f"{value:+.1f} ({low:+.1f} to {high:+.1f})" in told


def test_the_page_says_what_is_pinned() -> None:
    pinned = json.loads(FILE.read_text())
    page = (FILE.parents[2] / "rag" / "docs" / "multi_step.md").read_text(encoding="utf-8")
    for name, row in pinned["sets"].items():
        one, other = row["R@5"], row["F1"]
        gains = [f"{a:+.1f} ({b:+.1f} to {c:+.1f})" for a, b, c in (one["gain"], other["gain"])]
        cells = (name, row["n"], f"{one['rules'][0]:.1f}", f"{one['model'][0]:.1f}", *gains)
        assert "| " + " | ".join(map(str, cells)) + " |" in page
