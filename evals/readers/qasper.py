"""QASPER: questions about papers, with evidence paragraphs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evals.readers.records import Doc, Judgement, Question, Record, SpanOf
from evals.readers.tree import At, load, wrong

__all__ = ["read"]

FLOAT = "FLOAT SELECTED"  # evidence in a figure or table, which the text does not have


def read(source: Path) -> Iterator[Record]:
    """A paper is one Markdown document: title, abstract, and sections nested as `A ::: B` says.

    Dasigi et al., NAACL 2021, https://arxiv.org/abs/2105.03011. Evidence paragraphs are spans; figures and tables are
    not in the text and are left out, as is evidence that is found nowhere, and named. A question is asked of its own
    paper (`scope`), and unanswerable where every annotator says so.

    Raises:
        DataError: a key is missing or of the wrong type; names file and key.
    """
    for paper, at in load(source).items():
        text, places = _text(at)
        yield Doc(paper, text, at["title"].text, {"media_type": "text/markdown"})
        for asked in at["qas"]:
            yield from _question(asked, paper, text, places)


def _text(paper: At) -> tuple[str, dict[str, int]]:
    """The paper's text, and where each paragraph begins."""
    parts: list[str] = [f"# {paper['title'].text}\n"]
    size = len(parts[0])
    places: dict[str, int] = {}

    def add(line: str, *, known: bool = True) -> None:
        nonlocal size
        if known:
            places.setdefault(line, size + 1)
        parts.append(f"\n{line}\n")
        size += len(line) + 2

    if "abstract" in paper:
        add(paper["abstract"].text)
    above: tuple[str, ...] = ()
    for section in paper["full_text"]:
        names = tuple(section["section_name"].text.split(" ::: ")) if "section_name" in section else ()
        shared = sum(1 for _ in _common(above, names))
        for depth, name in enumerate(names):
            if depth >= shared or depth == len(names) - 1:
                add("#" * min(depth + 2, 6) + f" {name}", known=False)
        above = names
        for one in section["paragraphs"].texts:
            if one.strip():
                add(one)
    return "".join(parts), places


def _common(a: tuple[str, ...], b: tuple[str, ...]) -> Iterator[str]:
    for one, other in zip(a, b, strict=False):
        if one != other:
            return
        yield one


def _question(asked: At, paper: str, text: str, places: dict[str, int]) -> Iterator[Record]:
    query = asked["question_id"].text
    answers, evidence, possible = [], dict[str, At](), False
    for one in asked["answers"]:
        answer = one["answer"]
        if "unanswerable" in answer and answer["unanswerable"].value is True:
            continue
        possible = True
        yes_no = answer["yes_no"].value if "yes_no" in answer else None
        told = [*(answer["extractive_spans"].texts if "extractive_spans" in answer else ())]
        told += [answer["free_form_answer"].text] if "free_form_answer" in answer else []
        told += ["yes" if yes_no else "no"] if isinstance(yes_no, bool) else []
        answers += [t for t in told if t.strip()]
        if "evidence" in answer:
            evidence |= {e.text: e for e in answer["evidence"] if e.text.strip()}
    kind = "extractive" if possible else "unanswerable"
    yield Question(query, asked["question"].text, tuple(dict.fromkeys(answers)), kind, (paper,), possible)
    if possible:
        yield Judgement(query, paper)
    for found, at in evidence.items():
        start = places.get(found, -1)
        start = text.find(found) if start < 0 else start
        if start < 0:
            kind = "evidence in a figure or table" if found.startswith(FLOAT) else "evidence that is not in the text"
            yield wrong(at, kind, f"question {query!r}")
        else:
            yield SpanOf(query, paper, start, start + len(found), found)
