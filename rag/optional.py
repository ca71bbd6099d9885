"""Optional dependencies: imported on first use, named exactly when missing."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from typing import Any

from rag.errors import MissingExtra

__all__ = ["available", "require"]


def available(module: str) -> bool:
    """Whether a module can be found; of a dotted name only the packages above it are imported."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
    except ValueError:  # imported already, by a loader that keeps no spec
        return module in sys.modules


def require(module: str, *, extra: str, by: str) -> Any:
    """Import a module that an extra brings.

    Args:
        module: dotted name.
        extra: the extra of this distribution that installs it.
        by: who asks, such as `rerankers/cross-encoder`; named in the message.

    Raises:
        MissingExtra: the module's package is not installed. A failure inside an installed
            module passes through unchanged.
    """
    if not available(module):
        raise MissingExtra(f"{by} needs {module!r}, which is not installed. Run: pip install 'ragtree[{extra}]'")
    return importlib.import_module(module)
