"""Map and reduce by a language model: typed records whose ids and quotations are verified before anything counts.

The record is that of LLMxMapReduce's structured information protocol (evidence, reasoning, answer, confidence;
https://arxiv.org/abs/2410.09342, section 3.2) and ToM's, with three departures: a model names sentences by number and
never re-emits them as evidence, so nothing can be lost or invented on the way; a record that names a sentence which is
not there, a quotation that does not stand in it, or an answer whose words it does not hold is sent back once and then
replaced by the offline step; and the reduce step may raise a confidence above its best finding only where two agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from rag.models.ledger import spending
from rag.models.llm import Message, estimate
from rag.models.prompts import fenced, prompt
from rag.models.tokens import counter
from rag.models.typed import Typed, typed
from rag.trees.mapping import Sentence, sentences_of
from rag.trees.rationale import Claim, Rationale, summed
from rag.trees.records import first_of, lines_of, map_schema, mapped, reduce_schema, spent, weighed
from rag.trees.reducing import reduce_offline

if TYPE_CHECKING:
    from rag.doctree import DocTree
    from rag.models.llm import LLM
    from rag.trees.aim import Aim
    from rag.types import Query

__all__ = ["Asking"]

ROUNDS = 3  # of collapsing
TASKS = {
    "list": "Name every item the question asks for, each once.",
    "sections": "Give one item where this part belongs to what is asked for.",
    "count": "Give one item for each thing to be counted.",
    "summary": "Give the statements a summary needs, the most important first.",
    "compare": "Give the statements that a comparison needs.",
}
WHOLE = {"summary": "Write two to five sentences.", "compare": "Write two to five sentences."}


class Window(NamedTuple):
    """What one call shows: sentences of a unit, numbered from 1."""

    messages: list[Message]
    shown: tuple[Sentence, ...]


class Asking(NamedTuple):
    """A language model and how it is asked.

    Args:
        llm: the model.
        window: tokens of numbered text in a call.
        max_tokens: of an answer.
        quotes: ask for verbatim quotations too, and verify them; small models do better without.
        tokenizer: counts the window.
    """

    llm: LLM
    window: int
    max_tokens: int
    quotes: bool
    tokenizer: str

    @property
    def identity(self) -> list[Any]:
        """All that decides an answer."""
        versions = [prompt(f"mapreduce-{one}").version for one in ("map", "reduce")]
        return [self.llm.fingerprint, self.window, self.max_tokens, self.quotes, self.tokenizer, *versions]

    def map_cost(self, tree: DocTree, node: int, query: Query, aim: Aim) -> tuple[int, int]:
        """Most calls and tokens that mapping a unit may take, the repair counted."""
        sizes = [estimate(w.messages) for w in self.windows(tree, node, query, aim)]
        return 2 * len(sizes), sum(2 * size + 4 * self.max_tokens + 100 for size in sizes)

    @property
    def reduce_cost(self) -> tuple[int, int]:
        """Most calls and tokens that a reduction without collapsing may take."""
        return 2, 2 * (self.window + 600) + 4 * self.max_tokens + 100

    def map(self, tree: DocTree, node: int, query: Query, aim: Aim) -> Rationale | str:
        """What the model says about a unit; a unit above the window is shown in several calls.

        Returns:
            The record, or why no valid one came after the repair.

        Raises:
            ModelError: the model failed.
        """
        made: list[Rationale] = []
        for window in self.windows(tree, node, query, aim):
            with spending() as book:
                got = self._record(window, tree, aim)
            if got.value is None:
                return got.problem
            status, claims, why = got.value
            evidence = tuple(dict.fromkeys(e for claim in claims for e in claim.evidence))
            met = frozenset().union(*(s.words for s in window.shown)) & {w for w, _ in aim.words}
            best = max(claims, key=lambda c: c.confidence, default=None)
            made.append(
                Rationale(
                    node,
                    status,
                    best.answer if best else "",
                    best.confidence if best else 0.0,
                    evidence,
                    claims,
                    reasoning=why,
                    found=tuple(sorted(met)),
                    ways={"repaired" if got.way == "repaired" else "llm": 1},
                    calls=spent(book.usage()),
                )
            )
        if not made:
            return "the unit holds no text"
        one = made[0] if len(made) == 1 else reduce_offline(node, made, aim)
        way = "repaired" if any("repaired" in m.ways for m in made) else "llm"
        return replace(one, attempted=1, mapped=1, ways={way: 1})

    def windows(self, tree: DocTree, node: int, query: Query, aim: Aim) -> Iterator[Window]:
        """The calls a unit takes; sentences are never cut, one above the window gets a call of its own."""
        text, asked, count = tree.document.text, prompt("mapreduce-map"), counter(self.tokenizer)
        shown: list[Sentence] = []
        lines: list[str] = []
        found = sentences_of(tree, node, aim)
        head = " > ".join(dict.fromkeys(h for h in (tree.document.title, *tree[node].path) if h))
        place = f"({head})\n" if head else ""

        def made() -> Window:
            messages = asked.fill(
                sources=fenced(place + "\n".join(lines)),
                question=query.text,
                task=TASKS.get(aim.aim, "Give the one answer, or up to three that contradict each other."),
                form=f" ({aim.kind})" if aim.kind not in ("thing", "section", "document") else "",
                quoted=', and in "quote" the words of that sentence, letter for letter' if self.quotes else "",
            )
            return Window(messages, tuple(shown))

        for sentence in found:
            line = f"{len(shown) + 1}. {' '.join(text[sentence.start : sentence.end].split())}"
            if shown and count.count(place + "\n".join((*lines, line))) > self.window:
                yield made()
                shown.clear()
                lines.clear()
                line = f"1.{line.partition('.')[2]}"
            shown.append(sentence)
            lines.append(line)
        if shown:
            yield made()

    def _record(self, window: Window, tree: DocTree, aim: Aim) -> Typed[tuple[str, tuple[Claim, ...], str] | None]:
        return typed(
            self.llm,
            window.messages,
            version=prompt("mapreduce-map").version,
            schema=map_schema(len(window.shown), self.quotes),
            max_tokens=self.max_tokens,
            parse=lambda value: mapped(value, window.shown, tree, quotes=self.quotes),
            fallback=lambda: None,
        )

    def reduce(self, base: Rationale, query: Query, aim: Aim, *, collapse: bool) -> tuple[Rationale, bool] | str:
        """The offline reduction's claims weighed by the model; the answer rests on those it names.

        Claims that do not fit the window are first joined in groups of neighbours that do, at most three times over,
        then those least supported are left out of the call (they stay in the record).

        Args:
            base: what `reduce_offline` gave.
            query: the question.
            aim: how it was read.
            collapse: whether there is a budget for more than one call.

        Returns:
            (the record, whether it was repaired), or why no valid answer came after the repair.

        Raises:
            ModelError: the model failed.
        """
        claims = sorted(base.claims, key=lambda c: c.evidence[0].span if c.evidence else ("", 0, 0))
        fixed = False
        with spending() as book:
            for _ in range(ROUNDS if collapse else 0):
                groups = self._groups(claims)
                if len(groups) <= 1:
                    break
                joined: list[Claim] = []
                for group in groups:
                    got = self._weigh(group, query, aim) if len(group) > 1 else None
                    joined.append(got.value[0] if got is not None and got.value is not None else first_of(group))
                claims = joined
            best = sorted(claims, key=lambda c: -c.confidence)
            while len(best) > 1 and len(self._groups(best)) > 1:
                best = best[: max(1, len(best) * 3 // 4)]
            chosen = [claim for claim in claims if claim in best]
            last = self._weigh(chosen, query, aim)
        if last.value is None:
            return last.problem
        fixed = last.way == "repaired"
        claim, why = last.value
        rest = tuple(c for c in base.claims if c.answer != claim.answer)
        calls = summed((base.calls, spent(book.usage())))
        rivals = (claim, *(c for c in base.conflicts if c in rest))[:2] if base.conflicts else ()
        made = replace(
            base,
            answer=claim.answer,
            confidence=claim.confidence,
            claims=(claim, *rest),
            conflicts=rivals if len(rivals) == 2 else (),
            reasoning=why,
            calls=calls,
        )
        return made, fixed

    def _groups(self, claims: Sequence[Claim]) -> list[list[Claim]]:
        """Neighbours whose lines fit the window together."""
        count = counter(self.tokenizer)
        groups: list[list[Claim]] = []
        for claim in claims:
            if groups and count.count(lines_of([*groups[-1], claim])) <= self.window:
                groups[-1].append(claim)
            else:
                groups.append([claim])
        return groups

    def _weigh(self, claims: Sequence[Claim], query: Query, aim: Aim) -> Typed[tuple[Claim, str] | None]:
        asked = prompt("mapreduce-reduce")
        messages = asked.fill(
            sources=fenced(lines_of(claims), "findings"),
            question=query.text,
            task=WHOLE.get(aim.aim, "Answer in as few words as the question allows."),
        )
        return typed(
            self.llm,
            messages,
            version=asked.version,
            schema=reduce_schema(len(claims)),
            max_tokens=self.max_tokens,
            parse=lambda value: weighed(value, claims, query),
            fallback=lambda: None,
        )
