"""JSON lines that are no corpus: logs, exports, tables; one document a file, one record a line.

A file whose records say who they are (`_id` or `id`) or what they say (`text`) is a corpus, see `rag.loaders.jsonl`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from rag.doctree import CODE
from rag.loaders.blocks import Blocks
from rag.loaders.lines import code_points, lines_of

__all__ = ["is_corpus", "scan"]

FIRST = 1 << 20  # bytes of a first line that are looked at
KEYS = frozenset(("_id", "id", "text"))


def is_corpus(path: str | Path) -> bool:
    """Whether a `.jsonl` file is a corpus of documents.

    It is one unless its first record is an object with neither an id nor a text: then its lines are records of one
    document. What cannot be read or parsed counts as a corpus, whose reader says what is wrong.
    """
    path = Path(path)
    if path.name == "corpus.jsonl":
        return True
    try:
        with path.open("rb") as file:
            for line in file:
                if line.strip(b"\xef\xbb\xbf \t\r\n"):
                    record = json.loads(line[:FIRST].decode("utf-8-sig"))
                    return not isinstance(record, dict) or bool(KEYS & record.keys())
    except (OSError, ValueError, RecursionError):
        return True
    return True


def scan(text: str) -> Blocks:
    """One block of kind record for each line that is not blank."""
    lines = lines_of(text, code_points(text)) if text else None
    if lines is None:
        return Blocks.of(())
    full = np.flatnonzero(lines.first < lines.end)
    start, end = lines.start[full], lines.end[full]
    kind = np.full(len(full), CODE["record"], dtype=np.uint8)
    return Blocks(start, end, kind, np.zeros(len(full), dtype=np.int16), np.stack((lines.first[full], end), axis=1))
