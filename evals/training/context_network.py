"""The networks of `evals.training.context`: candidates that attend to each other, and the training loop (torch)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from evals.stats import paired
from evals.training.context import FEATURES, Pool, points

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Network", "compared", "scored", "trained"]

WIDTH, HEADS, LAYERS = 64, 4, 2
SEEDS = (0,)
ROUNDS, PATIENCE, BATCH, RATE = 30, 5, 16, 1e-3
HELD = 0.15  # share of the training documents that decide when to stop
Batch = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


class Layer(nn.Module):
    """Two attentions on one input, to all candidates and to those of the same document, then a feed-forward part."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.MultiheadAttention(WIDTH, HEADS, dropout=0.1, batch_first=True)
        self.close = nn.MultiheadAttention(WIDTH, HEADS, dropout=0.1, batch_first=True)
        self.forward_part = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor, empty: Tensor, apart: Tensor) -> Tensor:
        """float (b, n, w)."""
        mask = apart.repeat_interleave(HEADS, dim=0)
        both = self.wide(x, x, x, key_padding_mask=empty)[0] + self.close(x, x, x, attn_mask=mask)[0]
        x = self.first(x + both)
        out: Tensor = self.second(x + self.forward_part(x))
        return out


class Network(nn.Module):
    """Scores of candidates: the training-free score, and what is learnt on top of it.

    Args:
        kind: `features` reads each candidate's features alone, `network` vectors and the other candidates.
        dim: of the vectors.
    """

    def __init__(self, kind: str, dim: int) -> None:
        super().__init__()
        self.kind = kind
        self.read = nn.Linear(len(FEATURES), WIDTH)
        if kind == "network":
            self.vector = nn.Linear(dim, WIDTH)
            self.asked = nn.Linear(dim, WIDTH)
            self.document = nn.Embedding(64, WIDTH)
            self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.drop = nn.Dropout(0.2)
        self.hidden = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, 1)
        self.scale = nn.Parameter(torch.tensor(4.0))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, batch: Batch) -> Tensor:
        """float (b, n), minus infinity where there is no candidate."""
        question, rows, docs, places, features, _, empty = batch
        x = self.read(features)
        if self.kind == "network":
            x = x + self.vector(rows) * torch.tanh(self.asked(question))[:, None] + self.document(docs.clamp(0, 63))
            x = x + _sinus(places)
            apart = (docs[:, :, None] != docs[:, None, :]) | empty[:, None, :]
            apart = apart & ~torch.eye(docs.shape[1], dtype=torch.bool)
            for layer in self.layers:
                x = layer(x, empty, apart)
        learnt = self.out(self.drop(torch.relu(self.hidden(torch.relu(x)))))[..., 0]
        scores: Tensor = self.scale * features[..., 0] + learnt
        return scores.masked_fill(empty, -math.inf)


def _sinus(places: Tensor) -> Tensor:
    rate = torch.exp(torch.arange(0, WIDTH, 2) * (-math.log(10_000.0) / WIDTH))
    angle = places[..., None] * rate
    return torch.cat((angle.sin(), angle.cos()), dim=-1)


def _batch(pools: Sequence[Pool]) -> Batch:
    most = max(len(pool.labels) for pool in pools)

    def padded(name: str) -> Tensor:
        found = [np.asarray(getattr(pool, name)) for pool in pools]
        out = np.zeros((len(pools), most, *found[0].shape[1:]), dtype=found[0].dtype)
        for i, one in enumerate(found):
            out[i, : len(one)] = one
        return torch.from_numpy(out)

    empty = torch.tensor([[i >= len(pool.labels) for i in range(most)] for pool in pools])
    question = torch.from_numpy(np.stack([pool.question for pool in pools]))
    rest = (padded(name) for name in ("rows", "docs", "places", "features", "labels"))
    return (question, *rest, empty)  # type: ignore[return-value]


def _loss(net: Network, pools: Sequence[Pool]) -> Tensor:
    batch = _batch(pools)
    scores, labels = net(batch), batch[5].float()
    chance = torch.log_softmax(scores, dim=1).masked_fill(batch[6], 0.0)
    return -(chance * labels).sum(dim=1).div(labels.sum(dim=1)).mean()


def trained(sets: Mapping[str, Sequence[Pool]], kind: str) -> list[Network]:
    """A network for each seed.

    Args:
        sets: candidates of the questions of each set; each weighs the same.
        kind: `features` or `network`.
    """
    learn: list[tuple[float, Pool]] = []
    stop: list[Pool] = []
    for pools in sets.values():
        good = [pool for pool in pools if pool.labels.any() and not pool.labels.all()]
        docs = sorted({pool.source for pool in good})
        held = set(docs[len(docs) - max(1, int(HELD * len(docs))) :])
        stop += (pool for pool in good if pool.source in held)
        mine = [pool for pool in good if pool.source not in held]
        learn += ((1 / len(mine), pool) for pool in mine)
    return [_run(learn, stop, kind, seed) for seed in SEEDS]


def _run(learn: Sequence[tuple[float, Pool]], stop: Sequence[Pool], kind: str, seed: int) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        net = Network(kind, learn[0][1].rows.shape[1])
        step = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.01)
        weight = np.array([one for one, _ in learn])
        best: tuple[float, dict[str, Tensor]] = (-1.0, {})
        idle = 0
        for _ in range(ROUNDS):
            net.train()
            drawn = rng.choice(len(learn), size=len(learn), p=weight / weight.sum())
            for at in range(0, len(drawn), BATCH):
                step.zero_grad()
                _loss(net, [learn[i][1] for i in drawn[at : at + BATCH].tolist()]).backward()  # type: ignore[no-untyped-call]  # torch's
                step.step()
            value = float(points(stop, scored([net], stop)).mean())
            idle = 0 if value > best[0] else idle + 1
            if value > best[0]:
                best = (value, {key: one.clone() for key, one in net.state_dict().items()})
            if idle >= PATIENCE:
                break
        net.load_state_dict(best[1])
    net.eval()
    return net


def scored(nets: Sequence[Network], pools: Sequence[Pool]) -> list[NDArray[np.float64]]:
    """The mean score of some networks for the candidates of each question."""
    found: list[NDArray[np.float64]] = []
    with torch.no_grad():
        for net in nets:
            net.eval()
        for at in range(0, len(pools), 64):
            some = pools[at : at + 64]
            mean = torch.stack([net(_batch(some)) for net in nets]).mean(dim=0).numpy().astype(np.float64)
            found += [row[: len(pool.labels)] for row, pool in zip(mean, some, strict=True)]
    return found


def compared(
    pools: Sequence[Pool], scores: Mapping[str, Sequence[NDArray[np.float64]]], seed: int = 0
) -> dict[str, Any]:
    """nDCG@10 in points: of the input, of the training-free form, and each network less that form, with intervals."""
    own = points(pools, [pool.features[:, 1].astype(np.float64) for pool in pools])
    free = points(pools, [pool.features[:, 0].astype(np.float64) for pool in pools])
    row: dict[str, Any] = {"n": len(pools), "input": _rounded(own.mean()), "free": _rounded(free.mean())}
    for name, values in scores.items():
        gap = paired(free, points(pools, values), seed=seed)
        row[name] = [_rounded(one) for one in gap[:3]]
    return row


def _rounded(value: float) -> float:
    return round(100 * float(value), 2)
