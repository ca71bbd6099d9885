"""The manifest: one small JSON file whose atomic replacement is what publishes a generation."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import StoreError

if TYPE_CHECKING:
    from rag.store.database import Live

__all__ = ["FORMAT", "MANIFEST", "Manifest", "fsync_folder", "read_manifest", "replace_file"]

FORMAT = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What an index folder holds.

    Args:
        generation: number of the generation that readers open, from 1.
        previous: the generation kept for readers that opened it before; 0 for none.
        config: the resolved pipeline file the index was built with, as text.
        config_digest: hex sha256 of `config`.
        cut_digest: hex digest of what decides the trees: chunker, growers, fingerprints, version.
        fingerprint: identity of models, by the caller's names.
        tokenizer: name of the tokenizer that counted the leaves, "" where nothing was counted.
        counts: `documents`, `leaves`, `characters` and `tokens` (-1 where a leaf was not counted).
        documents: hex sha256 over the lines `id<TAB>sha256 of the text`, in order of id.
        files: size in bytes and hex sha256 of every file of the generation, by its path in it.
        parts: keys of the retrievers' parts, in order.
        format: version of this layout.
    """

    generation: int
    previous: int
    config: str
    config_digest: str
    cut_digest: str
    fingerprint: Mapping[str, Any]
    tokenizer: str
    counts: Mapping[str, int]
    documents: str
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    format: int = FORMAT

    @property
    def folder(self) -> str:
        """Name of the generation's folder."""
        return folder_name(self.generation)

    def to_json(self) -> str:
        """The file's text; the same manifest gives the same bytes."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"


def summary(live: Sequence[Live]) -> dict[str, Any]:
    """The fields of a manifest that follow from its documents: `tokenizer`, `counts`, `documents`."""
    state = sha256()
    for one in live:
        state.update(f"{one.id}\t{one.sha256}\n".encode("utf-8", "surrogatepass"))
    tokens = [one.tokens for one in live]
    return {
        "tokenizer": ", ".join(sorted({one.tokenizer for one in live} - {""})),
        "counts": {
            "documents": len(live),
            "leaves": sum(len(one.leaves) // 4 for one in live),
            "characters": sum(one.characters for one in live),
            "tokens": -1 if -1 in tokens else sum(tokens),
        },
        "documents": state.hexdigest(),
    }


def folder_name(generation: int) -> str:
    """Folder of one generation, such as `gen-000007`."""
    return f"gen-{generation:06d}"


def config_digest(config: str) -> str:
    """Hex sha256 of a configuration's text."""
    return sha256(config.encode("utf-8", "surrogatepass")).hexdigest()


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of an index folder; None where there is none.

    Raises:
        StoreError: it is damaged, or written by a newer version.
    """
    path = folder / MANIFEST
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise StoreError(f"{folder}: must be a folder, got a file. Name another folder.") from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise StoreError(f"{path}: damaged, not JSON. Restore the file, or index into another folder.") from error
    version = value.get("format") if isinstance(value, dict) else None
    if not isinstance(version, int) or version < 1:
        raise StoreError(f"{path}: not the manifest of an index. Name the folder that `rag index --out` wrote.")
    if version > FORMAT:
        raise StoreError(
            f"{path}: must have format <= {FORMAT}, got {version}: a newer ragtree wrote it. Update ragtree."
        )
    try:
        files = {str(name): (int(size), str(digest)) for name, (size, digest) in value.pop("files").items()}
        return Manifest(files=files, parts=tuple(value.pop("parts")), **value)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: damaged, a field is missing or wrong. Index into another folder.") from error


def replace_file(path: Path, text: str) -> None:
    """Write a file so that any reader, after any crash, sees the old text or the new one."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8", errors="surrogatepass", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)  # noqa: PTH105 - the name says what matters here
    fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
