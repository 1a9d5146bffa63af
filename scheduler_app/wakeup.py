"""Have the schedulers of this process look at the database now."""

from typing import Protocol
from weakref import WeakSet


class Sleeper(Protocol):
    """What waits until it is woken."""

    def wakeup(self) -> None: ...


_sleepers: "WeakSet[Sleeper]" = WeakSet()


def register(sleeper: Sleeper) -> None:
    """Have wake() wake it."""
    _sleepers.add(sleeper)


def unregister(sleeper: Sleeper) -> None:
    """Have wake() leave it alone."""
    _sleepers.discard(sleeper)


def wake() -> None:
    """Wake all that are registered."""
    for sleeper in list(_sleepers):
        sleeper.wakeup()
