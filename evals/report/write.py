"""Write the report of a run, or print the page of one question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evals import runfolder
from evals.compare import changes, compare_folders
from evals.datasets import Dataset
from evals.datasets import load as load_dataset
from evals.report.facts import gather, question
from evals.report.page import html
from evals.run import open_run
from rag.errors import DataError

__all__ = ["dataset_of", "one_question", "report"]


def dataset_of(folder: str | Path, data: Dataset | None = None) -> Dataset:
    """The dataset a run was made with.

    Raises:
        DataError: it is not where it was, or it has changed.
    """
    manifest = open_run(folder)
    found = data or load_dataset(manifest["dataset"])
    if found.digest != manifest["data"]:
        raise DataError(f"{folder}: was run over other data than {found.folder} holds now. Run again.")
    return found


def report(
    folder: str | Path,
    out: str | Path | None = None,
    *,
    against: Sequence[str | Path] = (),
    data: Dataset | None = None,
    seed: int = 0,
) -> Path:
    """Write `report.html` into the run's folder, or to `out`.

    Args:
        folder: a finished run.
        out: where to write instead.
        against: other runs over the same questions, to compare with.
        data: the dataset; by default where the run found it.
        seed: of the intervals.
    """
    path = Path(folder)
    facts = gather(path, dataset_of(path, data), seed=seed)
    compared = None
    if against:
        folders = [path, *map(Path, against)]
        compared = {"comparison": compare_folders(folders, data=data, seed=seed).json(), "changes": changes(folders)}
    target = Path(out) if out is not None else path / "report.html"
    runfolder.write_text(target, html(facts, compared))
    return target


def one_question(folder: str | Path, query: str, data: Dataset | None = None) -> dict[str, Any]:
    """The page of one question as plain values: outcome, stage, scores, and the very text, with marks.

    Raises:
        DataError: the run does not hold it.
    """
    found = dataset_of(folder, data)
    for record in runfolder.lines(Path(folder) / "perquery.jsonl"):
        if record["id"] == query:
            return question(record, found.by_id[query], found)
    raise DataError(f"{folder}: holds no question {query!r}. See perquery.jsonl for the ids.")
