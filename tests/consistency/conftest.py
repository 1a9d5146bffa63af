"""A ledger of real rows."""

from tests.explain.conftest import declare, node, registry, set_clock, start

__all__ = ["declare", "node", "registry", "set_clock", "start"]
