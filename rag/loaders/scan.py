"""The structure of a text by its media type: which scanner reads which format."""

from __future__ import annotations

from rag.loaders.blocks import Blocks
from rag.loaders.languages import LANGUAGES

__all__ = ["scanned"]


def scanned(text: str, media_type: str) -> Blocks | None:
    """The blocks of a text whose media type says how to read it; None for plain text and types not known here.

    Args:
        text: any text.
        media_type: such as `text/markdown`, `text/x-rst`, `text/csv`, `text/x-python`.
    """
    if media_type == "text/markdown":
        from rag.loaders import markdown

        return markdown.scan(text)
    if media_type == "text/x-rst":
        from rag.loaders import rst

        return rst.scan(text)
    if media_type in ("text/csv", "text/tab-separated-values"):
        from rag.loaders import delimited

        return delimited.scan(text)
    if media_type == "application/jsonl":
        from rag.loaders import jsonlines

        return jsonlines.scan(text)
    if media_type in LANGUAGES or media_type == "text/x-code":
        from rag.loaders import code

        return code.scan(text, media_type)
    return None
