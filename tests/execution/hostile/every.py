"""The whole table."""

from tests.execution.hostile import coroutines, databases, errors, output, results, state
from tests.execution.hostile.table import HOSTILE, Hostile

__all__ = ["HOSTILE", "Hostile", "coroutines", "databases", "errors", "output", "results", "state"]
