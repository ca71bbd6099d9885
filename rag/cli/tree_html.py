"""A document's tree as one page that folds and unfolds; nothing is fetched, all text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rag.doctree import DocTree

__all__ = ["page"]

STYLE = """
:root { color-scheme: light dark; --ink: #1d232a; --paper: #fbfaf7; --soft: #6b7280; --line: #d9d4c8; --mark: #0f766e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e3dc; --paper: #16181b; --soft: #9aa2ad; --line: #33373d; --mark: #5eead4; } }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: var(--ink); background: var(--paper);
  font: 15px/1.5 Georgia, serif; }
h1 { font-size: 1.4rem; } details { margin-left: 1rem; border-left: 1px solid var(--line); padding-left: .6rem; }
summary { cursor: pointer; } .facts { color: var(--soft); font: 12px/1.4 ui-monospace, monospace; }
.leaf { margin: .5rem 0 .5rem 1rem; padding: .4rem .7rem; border-left: 3px solid var(--mark); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0 0; font: 13px/1.45 ui-monospace, monospace; }
"""


def page(trees: Sequence[DocTree]) -> str:
    """One self-contained HTML page with an outline a document."""
    body = "".join(f"<h1>{escape(t.document.id)}</h1>{_tree(t)}" for t in trees)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Document trees</title><style>{STYLE}</style><body>{body}</body></html>\n"
    )


def _tree(tree: DocTree) -> str:
    """The nodes in preorder; sections open and close without recursion."""
    parts: list[str] = []
    open_nodes: list[int] = []
    inner = {int(p) for p in tree.parent.tolist() if p >= 0}
    for node in tree:
        while open_nodes and open_nodes[-1] != tree.parent[node.index]:
            parts.append("</details>")
            open_nodes.pop()
        tokens = f", {node.tokens} tokens" if node.tokens >= 0 else ""
        facts = f"<span class=facts>{node.kind} [{node.start}:{node.end}]{tokens}</span>"
        if node.index in inner or node.index == 0:
            name = escape(node.title or tree.document.title or "document" if node.index == 0 else node.title)
            parts.append(f"<details open><summary>{name} {facts}</summary>")
            open_nodes.append(node.index)
        else:
            parts.append(f"<div class=leaf>{facts}<pre>{escape(node.text)}</pre></div>")
    return "".join((*parts, "</details>" * len(open_nodes)))
