"""Plans run nothing, and their error can be measured."""

from evals import run as runs
from evals.plan import error, estimate
from rag import config


def test_a_plan_counts_documents_questions_and_calls_without_opening_a_model(data):
    plain = estimate(config.load("lexical"), data)
    assert (plain.documents, plain.questions, plain.calls, plain.cost) == (10, 40, 0, 0.0)
    llm = estimate(config.load("quickstart-llm"), data, limit=10, prices=(1.0, 2.0))
    assert (llm.questions, llm.calls) == (10, 10)
    assert llm.cost > 0
    assert llm.seconds_questions > plain.seconds_questions / 4


def test_the_error_of_a_plan_is_measured_against_the_run(data, tmp_path):
    pipeline = config.load("lexical")
    runs.run(pipeline, data, tmp_path / "run", metrics="R@5")
    found = error(estimate(pipeline, data), tmp_path / "run")
    assert found["questions"] == 1.0
    assert found["calls"] is None
    assert found["seconds_questions"] > 0
    assert 0.02 < found["disk"] < 50
