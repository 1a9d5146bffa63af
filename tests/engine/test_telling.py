"""What running runs say is stored while they run, and stands in the way of nothing."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from django.utils import timezone

from scheduler_app.conf import scheduler_settings
from scheduler_app.engine import telling
from scheduler_app.engine.recorder import record
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.engine.telling import Speaking, Teller
from scheduler_app.execution.bounded_log import RunLog
from scheduler_app.ledger import transitions
from scheduler_app.metadata import Progress
from scheduler_app.models import Change, Job, JobRun, Node, RunProgress, RunState
from scheduler_app.registry import JobContext, Registry
from scheduler_app.status import live_run
from tests.engine.conftest import T0, eventually
from tests.engine.test_locks import engine

__all__ = ["engine"]

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT = 65_536


class Runs:
    """Runs that are carried out, and a teller that looks only when it is told to."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.speaking: list[Speaking] = []
        self.now = 100.0
        self.teller = Teller(lambda: self.node, lambda: self.speaking, lambda: self.now)

    def begin(self, age: float = 5.0, **fields: Any) -> Speaking:
        row = JobRun.objects.create(
            **{
                "job_name": "a", "scheduled_for": T0, "due_at": T0, "node": self.node,
                "attempt": len(self.speaking) + 1,
                "state": RunState.RUNNING, "started_at": timezone.now(),
            } | fields
        )  # fmt: skip
        context = JobContext(job_name="a", run_id=row.pk, scheduled_for=T0)
        self.speaking.append(Speaking(row, context, RunLog(LIMIT), self.now - age))
        return self.speaking[-1]

    def look(self) -> None:
        self.now += 1
        self.teller.look()

    def log(self, speaking: Speaking) -> str:
        return live_run(speaking.run.pk, tail=LIMIT).log_tail


@pytest.fixture
def runs(node: Node) -> Runs:
    Job.objects.create(name="a", cron="* * * * *", timezone="UTC")
    return Runs(node)


def test_all_that_a_run_says_is_stored_while_it_runs(runs: Runs) -> None:
    run = runs.begin()
    run.log.write("hello\n")
    run.context.report(rows=3)
    run.context.progress(1, 4, "pages")
    runs.look()
    found = live_run(run.run.pk)
    assert (found.log_tail, found.metadata) == ("hello\n", {"rows": 3})
    assert found.progress == Progress(1, 4, "pages")


@pytest.mark.parametrize(
    "say",
    [
        lambda run: run.log.write("more\n"),
        lambda run: run.context.report(rows=1),
        lambda run: run.context.report(rows=True),
        lambda run: run.context.progress(2, 4),
    ],
)
def test_each_change_is_stored_and_only_changes_are(
    runs: Runs, say: Callable[[Speaking], None], django_assert_num_queries: Any
) -> None:
    run = runs.begin()
    runs.look()
    run.log.write("hello\n")
    run.context.report(rows=1.0)
    runs.look()
    with django_assert_num_queries(0):
        runs.look()
    say(run)
    runs.look()
    found = live_run(run.run.pk)
    assert found.log_tail == run.log.text()
    assert repr(found.metadata) == repr(run.context.reported)
    assert found.progress == (run.context.last_progress or Progress())


def test_silent_and_short_runs_cost_no_query(runs: Runs, django_assert_num_queries: Any) -> None:
    runs.look()
    runs.begin()
    runs.begin(age=-0.5).log.write("short\n")
    with django_assert_num_queries(0):
        runs.look()


def test_many_runs_are_stored_in_one_statement(
    runs: Runs, django_assert_max_num_queries: Any
) -> None:
    runs.look()
    for _ in range(50):
        runs.begin().log.write("hello\n")
    with django_assert_max_num_queries(8):
        runs.look()
    assert RunProgress.objects.filter(log="hello\n").count() == 50


def test_much_is_stored_in_turns(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "AT_ONCE", 2_000)
    for _ in range(5):
        runs.begin().log.write("x" * 900)
    looks = 0
    while RunProgress.objects.count() < 5:
        before = RunProgress.objects.count()
        for each in runs.speaking:
            each.log.write("y")
        runs.look()
        assert RunProgress.objects.count() - before <= 2
        looks += 1
        assert looks <= 3


