"""What the engine asks of a backend in its own process."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

Task = Callable[[], None]


class Executor(ABC):
    """Takes runs once their start is recorded."""

    @property
    def stalled_since(self) -> float | None:
        """Since when (time.monotonic()) tasks have waited that could begin; None if there are
        none."""
        return None

    @property
    def start_error(self) -> Exception | None:
        """Why the system last gave no room for another task; None if it does."""
        return None

    @abstractmethod
    def hand_over(self, tasks: Sequence[Task]) -> None:
        """Carry the tasks out, in their order. The engine hands over as many as there is room for,
        and more only if they are known to be quick; at times it hands over none, so that tasks that
        could not begin are tried again. Neither this nor a task raises."""

    @abstractmethod
    def wait_until_begun(self, timeout: float) -> bool:
        """Wait until every task has begun. False if some have not after `timeout` seconds."""

    @abstractmethod
    def wait(self, timeout: float) -> bool:
        """Wait until every task has ended. False if some still go after `timeout` seconds."""

    @abstractmethod
    def close(self) -> None:
        """Give back what the executor holds, once the tasks have ended."""
