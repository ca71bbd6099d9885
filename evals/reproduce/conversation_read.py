"""The last turn of a conversation, read by the cross-encoder alone and in its conversation.

As `conversation`, for recipe `conversation`: the best 20 of the search are read for the bare turn, or, with its
history, twice: alone and behind the user's turn before it. The first --limit questions of the set.

190 turns, 96 of them in the unseen half: R@5 79.6 and 85.2 with the history, +5.6 (+2.0 to +9.4); in the unseen
half +9.9 (+4.8 to +15.8). nDCG@10 78.1 and 85.1.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evals.datasets import load
from evals.reproduce import as_table
from evals.reproduce.conversation import compared
from rag.errors import DataError
from rerankers.cross_encoder import CrossEncoder
from retrievers.conversation import Conversation

__all__ = ["reproduce", "ways"]


def ways() -> Mapping[str, tuple[Any, bool]]:
    """Name -> (retriever, whether it is given the history)."""
    read = Conversation(reranker=CrossEncoder(k=20))
    return {"reranked, bare": (read, False), "reranked, history": (read, True)}


def reproduce(given: Namespace, tell: Callable[[str], object]) -> dict[str, Any]:
    """With history and without."""
    if given.data is None:
        raise DataError("conversation-read: needs --data FOLDER, a set whose questions have a history, such as mtrag.")
    data = load(Path(given.data))
    items = [item for item in data.items if item.qrels and item.history][: given.limit]
    result, lines = compared(data, items, ways(), given.seed, tell)
    result["table"] = as_table("way|R@5|nDCG@10|R@5 gain|unseen half", lines)
    return result
