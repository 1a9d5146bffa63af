"""The faults: one function each, registered under its name."""

from tests.soak.injections import clients, hostile, postgres, processes, rows, sqlite
from tests.soak.injections.registry import Injection, injections

__all__ = [
    "Injection",
    "clients",
    "hostile",
    "injections",
    "postgres",
    "processes",
    "rows",
    "sqlite",
]
