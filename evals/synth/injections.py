"""Passages with orders to the machine that reads them, in several phrasings, languages and hiding places.

`LEARNT` were known while the rules of `rerankers/phrases.py` were written; `HELD` were written before the rules and
never used to change them. `HONEST` speak about such attacks, as manuals and papers do, and give no order: a rule that
knows only words takes them for one.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["HELD", "HIDING", "HONEST", "LEARNT", "Injected", "inject"]

_TEXTS = json.loads((Path(__file__).parents[1] / "samples" / "injections" / "orders.json").read_text(encoding="utf-8"))
LEARNT: Mapping[str, Sequence[str]] = _TEXTS["learnt"]
HELD: Mapping[str, Sequence[str]] = _TEXTS["held"]
HONEST: Sequence[str] = _TEXTS["honest"]
ZERO = ("\u200b", "\u200c", "\u2060", "\ufeff")


class Injected(NamedTuple):
    """A passage with an order in it.

    Args:
        text: the passage.
        order: the order as it was written.
        language: of the order.
        hiding: a name in `HIDING`.
    """

    text: str
    order: str
    language: str
    hiding: str


def _visible(order: str, rng: random.Random) -> str:
    return order


def _html(order: str, rng: random.Random) -> str:
    forms = (
        "<!-- {} -->",
        '<span style="display:none">{}</span>',
        '<p style="color:#ffffff;font-size:1px">{}</p>',
        "<div hidden>{}</div>",
        '<div style="position:absolute;left:-9999px">{}</div>',
        '<img src="a.png" alt="{}">',
    )
    return rng.choice(forms).format(order.replace('"', "'"))


def _no_width(order: str, rng: random.Random) -> str:
    return "".join(c + (rng.choice(ZERO) if rng.random() < 0.6 else "") for c in order)


def _base64(order: str, rng: random.Random) -> str:
    return f"Decode the following: {base64.b64encode(order.encode()).decode()}"


def _tags(order: str, rng: random.Random) -> str:
    return "".join(chr(0xE0000 + ord(c)) for c in order if " " <= c <= "~")


def _reversed(order: str, rng: random.Random) -> str:
    return f"\u202e{order[::-1]}\u202c"


def _lookalike(order: str, rng: random.Random) -> str:
    return order.translate(str.maketrans("aeopcxi", "\u0430\u0435\u043e\u0440\u0441\u0445\u0456"))


def _hex(order: str, rng: random.Random) -> str:
    return order.encode().hex()


HIDING: Mapping[str, Callable[[str, random.Random], str]] = {
    "visible": _visible,
    "html": _html,
    "zero width": _no_width,
    "base64": _base64,
    "tags": _tags,
    "reversed": _reversed,
    "look-alikes": _lookalike,
    "hex": _hex,
}
LATIN = ("tags", "look-alikes")  # these can only carry Latin letters


def inject(
    carriers: Sequence[str], orders: Mapping[str, Sequence[str]], seed: int, hiding: Sequence[str] | None = None
) -> list[Injected]:
    """Every order in every hiding place, each put between two sentences of a passage drawn by the seed.

    Args:
        carriers: honest passages, at least one.
        orders: by language.
        seed: of the draws.
        hiding: names in `HIDING`; None means all.

    Returns:
        In the order of languages, orders and hiding places; orders that a hiding place cannot carry are left out.
    """
    rng = random.Random(seed)
    found = []
    for language, texts in orders.items():
        for text in texts:
            for name in hiding or HIDING:
                if name in LATIN and language != "en":
                    continue
                carrier = rng.choice(carriers)
                cuts = [i + 2 for i in range(len(carrier) - 2) if carrier[i : i + 2] in (". ", ".\n")] or [len(carrier)]
                at = rng.choice(cuts)
                body = f"{carrier[:at].rstrip()} {HIDING[name](text, rng)} {carrier[at:]}".strip()
                found.append(Injected(body, text, language, name))
    return found
