"""Where the functions, classes and long branches of source code are, by its syntax tree."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from rag.doctree import CODE
from rag.loaders.languages import BRANCHES, CLASSES, FUNCTIONS, LANGUAGES, WRAPPERS
from rag.loaders.lines import code_points, lines_of
from rag.optional import available

__all__ = ["Mark", "Source", "marks_of"]

LONG = 1600  # characters of a function whose branches open sections
BRANCH = 700  # characters of a branch that opens one
TITLE = 160  # characters of a signature that becomes a title whole
LARGEST = 4_000_000  # characters; longer files are made by machines and read as paragraphs
FUNCTION, CLASS, GROUP = (CODE[k] for k in ("function", "class", "group"))
REMARK = re.compile(r"[\r\n][ \t]*(?:#(?!\[)|//|/\*)")  # a comment between a signature and its body
COMMENT = ("#", "//", "/*", "*", "--", "@", "#[", '"""', "///")


@dataclass
class Mark:
    """A part of the code that opens a section; lines count from 0, both ends included."""

    first: int
    last: int
    head: int  # last line of its opening block
    kind: int
    title: tuple[int, int]
    inside: list[Mark] = field(default_factory=list)


class Source:
    """A text of code and its lines."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.codes = code_points(text)
        lines = lines_of(text, self.codes)
        self.starts = lines.start
        self.start: list[int] = lines.start.tolist()
        self.end: list[int] = lines.end.tolist()
        self.first: list[int] = lines.first.tolist()
        self.indent: list[int] = lines.indents(text).tolist()
        self.full: list[bool] = (lines.first < lines.end).tolist()

    def line(self, place: int) -> int:
        """The line a code point lies in."""
        return max(int(np.searchsorted(self.starts, place, side="right")) - 1, 0)

    def row(self, i: int) -> str:
        """Line i without its indent."""
        return self.text[self.first[i] : self.end[i]]

    def above(self, i: int) -> int:
        """The first line of the comments and decorators that stand directly above line i."""
        while i and self.full[i - 1] and self.indent[i - 1] == self.indent[i] and self.row(i - 1).startswith(COMMENT):
            i -= 1
        # inside `/** ... */` the lines after the first are often indented by one
        if i and self.full[i - 1] and self.row(i - 1).rstrip().endswith("*/") and i >= 1:
            j = i - 1
            while j and self.full[j] and not self.row(j).startswith("/*") and self.row(j).startswith("*"):
                j -= 1
            if self.row(j).startswith("/*"):
                i = j
        return i

    def title(self, a: int, b: int, name: tuple[int, int] | None) -> tuple[int, int]:
        """A signature without what opens the body; where it is long, its first line up to the name's end."""
        shown = REMARK.split(self.text[a:b], maxsplit=1)[0].rstrip(" \t\r\n{:").removesuffix("=>")
        end = a + len(shown.rstrip())
        if end - a > TITLE:
            end = name[1] if name is not None and a < name[1] <= a + TITLE else min(end, self.end[self.line(a)])
        return a, min(max(end, a), a + TITLE)


def marks_of(source: Source, media_type: str) -> list[Mark]:
    """Every part that opens a section, in any order; none where the language or its parser is missing."""
    language = LANGUAGES.get(media_type)
    if language is None or len(source.text) > LARGEST:
        return []
    if available(language.module) and available("tree_sitter"):
        return _from_tree(source, _parser(media_type).parse(source.text.encode("utf-8", "surrogatepass")).root_node)
    return _from_ast(source) if media_type == "text/x-python" else []


@cache
def _parser(media_type: str) -> Any:
    import importlib

    import tree_sitter

    language = LANGUAGES[media_type]
    grammar = getattr(importlib.import_module(language.module), language.function)()
    return tree_sitter.Parser(tree_sitter.Language(grammar))


def _from_tree(source: Source, root: Any) -> list[Mark]:
    """The marks of a syntax tree; only nodes of more than one line are looked into."""
    place = _places(source.codes)
    found: list[Mark] = []
    stack: list[tuple[Any, Any, int]] = [(root, None, 0)]  # node, wrapper around it, size of the function around it
    while stack:
        node, wrapper, size = stack.pop()
        kind = _kind(node, size)
        outer = wrapper or node
        if kind is not None:
            a, b = place(outer.start_byte), place(outer.end_byte)
            found.append(_mark(source, node, kind, (a, b), place))
            size = max(size, b - a) if kind == FUNCTION else size
        lone = node.type in WRAPPERS and kind is None
        around = outer if lone else None
        stack += [
            (child, around, size)
            for child in node.named_children
            if child.end_point[0] > child.start_point[0] or child.type in FUNCTIONS
        ]
    return found


