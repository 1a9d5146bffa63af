"""What the engine asks of an executor."""

from abc import abstractmethod
from collections.abc import Callable

from apscheduler.executors.base import BaseExecutor

Task = Callable[[], None]


class Executor(BaseExecutor):
    """Takes runs after they are claimed. An APScheduler executor, started and found by alias as
    such; but it is handed runs of the ledger, not APScheduler's jobs."""

    @abstractmethod
    def hand_over(self, task: Task) -> None:
        """Carry the task out when there is room, in the order of handing over. The task never
        raises."""

    @abstractmethod
    def close(self) -> None:
        """Begin no further task, for good. Tasks handed over and not begun are forgotten: their
        runs are QUEUED in the ledger, for others to take."""

    @abstractmethod
    def wait(self, timeout: float) -> bool:
        """After close(): wait for the tasks that have begun. False if some still go after
        `timeout` seconds."""

    def shutdown(self, wait: bool = True) -> None:
        self.close()

    def _do_submit_job(self, job: object, run_times: object) -> None:
        raise TypeError("Runs are handed over by the tick; APScheduler's own jobs are not run.")
