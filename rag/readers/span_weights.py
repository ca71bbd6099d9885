"""Weights of `rag.readers.spans.features`."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["SENTENCE", "WEIGHTS"]

SENTENCE = 0.6  # worth of one logit of the sentence's score
WEIGHTS: Mapping[str, float] = {
    "person|name": 2.0,
    "place|name": 2.0,
    "group|name": 2.0,
    "date|date": 2.0,
    "date|year": 2.0,
    "number|number": 2.0,
    "number|percent": 2.0,
    "number|money": 2.0,
    "span|time": 2.5,
    "known": -2.0,
    "all known": -2.0,
    "cut left": -2.0,
    "cut right": -2.0,
    "around": 1.0,
    "verb inside": -1.5,
    "comma inside": -0.5,
}
