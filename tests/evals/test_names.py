import pytest

from evals.metrics.names import METRICS, budgets, default, parse, parse_all
from rag.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "k", "budget"),
    [("R@5", 5, None), ("nDCG@10", 10, None), ("AP", None, None), ("SpanR@512tok", None, 512), ("AIC", None, None)],
)
def test_a_name_gives_its_cut_off_or_budget(name, k, budget):
    metric = parse(name)
    assert (metric.name, metric.k, metric.budget) == (name, k, budget)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nDGC@10", r"no metric 'nDGC@10'. Did you mean nDCG@10\?"),
        ("ndcg@10", r"Did you mean nDCG@10\?"),
        ("spanr@512tok", r"Did you mean SpanR@512tok\?"),
        ("R", r"is written R@k, such as 'R@5'"),
        ("SpanR@5", r"is written SpanR\[@Ntok\], such as 'SpanR@512tok'"),
        ("R@5tok", r"is written R@k"),
        ("EM@1", r"is written EM, such as 'EM'"),
        ("R@0", r"no metric 'R@0'"),
        ("R@", r"no metric 'R@'"),
        ("zzz", r"no metric 'zzz'. Names are R@k, P@k"),
    ],
)
def test_a_name_that_is_no_metric_is_refused_with_the_nearest(name, message):
    with pytest.raises(ConfigError, match=message):
        parse(name)


def test_a_list_of_names_is_read_once_each_in_order():
    assert [m.name for m in parse_all("R@5, EM,R@5,SpanR@64tok")] == ["R@5", "EM", "SpanR@64tok"]
    assert budgets(parse_all("SpanR@512tok,AIC@64tok,SpanP@64tok,R@5")) == (64, 512)
    with pytest.raises(ConfigError, match="no metric was named"):
        parse_all(" , ")


def test_every_metric_says_what_it_counts_and_what_it_needs():
    for form in METRICS.values():
        assert form.says
        assert form.needs in {"", "qrels", "spans", "answers", "poison"}
        assert form.better in {"high", "low"}


def test_the_headline_table_follows_the_gold_there_is():
    assert {m.needs for m in default(["qrels"])} == {"qrels", ""}
    assert "EM" not in {m.name for m in default(["answers"], reads=False)}
