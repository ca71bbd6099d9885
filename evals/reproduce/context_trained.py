"""Does a small trained network order hits by context better than `rerankers/context-aware`, on sets it never saw? No.

`evals/training/context.py` trains two, on the sets that the training-free form's constants were fixed on and two more
of their kinds (`LEARNT`), and both are tested where that form was: contracts, documentation and conversations' pages
(`HELD`). nDCG@10 of the first 50 of BM25 fused with bge-small, 150 questions a set at most, each network less the
training-free form, paired by question; `(learnt)` rows show the questions that it was trained on, but for those of a
few documents that decided when to stop.

The network with vectors learns its sets by heart, contracts of one form most of all; on others it is 6.1 points behind
the form without training. The one that reads scores alone changes nothing that is sure over all of them (-0.9, -2.1 to
0.4): it helps on documentation and harms on conversations.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from evals.reproduce import as_table
from evals.training.context import Pool, pools_of
from rag.errors import DataError

__all__ = ["HELD", "KINDS", "LEARNT", "reproduce"]

LEARNT = ("contractnli", "contractnli open", "covid_qa", "squad_articles", "tatqa", "squad_long")
HELD = ("cuad_spans", "docs_qa", "mtrag")
KINDS = ("features", "network")
LIMIT = 150


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """Train on some sets, test on others."""
    from evals.training.context_network import compared, scored, trained

    if given.data is None:
        raise DataError(f"context-trained: give --data, the folder that holds {', '.join((*LEARNT, *HELD))}.")
    limit = given.limit or LIMIT
    sets = {name: pools_of([name], Path(given.data), limit)[name] for name in (*LEARNT, *HELD)}
    nets: dict[str, Any] = {}
    for kind in KINDS:
        tell(f"training: {kind}\n")
        nets[kind] = trained({name: sets[name] for name in LEARNT}, kind)
    result: dict[str, Any] = {"seed": given.seed, "learnt": {}, "held": {}}
    lines: list[list[str]] = []

    def row(group: str, name: str, pools: Sequence[Pool]) -> dict[str, Any]:
        told = compared(pools, {kind: scored(nets[kind], pools) for kind in KINDS}, given.seed)
        cells = ("{:+.1f} ({:+.1f} to {:+.1f})".format(*told[kind]) for kind in KINDS)
        label = f"{name} (learnt)" if group == "learnt" else name
        lines.append([label, str(told["n"]), f"{told['input']:.1f}", f"{told['free']:.1f}", *cells])
        return told

    for group, names in (("learnt", LEARNT), ("held", HELD)):
        result[group] = {name: row(group, name, sets[name]) for name in names}
    result["all held"] = row("held", "all unseen", [pool for name in HELD for pool in sets[name]])
    head = "nDCG@10|n|input|without training|scores alone, less that|with vectors, less that"
    return {**result, "table": as_table(head, lines)}
