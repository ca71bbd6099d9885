"""What a wheel carries: every file that the packages need at run time, and all that the code reads beside itself."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("rag", "chunkers", "retrievers", "rerankers", "compressors", "evals")
SCRATCH = {".pyc", ".so"}


def data_files() -> set[Path]:
    """Files of the packages that are no modules."""
    return {
        path.relative_to(ROOT)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in {".py", *SCRATCH} and "__pycache__" not in path.parts
    }


def test_every_file_beside_the_modules_is_named_for_the_wheel() -> None:
    given = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    globs = given["tool"]["setuptools"]["package-data"]
    carried = {
        path.relative_to(ROOT)
        for package, patterns in globs.items()
        for pattern in patterns
        for path in (ROOT / package).glob(pattern)
        if path.is_file()
    }
    assert sorted(map(str, data_files() - carried)) == []


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    bare = [str(one.relative_to(ROOT)) for one in folders if not (one / "__init__.py").is_file()]
    assert [one for one in bare if "samples" not in one] == []


@pytest.mark.slow
def test_a_built_wheel_holds_modules_and_data(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    source = tmp_path / "source"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout of git, so what belongs to the source is not known")
    for name in listed.stdout.split("\0"):
        if (
            name
            and (ROOT / name).is_file()
            and name.split("/")[0] in {*PACKAGES, "pyproject.toml", "README.md", "LICENSE"}
        ):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    built = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    inside = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    wanted = {str(p.relative_to(source)) for package in PACKAGES for p in (source / package).rglob("*") if p.is_file()}
    assert sorted(wanted - inside) == []
