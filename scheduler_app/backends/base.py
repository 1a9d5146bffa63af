"""What the engine asks of a backend in its own process."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

Task = Callable[[], None]


class Executor(ABC):
    """Takes runs once their start is recorded."""

    @property
    def stalled_since(self) -> float | None:
        """Since when (time.monotonic()) tasks have not begun that could; None if there are none."""
        return None

    @abstractmethod
    def hand_over(self, tasks: Sequence[Task]) -> None:
        """Carry the tasks out, in their order. The engine hands over no more than there is room
        for, and what is known to be quick; and none at times, so that what could not begin is
        tried again. A task never raises. Never raises."""

    @abstractmethod
    def wait_until_begun(self, timeout: float) -> bool:
        """Wait until every task has begun. False if some have not after `timeout` seconds."""

    @abstractmethod
    def wait(self, timeout: float) -> bool:
        """Wait until every task has ended. False if some still go after `timeout` seconds."""

    @abstractmethod
    def close(self) -> None:
        """Give back what the executor holds, once the tasks have ended."""
