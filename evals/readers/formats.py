"""The formats by name, and one call that imports any of them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from inspect import signature
from pathlib import Path
from typing import Any

from evals.readers import beir, chroma, flashrag, multihop, qasper, squad, trec
from evals.readers.records import Imported, Record, write
from rag.errors import ConfigError, DataError

__all__ = ["FORMATS", "bring"]

FORMATS: Mapping[str, Callable[..., Iterator[Record]]] = {
    "beir": beir.read,
    "squad": squad.read,
    "hotpotqa": multihop.hotpotqa,
    "2wiki": multihop.twowiki,
    "musique": multihop.musique,
    "qasper": qasper.read,
    "flashrag": flashrag.read,
    "trec": trec.read,
    "chroma": chroma.read,
}


def bring(name: str, source: str | Path, out: str | Path, **settings: Any) -> Imported:
    """Import a published set as a dataset folder.

    Args:
        name: one of `FORMATS`.
        source: a file or a folder, as the format has it.
        out: the folder to write; must not exist, or be empty.
        settings: `split` (beir, flashrag) and `unit` (squad); None takes the default.

    Raises:
        ConfigError: no such format, or it has no such setting.
        DataError: the source is missing or cannot be read; names file and line or key.
    """
    if name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ConfigError(f"no format {name!r}.{hint} Formats: {', '.join(FORMATS)}.")
    source = Path(source)
    if not source.exists():
        raise DataError(f"{source}: is not there.")
    given = {key: value for key, value in settings.items() if value is not None}
    unknown = sorted(set(given) - set(signature(FORMATS[name]).parameters))
    if unknown:
        raise ConfigError(f"{name}: has no setting {unknown[0]!r}. Drop it.")
    return write(FORMATS[name](source, **given), out)
