"""Random documents of every format that is read, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from rag.loaders.adapter import Element, from_elements
from rag.loaders.html import parse
from rag.types import Document

END = st.sampled_from(["\n", "\n", "\n", "\n", "\r\n", "\r", "\n\n", " \n"])
WILD = st.text(max_size=25)
PROSE = ["First sentence. Second one! Third?", "Dr. Smith said “no.” He left.", "word " * 30, "longword" * 12, "日本語の文です。次の文。",
         "שלום עולם. זה משפט.", "هذا نص. وهذا آخر.", "e\u0301a\u0300o\u0308", "👩\u200d👩\u200d👧 🇩🇪🇫🇷", "\u00a0", "\x0b\x0c", "", "", "", "\u2028", "\x00", "\ufeff"]  # fmt: skip
MARKDOWN = ["# Title", "## Part ##", "Setext", "=====", "---", "+++", "title: x", "- item", "  - nested", "1. one", "> quoted", "```python", "```", "~~~~",
            "    indented", "| a | b |", "|---|---|", "| 1 | 2 |", "a | b", "<div>", "</div>", "<details>", "<summary>s</summary>", "<!-- open", "-->", "[^1]: note", "[ref]: /url", "$$", "\\[", "x^2",
            "!!! note", ":::tip", ":::", "{{< note >}}", "{{< /note >}}", "Term", ": definition", "import X from 'y'", "<Tab>", "</Tab>", "{% raw %}"]  # fmt: skip
RST = ["Title", "=====", "-----", "~~~~~", ".. note::", "   content", ".. code-block:: py", "      deep", ".. function:: f(x)", "   .. method:: g()", ".. _t:", ".. [1] foot", "- item",
       "  more", "#. auto", "term", "    definition", "para::", "::", ">>> 1", "+---+---+", "| a | b |", "+===+===+", "==== ====", "a    b", ":field: value", "..", "__ x"]  # fmt: skip
PYTHON = ["class A(B):", "    def f(self, x):", "        return x", "def g():", "    \"\"\"Doc.\"\"\"", "    if x:", "        y = 1", "@decorator", "# comment", "x = [1, 2,", "     3]", "    pass",
          "async def h(", "    a,", "):", "'''", "if True:", "else:", "    for i in y:", "        while 1:", "            break", "import os"]  # fmt: skip
BRACES = ["class A {", "}", "function f(x) {", "  return x;", "const g = (a) => {", "};", "if (x) {", "} else {", "/** doc", " * more", " */", "// note", "public void h() {", "struct S {",
          "fn main() {", "impl S {", "func F(x int) int {", "namespace N {", "template <class T>", "export default function () {", "<?php", "#include <x>", "switch (x) {", "case 1:", "end", "def m", "module M"]  # fmt: skip
CSV = ["a,b,c", "1,2,3", '"x, y",2', '"two', 'lines",3', "a\tb", ",,", '"', "name;value", "4,5,6,7"]
JSONL = ['{"a": 1}', '{"level": "info", "message": "Started. Ready."}', "[]", "null", "{", '{"x": {"y": [1, 2]}}']
PLAIN = [
    "= Wiki =",
    "2.1 Methods",
    "INTRODUCTION",
    "CHAPTER IV",
    "Article 5. Rent",
    "1. First",
    "(a) item",
    "==== Body",
    "Text:",
    "____",
    "a | b | c",
    "1 | 2 | 3",
    "Q: why",
    "10",
    "Section 3",
]
HTML = ["<p>", "</p>", "<h1>", "</h1>", "<h3>", "<ul>", "<li>", "</ul>", "<table>", "<thead>", "<tr>", "<th>", "<td>", "</table>", "<pre>", "</pre>", "<dl>", "<dt>", "<dd>", "<details>",
        "<summary>", "<div hidden>", "</div>", "<span aria-hidden='true'>", "</span>", "<br>", "&amp;", "<script>", "</script>", "<blockquote>", "<!--", "-->", "<math>", "</math>"]  # fmt: skip

TEXTS = {
    "text/markdown": MARKDOWN, "text/x-rst": RST, "text/x-python": PYTHON, "text/javascript": BRACES,
    "text/typescript": BRACES, "text/x-java": BRACES, "text/x-c": BRACES, "text/x-c++": BRACES, "text/x-go": BRACES,
    "text/x-rust": BRACES, "text/x-ruby": BRACES, "text/x-php": BRACES, "text/x-csharp": BRACES,
    "text/x-sh": [*BRACES, "f() {", "fi", "done", "if x; then", "for i in a; do"], "text/x-code": BRACES, "text/csv": CSV,
    "text/tab-separated-values": CSV, "application/jsonl": JSONL, "text/plain": PLAIN,
}  # fmt: skip
KINDS = ["heading", "text", "list", "table", "code", "figure", "supplement", "footnote", "quote", "function", "group"]


def lines(words: list[str], size: int = 25) -> st.SearchStrategy[str]:
    """Texts of the given lines, prose and anything else."""
    line = st.one_of(st.sampled_from(words), st.sampled_from(words), st.sampled_from(PROSE), WILD)
    rows = st.lists(st.tuples(line, END), max_size=size).map(lambda found: "".join(a + b for a, b in found))
    return st.tuples(st.sampled_from(["", "", "\ufeff"]), rows, st.sampled_from(["", "end"])).map("".join)


def text_of(media_type: str) -> st.SearchStrategy[Document]:
    return lines(TEXTS[media_type]).map(lambda text: Document("d", text, media_type=media_type))


def html() -> st.SearchStrategy[Document]:
    def made(markup: str) -> Document:
        text, blocks, title = parse(markup)
        return Document("d", text, title, "text/html", blocks)

    return lines(HTML).map(made)


def elements() -> st.SearchStrategy[Document]:
    one = st.builds(
        Element,
        st.sampled_from(KINDS),
        st.one_of(st.sampled_from(PROSE), WILD),
        st.integers(0, 4),
        head=st.integers(0, 9),
    )
    return st.lists(one, max_size=15).map(lambda found: from_elements(found, id="d"))


FORMATS: dict[str, st.SearchStrategy[Document]] = {
    **{media_type: text_of(media_type) for media_type in TEXTS},
    "text/html": html(),
    "elements": elements(),
}
