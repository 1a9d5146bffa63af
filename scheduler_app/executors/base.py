"""What the engine asks of an executor."""

from abc import abstractmethod
from collections.abc import Callable, Sequence

from apscheduler.executors.base import BaseExecutor

Task = Callable[[], None]


class Executor(BaseExecutor):
    """Takes runs once their start is recorded. An APScheduler executor, started and found by alias
    as such; but it is handed runs of the ledger, not APScheduler's jobs."""

    @abstractmethod
    def hand_over(self, tasks: Sequence[Task]) -> None:
        """Carry the tasks out. The engine hands over no more than there is room for; a task never
        raises."""

    @abstractmethod
    def wait_until_begun(self, timeout: float) -> bool:
        """Wait until every task has begun. False if some have not after `timeout` seconds."""

    @abstractmethod
    def wait(self, timeout: float) -> bool:
        """Wait until every task has ended. False if some still go after `timeout` seconds."""

    @abstractmethod
    def close(self) -> None:
        """Give back what the executor holds, once the tasks have ended."""

    def shutdown(self, wait: bool = True) -> None:
        """Nothing: what has been handed over is recorded as begun, and goes on."""

    def _do_submit_job(self, job: object, run_times: object) -> None:
        raise TypeError("Runs are handed over by the tick; APScheduler's own jobs are not run.")
