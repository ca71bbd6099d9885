"""A bubble in a notebook: what is kept is marked in its source, what was left out says why, nothing is markup."""

import re
from html import unescape

from compressors.bubble import Bubble
from rag.chosen import chosen, explained
from rag.doctree import flat
from rag.types import Document, Hit, Hits, Query

TEXT = "Rent is due in May. <script>alert(1)</script> is no rent. Pets may stay & play. "
TWIN = "Rent is due in May. The roof leaks."


def found(**settings) -> Hits:
    trees = [
        flat(Document(doc, text, title), [(0, len(text))]) for doc, text, title in (("a", TEXT, "<b>"), ("b", TWIN, ""))
    ]
    hits = tuple(Hit(tree, 1, ((0, len(tree.document.text)),), 1.0) for tree in trees)
    return Bubble(budget=40, **settings)(Hits(Query("q", "when is <i>rent</i> due"), hits))


def plain(page: str) -> str:
    return unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL))


def test_kept_pieces_are_marked_and_the_others_say_what_they_lack() -> None:
    out = found(explain=True)
    page = chosen(out)
    marked = [" ".join(plain(one).split()) for one in re.findall(r"<mark[^>]*>.*?</mark>", page, re.DOTALL)]
    assert marked == [
        " ".join(p.split()) for hit in out for p in re.split(r"(?<=\.) (?=[A-Z<])", hit.text) if p.strip()
    ]
    assert "said by a 0:" in plain(page)
    assert f"{out.tokens} of 40 tokens" in plain(page)


def test_a_document_adds_no_markup() -> None:
    page = out = found(explain=True)._repr_html_()
    assert "<script" not in page
    assert "<i>" not in page
    assert "&lt;b&gt;" in out
    assert not re.search(r"(src|href)\s*=", page)


def test_without_records_there_is_no_picture() -> None:
    assert explained(found()) == ""
    assert chosen(found()) == ""
    assert found()._repr_html_()
