"""The directives of reStructuredText and Sphinx by what their content is."""

from __future__ import annotations

__all__ = ["CLASSES", "CODED", "FLAT", "LISTS", "OBJECTS", "PICTURES"]

CODED = frozenset((
    "code", "code-block", "sourcecode", "highlight", "parsed-literal", "literalinclude", "doctest", "testcode",
    "testoutput", "testsetup", "productionlist", "math", "raw", "graphviz", "digraph", "prompt", "ipython",
    "console",
))  # fmt: skip
CLASSES = frozenset((
    "class", "module", "exception", "currentmodule", "py:class", "py:module", "cpp:class", "c:struct", "js:class",
))  # fmt: skip
OBJECTS = CLASSES | frozenset((
    "function", "method", "staticmethod", "classmethod", "abstractmethod", "coroutinefunction", "coroutinemethod",
    "decorator", "decoratormethod", "data", "attribute", "opcode", "option", "cmdoption", "program", "envvar",
    "describe", "object", "confval", "setting", "directive", "role", "token", "py:function", "py:method", "py:data",
    "py:attribute", "py:decorator", "c:function", "c:macro", "c:type", "c:member", "c:var", "c:enum",
    "cpp:function", "cpp:member", "js:function", "js:data", "rst:directive", "rst:role",
))  # fmt: skip
FLAT = frozenset(("module", "currentmodule", "py:module", "program"))  # describe what follows, with no content
PICTURES, LISTS = frozenset(("image", "figure")), frozenset(("toctree", "hlist", "glossary", "list-table"))
