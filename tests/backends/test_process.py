"""Jobs in real processes of their own: whatever they do there, an outcome comes of it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scheduler_app.backends import process
from scheduler_app.backends.process import Isolation
from scheduler_app.cron import Schedule
from scheduler_app.execution import process_main
from scheduler_app.execution.bounded_log import RunLog
from scheduler_app.execution.runner import Outcome
from scheduler_app.metadata import Progress
from scheduler_app.models import RunState
from scheduler_app.processes import pool
from scheduler_app.processes.protocol import Message
from scheduler_app.registry import JobContext, JobDefinition
from tests.harness.processes import (
    descendants,
    is_alive,
    memory,
    open_files,
    parent_and_state,
    seconds_until,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

SETTINGS = "tests.backends.isolated_app.settings"
AT = datetime(2026, 1, 1, tzinfo=UTC)


class Going:
    """A run that is carried out in a thread, as the scheduler does."""

    def __init__(
        self,
        isolation: Isolation,
        name: str,
        timeout: float | None = 30,
        cancel_grace: float = 10,
        **context: Any,
    ) -> None:
        definition = JobDefinition(name=name, function=print, schedule=Schedule("@yearly"))
        self.context = JobContext(job_name=name, run_id=7, scheduled_for=AT, attempt=2, **context)
        self.log = RunLog(1_000)
        self._outcome: Future[Outcome] = Future()

        def execute() -> None:
            self._outcome.set_result(
                isolation.execute(
                    definition, self.context, self.log, timeout=timeout, cancel_grace=cancel_grace
                )
            )

        threading.Thread(target=execute, daemon=True).start()

    def reported(self, key: str) -> int:
        seconds_until(lambda: key in self.context.reported)
        value: int = self.context.reported[key]
        return value

    @property
    def launcher(self) -> int:
        return parent_and_state(self.reported("pid"))[0]

    def outcome(self) -> Outcome:
        return self._outcome.result(30)


Run = Callable[..., Going]


@pytest.fixture(scope="module")
def isolation() -> Iterator[Isolation]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_SETTINGS_MODULE", SETTINGS)
        isolation = Isolation()
        isolation.start()
        yield isolation
        isolation.close()


@pytest.fixture
def another(monkeypatch: pytest.MonkeyPatch) -> Iterator[Isolation]:
    """One that is not shared with other tests."""
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", SETTINGS)
    isolation = Isolation()
    yield isolation
    isolation.close()


@pytest.mark.parametrize(
    ("name", "hello"),
    [("a-partial", "partial"), ("an-object", "an-object"), ("a-method", "method")],
)
def test_callable_with_a_name_runs_there(isolation: Isolation, name: str, hello: str) -> None:
    assert Going(isolation, name).outcome().metadata == {"hello": hello}


def test_context_goes_there_and_metadata_comes_back(isolation: Isolation) -> None:
    outcome = Going(isolation, "returns").outcome()
    assert outcome.state == RunState.SUCCESS
    assert outcome.metadata == {
        "done": 1,
        "run": 7,
        "attempt": 2,
        "at": str(AT),
        "in_main_thread": True,
        "arguments": sys.argv,
        "connected": False,
    }


def test_progress_and_last_words_survive_a_killed_process(isolation: Isolation) -> None:
    run = Going(isolation, "says-much-and-is-killed")
    assert "SIGKILL" in run.outcome().message
    assert run.log.text() == "last words"
    assert run.context.last_progress == Progress(20_000, 20_000, "done")


def test_last_progress_comes_back_with_the_outcome(isolation: Isolation) -> None:
    run = Going(isolation, "counts")
    assert run.outcome().state == RunState.SUCCESS
    assert run.context.last_progress == Progress(None, 1_000, "a\N{SYMBOL FOR NULL}?")


def test_arguments_of_the_run_go_there(isolation: Isolation) -> None:
    outcome = Going(isolation, "takes-arguments", arguments={"limit": 7}).outcome()
    assert outcome.metadata == {"limit": 7, "arguments": {"limit": 7}}


def test_error_comes_back_with_its_traceback(isolation: Isolation) -> None:
    outcome = Going(isolation, "raises").outcome()
    assert (outcome.state, outcome.message) == (RunState.FAILED, "ValueError: no such record")
    assert "in raises" in outcome.traceback
    assert outcome.metadata == {"done": 1}


def test_returned_objects_come_back_as_text(isolation: Isolation) -> None:
    metadata = Going(isolation, "returns-an-object").outcome().metadata
    assert metadata["text"] == "a\N{SYMBOL FOR NULL}?"
    assert metadata["object"].startswith("<unlocked _thread.lock")


@pytest.mark.parametrize("name", ["sleeps", "spins"])
def test_run_is_killed_when_its_time_is_up(isolation: Isolation, name: str) -> None:
    began = time.monotonic()
    run = Going(isolation, name, timeout=2)
    outcome = run.outcome()
    assert 2 <= time.monotonic() - began < 20  # it would take a minute
    assert (outcome.state, outcome.message) == (RunState.FAILED, "Timed out after 2 s.")
    assert outcome.metadata["done"] == 3
    assert run.log.text().endswith({"sleeps": "good night\n", "spins": "matching\n"}[name])
    assert not is_alive(run.reported("pid"))


def test_what_a_killed_job_has_started_is_killed(isolation: Isolation) -> None:
    run = Going(isolation, "has-a-child", timeout=2)
    child = run.reported("child")
    assert is_alive(child)
    assert run.outcome().message == "Timed out after 2 s."
    assert not is_alive(child)


def test_what_a_job_leaves_behind_ends_with_its_run(isolation: Isolation) -> None:
    run = Going(isolation, "leaves-a-child")
    assert run.outcome().state == RunState.SUCCESS
    assert not is_alive(run.reported("child"))


def test_exit_of_the_process_is_told(isolation: Isolation) -> None:
    outcome = Going(isolation, "exits").outcome()
    assert outcome.message == "Its worker process died: exited with code 3"
    assert (outcome.state, outcome.metadata) == (RunState.FAILED, {"done": 1})


def test_signal_that_killed_the_process_is_told(isolation: Isolation) -> None:
    outcome = Going(isolation, "kills-itself").outcome()
    assert outcome.message == "Its worker process died: killed by signal 9 (SIGKILL)"
    assert outcome.state == RunState.FAILED


def test_cancelled_job_that_looks_ends_by_itself(isolation: Isolation) -> None:
    run = Going(isolation, "obeys")
    run.reported("pid")
    run.context.cancel_event.set()
    outcome = run.outcome()
    assert (outcome.state, outcome.metadata["obeyed"]) == (RunState.SUCCESS, True)
    assert run.context.cancel_seen


@pytest.mark.parametrize("name", ["sleeps", "spins"])
def test_cancelled_job_that_does_not_look_is_killed(isolation: Isolation, name: str) -> None:
    run = Going(isolation, name, cancel_grace=0.3)
    pid = run.reported("pid")
    run.context.cancel_event.set()
    outcome = run.outcome()
    assert outcome.state == RunState.CANCELLED
    assert outcome.message == "Killed: it did not end within 0.3 s."
    assert outcome.metadata["done"] == 3
    assert not run.context.cancel_seen
    assert not is_alive(pid)


def test_that_a_job_was_told_is_known_although_it_is_killed(isolation: Isolation) -> None:
    run = Going(isolation, "knows-and-goes-on", timeout=2)
    run.context.cancel_event.set()
    assert run.outcome().message == "Timed out after 2 s."
    assert run.context.cancel_seen


def test_at_the_stop_a_run_may_take_longer_than_the_grace(another: Isolation) -> None:
    run = Going(another, "ends-soon", cancel_grace=0.1)
    run.reported("pid")
    another.spare()
    run.context.cancel_event.set()
    assert run.outcome().metadata["ended"]


def test_what_is_left_at_the_end_of_the_stop_is_killed_and_lost(another: Isolation) -> None:
    runs = [Going(another, "spins", timeout=None), Going(another, "has-a-child", timeout=None)]
    left = [runs[0].reported("pid"), runs[1].reported("child")]
    another.spare()
    for run in runs:
        run.context.cancel_event.set()
    began = time.monotonic()
    another.close()
    assert time.monotonic() - began < 20  # they would take a minute
    assert [run.outcome().state for run in runs] == [RunState.LOST] * 2
    assert not any(is_alive(pid) for pid in left)
    assert Going(another, "returns").outcome().state == RunState.LOST


def test_thread_that_a_job_leaves_does_not_hold_its_slot(isolation: Isolation) -> None:
    began = time.monotonic()
    assert Going(isolation, "ends-with-a-thread-left").outcome().state == RunState.SUCCESS
    assert time.monotonic() - began < process.EXIT_GRACE


def test_long_output_is_bounded(isolation: Isolation) -> None:
    run = Going(isolation, "talks")
    assert run.outcome().state == RunState.SUCCESS
    text = run.log.text()
    assert len(text) <= 1_000
    assert text.startswith("begin\nline 0\n")
    assert "characters left out ...]\n" in text
    assert text.endswith("xxx\nend\n")


def test_output_of_threads_and_stderr_is_kept(isolation: Isolation) -> None:
    run = Going(isolation, "talks-in-a-thread")
    run.outcome()
    lines = run.log.text().splitlines()
    assert lines[:2] == ["from a thread", "an error"]
    assert lines[2].endswith("WARNING tests.backends.isolated_app.jobs: a warning")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_to_all_processes_of_a_service_ends_no_run(
    isolation: Isolation, number: signal.Signals
) -> None:
    run = Going(isolation, "obeys")
    for pid in (run.launcher, run.reported("pid")):
        os.kill(pid, number)
    time.sleep(0.1)
    run.context.cancel_event.set()
    assert run.outcome().state == RunState.SUCCESS


def test_processes_that_a_job_starts_can_be_terminated(isolation: Isolation) -> None:
    assert Going(isolation, "ends-its-child").outcome().metadata == {"code": -signal.SIGTERM}
    assert Going(isolation, "has-a-pool").outcome().metadata == {"sum": 6}


def test_job_that_is_not_declared_there_fails(isolation: Isolation) -> None:
    outcome = Going(isolation, "unheard-of").outcome()
    text = "The worker process's code declares no job 'unheard-of'."
    assert outcome.message.startswith(text)


def test_code_that_cannot_be_imported_is_the_reason_of_the_failure(
    another: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.engine.no_settings")
    outcome = Going(another, "returns").outcome()
    assert outcome.state == RunState.FAILED
    assert outcome.message.startswith("Its worker process could not be started: ModuleNotFound")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", SETTINGS)
    assert Going(another, "returns").outcome().state == RunState.SUCCESS


def test_jobs_whose_import_starts_threads_get_fresh_interpreters(
    another: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOLATED_THREADS", "1")
    assert Going(another, "returns").outcome().metadata["arguments"] == sys.argv
    run = Going(another, "spins", cancel_grace=0.1)
    pid = run.reported("pid")
    run.context.cancel_event.set()
    assert run.outcome().message == "Killed: it did not end within 0.1 s."
    assert run.log.text().endswith("matching\n")
    assert not is_alive(pid)


def test_connection_opened_at_import_is_not_shared(
    another: Isolation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if "DATABASE_URL" not in os.environ:
        monkeypatch.setenv("ISOLATED_DATABASE", str(tmp_path / "db.sqlite3"))
    monkeypatch.setenv("ISOLATED_CONNECTS", "1")
    assert Going(another, "returns").outcome().metadata["connected"] is False


@pytest.mark.parametrize("name", ["sleeps", "spins", "has-a-child"])
def test_killed_scheduler_takes_its_workers_along(name: str) -> None:
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "tests.backends.isolated_app.scheduler", name],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": SETTINGS},
        stdout=subprocess.PIPE,
    )
    assert scheduler.stdout is not None
    with scheduler:
        told = (line.split() for line in scheduler.stdout)
        worker = next(int(words[1]) for words in told if words[0] == b"worker")
        left = descendants(scheduler.pid)
        assert worker in left
        scheduler.kill()
        assert seconds_until(lambda: not any(is_alive(pid) for pid in left)) < 2


def test_killed_launcher_takes_its_workers_along_and_is_replaced(another: Isolation) -> None:
    runs = [Going(another, "spins"), Going(another, "has-a-child")]
    left = [runs[0].reported("pid"), runs[1].reported("pid"), runs[1].reported("child")]
    os.kill(runs[0].launcher, signal.SIGKILL)
    for run in runs:
        assert run.outcome().message.startswith("Its worker process died: the process that")
    assert seconds_until(lambda: not any(is_alive(pid) for pid in left)) < 2
    assert Going(another, "returns").outcome().state == RunState.SUCCESS


def test_a_hundred_timeouts_leave_nothing(isolation: Isolation) -> None:
    def time_out(_: int) -> str:
        return Going(isolation, "sleeps", timeout=0.03).outcome().message

    def held() -> list[int]:
        files = [open_files(os.getpid()), open_files(launcher)]
        return [*files, threading.active_count(), len(descendants(launcher))]

    def no_more_is_held() -> bool:
        return all(now <= then for now, then in zip(held(), before, strict=True))

    obeys = Going(isolation, "obeys")
    launcher = obeys.launcher
    obeys.context.cancel_event.set()
    obeys.outcome()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(time_out, range(8)))
        time.sleep(0.1)
        before, memory_before = held(), memory(launcher)
        assert set(pool.map(time_out, range(100))) == {"Timed out after 0.03 s."}
        seconds_until(no_more_is_held)
    assert memory(launcher) - memory_before < 2_000


@pytest.mark.parametrize("name", ["leaves-a-daemon", "exits-beside-a-daemon"])
def test_daemon_that_a_run_leaves_ends_with_it(isolation: Isolation, name: str) -> None:
    run = Going(isolation, name)
    run.outcome()
    assert not is_alive(run.reported("daemon"))


def test_daemon_of_a_cancelled_run_ends(isolation: Isolation) -> None:
    run = Going(isolation, "sleeps-beside-a-daemon", cancel_grace=0.1)
    daemon = run.reported("daemon")
    assert is_alive(daemon)
    run.context.cancel_event.set()
    assert run.outcome().state == RunState.CANCELLED
    assert not is_alive(daemon)


def test_daemon_of_a_run_that_timed_out_ends(isolation: Isolation) -> None:
    """It has a session of its own, and takes no signal but SIGKILL."""
    run = Going(isolation, "sleeps-beside-a-daemon", timeout=5)
    daemon = run.reported("daemon")
    assert is_alive(daemon)
    outcome = run.outcome()
    assert outcome.state == RunState.FAILED
    assert outcome.message.startswith("Timed out")
    assert not is_alive(daemon)


def test_daemon_of_another_run_lives(isolation: Isolation) -> None:
    lasting = Going(isolation, "sleeps-beside-a-daemon")
    daemon = lasting.reported("daemon")
    for name in ("leaves-a-daemon", "leaves-a-child", "exits"):
        Going(isolation, name).outcome()
    assert is_alive(daemon)
    assert is_alive(lasting.reported("pid"))
    lasting.context.is_abandoned = True
    lasting.context.cancel_event.set()
    lasting.outcome()
    assert not is_alive(daemon)


def test_daemons_of_a_killed_scheduler_end() -> None:
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "tests.backends.isolated_app.scheduler", "sleeps-beside-a-daemon"],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": SETTINGS},
        stdout=subprocess.PIPE,
    )
    assert scheduler.stdout is not None
    with scheduler:
        told = (line.split() for line in scheduler.stdout)
        next(words for words in told if words[0] == b"worker")
        left = descendants(scheduler.pid)
        scheduler.kill()
        assert seconds_until(lambda: not any(is_alive(pid) for pid in left)) < 10


def test_child_that_comes_back_from_the_function_ends(isolation: Isolation) -> None:
    run = Going(isolation, "forks")
    assert run.outcome().state == RunState.SUCCESS
    assert not is_alive(run.reported("child"))


def test_supervisor_that_is_stopped_is_replaced(
    another: Isolation, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "SILENCE", 1.5)
    runs = [Going(another, "sleeps"), Going(another, "sleeps-beside-a-daemon")]
    left = [runs[0].reported("pid"), runs[1].reported("daemon")]
    stopped = runs[0].launcher
    os.kill(stopped, signal.SIGSTOP)
    waiting = Going(another, "returns")  # it reaches the stopped supervisor, and then its successor
    for run in runs:
        assert run.outcome().message.startswith("Its worker process died: the process that")
    assert waiting.outcome().state == RunState.SUCCESS
    assert not any(is_alive(pid) for pid in [*left, stopped])
    assert "does not answer" in caplog.text


def test_timeout_is_kept_without_a_supervisor(
    another: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "SILENCE", 600)
    monkeypatch.setattr(process, "SUPERVISOR_GRACE", 0.2)
    run = Going(another, "sleeps", timeout=2)
    pid, supervisor = run.reported("pid"), run.launcher
    os.kill(supervisor, signal.SIGSTOP)
    seconds_until(lambda: not is_alive(pid), limit=20)
    os.kill(supervisor, signal.SIGCONT)
    assert run.outcome().message == "Timed out after 2 s."


def test_supervisor_at_work_is_not_replaced(
    another: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "SILENCE", 4)
    run = Going(another, "sleeps", timeout=8)
    supervisor = run.launcher
    assert run.outcome().message == "Timed out after 8 s."
    assert Going(another, "obeys").launcher == supervisor


def test_reports_in_quick_succession_are_gathered(
    isolation: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    take = process._Watch._take

    def count(self: process._Watch, message: Message) -> None:
        if "reported" in message:
            taken.append(time.monotonic())
        take(self, message)

    monkeypatch.setattr(process._Watch, "_take", count)
    run = Going(isolation, "reports-much", cancel_grace=0.1)
    run.reported("last")
    run.context.cancel_event.set()
    metadata = run.outcome().metadata
    assert (metadata["number"], metadata["last"]) == (19_999, True)
    assert len(taken) <= 2 * process_main.BURST + (taken[-1] - taken[0]) / process_main.GATHER


def test_last_report_of_a_few_is_known_although_it_is_killed(isolation: Isolation) -> None:
    run = Going(isolation, "reports-twice-and-spins", cancel_grace=0.1)
    run.reported("pid")
    run.context.cancel_event.set()
    assert run.outcome().metadata["first"] is True


def test_all_that_is_written_is_kept_in_order(isolation: Isolation) -> None:
    run = Going(isolation, "writes-everywhere")
    assert run.outcome().state == RunState.SUCCESS
    *lines, logged = run.log.text().splitlines()
    assert lines == [
        "printed",
        "by a program",
        "by another program",
        "to a descriptor \N{REPLACEMENT CHARACTER}",
        "bytes",
        "to our stream",
        "in a pool",
    ]
    assert logged.endswith("WARNING tests.backends.isolated_app.jobs: logged")


def test_words_of_a_crash_are_kept(isolation: Isolation) -> None:
    run = Going(isolation, "crashes")
    assert "killed by signal 11 (SIGSEGV)" in run.outcome().message
    assert "Fatal Python error: Segmentation fault" in run.log.text()
