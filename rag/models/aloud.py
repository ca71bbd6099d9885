"""What a language model says, while it says it.

Whoever waits for an answer lends an ear:

    with hearing(tell):
        answer = index.ask("Who signs the lease?")

`tell` gets pieces of the answer's text as the model makes them, and None where all pieces so far are void because the
model is asked again. They are what the model says, not yet checked: the answer that comes back may be another, or none.
Readers let their model speak aloud; models asked on the way (to rewrite a question, to judge a hit) are not heard.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

__all__ = ["Ear", "Tell", "aloud", "ear", "hearing"]

Tell = Callable[[str | None], None]
WHOLE = re.compile(  # of a JSON text as much as can be decoded: an escape or a pair of them is not cut
    r"(?:[^\"\\]|\\[\"\\/bfnrt]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*"
)
HELD = 200  # characters before the text that are looked at again for its key


@dataclass
class Ear:
    """Hears one question's model.

    Args:
        tell: gets the pieces.
        key: of the JSON object whose text under this key is told; "" tells all.
    """

    tell: Tell
    key: str = ""

    _spoken: bool = field(init=False, default=False)
    _tail: str = field(init=False, default="")
    _inside: bool = field(init=False, default=False)
    _over: bool = field(init=False, default=False)

    def begin(self) -> None:
        """A model begins to answer; what an earlier try said is void."""
        if self._spoken:
            self.tell(None)
        self._spoken = self._inside = self._over = False
        self._tail = ""

    def hear(self, piece: str) -> None:
        """The next piece of the reply."""
        text = self._value(piece) if self.key else piece
        if text:
            self._spoken = True
            self.tell(text)

    def _value(self, piece: str) -> str:
        """What the piece adds to the text under the key."""
        if self._over:
            return ""
        self._tail += piece
        if not self._inside:
            begun = re.search(rf'"{re.escape(self.key)}"\s*:\s*"', self._tail)
            if begun is None:
                self._tail = self._tail[-HELD:]
                return ""
            self._inside, self._tail = True, self._tail[begun.end() :]
        found = WHOLE.match(self._tail)
        end = found.end() if found else 0
        raw, self._tail = self._tail[:end], self._tail[end:]
        self._over = self._tail.startswith('"')
        return str(json.loads(f'"{raw}"', strict=False))


_told: ContextVar[Ear | None] = ContextVar("rag_hearing", default=None)
_ear: ContextVar[Ear | None] = ContextVar("rag_ear", default=None)


@contextmanager
def hearing(tell: Tell) -> Iterator[None]:
    """Inside, in this thread and in the threads of `rag.pool`, `tell` gets what readers' models say."""
    token = _told.set(Ear(tell))
    try:
        yield
    finally:
        _told.reset(token)


@contextmanager
def aloud(key: str = "") -> Iterator[None]:
    """For a reader: inside, its model is heard, if anybody listens.

    Args:
        key: where the model answers with JSON, the key of the answer's text.
    """
    heard = _told.get()
    if heard is not None:
        heard.key = key  # one ear a question, so that a second call makes void what the first one said
    token = _ear.set(heard)
    try:
        yield
    finally:
        _ear.reset(token)


def ear() -> Ear | None:
    """For a model: who hears this call; None where nobody does, and nothing need be streamed."""
    return _ear.get()