def test_log_without_end_is_stored_bounded(runs: Runs) -> None:
    run = runs.begin()
    for _ in range(100):
        run.log.write("no newline" * 10_000)
    runs.look()
    assert len(runs.log(run)) <= LIMIT
    assert "characters left out" in runs.log(run)


def test_log_that_no_database_takes_is_made_storable(runs: Runs) -> None:
    run = runs.begin()
    run.log.write("a\0b\ud800c\N{GRINNING FACE}\n")
    run.context.progress(1, 2, "t\0\ud800\n")
    run.context.report(key="x\0\ud800")
    runs.look()
    assert runs.log(run) == "a\N{SYMBOL FOR NULL}b?c\N{GRINNING FACE}\n"


def test_objects_of_a_job_are_not_read_by_the_engine(runs: Runs) -> None:
    class Trap:
        def __str__(self) -> str:
            raise AssertionError("read in the engine's thread")

    run = runs.begin()
    run.context.reported["trap"] = Trap()
    run.log.write("hello\n")
    runs.look()
    found = live_run(run.run.pk)
    assert found.metadata == {"metadata_error": telling.UNREADABLE}
    assert found.log_tail == "hello\n"


def test_feed_and_counters_do_not_know_of_it(runs: Runs) -> None:
    before = Change.objects.position()
    runs.begin().log.write("hello\n")
    runs.look()
    feed = Change.objects.after(before, 10)
    assert feed is not None
    assert not feed.changes


def test_outcome_replaces_what_was_said_and_the_row_goes(runs: Runs) -> None:
    run = runs.begin()
    run.log.write("so far\n")
    runs.look()
    run.run.state, run.run.finished_at, run.run.log = RunState.SUCCESS, timezone.now(), "all\n"
    record([], [run.run])
    runs.look()  # late: the outcome is recorded already
    assert runs.log(run) == "all\n"
    runs.speaking.clear()
    runs.look()
    assert not RunProgress.objects.exists()
    assert JobRun.objects.get().log == "all\n"


def test_late_words_do_not_come_back_after_the_end(runs: Runs) -> None:
    """The run is cancelled, lost or taken by others between two looks."""
    run = runs.begin()
    run.log.write("so far\n")
    runs.look()
    transitions.lose(JobRun.objects.running(), timezone.now(), "Lost.")
    run.log.write("late\n")
    runs.look()
    assert runs.log(run) == JobRun.objects.get().log == "so far\n"


def test_deleted_run_is_no_error(runs: Runs) -> None:
    run = runs.begin()
    other = runs.begin()
    run.log.write("a")
    other.log.write("b")
    runs.look()
    JobRun.objects.filter(pk=run.run.pk).delete()
    run.log.write("a")
    other.log.write("b")
    runs.look()
    assert runs.log(other) == "bb"
    runs.speaking.remove(run)
    runs.look()
    assert [row.run_id for row in RunProgress.objects.all()] == [other.run.pk]


def test_rows_that_a_killed_scheduler_left_are_deleted(runs: Runs) -> None:
    left = runs.begin()
    left.log.write("so far\n")
    runs.look()
    transitions.lose(JobRun.objects.running(), timezone.now(), "Lost.")
    successor = Runs(runs.node)
    successor.look()
    assert not RunProgress.objects.exists()


