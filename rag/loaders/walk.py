"""Which files a list of paths means, in an order that does not depend on the machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from rag.errors import LoadError
from rag.loaders.limits import shown
from rag.types import Failed

__all__ = ["Found", "Skipped", "apart", "walk"]

CORPUS = "corpus.jsonl"
NO_TEXT = """
png jpg jpeg gif bmp tif tiff webp avif ico icns psd heic mp3 wav ogg flac m4a mp4 mov avi mkv webm ttf otf woff woff2
eot so dll dylib exe o a obj lib class pyc pyo pyd wasm bin dat db sqlite sqlite3 npy npz safetensors onnx gguf pt
parquet arrow feather pkl pickle whl iso dmg
"""
BINARY = frozenset(NO_TEXT.split())


class Found(NamedTuple):
    """A file to read.

    Args:
        path: where it is.
        id: its POSIX path below `root`; for a file given alone, its name. Where a file of another path given
            before has it, the name of `root` stands in front, and of the folders above where that is taken too.
        root: the folder it was found in.
    """

    path: Path
    id: str
    root: Path


class Skipped(NamedTuple):
    """A file inside a folder that holds no text by its kind; not a failure."""

    id: str
    reason: str


def walk(paths: Iterable[str | Path]) -> Iterator[Found | Skipped | Failed]:
    """List the files to read, in the order given and, within a folder, sorted by name.

    Hidden files and folders are left out. A folder with a `corpus.jsonl` is a dataset, of which only
    that file is listed. Links to files are followed inside the given folder and refused where they
    leave it; links to folders are not followed, because what they show inside is listed in its
    own place. A link that is given itself is followed: its user named it.

    Args:
        paths: files and folders.

    Yields:
        `Found` to read; `Skipped` for pictures, programs and the like; `Failed` for a link that leaves
        its folder or leads nowhere, a file that is none, a folder that cannot be listed.

    Raises:
        LoadError: a given path does not exist; raised before anything is listed.
    """
    given = [Path(path) for path in paths]
    for path in given:
        if not path.exists():
            what = "is a link that leads nowhere" if path.is_symlink() else "no such file or folder"
            raise LoadError(f"{shown(path)}: {what}. Give paths that exist.")
    return _unique(item for path in given for item in (_folder(path) if path.is_dir() else _file(path)))


def _unique(items: Iterable[Found | Skipped | Failed]) -> Iterator[Found | Skipped | Failed]:
    seen: dict[str, Path] = {}
    for item in items:
        called = apart(item, seen) if isinstance(item, Found) else item
        if called is not None:
            yield called


def apart(item: Found, seen: dict[str, Path]) -> Found | Failed | None:
    """A file with an id of its own: its id, or that with the names of folders above it in front.

    Args:
        item: a file.
        seen: id -> path of those before; the file is added.

    Returns:
        None where the same file came before.
    """
    if item.path.suffix == ".jsonl":  # its records have ids of their own
        return item
    id_ = item.id
    home = Path(os.path.realpath(item.root))
    for folder in (home, *home.parents):
        first = seen.setdefault(id_, item.path)
        if first is item.path:
            return item._replace(id=id_)
        if item.path.samefile(first):
            return None
        id_ = f"{shown(folder.name)}/{id_}"
    message = (
        f"{shown(item.path)}: has the id of {shown(seen[item.id])}, and ids must differ. Give the folder above both."
    )
    return Failed(item.id, LoadError(message))


def _file(path: Path) -> Iterator[Found | Failed]:
    if path.is_file():
        yield Found(path, shown(path.name), path.parent)
    else:
        yield Failed(shown(path.name), LoadError(f"{shown(path)}: not a regular file. Give files and folders."))


def _folder(root: Path) -> Iterator[Found | Skipped | Failed]:
    home = Path(os.path.realpath(root))
    todo = [root]
    while todo:
        path = todo.pop()
        name = shown(path.relative_to(root).as_posix())
        if path.is_symlink() and path != root:
            yield from _link(path, name, root, home)
        elif path.is_dir():
            try:
                inside = sorted((p for p in path.iterdir() if not p.name.startswith(".")), key=lambda p: p.name)
            except OSError as error:
                yield Failed(
                    name, LoadError(f"{shown(path)}: cannot be listed: {error.strerror}. Check its permissions.")
                )
                continue
            corpus = [p for p in inside if p.name == CORPUS and p.is_file()]
            todo.extend(reversed(corpus or inside))
        elif path.is_file():
            yield _sort(path, name, root)
        else:
            yield Failed(name, LoadError(f"{shown(path)}: not a regular file. Remove it, or give files by name."))


def _link(path: Path, name: str, root: Path, home: Path) -> Iterator[Found | Skipped | Failed]:
    target = Path(os.path.realpath(path))
    if not target.is_relative_to(home):
        yield Failed(
            name, LoadError(f"{shown(path)}: a link that leaves {shown(root)}; refused. Give its target by name.")
        )
    elif target.is_file():
        yield _sort(path, name, root)
    elif not target.is_dir():
        yield Failed(name, LoadError(f"{shown(path)}: a link that leads nowhere. Remove or mend it."))


def _sort(path: Path, name: str, root: Path) -> Found | Skipped:
    suffix = path.suffix[1:].lower()
    if suffix in BINARY:
        return Skipped(name, f".{suffix} files hold no text")
    return Found(path, name, root)
