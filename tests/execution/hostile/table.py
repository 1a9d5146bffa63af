"""The table: each hostile job, and the outcome that its run should have."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ANY = ""
OK, FAILED = "SUCCESS", "FAILED"


@dataclass(frozen=True, slots=True)
class Hostile:
    """What a job does, and what should come of its run: in a thread, and in a process of its
    own."""

    function: Callable[..., Any]
    state: str
    says: str
    """What its message or its metadata says among other things."""
    isolated_state: str
    isolated_says: str


HOSTILE: dict[str, Hostile] = {}
F = Callable[..., Any]


def hostile(
    state: str, says: str = "", isolated: tuple[str, str] | None = None
) -> Callable[[F], F]:
    def add(function: F) -> F:
        name = function.__name__.replace("_", "-")
        HOSTILE[name] = Hostile(function, state, says, *(isolated or (state, says)))
        return function

    return add
