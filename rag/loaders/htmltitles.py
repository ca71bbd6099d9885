"""Headings of pages that have no heading elements, such as companies' yearly reports, by the looks of their lines.

Programs that write filings set every line as a paragraph with a style. Where a long page has no heading at all, its
short paragraphs are weighed as lines of plain text are (`rag.loaders.titles`).
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.loaders.titles import Seen, chosen, may_be
from rag.types import Block

__all__ = ["titled"]

LONG, MANY = 5_000, 20  # characters and blocks of a page whose headings are looked for
NEAR = 200  # characters of the blocks around one


def titled(text: str, blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The same blocks; where none is a heading, the paragraphs that are titles become headings.

    Args:
        text: of the page.
        blocks: in order.
    """
    if len(text) < LONG or len(blocks) < MANY or any(block.kind == "heading" for block in blocks):
        return tuple(blocks)
    seen: list[Seen] = []
    between = 0
    for k, block in enumerate(blocks):
        said = text[slice(*block.inner)].strip()
        if block.kind == "text" and "\n" not in said and may_be(said):
            above = text[max(blocks[k - 1].start, blocks[k - 1].end - NEAR) : blocks[k - 1].end] if k else ""
            below = text[blocks[k + 1].start : blocks[k + 1].end][:NEAR] if k + 1 < len(blocks) else ""
            seen.append(Seen(k, said, alone=True, above=above.rstrip(), below=below.strip(), between=between))
            between = 0
        else:
            between += 1
    found = list(blocks)
    for at, level in chosen(seen, blocks=len(blocks)):
        block = found[seen[at].line]
        first = block.inner[0] + text[slice(*block.inner)].index(seen[at].text)
        inner = (first, first + len(seen[at].text))
        found[seen[at].line] = block._replace(kind="heading", level=level, inner=inner)
    return tuple(found)
