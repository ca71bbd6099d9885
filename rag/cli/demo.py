"""`rag demo`: a real corpus indexed, questions answered with exact citations, and the score."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from rag.cli.common import Quiet, progress

QUESTIONS = (
    "Where was the Summer Theatre located?",
    "What percentage of Warsaw's population was Protestant in 1901?",
    "What does Estonian use to show actions performed by an undecided subject?",
)
METRICS = "R@1,R@5,SpanR@512tok,SpanR@1024tok,EM,F1,CiteR,CiteP,Abstain,Seconds"


def command(
    out: Annotated[Path, typer.Option("--out", "-o", help="where to put the index")] = Path("demo"),
    quiet: Quiet = False,
) -> None:
    """Index bundled Wikipedia articles, ask three questions, and score 125 with exact gold spans."""
    import evals
    from evals.datasets import load
    from evals.run import evaluate
    from rag import config
    from rag.cli.ask import as_text
    from rag.cli.eval import table

    began = time.perf_counter()
    sample = Path(evals.__path__[0]) / "samples" / "wikipedia"
    data = load(sample)
    pipe = config.load("quickstart")
    print(f"Corpus: {sample.name}, {len(data.places)} articles. Recipe: quickstart, no language model.")
    with progress(quiet=quiet) as bar:
        index = pipe.index(sample, out / "index", progress=bar)
    assert index.report is not None, "building gives a report"
    print(f"Index:  {index.report.summary()}, {time.perf_counter() - began:.1f} s\n")
    for question in QUESTIONS:
        answer = index.ask(question)
        print(f"? {question}\n{as_text(answer)}")
        for cited in answer.citations:
            assert index.verify(cited), "a citation is a slice"
            print("  document.text[start:end] == quote")
        print()
    scored = replace(data, items=data.items[::2])
    print(f"Every second of the sample's {len(data)} questions, {len(scored)} in all; some have no answer:")
    with progress(quiet=quiet) as bar:
        scores = evaluate(pipe, scored, METRICS, index=index, progress=bar)
    print(table(scores))
    print(f'\n{time.perf_counter() - began:.0f} s in all. Next: rag ask {out / "index"} "your question"')
