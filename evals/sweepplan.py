"""The YAML of a sweep, read and checked."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evals.metrics.names import Metric, parse, parse_all
from rag.errors import ConfigError

__all__ = ["Plan", "read_plan"]

KEYS = {"base", "metric", "metrics", "grid", "list", "halving", "holdout", "seed"}


@dataclass(frozen=True)
class Plan:
    """A sweep as written.

    Args:
        base: recipe or file.
        metric: decides.
        metrics: all that are computed, the deciding one first.
        changes: one tuple of `path=value` a configuration.
        first: questions of the first round of halving; 0 without halving.
        keep: share kept after a round.
        holdout: share of questions kept apart.
        seed: of split and statistics.
    """

    base: str
    metric: Metric
    metrics: tuple[Metric, ...]
    changes: tuple[tuple[str, ...], ...]
    first: int = 0
    keep: float = 0.5
    holdout: float = 0.0
    seed: int = 0


def read_plan(source: str | Path | Mapping[str, Any]) -> Plan:
    """Read a sweep's YAML.

    Raises:
        ConfigError: unknown key, no base, metric or settings, or a value of the wrong kind.
    """
    where = "sweep"
    if not isinstance(source, Mapping):
        where = str(source)
        try:
            source = yaml.safe_load(Path(source).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(
                f"{where}: no such file. A sweep is a YAML file with `base` (a recipe or file), `metric` and `grid`."
            ) from None
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            what = getattr(error, "problem", None) or getattr(error, "strerror", None) or "it is not UTF-8"
            raise ConfigError(f"{where}: cannot be read as YAML: {what}. Mend the file.") from error
    if not isinstance(source, Mapping):
        raise ConfigError(f"{where}: must be a mapping with the keys {', '.join(sorted(KEYS))}.")
    unknown = sorted(set(source) - KEYS)
    if unknown:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}. Keys are {', '.join(sorted(KEYS))}.")
    if not isinstance(source.get("base"), str) or not isinstance(source.get("metric"), str):
        raise ConfigError(f"{where}: needs `base` (a recipe or file) and `metric` (such as SpanR@512tok).")
    grid, listed = source.get("grid"), source.get("list")
    if (grid is None) == (listed is None):
        raise ConfigError(f"{where}: needs either `grid` or `list`, not both and not neither.")
    changes = _grid(grid, where) if grid is not None else _list(listed, where)
    halving = source.get("halving") or {}
    first, keep = halving.get("first", 0), halving.get("keep", 0.5)
    holdout = source.get("holdout", 0.0)
    if not (isinstance(first, int) and first >= 0 and 0 < keep < 1 and 0 <= holdout < 1):
        raise ConfigError(f"{where}: halving.first must be >= 0, halving.keep in (0, 1) and holdout in [0, 1).")
    metric = parse(source["metric"])
    shown = parse_all([source["metric"], *(source.get("metrics") or []), "Context", "Tokens", "Seconds"])
    return Plan(source["base"], metric, tuple(shown), changes, first, keep, holdout, int(source.get("seed", 0)))


def _grid(grid: Any, where: str) -> tuple[tuple[str, ...], ...]:
    if not isinstance(grid, Mapping) or not all(isinstance(v, list) and v for v in grid.values()):
        raise ConfigError(f"{where}: `grid` must map each setting to a list of values.")
    rows = itertools.product(*([_set(path, v) for v in values] for path, values in grid.items()))
    return tuple(rows)


def _list(listed: Any, where: str) -> tuple[tuple[str, ...], ...]:
    if not isinstance(listed, list) or not listed or not all(isinstance(row, Mapping) for row in listed):
        raise ConfigError(f"{where}: `list` must hold mappings of settings, one a configuration.")
    return tuple(tuple(_set(path, value) for path, value in row.items()) for row in listed)


def _set(path: str, value: Any) -> str:
    return f"{path}={json.dumps(value, ensure_ascii=False)}"
