"""The notebooks run, as they are, in a folder of their own; nothing of a run is kept in them."""

from __future__ import annotations

import json
import re
import resource
from pathlib import Path
from typing import Any

import pytest

from rag.optional import available

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = [path.stem for path in sorted(FOLDER.glob("*.ipynb"))]
NEEDS = ("nbclient", "nbformat", "ipykernel")
LIMIT = 180  # seconds of a notebook on two cores


def cells(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return found


def test_there_are_six() -> None:
    assert NAMES == [
        "1_first_answer",
        "2_look_inside",
        "3_compare_chunkers",
        "4_tune_a_pipeline",
        "5_write_a_stage",
        "6_your_llm",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_holds_no_output_and_no_path_of_a_machine(name: str) -> None:
    for cell in cells(name):
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        source = "".join(cell["source"])
        assert not re.search(r"(/home|/root|/Users|/work|C:\\)", source)
        assert "http" not in source.replace("http.server", "").replace("http://127.0.0.1", "").replace("HTTP", "") or (
            cell["cell_type"] == "markdown"
        )


@pytest.mark.parametrize("name", NAMES)
def test_every_link_between_notebooks_leads_somewhere(name: str) -> None:
    text = "".join("".join(cell["source"]) for cell in cells(name) if cell["cell_type"] == "markdown")
    for target in re.findall(r"\]\(([^)]+\.ipynb)\)", text):
        assert (FOLDER / target).is_file(), target


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_of_code_compiles_and_imports_only_what_is_installed(name: str) -> None:
    for cell in cells(name):
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            compile(source, name, "exec")
            for module in re.findall(r"^(?:from|import) ([a-z_]+)", source, re.MULTILINE):
                assert available(module), module


@pytest.mark.model
@pytest.mark.filterwarnings("ignore")  # of the kernel's own libraries
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_from_top_to_bottom_outside_the_repository(name: str, tmp_path: Path) -> None:
    missing = [module for module in NEEDS if not available(module)]
    if missing:
        pytest.skip(f"pip install 'ragtree[notebooks]': {', '.join(missing)} is not installed")
    import nbclient
    import nbformat

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    nbclient.NotebookClient(
        notebook, timeout=5 * LIMIT, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{name}: {spent:.0f} s of one core")
    assert 0 < spent / 2 < LIMIT, "processor time, so that a busy machine changes nothing"
    shown = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    assert not [out for out in shown if out.output_type == "error"]
    assert not [out for out in shown if out.get("name") == "stderr" and "Traceback" in out["text"]]
    assert any("text/html" in out.get("data", {}) for out in shown)
    assert sorted(path.name for path in tmp_path.iterdir()) == []
