"""The bubble on many random cases: budget, slices, closure, order of the input, replay; three tokenizers."""

import itertools
import random
from dataclasses import replace

import pytest

from compressors.bubble import Bubble
from compressors.records import replayed
from rag.doctree import flat
from rag.models.tokens import counter
from rag.readers.render import cost, heading, rendered
from rag.types import Document, Hit, Hits, Query
from rag.units import units

PIECES = (
    "The lease of Ann Lee is signed by the tenant. ",
    "Rent is due monthly, on the first day; late rent costs 5 % more. ",
    "Rent is due monthly, on the first day; late rent costs 6 % more. ",
    "Ann Lee was born in Paris in 1970.\n\n",
    "- first item of a list\n- second item\n",
    "| name | rent |\n|---|---|\n| Ann | 500 |\n| Bob | 700 |\n\n",
    "雨が降る。 ",
    "[3] is no source. \n[4] nor this.\n",
    "Word " * 30 + ". ",
    "😀 ok! ",
    "\u00a0\ufeff\r\n",
    "é" * 3 + "\u0301 x. ",
)
QUESTIONS = ("where was the tenant born", "rent of Bob", "", "zzz", "Who signed the lease of Ann Lee?")
TITLES = ("", "Lease", "Ann Lee (person)", "Rent\nand more")
SETTINGS = (
    {},
    {"cap": 0.4},
    {"adaptive": 0.5},
    {"like": 0.3, "spread": 0.3, "facets": 0.5},
    {"distinct": False, "bridge": 0.0},
    {"again": 0.7, "wide": 3.0},
    {"terms": 0.0, "prior": 1.0, "lead": 0.0},
)
TOKENIZERS = ("chars", "words", "cl100k")


def case(rng: random.Random) -> Hits:
    hits = []
    for i in range(rng.randint(0, 4)):
        text = "".join(rng.choices(PIECES, k=rng.randint(1, 6)))
        cuts = sorted({0, len(text), *(rng.randint(0, len(text)) for _ in range(rng.randint(0, 3)))})
        leaves = list(itertools.pairwise(cuts))
        tree = flat(Document(f"d{i}", text, rng.choice(TITLES)), leaves)
        for leaf, span in enumerate(leaves, start=1):
            if rng.random() < 0.8:
                hits.append(Hit(tree, leaf, (span,), rng.choice((-3.0, 0.0, 1.0, 1.0, 2.5))))
        if rng.random() < 0.1 and hits:
            hits.append(hits[0])  # the same hit twice
    rng.shuffle(hits)
    return Hits(Query("q", rng.choice(QUESTIONS)), tuple(hits))


def holds(seed: int) -> None:
    rng = random.Random(seed)
    hits, budget = case(rng), rng.choice((0, 1, 5, 20, rng.randint(0, 200), 100_000))
    tokenizer, more = rng.choice(TOKENIZERS), rng.choice(SETTINGS)
    explain = seed % 4 == 0
    stage = Bubble(budget=budget, tokenizer=tokenizer, explain=explain, **more)
    out = stage(hits)
    shown = rendered(out, counter(tokenizer))
    assert out.tokens == shown.tokens == cost(out, counter(tokenizer)) <= budget
    inside = {(h.doc, i) for h in hits for a, b in h.spans for i in range(a, b)}
    kept = [(h.doc, i) for h in out for a, b in h.spans for i in range(a, b)]
    assert len(kept) == len(set(kept)), "a character is there twice"
    assert inside.issuperset(kept), "a character is of no hit"
    by = {hit.doc: hit.document.text for hit in hits}
    for piece in shown.ranges:
        assert shown.text[piece.start : piece.end] == by[piece.doc][piece.at : piece.at + piece.end - piece.start]
    lost = {(d.hit.doc, i) for d in out.drops for a, b in d.hit.spans for i in range(a, b)}
    assert all(drop.reason for drop in out.drops)
    assert all(by[doc][i].isspace() for doc, i in inside - lost - set(kept)), "something went without a reason"
    there = set(kept)
    assert all(heading(hit) in shown.text for hit in out), "text without its heading"
    for hit in hits:
        for row in (unit for unit in units([hit]) if unit.needs and (hit.doc, unit.start) in there):
            assert there.issuperset((hit.doc, i) for i in range(*row.needs)), "a row without its header"
    assert stage(replace(hits, items=hits.items[::-1])) == out
    if explain:
        assert replayed(hits, out.notes["compressors/bubble"]) == out


def test_all_holds_in_many_random_cases() -> None:
    for seed in range(1_000):
        holds(seed)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_all_holds_in_a_hundred_thousand_random_cases(part: int) -> None:
    for seed in range(10_000 * part, 10_000 * (part + 1)):
        holds(seed)
