"""A document's tree as a page that folds and unfolds: sizes, summaries, key phrases, and the hits of a question.

The page is one file that fetches nothing. The tree is in it as data, and a part of it becomes visible when it is
opened, 200 children at a time, so that a tree of many thousand nodes costs a browser no more than what is looked at.
Of trees with more than 100,000 nodes the page holds the upper levels and the way to each hit, and says at each node
how much below it is left out. All text is put in as text, never as markup.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from html import escape
from typing import Any

from rag.doctree import DocTree
from rag.notes import note_text, notes_of
from rag.types import Hit

__all__ = ["dot", "fragment", "levels", "page"]

SHOWN = 60  # characters of a leaf in its heading
MOST = 100_000  # nodes on a page
STYLE = """
.rag-tree { --ink: #1d232a; --paper: #fbfaf7; --soft: #5d6570; --line: #d9d4c8; --mark: #0f766e; --hit: #fde68a;
  color: var(--ink); background: var(--paper); font: 15px/1.5 Georgia, serif; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { .rag-tree { --ink: #e6e3dc; --paper: #16181b; --soft: #9aa2ad; --line: #33373d;
  --mark: #5eead4; --hit: #6b4e00; } }
[data-jp-theme-light=false] .rag-tree, .vscode-dark .rag-tree { --ink: #e6e3dc; --paper: #16181b; --soft: #9aa2ad;
  --line: #33373d; --mark: #5eead4; --hit: #6b4e00; }
[data-jp-theme-light=true] .rag-tree, .vscode-light .rag-tree { --ink: #1d232a; --paper: #fbfaf7; --soft: #5d6570;
  --line: #d9d4c8; --mark: #0f766e; --hit: #fde68a; }
.rag-tree details { margin-left: .9rem; border-left: 1px solid var(--line); padding-left: .55rem; }
.rag-tree > details { margin-left: 0; } .rag-tree summary { cursor: pointer; padding: .1rem 0; }
.rag-tree summary:focus-visible { outline: 2px solid var(--mark); }
.rag-tree .facts { color: var(--soft); font: 12px/1.4 ui-monospace, monospace; }
.rag-tree .bar { display: inline-block; height: .5em; background: var(--mark); margin-right: .5em; min-width: 1px; }
.rag-tree .said { color: var(--soft); margin: .1rem 0 .3rem; font-style: italic; }
.rag-tree .keys { color: var(--mark); font: 12px/1.5 ui-monospace, monospace; margin: 0 0 .3rem; }
.rag-tree pre { white-space: pre-wrap; margin: .2rem 0 .5rem; font: 13px/1.45 ui-monospace, monospace;
  border-left: 3px solid var(--line); padding-left: .6rem; }
.rag-tree mark { background: var(--hit); color: inherit; }
.rag-tree .more { display: block; margin: .2rem 0 .2rem .9rem; padding: .1rem .6rem; cursor: pointer;
  color: var(--mark); background: none; border: 1px solid var(--line); border-radius: .2rem;
  font: 12px/1.5 ui-monospace, monospace; }
.rag-tree .has > summary { box-shadow: inset 4px 0 var(--mark); padding-left: .5rem; }
"""
PAGE_STYLE = """
:root { color-scheme: light dark; } body { margin: 0; background: #fbfaf7; }
@media (prefers-color-scheme: dark) { body { background: #16181b; } }
.rag-tree { max-width: 64rem; margin: 0 auto; padding: 1rem; } h1 { font-size: 1.3rem; margin: .6rem 0; }
"""
SCRIPT = """
(() => {
  const make = (tag, cls, text) => {
    const e = document.createElement(tag);
    if (cls) e.className = cls;
    if (text !== undefined) e.textContent = text;
    return e;
  };
  const leafText = (tree, n) => {
    const pre = make("pre");
    let at = n.s;
    for (const [a, b] of n.h || []) {
      pre.append(tree.text.slice(at, a), make("mark", "", tree.text.slice(a, b)));
      at = b;
    }
    pre.append(tree.text.slice(at, n.e));
    return pre;
  };
  const rows = (tree, kids, into) => {
    let shown = 0, rest = [];
    const gap = () => {
      if (!rest.length) return;
      const held = rest, more = make("button", "more", `${held.length} more`);
      more.addEventListener("click", () => {
        const next = document.createDocumentFragment();
        rows(tree, held, next);
        more.replaceWith(next);
      });
      into.append(more);
      rest = [];
    };
    for (const c of kids) {
      if (shown < 200 || tree.nodes[c].o) {
        gap();
        into.append(show(tree, c));
        shown += 1;
      } else rest.push(c);
    }
    gap();
  };
  const show = (tree, i) => {
    const n = tree.nodes[i], box = make("details", n.x ? "has" : "");
    const head = make("summary"), bar = make("span", "bar");
    bar.style.width = Math.max(1, Math.round(60 * n.w)) + "px";
    head.append(bar, n.t, " ", make("span", "facts", n.f));
    box.append(head);
    const fill = () => {
      if (box.dataset.full) return;
      box.dataset.full = "1";
      if (n.y) box.append(make("p", "said", n.y));
      if (n.k) box.append(make("p", "keys", n.k));
      if (n.c) rows(tree, n.c, box);
      if (n.m) box.append(make("p", "facts", n.m));
      if (n.e) box.append(leafText(tree, n));
    };
    box.addEventListener("toggle", () => { if (box.open) fill(); });
    if (n.o) { fill(); box.open = true; }
    return box;
  };
  for (const data of document.querySelectorAll("script.rag-tree-data")) {
    if (data.dataset.drawn) continue;
    data.dataset.drawn = "1";
    const tree = JSON.parse(data.textContent);
    data.parentElement.append(show(tree, 0));
  }
})();
"""
OPEN = 30  # nodes that are open at first, at most


def page(
    trees: Sequence[DocTree],
    *,
    hits: Iterable[Hit] = (),
    question: str = "",
    depth: int | None = None,
    most: int = MOST,
) -> str:
    """One self-contained HTML page with an outline a document.

    Args:
        trees: the documents, in order.
        hits: what a question found; their ranges are marked and the way to them stands open.
        question: shown above.
        depth: levels below the root that are on the page; None for all.
        most: nodes on the page, but for the roots and the ways to hits; the first trees go first.
    """
    found = list(hits)
    asked = f"<p class=facts>{escape(question)}: {len(found)} hits</p>" if question else ""
    body, room = "", most
    for tree in trees:
        told, used = _data(tree, found, depth, room)
        body += f"<h1>{escape(tree.document.id)}</h1>{told}"
        room = max(room - used, 0)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline';"
        " script-src 'unsafe-inline'\">"
        f"<title>Document trees</title><style>{STYLE}{PAGE_STYLE}</style>"
        f"<body><main class=rag-tree>{asked}{body}</main><noscript>This page needs scripts to unfold.</noscript>"
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def fragment(tree: DocTree, *, hits: Iterable[Hit] = ()) -> str:
    """The outline for a notebook: the same as on the page, without the page around it."""
    told, _ = _data(tree, list(hits), None, MOST)
    return f"<style>{STYLE}</style><div class=rag-tree>{told}</div><script>{SCRIPT}</script>"


def _data(tree: DocTree, hits: Sequence[Hit], depth: int | None, most: int) -> tuple[str, int]:
    """The tree as JSON in a script element, and its nodes there; `<` is written so that no text can close it."""
    mine = sorted({span for hit in hits if hit.doc == tree.document.id for span in hit.spans})
    opened, holding = _opened(tree, mine)
    kept = levels(tree, depth, most, holding)
    shown = tree.document.text
    if len(kept) < len(tree):  # the text of leaves that are on the page, and no other
        pieces = [(int(tree.start[i]), int(tree.end[i])) for i in kept if not tree.child_ids[i]]
        shown = "".join(shown[a:b] for a, b in pieces)
    whole = {"text": shown, "nodes": _nodes(tree, mine, opened=opened, holding=holding, kept=kept, shown=shown)}
    told = json.dumps(whole, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return f"<div><script type=application/json class=rag-tree-data>{told}</script></div>", len(kept)


def levels(tree: DocTree, depth: int | None, most: int, always: Collection[int] = ()) -> list[int]:
    """The nodes of the upper levels, in order: at most `depth` below the root, and as many whole levels as fit `most`.

    The root is always there, `always` too; their parents must be among them.
    """
    at = [0] * len(tree)
    for i, up in enumerate(tree.parent.tolist()):
        at[i] = at[up] + 1 if up >= 0 else 0
    limit = max(at) if depth is None else depth
    held = 0
    sizes = Counter(at)
    for level in range(limit + 1):
        held += sizes[level]
        if level and held > most:
            limit = level - 1
            break
    wanted = set(always)
    return [i for i, level in enumerate(at) if level <= limit or i in wanted]


def _nodes(
    tree: DocTree,
    marked: Sequence[tuple[int, int]],
    *,
    opened: set[int],
    holding: set[int],
    kept: Sequence[int],
    shown: str,
) -> list[dict[str, Any]]:
    """A row a node on the page."""
    at = _places(shown)
    size = max(len(tree.document.text), 1)
    number = {node: i for i, node in enumerate(kept)}
    cut, past = len(kept) < len(tree), 0
    found: list[dict[str, Any]] = []
    for i in kept:
        node = tree[i]
        start, end = node.start, node.end
        children = [number[child] for child in tree.child_ids[i] if child in number]
        name = node.title or (tree.document.title if i == 0 else "") or " ".join(node.text[: 4 * SHOWN].split())[:SHOWN]
        tokens = f", {node.tokens} tokens" if node.tokens >= 0 else ""
        row: dict[str, Any] = {
            "t": name,
            "f": f"{node.kind} [{start}:{end}]{tokens}",
            "w": round((end - start) / size, 4),
        }
        above = int(tree.parent[i])
        said = note_text(tree, "summary", i)
        if said and (above < 0 or said != note_text(tree, "summary", above)):
            row["y"] = said
            if keys := [note.text for note in notes_of(tree, "keywords", i)]:
                row["k"] = " · ".join(keys)
        if children:
            row["c"] = children
        if len(children) < len(tree.child_ids[i]):
            row["m"] = f"{len(tree.child_ids[i]) - len(children)} parts of this one are not on the page"
        inside = [(max(a, start), min(b, end)) for a, b in marked if a < end and b > start] if i in holding else []
        if inside:
            row["x"] = 1
        if not tree.child_ids[i]:
            by = past - start if cut else 0
            row["s"], row["e"] = at(start + by), at(end + by)
            past += end - start
            if inside:
                row["h"] = [[at(a + by), at(b + by)] for a, b in inside]
        if i in opened:
            row["o"] = 1
        found.append(row)
    return found


def _opened(tree: DocTree, marked: Sequence[tuple[int, int]]) -> tuple[set[int], set[int]]:
    """Nodes that stand open at first, and all that hold a marked range."""
    holding: set[int] = set()
    for i in range(len(tree)):
        up = int(tree.parent[i])
        if (up < 0 or up in holding) and any(a < tree.end[i] and b > tree.start[i] for a, b in marked):
            holding.add(i)
    if holding:
        return holding, holding
    opened, shown = set(), 0
    for i in [0, *(c for c in tree.child_ids[0] if tree.child_ids[c])]:
        shown += len(tree.child_ids[i])
        if i and shown > OPEN:
            break
        opened.add(i)
    return opened, holding


def _places(text: str) -> Any:
    """Code point -> UTF-16 unit, which is what a browser counts."""
    if text.isascii() or max(text) <= "\uffff":
        return lambda i: i
    import numpy as np

    wide = np.fromiter((c > "\uffff" for c in text), dtype=np.int64, count=len(text))
    before = np.concatenate(([0], np.cumsum(wide))).tolist()
    return lambda i: i + before[i]


def dot(tree: DocTree, *, depth: int | None = None) -> str:
    """The tree in GraphViz's language: a node a box with its title, kind and size.

    Args:
        tree: any tree.
        depth: levels below the root; None for all.
    """
    lines = ["digraph tree {", "  rankdir=LR;", '  node [shape=box, fontname="Georgia"];']
    for node in map(tree.__getitem__, levels(tree, depth, len(tree))):
        name = node.title or (tree.document.title or tree.document.id if node.index == 0 else "")
        name = name or " ".join(node.text[: 4 * SHOWN].split())[:SHOWN]
        size = f"{node.tokens} tokens" if node.tokens >= 0 else f"{node.end - node.start} characters"
        lines.append(f'  n{node.index} [label="{_quoted(name)}\\n{node.kind}, {size}"];')
        if node.index:
            lines.append(f"  n{int(tree.parent[node.index])} -> n{node.index};")
    return "\n".join([*lines, "}", ""])


def _quoted(name: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in name)
    return plain.encode("utf-8", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
