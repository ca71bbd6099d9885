"""Rationales from a language model: one call, JSON, checked, with the rules as the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rag.errors import ModelError
from rag.models.prompts import fenced, prompt
from rag.models.typed import typed
from rerankers.rationales import Need, distinct, from_question

if TYPE_CHECKING:
    from rag.models.llm import LLM

__all__ = ["Draft", "drafted"]

PROMPT = "rationales"
LABEL, TEXT = 60, 400  # characters kept of what a model writes
TOKENS = 60  # of the answer, for each rationale


class Draft(NamedTuple):
    """Rationales and how they came about.

    Args:
        needs: the question first.
        way: `rules`, or `strict`, `tolerant`, `repaired` or `fallback` of a model's answer, or `failed`.
        problem: why the way is `repaired`, `fallback` or `failed`, else "".
    """

    needs: list[Need]
    way: str
    problem: str = ""


def drafted(llm: LLM | None, question: str, most: int) -> Draft:
    """The question and what helps to answer it, at most `most` in all.

    METEORA asks for eight to ten at temperature 0.7, up to three times, and takes what a row of patterns reads from the
    answer. Here one call at temperature 0 gives JSON, with one repair; where it fails or gives nothing that can be
    used, the rules take over and the way says so.

    Args:
        llm: writes them; None for the rules.
        question: the question.
        most: rationales at most.
    """
    if llm is None or not question.strip() or most < 2:
        return Draft(from_question(question, most), "rules")
    try:
        got = typed(
            llm,
            prompt(PROMPT).fill(question=fenced(question, "question"), most=str(most - 1)),
            schema=_schema(most - 1),
            parse=lambda value: _needs(value, question, most),
            fallback=lambda: from_question(question, most),
            version=prompt(PROMPT).version,
            max_tokens=TOKENS * most,
            temperature=0.0,
        )
    except ModelError as error:
        return Draft(from_question(question, most), "failed", type(error).__name__)
    return Draft(got.value, got.way, "" if got.way in ("strict", "tolerant") else got.problem)


def _needs(value: Any, question: str, most: int) -> list[Need]:
    """A model's answer as rationales, the question in front.

    Raises:
        ValueError: no entry can be used.
        TypeError: it is no list of entries.
        KeyError: there is no list.
    """
    rows = value if isinstance(value, list) else value["rationales"]
    if not isinstance(rows, list):
        raise TypeError("rationales must be a list")
    found = [Need("question", question, "question")]
    for row in rows:
        entry = {"need": row} if isinstance(row, str) else row
        need = entry.get("need") if isinstance(entry, dict) else None
        if not isinstance(need, str) or not need.strip():
            continue
        text = " ".join(need.split())[:TEXT]
        label = entry.get("label")
        named = " ".join(label.split()) if isinstance(label, str) else ""
        found.append(Need((named or text)[:LABEL], text, "model"))
    found = distinct(found)[:most]
    if len(found) < 2:
        raise ValueError("no entry has a need in words")
    return found


def _schema(most: int) -> dict[str, Any]:
    entry = {
        "type": "object",
        "properties": {"label": {"type": "string"}, "need": {"type": "string"}},
        "required": ["label", "need"],
    }
    rows = {"type": "array", "items": entry, "minItems": 1, "maxItems": most}
    return {"type": "object", "properties": {"rationales": rows}, "required": ["rationales"]}
