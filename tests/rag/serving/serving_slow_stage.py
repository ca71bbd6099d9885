"""A reranker that takes its time, or fails, so that a service can be watched meanwhile."""

from __future__ import annotations

import time

from rag.errors import Unavailable
from rag.stage import Field, stage
from rag.types import Hits


@stage
class Slow:
    """Gives back what it was given, later; questions that say so make it fail."""

    seconds: float = Field(default=1.0, ge=0)

    def __call__(self, hits: Hits, /) -> Hits:
        time.sleep(self.seconds)
        if "crash" in hits.query.text:
            raise KeyError("/secret/path and the text of a document")
        if "unavailable" in hits.query.text:
            raise Unavailable("http://10.0.0.1 answered 503")
        return hits
