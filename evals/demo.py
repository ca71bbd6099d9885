"""What `make demo` shows: a real corpus indexed, questions answered with exact citations, and the score."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from evals.datasets import load
from evals.run import evaluate
from rag import config
from rag.cli.ask import as_text
from rag.cli.common import progress
from rag.cli.eval import table

SAMPLE = Path(__file__).parent / "samples" / "wikipedia"
QUESTIONS = (
    "Where was the Summer Theatre located?",
    "What percentage of Warsaw's population was Protestant in 1901?",
    "What does Estonian use to show actions performed by an undecided subject?",
)
METRICS = "R@1,R@5,SpanR@512tok,SpanR@1024tok,EM,F1,CiteR,CiteP,Abstain,Seconds"


def main(folder: Path = Path("demo")) -> None:
    """Index the bundled articles, ask, and score; prints to stdout."""
    began = time.perf_counter()
    data = load(SAMPLE)
    pipe = config.load("quickstart")
    print(f"Corpus: {SAMPLE.name}, {len(data.places)} articles; recipe: quickstart (no language model)")
    with progress() as bar:
        index = pipe.index(SAMPLE, folder / "index", progress=bar)
    assert index.report is not None, "building gives a report"
    print(f"Index:  {index.report.summary()}, {time.perf_counter() - began:.1f} s\n")
    for question in QUESTIONS:
        answer = index.ask(question)
        print(f"? {question}\n{as_text(answer)}")
        right = all(index.verify(cited) for cited in answer.citations)
        print(f"  document.text[start:end] == quote: {'yes' if right else 'NO'}\n" if answer.citations else "")
        if not right:
            sys.exit(1)
    scored = replace(data, items=data.items[::2])
    print(f"Every second of the sample's {len(data)} questions, {len(scored)} in all; some have no answer:")
    with progress() as bar:
        scores = evaluate(pipe, scored, METRICS, index=index, progress=bar)
    print(table(scores))
    print(f'\n{time.perf_counter() - began:.0f} s in all. Next: rag ask {folder / "index"} "your question"')


if __name__ == "__main__":
    main()
