from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunkers.structure import StructureChunker
from rag.loaders.rst import scan
from rag.types import Document

TEXT = """\
.. _top:

=====
Title
=====

Intro paragraph::

   literal

Part
====

- one
- two

  - nested

.. note:: Take care.

   More of it.

.. function:: open(name, mode='r')
              close()

   Opens a file.

   .. versionadded:: 3.1

   >>> open('x')

Behind it.

Deep
----

+---+---+
| a | b |
+===+===+
| 1 | 2 |
+---+---+

====  ====
x     y
====  ====
1     2
====  ====

.. code-block:: py

   x = 1

   y = 2

.. [1] A note.

Other
=====

term
   definition

----

End.
"""


def rows(text: str) -> list[tuple[str, int, str]]:
    return [(b.kind, b.level, text[b.inner[0] : b.inner[1]]) for b in scan(text)]


def test_every_construct_has_its_kind_and_its_place() -> None:
    assert rows(TEXT) == [
        ("heading", 1, "Title"),
        ("text", 0, "Intro paragraph::"),
        ("code", 0, "literal"),
        ("heading", 2, "Part"),
        ("list", 0, "one"),
        ("list", 0, "two"),
        ("list", 1, "nested"),
        ("text", 0, ".. note:: Take care."),
        ("text", 0, "More of it."),
        ("function", 3, "open(name, mode='r')"),
        ("text", 0, "Opens a file."),
        ("text", 0, ".. versionadded:: 3.1"),
        ("code", 0, ">>> open('x')"),
        ("group", 3, ""),
        ("heading", 3, "Deep"),
        ("table", 0, "| 1 | 2 |\n+---+---+"),
        ("table", 0, "1     2\n====  ===="),
        ("code", 0, ".. code-block:: py\n\n   x = 1\n\n   y = 2"),
        ("footnote", 0, ".. [1] A note."),
        ("heading", 2, "Other"),
        ("list", 0, "term\n   definition"),
        ("rule", 0, "----"),
        ("text", 0, "End."),
    ]
    first = scan(TEXT)[0]
    assert TEXT[first.start : first.end].startswith(".. _top:")


def test_text_behind_a_description_does_not_belong_to_it() -> None:
    tree = StructureChunker(size=16, min_size=0)(Document("d", TEXT, media_type="text/x-rst"))
    tree.check()
    paths = {leaf.text.strip(): leaf.path for leaf in tree.leaves()}
    assert paths["Behind it."] == ("Title", "Part")
    assert any(leaf.path[-1:] == ("open(name, mode='r')",) for leaf in tree.leaves())


ADORN = st.sampled_from("=-~^\"'#*+")
WORDS = st.sampled_from(["Alpha", "Beta gamma", "Delta", "Epsilon zeta eta", "Été", "Theta"])


@settings(max_examples=150, deadline=None)
@given(
    parts=st.lists(
        st.tuples(ADORN, st.booleans(), WORDS, st.sampled_from(["", "Some text.\n\n", "- item\n\n"])), max_size=8
    )
)
def test_sections_equal_those_of_docutils(parts: list[tuple[str, bool, str, str]]) -> None:
    docutils = pytest.importorskip("docutils.core")
    nodes = pytest.importorskip("docutils.nodes")
    text = ""
    for mark, over, title, body in parts:
        line = mark * len(title)
        text += (f"{line}\n" if over else "") + f"{title}\n{line}\n\n{body}"
    seen: list[tuple[int, str]] = []
    options = {
        "report_level": 5,
        "halt_level": 5,
        "doctitle_xform": False,
        "file_insertion_enabled": False,
        "raw_enabled": False,
    }
    tree = docutils.publish_doctree(text, settings_overrides=options)
    if list(tree.findall(nodes.system_message)):
        return  # levels that contradict each other, which docutils refuses
    for section in tree.findall(nodes.section):
        level, above = 0, section
        while isinstance(above, nodes.section):
            level, above = level + 1, above.parent
        seen.append((level, section[0].astext()))
    assert [(b.level, text[b.inner[0] : b.inner[1]]) for b in scan(text) if b.kind == "heading"] == seen
