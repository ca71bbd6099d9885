"""`rag data`: check, split, make and import dataset folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.cli.common import Json, Quiet, emit, line, progress, say
from rag.cli.completing import datasets

app = typer.Typer(help="Check, split, make and import datasets.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="a dataset folder", autocompletion=datasets)]
Seed = Annotated[int, typer.Option(help="another seed, another choice")]


@app.command()
def check(folder: Folder, json: Json = False, quiet: Quiet = False) -> None:
    """Name everything that is wrong with a dataset, line by line; exit 1 where something is."""
    from evals.check import validate

    found = validate(folder)
    for one in found:
        if json:
            line(one._asdict())
        else:
            print(one)
    if found:
        say(f"rag: {len(found)} problems in {folder}", quiet=quiet)
        raise typer.Exit(1)
    say(f"rag: {folder} is sound", quiet=quiet)


@app.command()
def split(
    folder: Folder,
    out: Annotated[tuple[Path, Path], typer.Option("--out", "-o", help="two folders to write")],
    share: Annotated[float, typer.Option(help="of the questions that go to the first")] = 0.5,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Cut a dataset in two by document: no document and none of its questions is on both sides."""
    from evals.split import split as cut

    counts = cut(folder, out, share=share, seed=seed)
    sides = [{"folder": str(one), "questions": count} for one, count in zip(out, counts, strict=True)]
    if json:
        emit(sides)
        return
    for side in sides:
        print(f"{side['folder']}  {side['questions']} questions")


@app.command()
def synth(
    paths: Annotated[list[Path], typer.Argument(help="documents, or folders of them")],
    out: Annotated[Path, typer.Option("--out", "-o", help="the dataset folder to write")],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="questions wanted")] = 100,
    seed: Seed = 0,
    llm: Annotated[str | None, typer.Option(help="an LLM to draft with: llms/embedded; default none")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make questions with verbatim evidence from your own documents; each must find its way back to it."""
    from evals.synth.make import Synthesis, synthesise
    from rag.registry import find

    made = Synthesis(count=count, seed=seed, llm=None if llm is None else find(llm)())
    with progress(quiet=quiet) as bar:
        done = synthesise(paths, out, made, bar)
    if json:
        emit({**done.counts, "dropped": dict(made.dropped)})
        return
    dropped = ", ".join(f"{n} {why}" for why, n in sorted(made.dropped.items())) or "none"
    print(f"{out}  {done.counts['documents']} documents, {done.counts['questions']} questions; dropped: {dropped}")
    if done.counts["questions"] < count:
        say(f"rag: the documents gave {done.counts['questions']} of {count} questions", quiet=quiet)


@app.command()
def rationales(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", help="the JSONL file to write or to go on with")],
    llm: Annotated[str | None, typer.Option(help="an LLM that writes them: llms/embedded; default rules")] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="questions at most")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write chosen and rejected rationales of each question, by whether they lead to its gold evidence."""
    from evals.synth.rationales import Preferences, preferences
    from rag.registry import find

    how = Preferences(llm=None if llm is None else find(llm)(), limit=limit)
    with progress(quiet=quiet) as bar:
        preferences(folder, out, how, bar)
    if json:
        emit(dict(how.counts))
        return
    print(f"{out}  " + ", ".join(f"{n:,} {what}" for what, n in how.counts.items() if n))


@app.command("import")
def bring(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="such as beir, squad, hotpotqa or trec")],
    source: Annotated[Path, typer.Argument(help="a file or a folder, as the format has it")],
    out: Annotated[Path, typer.Option("--out", "-o", help="the dataset folder to write")],
    split: Annotated[str | None, typer.Option(help="beir and flashrag: which questions; default test")] = None,
    unit: Annotated[str | None, typer.Option(help="squad: article or paragraph")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn a published set into a dataset folder; what is wrong with the source is left out, counted and named."""
    from evals.readers.formats import bring as read

    done = read(form, source, out, split=split, unit=unit)
    if json:
        emit({**done.counts, "problems": [one._asdict() for one in done.problems]})
    else:
        print(f"{out}  " + ", ".join(f"{n:,} {what}" for what, n in done.counts.items()))
    for one in done.problems[:20]:
        say(str(one), quiet=quiet)
    if len(done.problems) > 20:
        say(f"rag: and {len(done.problems) - 20} more", quiet=quiet)
