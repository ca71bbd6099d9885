"""Weights of `rag.readers.span_features.features`, and the probability at which a span is trusted.

Learned by `evals/training/spans.py` from questions of SQuAD v1.1 (Rajpurkar et al., EMNLP 2016; CC BY-SA 4.0),
MuSiQue (Trivedi et al., TACL 2022; CC BY 4.0) and TAT-QA (Zhu et al., ACL 2021; CC BY 4.0). They hold no
text of these sets, only numbers about shapes and distances.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

__all__ = ["BEST", "LEXICAL_SCALE", "SCORE", "SURE", "weights"]

SCORE = "SCORE"  # feature: logit of the sentence less that of the best one
BEST = "RANK0"  # feature: the sentence is the best one
LEXICAL_SCALE = 10.0  # logits a unit of `rag.lexical.match` is worth
SURE = 0.10  # a span below this probability is not given alone


@lru_cache(maxsize=1)
def weights() -> Mapping[str, float]:
    """Feature -> weight; a feature that is not listed weighs nothing."""
    listed = json.loads(files("rag.readers").joinpath("span_weights.json").read_text(encoding="utf-8"))
    return {name: value / 100 for name, value in listed.items()}  # hundredths