def _kind(node: Any, size: int) -> int | None:
    """What a node opens, or None."""
    name = node.type
    if name in FUNCTIONS:
        return FUNCTION
    if name in CLASSES:
        return CLASS if node.parent is not None and node.is_named and _body(node) is not None else None
    if name in ("lexical_declaration", "variable_declaration", "assignment_expression", "public_field_definition"):
        return FUNCTION if _value(node) is not None else None
    if name in BRANCHES and size >= LONG and node.end_byte - node.start_byte >= BRANCH:
        return GROUP
    return None


def _value(node: Any) -> Any:
    """The function that a declaration gives a name to, or None."""
    for child in (node, *node.named_children):
        value = child.child_by_field_name("value") or child.child_by_field_name("right")
        if value is not None and value.type in ("arrow_function", "function_expression", "generator_function"):
            return value
    return None


def _body(node: Any) -> Any:
    """Where the body of a definition or branch is, or None."""
    for name in ("body", "consequence", "block"):
        if (found := node.child_by_field_name(name)) is not None:
            return found
    for child in node.named_children:
        if child.type.endswith(("body", "block", "_list", "compound_statement", "struct_type", "interface_type")):
            return child
        if child.type == "type_spec":
            return child.child_by_field_name("type")
    return None


def _mark(source: Source, node: Any, kind: int, span: tuple[int, int], place: Any) -> Mark:
    value = _value(node) if node.type not in FUNCTIONS and kind == FUNCTION else None
    body = _body(value if value is not None else node)
    a, b = span
    first, last = source.line(a), source.line(max(a, b - 1))
    begin = place(node.start_byte)
    inner = place(body.start_byte) if body is not None else b
    name = node.child_by_field_name("name")
    title = source.title(begin, max(begin, inner), None if name is None else (0, place(name.end_byte)))
    head = source.line(begin + max(len(source.text[begin:inner].rstrip()) - 1, 0))
    if body is not None:
        head = _head(source, body, head, place)
    return Mark(first if kind == GROUP else source.above(first), last, min(max(head, first), last), kind, title)


def _head(source: Source, body: Any, head: int, place: Any) -> int:
    """The last line of a signature: behind the brace that opens the body, behind a doc string."""
    opens = source.line(place(body.start_byte))
    first = next(iter(body.named_children), None)
    if first is None or source.line(place(first.start_byte)) > opens:
        head = max(head, opens)
    if first is None:
        return head
    documents = first.type == "expression_statement" and first.named_child_count == 1
    if documents and first.named_children[0].type == "string":
        head = max(head, source.line(max(place(first.end_byte) - 1, 0)))
    return head


def _places(codes: Any) -> Any:
    """Byte of the UTF-8 text -> code point."""
    if codes.dtype == np.uint8:
        return int
    width = 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)
    ends = np.cumsum(width)
    return lambda byte: int(np.searchsorted(ends, byte, side="right"))


def _from_ast(source: Source) -> list[Mark]:
    """The marks of Python code that the running interpreter can parse; nothing is executed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the code that is read
            tree = ast.parse(source.text.removeprefix("\ufeff").replace("\f", " "))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found: list[Mark] = []
    for node in _definitions(tree):
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
        last, body = (node.end_lineno or node.lineno) - 1, node.body[0]
        head = max(body.lineno - 2, node.lineno - 1)
        if ast.get_docstring(node, clean=False) is not None:
            head = (body.end_lineno or body.lineno) - 1
        kind = CLASS if isinstance(node, ast.ClassDef) else FUNCTION
        if last >= len(source.start):
            return []  # its lines are not ours: form feeds and the like
        a = source.first[node.lineno - 1]
        stop = source.end[max(min(body.lineno - 2, last), node.lineno - 1)]
        found.append(Mark(source.above(first), last, min(head, last), kind, source.title(a, stop, None)))
    return found


def _definitions(tree: ast.AST) -> Iterator[Any]:
    todo: list[Iterable[ast.AST]] = [[tree]]
    while todo:
        for node in todo.pop():
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield node
            if isinstance(node, (ast.stmt, ast.Module, ast.ExceptHandler)):
                todo.append(ast.iter_child_nodes(node))
