"""The folder of a run: one line a question, appended as it finishes, so that nothing is done twice.

    manifest.json         format, digests of code, config and data, versions, seed, host
    config.resolved.yaml  every setting
    perquery.jsonl        one record a question, in the order of the dataset; no times, so two machines agree
    trace.jsonl           one line a question: seconds, and the spans of its trace
    failures.jsonl        what failed, and why
    run.trec, metrics.json, report.html

A line that a crash tore off is dropped when the folder is opened again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from rag.errors import DataError

__all__ = ["FORMAT", "append", "code_digest", "finished", "lines", "locked", "manifest", "seconds", "write_json"]

FORMAT = 1
PACKAGES = ("rag", "chunkers", "retrievers", "rerankers", "compressors", "evals")
LIBRARIES = ("ragtree", "numpy", "pydantic", "PyStemmer", "faiss-cpu", "onnxruntime", "tokenizers", "tiktoken")


def code_digest() -> str:
    """Hex digest of every source file of this distribution, by package and path."""
    state = hashlib.sha256()
    for package in PACKAGES:
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec is not None else ():
            root = Path(place)
            for path in sorted(root.rglob("*")):
                if path.suffix in {".py", ".txt", ".toml"} and "__pycache__" not in path.parts:
                    state.update(f"{package}/{path.relative_to(root).as_posix()}\0".encode())
                    state.update(hashlib.sha256(path.read_bytes()).digest())
    return state.hexdigest()


def manifest(
    *, config: str, data: str, folder: Path, budgets: tuple[int, ...], read: bool, seed: int
) -> dict[str, Any]:
    """What identifies a run, and where it was made.

    Args:
        config: the resolved config, as YAML.
        data: digest of the dataset.
        folder: where the dataset lies.
        budgets: context sizes.
        read: whether readers run.
        seed: of everything that draws.
    """
    versions = {}
    for library in LIBRARIES:
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return {
        "format": FORMAT,
        "config": hashlib.sha256(config.encode()).hexdigest(),
        "data": data,
        "code": code_digest(),
        "budgets": list(budgets),
        "read": read,
        "seed": seed,
        "dataset": str(folder),
        "versions": versions,
        "python": platform.python_version(),
        "host": {"name": platform.node(), "system": platform.platform(), "cpus": os.cpu_count()},
    }


SAYS = {
    "config": "another config",
    "data": "other data",
    "code": "another version of the code",
    "budgets": "other budgets",
    "read": "the reader switched differently",
    "seed": "another seed",
}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """In words, what of a run's identity differs."""
    if old.get("format") != new["format"]:
        return [f"another format ({old.get('format')!r}, this version writes {new['format']})"]
    return [words for key, words in SAYS.items() if old.get(key) != new[key]]


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder, None where there is none.

    Raises:
        DataError: it is there but is not a manifest.
    """
    path = folder / "manifest.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a run's manifest: {type(error).__name__}.") from error
    if isinstance(value, dict) and "generation" in value:
        raise DataError(f"{folder}: holds an index, not a run. Choose another folder.")
    if not isinstance(value, dict) or "format" not in value:
        raise DataError(f"{path}: is not the manifest of a run. Choose another folder.")
    return value


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder, so that two processes never append to one run.

    Raises:
        DataError: another process holds it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except FileExistsError as error:
        raise DataError(f"{folder}: must be a folder, got a file. Name another folder.") from error
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror}. Name another folder.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(f"{folder}: another process is writing this run. Wait for it, or choose --out.") from error
        yield


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a file of records; a torn last line is left out.

    Raises:
        DataError: a line in the middle is not JSON; names it.
    """
    try:
        source = path.open("rb")
    except FileNotFoundError:
        return
    with source:
        for number, raw in enumerate(source, start=1):
            if not raw.endswith(b"\n"):
                return
            try:
                value = json.loads(raw)
            except ValueError as error:
                raise DataError(f"{path}:{number}: is not JSON; the run is damaged. Start with --fresh.") from error
            yield value


def mend(path: Path, keep: set[str] | None = None) -> None:
    """Drop a torn last line, and every line whose id is not in `keep`; atomic."""
    if not path.exists():
        return
    good = [line for line in _whole(path) if keep is None or json.loads(line)["id"] in keep]
    if sum(map(len, good)) != path.stat().st_size:
        _replace(path, b"".join(good))


def _whole(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        yield from (raw for raw in source if raw.endswith(b"\n"))


def finished(folder: Path, *, retry: bool = False) -> list[str]:
    """Ids that are done, in order, after mending the files; with `retry`, failed ones are not done."""
    path = folder / "perquery.jsonl"
    done = [line["id"] for line in lines(path) if not (retry and line["failed"] is not None)]
    if len(set(done)) != len(done):
        raise DataError(f"{path}: holds a question twice; the run is damaged. Start it again with --fresh.")
    for name in ("perquery.jsonl", "trace.jsonl"):
        mend(folder / name, set(done))
    return done


def append(out: BinaryIO, value: Mapping[str, Any]) -> None:
    """Write one line and hand it to the system.

    Raises:
        DataError: the disk is full or gone; what was finished stays.
    """
    raw = json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
    try:
        out.write(raw)
        out.flush()
    except OSError as error:
        raise DataError(
            f"{out.name}: cannot be written: {error.strerror}. Free some space and start again: what is done is kept."
        ) from error


def seconds(folder: Path) -> dict[str, float]:
    """Seconds of each question, from the trace."""
    return {line["id"]: float(line["seconds"]) for line in lines(folder / "trace.jsonl")}


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people and machines, atomically; NaN never gets in."""
    _replace(path, (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def write_text(path: Path, text: str) -> None:
    """Write text atomically."""
    _replace(path, text.encode("utf-8", "surrogatepass"))


def _replace(path: Path, raw: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(raw)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DataError(f"{path}: cannot be written: {error.strerror}.") from error
