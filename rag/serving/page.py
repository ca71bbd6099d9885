"""The page, and what it may do: nothing but its own script and style, and calls to the service it came from."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

__all__ = ["page", "policy"]

BLOCK = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


@cache
def page() -> str:
    """One self-contained HTML file."""
    return files("rag.serving").joinpath("page.html").read_text(encoding="utf-8")


@cache
def policy() -> str:
    """The Content-Security-Policy that goes with it: its blocks by their hashes, nothing from elsewhere."""
    allowed: dict[str, list[str]] = {"script": [], "style": []}
    for kind, body in BLOCK.findall(page()):
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        allowed[kind].append(f"'sha256-{digest}'")
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(allowed['script'])}",
            f"style-src {' '.join(allowed['style'])}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
