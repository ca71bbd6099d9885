"""What kind of text a leaf and its document are, by rule: eight kinds of leaves, seven of documents."""

from __future__ import annotations

import re
from collections.abc import Callable

from rag.doctree import DocTree, Node
from rag.notes import Note, noted
from rag.stage import stage

__all__ = ["DOCUMENTS", "LEAVES", "Kinds", "kind_of_document", "kind_of_leaf"]

NAME = "trees/kinds"
LEAVES = ("concept", "procedure", "reference", "warning", "example", "table", "code", "index")
DOCUMENTS = ("contract", "paper", "manual", "code", "data", "transcript", "article")
ROW = re.compile(r"^[^\S\n]*\|.*\|[^\S\n]*$|^[^\t\n]+(?:\t[^\t\n]+){2,}$", re.MULTILINE)
FENCE = re.compile(r"^[^\S\n]*(?:```|~~~)", re.MULTILINE)
STEP = re.compile(
    r"^[^\S\n]*(?:\d{1,2}[.)]|step \d{1,2}\b|[-*+][^\S\n]+(?=[A-Z][a-z]+ (?:the|a|an|your|to|on)\b))", re.I | re.M
)
DO = re.compile(
    r"(?:^|[.:;!?\n][^\S\n]*|\d[.)] |[-*] )(?:to \w+|run|install|open|click|select|enter|create|set|add|choose|type|use"
    r"|copy|download|configure|start|press|go to|make sure|ensure|follow|first|then|next|finally)\b,?",
    re.IGNORECASE,
)
WARN = re.compile(
    r"\b(?:warning|caution|danger|do not|must not|never|shall not|be careful|important|deprecated)\b[:!]?", re.I
)
LOUD = re.compile(r"^\W{0,6}(?:warning|caution|danger|important|note|attention)\b\W", re.IGNORECASE | re.MULTILINE)
FOR_EXAMPLE = re.compile(r"\b(?:for example|for instance|e\.g\.|examples?\b[:.]|consider the following|suppose)", re.I)
DOTS = re.compile(
    r"^.{2,80}?(?:\.{3,}|[.·…]{2,}|\s{3,})\s*\d{1,4}\s*$|^\s*[-*]?\s*\[[^\]\n]{1,120}\]\([^)\n]*\)\s*$", re.M
)
CITED = re.compile(r"^\s*(?:\[\d{1,3}\]|\d{1,3}\.)?\s*[A-Z][\w’'-]+,? .{0,160}\b(?:19|20)\d\d\b", re.MULTILINE)
SPEC = re.compile(r"(?:\b\w+\([^)\n]{0,80}\)|\b[A-Za-z_]\w* ?[:=] ?\S+|`[^`\n]+`|--[a-z][\w-]+)")
TITLES = re.compile(r"\W*(?:table of contents|contents|index|references|bibliography|see also|works cited)\W*", re.I)
PARTIES = re.compile(
    r"\b(?:hereby|hereto|herein|hereof|hereunder|whereas|party|parties|shall|agreement|lessee|licensor)\b", re.I
)
STUDY = re.compile(
    r"\b(?:abstract|we (?:propose|present|show|study)|et al\.|introduction|related work|results|methods)\b", re.I
)
SPEAKS = re.compile(r"^[^\S\n]*(?:[A-Z][\w.’' -]{1,40}|[A-Z ]{2,30}): \S", re.MULTILINE)
HEAD = 20_000  # characters of a document looked at


@stage
class Kinds:
    """Note what kind of text every leaf is, and at the root what kind of document.

    Closed sets, so that they can be filtered by: a leaf is a concept, a procedure, a reference (parameters,
    definitions, fields), a warning, an example, a table, code or an index; a document a contract, a paper, a manual,
    code, data, a transcript or an article. By rules on marks and cue words of English; text
    without any is a concept and an article. As text to search it adds nothing (`evals/reproduce/enrichment.py`).

    Args:
        tree: any tree.

    Returns:
        The tree with the field `kind`: one note for the root and for each leaf, without ranges and unchecked.
    """

    def __call__(self, tree: DocTree, /) -> DocTree:
        """The tree with kinds."""
        found = {leaf.index: [Note(kind_of_leaf(leaf), (), NAME, None)] for leaf in tree.leaves()}
        if found:
            found[0] = [Note(kind_of_document(tree), (), NAME, None)]
        return noted(tree, "kind", found)


def kind_of_leaf(leaf: Node) -> str:
    """One of `LEAVES`."""
    body = leaf.text
    lines = max(1, sum(1 for line in body.splitlines() if line.strip()))
    words = max(1, len(body.split()))
    title = leaf.path[-1] if leaf.path else ""

    def share(form: re.Pattern[str], over: int = lines) -> float:
        return sum(1 for _ in form.finditer(body)) / over

    rules: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("code", lambda: leaf.kind in ("code", "function", "class") or share(FENCE) * lines >= 2),
        ("table", lambda: leaf.kind == "table" or share(ROW) > 0.5),
        ("index", lambda: bool(TITLES.fullmatch(title)) or (lines > 2 and max(share(DOTS), share(CITED)) > 0.5)),
        ("warning", lambda: bool(LOUD.search(body)) or share(WARN, words) > 0.02),
        ("procedure", lambda: share(STEP) > 0.3 or share(DO, words) > 0.03),
        ("example", lambda: title.lower().startswith("example") or share(FOR_EXAMPLE, words) > 0.01),
        ("reference", lambda: share(SPEC, words) > 0.08),
    )
    return next((kind for kind, holds in rules if holds()), "concept")


def kind_of_document(tree: DocTree) -> str:
    """One of `DOCUMENTS`."""
    text = tree.document.text[:HEAD]
    words = max(1, len(text.split()))
    lines = max(1, sum(1 for line in text.splitlines() if line.strip()))
    kinds = [node.kind for node in tree.leaves()]
    code = sum(kind in ("function", "class") for kind in kinds) > len(kinds) / 2
    rows = sum(1 for _ in ROW.finditer(text)) / lines
    rules = (
        ("code", code),
        ("data", rows > 0.5 or tree.document.media_type in ("application/json", "text/csv")),
        ("transcript", kinds.count("turn") > len(kinds) / 2 or sum(1 for _ in SPEAKS.finditer(text)) / lines > 0.4),
        ("contract", sum(1 for _ in PARTIES.finditer(text)) / words > 0.015),
        ("manual", sum(1 for _ in FENCE.finditer(text)) + sum(1 for _ in STEP.finditer(text)) > max(3, lines / 12)),
        ("paper", len({m.group().lower() for m in STUDY.finditer(text)}) >= 3),
    )
    return next((kind for kind, holds in rules if holds), "article")
