"""Which faults there are, and where each is possible."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.soak.stage import Stage

Function = Callable[[Stage, random.Random], None]


@dataclass(frozen=True, slots=True)
class Injection:
    """Calling `function` injects the fault, and returns when it is over."""

    name: str
    function: Function
    databases: tuple[str, ...]
    needs_server: bool
    weight: int


_known: list[Injection] = []


def injection(
    *databases: str, needs_server: bool = False, weight: int = 1
) -> Callable[[Function], Function]:
    """Register a fault for these databases (all, if none is named). `weight`: how many times it is
    in the deck; `needs_server`: whether the server must be the soak's own."""

    def register(function: Function) -> Function:
        name = function.__name__.replace("_", " ")
        where = databases or ("postgres", "sqlite")
        _known.append(Injection(name, function, where, needs_server, weight))
        return function

    return register


def injections(database: str, has_server: bool) -> list[Injection]:
    """All that are possible, each as often as its weight says."""
    return [
        known
        for known in _known
        if database in known.databases and (has_server or not known.needs_server)
        for _ in range(known.weight)
    ]
