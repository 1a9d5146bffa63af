"""A ledger of real rows."""

from tests.engine.conftest import early
from tests.explain.conftest import declare, node, registry, set_clock, start

__all__ = ["declare", "early", "node", "registry", "set_clock", "start"]
