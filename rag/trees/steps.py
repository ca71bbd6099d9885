"""The steps of one pass of map-reduce: which way each takes, what is kept of it, what happens when a model fails."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.doctree import DocTree
from rag.errors import MissingWeights, ModelError, OverBudget
from rag.trees.aim import Aim
from rag.trees.gate import section_of
from rag.trees.mapcache import step_key
from rag.trees.mapping import map_offline
from rag.trees.merkle import subtree_hashes
from rag.trees.rationale import Claim, Fault, Rationale, packed, summed, unpacked
from rag.trees.reducing import reduce_offline
from rag.types import Query, Span

if TYPE_CHECKING:
    from rag.trees.mapreduce import MapReduce

__all__ = ["LISTS", "Run"]

VERSION = 1  # of what is kept in a cache
LISTS = ("list", "count", "sections")


@dataclass
class Run:
    """One question put to one tree."""

    use: MapReduce
    query: Query
    tree: DocTree
    aim: Aim
    units: frozenset[int]
    late: Callable[[], bool]
    only: Collection[int] | None = None
    allowed: dict[int, bool] = field(default_factory=dict)

    @cached_property
    def _hashes(self) -> list[bytes]:
        return subtree_hashes(self.tree)

    def step(self, node: int, said: Sequence[Rationale]) -> Rationale:
        """Map a unit, or reduce what was said below a node."""
        if node in self.units:
            return self._placed(node, self._map(node))
        return self._reduce(node, said)

    def _map(self, node: int) -> Rationale:
        use = self.use
        wanted = "llm" if use.llm is not None else "scorer" if use.scorer is not None else "words"
        key = self._key(node, ["map", wanted])
        kept = self._kept(key, node)
        if kept is not None:
            return kept
        fault: Fault | None = None
        way = ""
        if wanted == "llm":
            if node not in self.allowed or self.late():
                way = "degraded"
            else:
                try:
                    assert use.asking is not None
                    made = use.asking.map(self.tree, node, self.query, self.aim)
                    if isinstance(made, Rationale):
                        self._keep(key, node, made)
                        return made
                    fault = Fault(node, "ModelError", f"no record of the form asked for, after a repair: {made}")
                except OverBudget:
                    way = "degraded"
                except ModelError as error:
                    fault = _fault(node, error)
        scorer = None if use.scorer is None or self.late() else use.scorer
        try:
            made = map_offline(self.tree, node, self.query, self.aim, scorer)
        except ModelError as error:
            fault = fault or _fault(node, error)
            made = map_offline(self.tree, node, self.query, self.aim)
        if use.scorer is not None and scorer is None and not way and fault is None:
            way = "degraded"
        if fault is not None:
            empty = made.status == "none"
            return replace(
                made, status="error" if empty else made.status, mapped=0, ways={"fallback": 1}, faults=(fault,)
            )
        if way:
            return replace(made, ways={way: 1})
        self._keep(key, node, made)
        return made

    def _reduce(self, node: int, said: Sequence[Rationale]) -> Rationale:  # noqa: PLR0911 - one way a line
        base = self._joined(node, said)
        if self.use.asking is None or len(base.claims) < 2 or self.aim.aim in LISTS or len(said) < 2:
            return base
        if node not in self.allowed or self.late():
            return replace(base, ways=summed((base.ways, {"degraded": 1})))
        told = json.dumps([packed(one, int(self.tree.start[node])) for one in said], sort_keys=True)
        digest = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
        key = self._key(node, ["reduce", self.allowed[node], digest])
        kept = self._kept(key, node)
        if kept is not None:
            return replace(_again(kept, base), faults=base.faults)
        try:
            got = self.use.asking.reduce(base, self.query, self.aim, collapse=self.allowed[node])
        except OverBudget:
            return replace(base, ways=summed((base.ways, {"degraded": 1})))
        except ModelError as error:
            return _marked(base, _fault(node, error))
        if isinstance(got, str):
            problem = f"no reduction of the form asked for, after a repair: {got}"
            return _marked(base, Fault(node, "ModelError", problem))
        made = replace(got[0], ways=summed((base.ways, {"repaired" if got[1] else "llm": 1})))
        self._keep(key, node, made)
        return made

    def _joined(self, node: int, said: Sequence[Rationale]) -> Rationale:
        """The offline reduction; a section whose leaves each hold part of what a list asks for is read as one."""
        base = reduce_offline(node, said, self.aim, margin=self.use.margin)
        spread = self.aim.aim in LISTS and base.status == "partial" and not base.claims
        if spread and node and self._lowest(node):
            whole = map_offline(self.tree, node, self.query, self.aim, only=self.only)
            if whole.claims:
                same = {name: getattr(base, name) for name in ("attempted", "mapped", "ways", "calls", "faults")}
                return replace(self._placed(node, whole), **same)
        return base

    def _lowest(self, node: int) -> bool:
        """Whether a node is a section that has no titled section below it."""
        titles = self.tree.titles
        last = int(np.searchsorted(self.tree.start, self.tree.end[node]))  # preorder: what is below stands in a run
        return (
            section_of(self.tree, node) == node and not (titles[node + 1 : last, 1] > titles[node + 1 : last, 0]).any()
        )

    def _placed(self, node: int, made: Rationale) -> Rationale:
        """The record with its claims put into their section."""
        at = 0 if self.aim.kind == "document" else section_of(self.tree, node)
        span = Span(self.tree.document.id, int(self.tree.start[at]), int(self.tree.end[at]))
        return replace(made, claims=tuple(claim._replace(at=span) for claim in made.claims))

    def _key(self, node: int, step: list[Any]) -> str:
        if self.use.cache is None:
            return ""
        use = self.use
        models = [
            use.asking.identity if use.asking is not None else None,
            use.scorer.fingerprint if use.scorer is not None else None,
        ]
        facts = [VERSION, step, models, use.margin]
        heads = (self.tree.document.title, *self.tree[node].path)
        return step_key(self._hashes[node], heads, self.query.text, json.dumps(facts, sort_keys=True))

    def _kept(self, key: str, node: int) -> Rationale | None:
        if self.use.kept is None:
            return None
        kept = self.use.kept.get(key)
        try:
            return None if kept is None else unpacked(kept, self.tree.document, node, int(self.tree.start[node]))
        except (ValueError, KeyError, TypeError, IndexError):
            return None

    def _keep(self, key: str, node: int, made: Rationale) -> None:
        if self.use.kept is not None:
            self.use.kept.put(key, packed(made, int(self.tree.start[node])))


def _again(kept: Rationale, base: Rationale) -> Rationale:
    """A kept reduction with the sections of its claims, which records on disk do not hold."""
    places = {e.span: claim.at for claim in base.claims for e in claim.evidence}

    def placed(claims: Sequence[Claim]) -> tuple[Claim, ...]:
        return tuple(
            claim._replace(at=next((places[e.span] for e in claim.evidence if e.span in places), None))
            for claim in claims
        )

    return replace(kept, claims=placed(kept.claims), conflicts=placed(kept.conflicts))


def _fault(node: int, error: ModelError) -> Fault:
    if isinstance(error, MissingWeights):
        raise error
    return Fault(node, type(error).__name__, str(error).partition("\n")[0][:300])


def _marked(made: Rationale, fault: Fault) -> Rationale:
    """The offline reduction, labelled."""
    return replace(made, ways=summed((made.ways, {"fallback": 1})), faults=tuple(sorted((*made.faults, fault))))
