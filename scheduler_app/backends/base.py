"""What the engine asks of a backend in its own process."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

Task = Callable[[], None]


class Executor(ABC):
    """Takes runs once their start is recorded."""

    @abstractmethod
    def hand_over(self, tasks: Sequence[Task]) -> None:
        """Carry the tasks out. The engine hands over no more than there is room for, and none at
        times, so that what could not begin is tried again; a task never raises. Never raises."""

    @abstractmethod
    def wait_until_begun(self, timeout: float) -> bool:
        """Wait until every task has begun. False if some have not after `timeout` seconds."""

    @abstractmethod
    def wait(self, timeout: float) -> bool:
        """Wait until every task has ended. False if some still go after `timeout` seconds."""

    @abstractmethod
    def close(self) -> None:
        """Give back what the executor holds, once the tasks have ended."""
