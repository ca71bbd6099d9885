"""What a notebook shows of evidence that was chosen piece by piece: the source with what is kept, and what was lacking.

Made from the records that a compressor leaves in the notes with `explain: true`; local HTML in the manner of
`rag.display`, every text escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from rag.display import bar, fold, number, shell, table, told

if TYPE_CHECKING:
    from rag.types import Document, Hits

__all__ = ["chosen", "explained"]

SHOWN = 40  # rows of a table, documents
LONG = 24_000  # characters of source text
STYLE = (
    "<style>.rag-look .src{white-space:pre-wrap;border-left:3px solid var(--line);padding:2px 0 2px 12px;margin:6px 0}"
    ".rag-look .src .no{color:var(--soft)}.rag-look .src .twin{color:var(--plum)}</style>"
)


def explained(found: Hits) -> str:
    """The name of the stage whose note holds records of every candidate; "" for none."""
    for name, note in found.notes.items():
        if isinstance(note, Mapping) and note.get("records") and "certificate" in note:
            return str(name)
    return ""


def chosen(found: Hits) -> str:
    """The sources with the kept pieces marked, tokens by section, and what each rejected candidate lacked.

    Args:
        found: the result of a compressor that was told to explain; "" where there are no records.
    """
    name = explained(found)
    if not name:
        return ""
    note = found.notes[name]
    rows: Sequence[Mapping[str, Any]] = note["records"]
    sources = {hit.doc: hit.document for hit in [*found.items, *(drop.hit for drop in found.drops)]}
    used = found.tokens or 0
    share = used / note["budget"] if note["budget"] else 0.0
    kept = [one for one in rows if one["kept"]]
    body = STYLE + bar(share, f"{used} of {note['budget']} tokens")
    body += fold("the sources, kept pieces marked", _sources(rows, sources), opened=True)
    body += fold("tokens by section", _sections(kept))
    body += fold(f"left out: {_counts(rows)}", _rejected(rows, sources))
    return shell(
        body,
        found.query.text[:600],
        f"{len(kept)} of {len(rows)} pieces",
        f"{used:,} of {note['budget']:,} tokens",
        f"at least {100 * note['certificate']:.0f} % of the best possible worth",
        name,
    )


def _sources(rows: Sequence[Mapping[str, Any]], sources: Mapping[str, Document]) -> str:
    """Each document from its first to its last candidate; documents with kept pieces first."""
    by: dict[str, list[Mapping[str, Any]]] = {}
    for one in sorted(rows, key=lambda one: not one["kept"]):
        by.setdefault(one["doc"], []).append(one)
    room, parts = LONG, []
    for doc, mine in list(by.items())[:SHOWN]:
        source = sources.get(doc)
        if source is None or room <= 0:
            continue
        pieces, last = [], -1
        for one in sorted(mine, key=lambda one: (one["start"], one["end"])):
            text = source.text[one["start"] : one["end"]][: max(room, 0)]
            room -= len(text)
            if last not in (-1, one["start"]):
                pieces.append("<span class=no> … </span>")
            pieces.append(_piece(one, text))
            last = one["end"]
        head = f"<b>{told(source.title or doc)}</b> <span class=soft>{told(doc)}</span>"
        parts.append(f"<div>{head}<div class=src>{''.join(pieces)}</div></div>")
    more = len(by) - len(parts)
    return "".join(parts) + (f"<p class=soft>{more} more documents</p>" if more > 0 else "")


def _piece(one: Mapping[str, Any], text: str) -> str:
    hint = f"gain {number(one['gain'])}, {one['tokens']} tokens"
    if one["kept"]:
        return f"<mark title='{escape(hint, quote=True)}'>{told(text, LONG)}</mark>"
    hint = f"{one['reason']}; {hint}"
    kind = "twin" if one["decision"] == "superseded" else "no"
    return f"<span class={kind} title='{escape(hint, quote=True)}'>{told(text, LONG)}</span>"


def _sections(kept: Sequence[Mapping[str, Any]]) -> str:
    size: Counter[tuple[str, str]] = Counter()
    for one in kept:
        size[one["doc"], one["section"]] += one["tokens"]
    most = max(size.values(), default=1)
    rows = [
        (told(section or "-", 160), told(doc, 160), str(tokens), bar(tokens / most, f"{tokens} tokens"))
        for (doc, section), tokens in sorted(size.items(), key=lambda pair: (-pair[1], pair[0]))[:SHOWN]
    ]
    return table(("section", "document", "tokens", ""), rows, ("", "at", "n", "w"))


def _counts(rows: Sequence[Mapping[str, Any]]) -> str:
    counts = Counter(_reason(one) for one in rows if not one["kept"])
    return ", ".join(f"{n} {reason}" for reason, n in counts.most_common()) or "nothing"


def _reason(one: Mapping[str, Any]) -> str:
    return "said elsewhere" if one["decision"] == "superseded" else str(one["reason"])


def _rejected(rows: Sequence[Mapping[str, Any]], sources: Mapping[str, Document]) -> str:
    """The best of what was left out: what it would still have added, against the least of what was kept."""
    least = min((one["gain"] for one in rows if one["kept"]), default=0.0)
    out = sorted((one for one in rows if not one["kept"]), key=lambda one: (-one["gain"], one["step"]))
    cells = []
    for one in out[:SHOWN]:
        source = sources.get(one["doc"])
        text = source.text[one["start"] : one["end"]] if source is not None else ""
        lacks = f"{number(one['gain'])} of {number(least)}" if one["gain"] < least else number(one["gain"])
        where = f"{told(one['doc'], 160)} <span class=soft>[{one['start']}:{one['end']}]</span>"
        cells.append((where, told(text, 240), told(one["reason"]), lacks, str(one["tokens"])))
    more = f"<p class=soft>{len(out) - SHOWN} more</p>" if len(out) > SHOWN else ""
    heads = ("where", "text", "reason", "would add, least that was kept added", "tokens")
    return table(heads, cells, ("at", "text", "", "n", "n")) + more
