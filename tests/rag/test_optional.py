from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rag.errors import MissingExtra
from rag.optional import available, require


@pytest.mark.parametrize("module", ["nowhere_at_all", "nowhere_at_all.inside", "json.nowhere_at_all"])
def test_a_missing_module_names_the_line_that_installs_it(module: str) -> None:
    assert not available(module)
    with pytest.raises(
        MissingExtra, match=r"^rerankers/x needs '.*', which is not installed. Run: pip install 'ragtree\[thing\]'$"
    ):
        require(module, extra="thing", by="rerankers/x")


def test_a_failure_inside_an_installed_module_passes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_inside.py").write_text("import nowhere_at_all\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(ModuleNotFoundError, match="nowhere_at_all"):
        require("broken_inside", extra="thing", by="rerankers/x")


def test_every_extra_named_in_code_exists() -> None:
    import re
    import tomllib

    root = Path(__file__).parents[2]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {
        extra
        for package in ("rag", "chunkers", "retrievers", "rerankers", "compressors", "evals")
        for path in (root / package).rglob("*.py")
        for extra in re.findall(r"extra=\"([a-z-]+)\"|ragtree\[([a-z-]+)\]", path.read_text())
    }
    assert {a or b for a, b in named} - {"forbid"} <= set(extras)  # pydantic has a setting of that name
