"""What is said of the trained networks is what is pinned; untrained they are the training-free form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from evals.reproduce import SAMPLE, context_trained
from evals.training.context import FEATURES, asked, points
from rag.models.embed import HashEmbedder
from rerankers.context_aware import ContextAware

PINNED = json.loads((Path(context_trained.__file__).parents[1] / "expected" / "context_trained.json").read_text())


def test_no_network_is_better_than_the_training_free_form_on_sets_it_never_saw() -> None:
    told = PINNED["all held"]
    assert told["n"] == sum(PINNED["held"][name]["n"] for name in context_trained.HELD) > 300
    assert told["network"][2] < 0
    assert told["features"][1] < 0 < told["features"][2]
    assert PINNED["held"]["docs_qa"]["features"][1] > 0 > PINNED["held"]["mtrag"]["features"][2]
    assert set(PINNED["held"]).isdisjoint(PINNED["learnt"])


def test_the_accounts_say_what_is_pinned() -> None:
    study = " ".join(str(context_trained.__doc__).split())
    worse, most, least = (-one for one in PINNED["all held"]["network"])
    assert f"it is {worse:.1f} points behind" in study
    assert "({:.1f}, {:.1f} to {:.1f})".format(*PINNED["all held"]["features"]) in study
    stage = " ".join(str(ContextAware.__doc__).split())
    assert f"{worse:.1f} points ({least:.1f} to {most:.1f}) behind" in stage


def test_an_untrained_network_orders_as_the_training_free_form() -> None:
    torch = pytest.importorskip("torch")
    from evals.training.context_network import Network, compared, scored

    pools = asked(SAMPLE.parent / "manual", embedder=HashEmbedder(dim=32))
    assert len(pools) > 10
    free = [pool.features[:, FEATURES.index("free")].astype(np.float64) for pool in pools]
    for kind in context_trained.KINDS:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            nets = [Network(kind, 32)]
        assert np.allclose(points(pools, scored(nets, pools)), points(pools, free))
        assert compared(pools, {kind: scored(nets, pools)}, 0)[kind][0] == 0


@pytest.mark.slow
def test_a_network_learns_what_scores_cannot_say() -> None:
    pytest.importorskip("torch")
    from evals.training.context_network import compared, scored, trained

    pools = asked(SAMPLE.parent / "manual", embedder=HashEmbedder(dim=32))
    nets = trained({"manual": pools}, "features")
    again = trained({"manual": pools}, "features")
    made, same = scored(nets, pools), scored(again, pools)
    assert all(np.array_equal(one, other) for one, other in zip(made, same, strict=True))
    assert compared(pools, {"features": made}, 0)["features"][0] > -5
