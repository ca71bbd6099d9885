"""One card a document: what it is called, how it is laid out, what it is about, in few tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rag.doctree import DocTree
from rag.models.tokens import counter
from rag.notes import Note, noted, notes_of
from rag.stage import Field, stage
from rag.trees.cascade import key_phrases, key_sentences, leading

__all__ = ["Cards"]

NAME = "trees/cards"
TOLD = ("table", "code", "figure", "list")  # kinds whose leaves a card counts


@stage
class Cards:
    """Note at the root what one wants to know of a document before opening it.

    Cards are for choosing among documents, as PageIndex's descriptions and ByteRover's manifest are: title, highest
    headings, key phrases, one or two sentences, and how much there is of what. Each part is a slice of the document
    with its range, but for the facts, which are counted, and a title from outside the text. Parts are dropped in the
    order headings, phrases, sentences, facts where the card would get too long.

    Args:
        tree: any tree; key phrases and summary of its root are used where a grower before noted them.

    Returns:
        The tree with the field `card` at the root; nothing is noted of a document without text.
    """

    tokens: int = Field(default=200, ge=16, description="tokens of a card at most, its parts joined by blanks or lines")
    sentences: int = Field(default=2, ge=0, description="sentences at most")
    phrases: int = Field(default=12, ge=0, description="key phrases at most")
    headings: int = Field(default=12, ge=0, description="headings at most, the highest and then the first")
    tokenizer: str = Field(default="cl100k", description="whose tokens count")

    def __call__(self, tree: DocTree, /) -> DocTree:
        """The tree with its card."""
        if not tree.document.text.strip():
            return tree
        title, heads = self._title(tree), self._headings(tree)
        heads = [one for one in heads if one.text != (title[0].text if title else "")]
        facts = [Note(_facts(tree), (), NAME, None)]
        phrases, sentences = self._said(tree)
        count = counter(self.tokenizer)
        room = self.tokens
        held: list[list[Note]] = []
        for part in (title, facts, sentences, phrases, heads):
            kept: list[Note] = []
            for one in part:
                cost = count.count(one.text) + 1
                if cost > room:
                    break
                room -= cost
                kept.append(one)
            held.append(kept)
        title, facts, sentences, phrases, heads = held
        return noted(tree, "card", {0: [*title, *heads, *phrases, *sentences, *facts]})

    def _said(self, tree: DocTree) -> tuple[Sequence[Note], Sequence[Note]]:
        """Key phrases and sentences of the whole."""
        phrases, sentences = notes_of(tree, "keywords", 0), notes_of(tree, "summary", 0)
        if not phrases or not sentences:
            lead, text = leading(tree), tree.document.text
            chosen = key_sentences(tree, lead, {0}, self.tokens // 2, self.tokenizer).get(0, ())
            sentences = sentences or tuple(Note(text[a:b], ((a, b),), NAME, True) for a, b in chosen)
            found = key_phrases(tree, lead).get(0, ())
            phrases = phrases or tuple(Note(one.text, one.spans, NAME, True) for one in found)
        good = [one for one in sentences if one.ok is not False]
        return phrases[: self.phrases], good[: self.sentences]

    def _title(self, tree: DocTree) -> list[Note]:
        """The document's title, as a range where a heading says the same."""
        said = tree.document.title
        for node in tree:
            if node.title and (not said or node.title == said):
                start, end = map(int, tree.titles[node.index])
                return [Note(node.title, ((start, end),), NAME, True)]
        return [Note(said, (), NAME, None)] if said.strip() else []

    def _headings(self, tree: DocTree) -> list[Note]:
        """The highest headings, level by level as many as there is room for, in the order of the text."""
        depth = [0] * len(tree)
        for i in range(1, len(tree)):
            titled = tree.titles[i, 1] > tree.titles[i, 0]
            depth[i] = depth[int(tree.parent[i])] + int(titled)
        titled = [i for i in range(len(tree)) if tree.titles[i, 1] > tree.titles[i, 0]]
        chosen = sorted(sorted(titled, key=lambda i: (depth[i], i))[: self.headings + 1])
        ranges = [(int(tree.titles[i, 0]), int(tree.titles[i, 1])) for i in chosen]
        text = tree.document.text
        return [Note(text[a:b], ((a, b),), NAME, True) for a, b in ranges][: self.headings + 1]


def _facts(tree: DocTree) -> str:
    """How much there is of what, in words."""
    leaves = tree.leaf_ids
    kinds = Counter(node.kind for node in tree.leaves())
    sections = int((tree.titles[:, 1] > tree.titles[:, 0]).sum())
    pages = max((block.page for block in tree.document.blocks), default=0) if tree.document.blocks else 0
    counted = tree.tokens[leaves]
    size = (
        f"{int(counted.sum())} tokens"
        if len(counted) and (counted >= 0).all()
        else f"{len(tree.document.text)} characters"
    )
    found = [(pages, "page"), (sections, "section"), *((kinds[kind], kind) for kind in TOLD)]
    return ", ".join([size, *(f"{n} {name}{'s' if n > 1 and name != 'code' else ''}" for n, name in found if n)])
