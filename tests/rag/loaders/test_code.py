from __future__ import annotations

from pathlib import Path

import pytest

from chunkers.structure import StructureChunker
from rag.loaders import codemarks
from rag.loaders.code import scan
from rag.loaders.languages import LANGUAGES
from rag.loaders.read import read
from rag.optional import available

PYTHON = '''"""Module."""

import os


# A comment about the class.
@decorator
class Harbour(Base):
    """Berths."""

    size = 3

    @property
    def depth(self) -> int:
        """How deep.

        Always.
        """
        return 12

    async def enter(
        self,
        ship: str,
    ) -> None:
        def inner(x):
            return x

        await self.wait(ship)

LIMIT = 90


def main(): return 1
'''
BRACES = {
    "text/javascript": (
        "// adds\nexport function add(a, b) {\n  return a + b;\n}\n\nclass P {\n  run(x) {\n    go(x);\n  }\n}\n\n"
        "const twice = (x) => {\n  return 2 * x;\n};\n",
        ["function add(a, b)", "class P", "run(x)", "const twice = (x)"],
    ),
    "text/typescript": (
        "export interface Q {\n  a: number;\n}\n\nexport abstract class P<T> {\n  async run(x: T): Promise<void> {\n    await x;\n  }\n}\n",
        ["interface Q", "abstract class P<T>", "async run(x: T): Promise<void>"],
    ),
    "text/x-java": (
        "package a;\n\n/** Doc.\n * More.\n */\npublic class P {\n  @Override\n  public int run(int x) {\n    return x;\n  }\n}\n",
        ["public class P", "@Override\n  public int run(int x)"],
    ),
    "text/x-c": (
        "#include <x.h>\n\nstruct s {\n  int a;\n};\n\n/* adds */\nint add(int a, int b)\n{\n  return a + b;\n}\n",
        ["struct s", "int add(int a, int b)"],
    ),
    "text/x-c++": (
        "namespace n {\n\ntemplate <class T>\nclass P {\n public:\n  int run() {\n    return 1;\n  }\n};\n\n}  // namespace n\n",
        ["namespace n", "class P", "int run()"],
    ),
    "text/x-go": (
        "package m\n\n// Point is one.\ntype Point struct {\n\tX int\n}\n\nfunc (p *Point) Add(q int) int {\n\treturn p.X + q\n}\n",
        ["type Point", "func (p *Point) Add(q int) int"],
    ),
    "text/x-rust": (
        "/// Doc.\n#[derive(Debug)]\npub struct P {\n    x: i32,\n}\n\nimpl P {\n    pub fn run(&self) -> i32 {\n        self.x\n    }\n}\n",
        ["pub struct P", "impl P", "pub fn run(&self) -> i32"],
    ),
    "text/x-ruby": (
        "module M\n  # Doc.\n  class P < Q\n    def run(x)\n      x + 1\n    end\n  end\nend\n",
        ["module M", "class P < Q", "def run(x)"],
    ),
    "text/x-php": (
        "<?php\nclass P {\n  public function run($x) {\n    return $x;\n  }\n}\n",
        ["class P", "public function run($x)"],
    ),
    "text/x-csharp": (
        "namespace N {\n  public class P {\n    public int Run(int x) {\n      return x;\n    }\n  }\n}\n",
        ["namespace N", "public class P", "public int Run(int x)"],
    ),
    "text/x-sh": ("# says hi\nhi() {\n  echo hi\n}\n\nhi\n", ["hi()"]),
    "text/tsx": ("function App() {\n  return <p>\n    hi\n  </p>;\n}\n", ["function App()"]),
}


def titles(text: str, media_type: str) -> list[str]:
    return [text[b.inner[0] : b.inner[1]] for b in scan(text, media_type) if b.kind in ("function", "class")]


def outline(text: str) -> list[tuple[str, int, str, str]]:
    return [
        (
            b.kind,
            b.level,
            text[b.inner[0] : b.inner[1]].split("\n", maxsplit=1)[0],
            text[b.start : b.end].split("\n", maxsplit=1)[0],
        )
        for b in scan(text, "text/x-python")
        if b.kind != "code"
    ]


EXPECTED = [
    ("class", 1, "class Harbour(Base)", "# A comment about the class."),
    ("function", 2, "def depth(self) -> int", "    @property"),
    ("function", 2, "async def enter(", "    async def enter("),
    ("function", 3, "def inner(x)", "        def inner(x):"),
    ("group", 3, "", "        await self.wait(ship)"),
    ("group", 1, "", "LIMIT = 90"),
    ("function", 1, "def main()", "def main(): return 1"),
]


@pytest.mark.skipif(not available("tree_sitter_python"), reason="needs the extra code")
def test_definitions_open_sections_with_their_comments_decorators_and_doc_strings() -> None:
    assert outline(PYTHON) == EXPECTED
    found = {b.kind: PYTHON[b.start : b.end] for b in scan(PYTHON, "text/x-python") if b.level == 2}
    assert "Always." in next(PYTHON[b.start : b.end] for b in scan(PYTHON, "text/x-python") if b.level == 2)
    assert found["function"].endswith(") -> None:")


def test_without_the_extra_python_is_read_by_its_own_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codemarks, "available", lambda module: False)
    found = outline(PYTHON)
    assert [row[:2] for row in found if row[0] != "group"] == [row[:2] for row in EXPECTED if row[0] != "group"]
    assert {kind for kind, *_ in outline("def broken(:\n  x\n")} <= {"code"}
    text = BRACES["text/x-go"][0]
    assert {b.kind for b in scan(text, "text/x-go")} == {"code"}


@pytest.mark.parametrize("media_type", sorted(BRACES))
def test_every_language_gives_its_functions_and_classes(media_type: str) -> None:
    if not available(LANGUAGES[media_type].module):
        pytest.skip("needs the extra code")
    text, expected = BRACES[media_type]
    assert titles(text, media_type) == expected


def test_the_sections_of_a_tree_are_functions_and_classes(tmp_path: Path) -> None:
    path = tmp_path / "harbour.py"
    path.write_text(PYTHON)
    document = read(path)[0]
    assert (document.media_type, document.title) == ("text/x-python", "harbour.py")
    tree = StructureChunker(size=16)(document)
    tree.check()
    kinds = {node.title: node.kind for node in tree if node.title}
    if available("tree_sitter_python"):
        assert kinds["class Harbour(Base)"] == "class"
        assert kinds["def depth(self) -> int"] == "function"
    limit = next(leaf for leaf in tree.leaves() if "LIMIT" in leaf.text)
    assert limit.path == ()


def test_a_long_branch_opens_a_group_with_its_head_as_title() -> None:
    if not available("tree_sitter_python"):
        pytest.skip("needs the extra code")
    inner = "".join(f"        step_{i}(value, {i})\n" for i in range(60))
    text = f"def long(a):\n    if a > 1:\n{inner}    for x in a:\n{inner}    return a\n"
    found = [(b.kind, b.level, text[b.inner[0] : b.inner[1]]) for b in scan(text, "text/x-python") if b.kind != "code"]
    assert found == [
        ("function", 1, "def long(a)"),
        ("group", 2, "if a > 1"),
        ("group", 2, "for x in a"),
        ("group", 2, ""),
    ]
