"""What is said of conversations is what is pinned; a small conversation is measured again."""

from __future__ import annotations

import json
import re
from pathlib import Path

from evals.datasets import load
from evals.reproduce import conversation, conversation_read
from retrievers.conversation import Conversation

PINNED = json.loads((Path(conversation.__file__).parents[1] / "expected" / "conversation.json").read_text())

READ = json.loads((Path(conversation.__file__).parents[1] / "expected" / "conversation_read.json").read_text())


def cell(values: list[float]) -> str:
    value, low, high = values
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def test_the_study_says_what_is_pinned() -> None:
    told = conversation.__doc__ or ""
    assert f"{PINNED['n']} turns, {PINNED['unseen']} of them in the unseen half" in told
    for name, found in PINNED["ways"].items():
        line = next(line for line in told.splitlines() if line.strip().startswith(name))
        assert re.findall(r"\d+\.\d", line)[:2] == [f"{found[m][0]:.1f}" for m in ("R@5", "nDCG@10")]
        if name.endswith("history"):
            gain = PINNED["gain"][name.partition(",")[0]]
            assert cell(gain["R@5"]) in line
            assert cell(gain["R@5 unseen"]) in line
    found = PINNED["foreign"]
    flat = " ".join(told.split())
    assert (
        f"of {found['n']} turns the bare ones reach {found['bare']:.1f}; behind a history {cell(found['never'])}"
        in flat
    )
    assert f"where the new topic is detected {cell(found['detected'])}" in flat


def test_the_stage_says_what_is_pinned() -> None:
    told = " ".join((Conversation.__doc__ or "").split())
    words, hybrid = PINNED["gain"]["words"], PINNED["gain"]["hybrid"]
    value, low, high = words["R@5"]
    assert f"{value:+.1f} points of R@5 (95 %: {low:+.1f} to {high:+.1f}) by words alone" in told
    assert f"{cell(hybrid['R@5'])} for hybrid search" in told
    assert f"{cell(words['R@5 unseen'])} and {cell(hybrid['R@5 unseen'])} on the half" in told
    never, detected = (-PINNED["foreign"][name][0] for name in ("never", "detected"))
    assert f"costs {never:.1f} points by words, {detected:.1f} with its detection" in told


def test_what_is_said_of_reading_turns_is_what_is_pinned() -> None:
    told = " ".join((conversation_read.__doc__ or "").split())
    bare, history = (READ["ways"][f"reranked, {way}"] for way in ("bare", "history"))
    gain = READ["gain"]["reranked"]
    assert f"{READ['n']} turns, {READ['unseen']} of them in the unseen half" in told
    assert f"R@5 {bare['R@5'][0]:.1f} and {history['R@5'][0]:.1f} with the history, {cell(gain['R@5'])}" in told
    assert f"half {cell(gain['R@5 unseen'])}. nDCG@10 {bare['nDCG@10'][0]:.1f} and {history['nDCG@10'][0]:.1f}" in told
    stage = " ".join((Conversation.__doc__ or "").split())
    assert f"the history is worth {cell(gain['R@5'])} on the first {READ['n']} of them" in stage
    assert gain["R@5"][1] > 0


def test_the_history_is_worth_something_beyond_doubt() -> None:
    assert all(PINNED["gain"][kind][metric][1] > 0 for kind in ("words", "hybrid") for metric in ("R@5", "R@5 unseen"))


def test_a_small_conversation_measured_again_gains_as_well(tmp_path: Path) -> None:
    places = {"orm": ("castle", 1310, 4), "vell": ("harbour", 1904, 12), "tam": ("lake", 1750, 90)}
    docs = [
        {"id": f"{name}-{part}", "title": name.title(), "text": text}
        for name, (thing, year, deep) in places.items()
        for part, text in (
            ("depth", f"The {thing} of {name.title()} is {deep} metres deep at its deepest."),
            ("age", f"The {thing} of {name.title()} was begun in {year} and took years."),
        )
    ]
    rows = [
        {"id": f"{name}-2", "text": "How deep is it?", "history": [{"role": "user", "text": f"How old is the {thing} of {name.title()}?"}]}
        for name, (thing, _, _) in places.items()
    ]  # fmt: skip
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in docs))
    (tmp_path / "queries.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    lines = "".join(f"{name}-2\t{name}-depth\t1\n" for name in places)
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + lines)
    data = load(tmp_path)
    [ask] = conversation.indexed(data, [Conversation(dense=None, k=3)])
    bare, told = (conversation.measured(ask, data.items, history=on)["nDCG@10"] for on in (False, True))
    assert told == [100.0] * 3
    assert sum(bare) < 300
    assert not conversation.foreign(data.items)  # every turn leans on what was said
