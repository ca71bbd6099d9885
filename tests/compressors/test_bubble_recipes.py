"""The recipes without a model, on a real document: budgets of the query hold, what is kept are slices, reasons are given."""

from pathlib import Path

import pytest

from rag import config
from rag.models.tokens import counter
from rag.readers.render import cost
from rag.types import Document, Query

PAPER = Path(__file__).parents[1] / "data" / "polymers.md"
ASKED = "Which requirements must packaging in contact with food meet in the European Union?"


@pytest.fixture(scope="module", params=["bubble-lexical", "paper-bubble"])
def index(request, tmp_path_factory):
    paper = Document("paper", PAPER.read_text(encoding="utf-8"), "Polymers", "text/markdown")
    return config.load(request.param).index([paper], tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("budget", [0, 30, 120, 400, 5000])
def test_a_query_names_its_budget_and_it_holds(index, budget: int) -> None:
    context = index.ask(Query("q", ASKED, budget=budget)).context
    assert context.tokens == cost(context, counter("cl100k")) <= budget
    for hit in context:
        assert all(hit.document.text[a:b] == piece for (a, b), piece in zip(hit.spans, hit.pieces, strict=True))
    assert all(drop.reason for drop in context.drops)


def test_the_models_recipe_reads_pieces_with_its_cross_encoder() -> None:
    stages = config.load("bubble").stages
    (bubble,) = (one for one in stages if type(one).__name__ == "Bubble")
    assert bubble.scorer is not None
    assert config.load("bubble", set=["compressors/bubble.scorer=null"]).stages != stages
