"""What the syntax trees of programming languages call their functions, classes and branches.

The names are those of the tree-sitter grammars; https://tree-sitter.github.io. A grammar is a wheel of its own that
carries the compiled parser, so nothing is fetched when a file is read (packs that download grammars are not used).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["BRANCHES", "CLASSES", "FUNCTIONS", "LANGUAGES", "SUFFIXES", "WRAPPERS", "Language"]


class Language(NamedTuple):
    """A grammar: the module that holds it, and the name of the function that gives it."""

    module: str
    function: str = "language"


LANGUAGES: Mapping[str, Language] = {
    "text/x-python": Language("tree_sitter_python"),
    "text/javascript": Language("tree_sitter_javascript"),
    "text/typescript": Language("tree_sitter_typescript", "language_typescript"),
    "text/tsx": Language("tree_sitter_typescript", "language_tsx"),
    "text/x-java": Language("tree_sitter_java"),
    "text/x-c": Language("tree_sitter_c"),
    "text/x-c++": Language("tree_sitter_cpp"),
    "text/x-go": Language("tree_sitter_go"),
    "text/x-rust": Language("tree_sitter_rust"),
    "text/x-ruby": Language("tree_sitter_ruby"),
    "text/x-php": Language("tree_sitter_php", "language_php"),
    "text/x-csharp": Language("tree_sitter_c_sharp"),
    "text/x-sh": Language("tree_sitter_bash"),
}
SUFFIXES: Mapping[str, str] = {
    **dict.fromkeys((".py", ".pyi"), "text/x-python"),
    **dict.fromkeys((".js", ".mjs", ".cjs", ".jsx"), "text/javascript"),
    **dict.fromkeys((".ts", ".mts", ".cts"), "text/typescript"),
    ".tsx": "text/tsx",
    ".java": "text/x-java",
    ".c": "text/x-c",
    **dict.fromkeys((".h", ".cc", ".cpp", ".cxx", ".hpp", ".hh", ".hxx"), "text/x-c++"),
    ".go": "text/x-go",
    ".rs": "text/x-rust",
    ".rb": "text/x-ruby",
    ".php": "text/x-php",
    ".cs": "text/x-csharp",
    **dict.fromkeys((".sh", ".bash"), "text/x-sh"),
}
FUNCTIONS = frozenset((
    "function_definition", "function_declaration", "function_item", "function_signature_item", "method_definition",
    "method_declaration", "constructor_declaration", "destructor_declaration", "operator_declaration",
    "compact_constructor_declaration", "generator_function_declaration", "local_function_statement",
    "property_declaration", "method", "singleton_method", "macro_definition",
))  # fmt: skip
CLASSES = frozenset((
    "class_definition", "class_declaration", "abstract_class_declaration", "class_specifier", "struct_specifier",
    "union_specifier", "enum_specifier", "struct_declaration", "struct_item", "enum_item", "union_item",
    "enum_declaration", "interface_declaration", "annotation_type_declaration", "record_declaration", "trait_item",
    "trait_declaration", "impl_item", "mod_item", "foreign_mod_item", "namespace_definition",
    "namespace_declaration", "internal_module", "module", "class", "singleton_class", "type_declaration",
))  # fmt: skip
BRANCHES = frozenset((
    "if_statement", "for_statement", "while_statement", "do_statement", "try_statement", "with_statement",
    "match_statement", "switch_statement", "switch_expression", "for_in_statement", "foreach_statement",
    "for_range_loop", "enhanced_for_statement", "expression_switch_statement", "type_switch_statement",
    "select_statement", "if_expression", "for_expression", "while_expression", "loop_expression",
    "match_expression", "synchronized_statement", "using_statement", "lock_statement",
    "try_with_resources_statement", "case_statement", "if", "unless", "while", "until", "for", "case", "begin",
    "function_expression", "arrow_function", "lambda_expression", "closure_expression", "func_literal", "do_block",
))  # fmt: skip
WRAPPERS = frozenset(("decorated_definition", "export_statement", "template_declaration", "expression_statement"))
