"""Elementary discourse units: clauses as exact ranges, their roles, and what each needs to be understood."""

from rag.discourse.roles import DELETABLE, ROLES
from rag.discourse.units import Edus, edus

__all__ = ["DELETABLE", "ROLES", "Edus", "edus"]