def test_database_that_is_away_is_waited_for(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.begin()
    run.log.write("hello\n")
    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", _raise)
        with pytest.raises(OperationalError):
            runs.look()
    runs.look()
    assert runs.log(run) == "hello\n"


def _raise(*_: object) -> None:
    raise OperationalError("database or disk is full")


def test_what_the_database_refuses_of_one_run_harms_no_other(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = runs.begin(), runs.begin()
    bad.log.write("bad\n")
    good.log.write("good\n")
    constraint = "ALTER TABLE scheduler_app_runprogress ADD CHECK (log NOT LIKE 'bad%')"
    trigger = (
        "CREATE TRIGGER refuse BEFORE INSERT ON scheduler_app_runprogress "
        "WHEN NEW.log LIKE 'bad%' BEGIN SELECT RAISE(ABORT, 'refused'); END"
    )
    undo = {
        "sqlite": "DROP TRIGGER refuse",
        "postgresql": "ALTER TABLE scheduler_app_runprogress "
        "DROP CONSTRAINT scheduler_app_runprogress_log_check",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(
            (trigger if connection.vendor == "sqlite" else constraint).replace("%", "%%"), []
        )
    try:
        runs.look()
        assert (runs.log(bad), runs.log(good)) == ("", "good\n")
        good.log.write("more\n")
        runs.look()
        assert runs.log(good) == "good\nmore\n"
    finally:
        with connection.cursor() as cursor:
            cursor.execute(undo)
    runs.now += telling.REFUSED_FOR
    runs.look()
    assert runs.log(bad) == "bad\n"


@pytest.fixture
def other_client() -> Iterator[Any]:
    """Another connection to the test's database."""
    other = connections.create_connection("default")
    other.settings_dict = connection.settings_dict
    yield other
    other.close()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks no rows")
@pytest.mark.parametrize("locked", ["scheduler_app_jobrun", "scheduler_app_runprogress"])
def test_row_that_a_person_holds_delays_no_other(
    runs: Runs, other_client: Any, engine: Callable[..., Any], locked: str
) -> None:
    """The run's own row: it does not even delay its words."""
    held, free = runs.begin(), runs.begin()
    for each in runs.speaking:
        each.log.write("1")
    runs.look()
    column = "run_id" if locked.endswith("progress") else "id"
    other_client.set_autocommit(False)
    with other_client.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {locked} WHERE {column} = {held.run.pk} FOR UPDATE")
    for each in runs.speaking:
        each.log.write("2")
    began = time.monotonic()
    engine(runs.look)
    assert time.monotonic() - began < scheduler_settings().heartbeat
    assert runs.log(free) == "12"
    assert runs.log(held) == ("1" if column == "run_id" else "12")
    other_client.rollback()
    runs.look()
    assert runs.log(held) == "12"


def test_run_tells_all_through_a_whole_scheduler(
    declare: Callable[..., None], registry: Registry, settings: Any
) -> None:
    settings.SCHEDULER = {"heartbeat": 0.5}
    said, go_on = threading.Event(), threading.Event()

    def talk(context: JobContext) -> dict[str, int]:
        print("hello")
        context.report(rows=3)
        context.progress(1, 2, "half")
        said.set()
        go_on.wait(30)
        context.progress(2, 2, "whole")
        return {"sum": 9}

    declare("talk", talk, cron="* * * * * *")
    scheduler = Scheduler(registry)
    scheduler.start()
    try:
        assert said.wait(30)
        pk = JobRun.objects.running().get().pk
        eventually(lambda: live_run(pk).log_tail == "hello\n")
        found = live_run(pk)
        assert (found.metadata, found.progress) == ({"rows": 3}, Progress(1, 2, "half"))
        go_on.set()
        eventually(lambda: not live_run(pk).is_running)
    finally:
        go_on.set()
        scheduler.stop()
    found = live_run(pk)
    assert (found.metadata, found.progress) == ({"rows": 3, "sum": 9}, Progress(2, 2, "whole"))
    assert not RunProgress.objects.exists()


def test_run_that_is_cut_off_keeps_what_it_said_to_the_last(
    declare: Callable[..., None], registry: Registry, settings: Any
) -> None:
    """The words of the last second too."""
    settings.SCHEDULER = {"heartbeat": 0.5, "shutdown_timeout": 0.1}
    said, end = threading.Event(), threading.Event()

    def hang(context: JobContext) -> None:
        print("last words")
        context.progress(7, 9)
        said.set()
        end.wait(30)

    declare("hang", hang, cron="* * * * * *")
    scheduler = Scheduler(registry)
    scheduler.start()
    try:
        assert said.wait(30)
    finally:
        scheduler.stop()
        end.set()
    row = JobRun.objects.get(state=RunState.LOST)
    assert (row.log, row.progress) == ("last words\n", {"done": 7.0, "total": 9.0, "text": ""})
