"""Which part of a page is not shown, and where that part ends."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from rag.loaders.elements import BLOCKS, CELLS, FLAT, GROUPS, LISTS, SKIPPED, VOID

__all__ = ["Hidden"]

UNSEEN = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)"
    r"|(?:font-size|opacity|max-height|max-width|height|width)\s*:\s*0(?:\.0*)?(?:[a-z%]*)\s*(?:!|;|$))",
    re.IGNORECASE,
)


class Hidden:
    """The outermost element that is left out now, and what is open inside it.

    Attributes:
        reason: `skipped` (no text of the page), `hidden`, `navigation`; empty when text is shown.
    """

    def __init__(self) -> None:
        self.reason, self.root = "", ""
        self.open: list[str] = []
        self.counts: Counter[str] = Counter()

    def begin(self, name: str, facts: Mapping[str, str]) -> None:
        """Note an element that opens in sight, and hide what follows if it says so."""
        if name in VOID:
            return
        if name in SKIPPED:
            self.reason, self.root = "skipped", name
        elif (
            ("hidden" in facts and facts["hidden"] != "until-found")
            or facts.get("aria-hidden", "").strip().lower() == "true"  # said elsewhere for those who cannot see it
            or UNSEEN.search(facts.get("style", ""))
        ):
            self.reason, self.root = "hidden", name
        elif name == "nav" or facts.get("role", "").strip().lower() == "navigation":
            self.reason, self.root = "navigation", name

    def covers(self, kind: str, name: str, *, ends_outer: bool) -> bool:
        """Whether a tag lies in the hidden element; if not, that element has ended before it.

        Args:
            kind: `open` or `close`.
            name: of the element.
            ends_outer: for a closing tag, whether such an element is open around the hidden one.
        """
        if kind == "open":
            if not self._ended_by(name):
                self._push(name)
                return True
        elif self.counts[name]:
            last = ""
            while last != name:
                last = self.open.pop()
                self.counts[last] -= 1
            return True
        elif name != self.root and not ends_outer:
            return True
        self.reason = self.root = ""
        self.open.clear()
        self.counts.clear()
        return False

    def _push(self, name: str) -> None:
        """Note an element that opens inside; items, rows and cells end the one before."""
        if name in VOID or (name in FLAT and name not in CELLS and name not in GROUPS and name != self.root):
            return
        ended: frozenset[str] = frozenset()
        if name == "li":
            ended = frozenset(("li",))
        elif name in CELLS:
            ended = CELLS
        elif name in GROUPS:
            ended = CELLS | GROUPS if name != "tr" else CELLS | {"tr"}
        while self.open and self.open[-1] in ended:
            self.counts[self.open.pop()] -= 1
        self.open.append(name)
        self.counts[name] += 1

    def _ended_by(self, name: str) -> bool:
        """Whether an opening tag ends the hidden element without its closing tag."""
        if self.root == "p":
            return name in BLOCKS
        if self.root == "li":
            return name == "li" and not any(self.counts[kind] for kind in LISTS)
        if self.root in ("dt", "dd"):
            return name in ("dt", "dd") and not self.counts["dl"]
        if self.root in CELLS or self.root in GROUPS:
            return (name in GROUPS or (name in CELLS and self.root in CELLS)) and not self.counts["table"]
        return False
