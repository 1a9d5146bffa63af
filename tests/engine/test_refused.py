"""What the database refuses of one job, by a trigger or a constraint of the project's own, keeps no
other job from running."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection

from scheduler_app.engine import recorder as module
from scheduler_app.engine import releases
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.liveness import take_from_stopped_nodes
from scheduler_app.engine.reconcile import Reconciler
from scheduler_app.engine.recorder import Recorder, record
from scheduler_app.engine.unheld import UnheldRuns
from scheduler_app.ledger import counters
from scheduler_app.models import Job, JobRun, Node, RunState, Trigger, database, locks
from scheduler_app.registry import Registry
from tests.engine.conftest import T0, eventually
from tests.harness.heartbeats import close_dead_nodes, silent_for

pytestmark = pytest.mark.django_db(transaction=True)
Declare = Callable[..., None]
Start = Callable[..., Claimer]
MINUTE = timedelta(minutes=1)

PLPGSQL = """
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'refused by a trigger'; END $$
"""


@contextmanager
def refusing(
    when: str, action: str = "INSERT", table: str = "scheduler_app_jobrun"
) -> Iterator[None]:
    """Have the database refuse rows for which this condition holds."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(PLPGSQL)
            does = "EXECUTE FUNCTION refuse()"
        else:
            does = "BEGIN SELECT RAISE(ABORT, 'refused by a trigger'); END"
        cursor.execute(
            f"CREATE TRIGGER no BEFORE {action} ON {table} FOR EACH ROW WHEN ({when}) {does}"
        )
        try:
            yield
        finally:
            on = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER no{on}")


@pytest.fixture
def recorder(transactional_db: None) -> Iterator[Recorder]:
    recorder = Recorder(lambda starts, begun, ended: None)
    recorder.start()
    yield recorder
    assert recorder.stop(10)


def names(runs: list[JobRun]) -> list[str]:
    return sorted(run.job_name for run in runs)


def test_job_whose_runs_are_refused_keeps_no_other_from_firing(
    declare: Declare, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "abcde":
        declare(name, overlap="allow")
    claimer = start()
    with refusing("NEW.job_name IN ('b', 'd')"):
        assert names(claimer.claim(T0)) == ["a", "c", "e"]
        assert not claimer.is_held_up
        assert names(claimer.claim(T0 + MINUTE)) == ["a", "c", "e"]
    eventually(lambda: set(names(claimer.claim(T0 + MINUTE))) == {"b", "d"})
    told = [record.message for record in caplog.records if "does not fire" in record.message]
    assert len(told) == 2  # once each
    assert told[0].startswith("job b does not fire: the database refuses its runs: refused by")


def test_claim_that_can_insert_nothing_is_held_up(declare: Declare, start: Start) -> None:
    for name in "abc":
        declare(name)
    claimer = start()
    with refusing("true"):
        assert claimer.claim(T0) == []
        assert claimer.is_held_up
        assert "refused by a trigger" in str(claimer.refusal)
        assert claimer.claim(T0) == []
        assert claimer.is_held_up
        assert claimer.refusal
    eventually(lambda: names(claimer.claim(T0)) == ["a", "b", "c"])
    assert not claimer.is_held_up
    assert claimer.refusal is None


def test_job_that_alone_is_refused_holds_up_the_scheduler_until_another_is_claimed(
    declare: Declare, start: Start
) -> None:
    """Until then nothing shows that others would be accepted."""
    declare("a")
    declare("b", cron="2 * * * *")
    claimer = start()
    with refusing("NEW.job_name = 'a'"):
        assert claimer.claim(T0) == []
        assert claimer.is_held_up
        assert names(claimer.claim(T0 + 2 * MINUTE)) == ["b"]
        eventually(lambda: claimer.claim(T0 + 3 * MINUTE) == [] and claimer.refusal is not None)
        assert not claimer.is_held_up


def test_waiting_run_that_is_refused_keeps_no_other_from_starting(
    declare: Declare, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "abc":
        declare(name, cron="0 0 1 1 *")
    claimer = start()
    for name in "abc":
        JobRun.objects.create(job_name=name, trigger=Trigger.MANUAL, scheduled_for=T0, due_at=T0)
    with refusing("NEW.job_name = 'b'", "UPDATE"):
        assert names(claimer.claim(T0)) == ["a", "c"]
        assert claimer.claim(T0) == []
    assert names(claimer.claim(T0)) == ["b"]
    told = [
        record.message for record in caplog.records if "refuses runs of job b" in record.message
    ]
    assert len(told) == 1


def queued(node: Node, *jobs: str) -> list[JobRun]:
    return [
        JobRun.objects.create(job_name=name, scheduled_for=T0, due_at=T0, node=node)
        for name in jobs
    ]


def succeeded(run: JobRun) -> JobRun:
    run.state, run.finished_at, run.message = RunState.SUCCESS, T0 + MINUTE, "done"
    return run


def test_outcome_that_is_refused_delays_no_other(node: Node, recorder: Recorder) -> None:
    runs = queued(node, "a", "b", "c")
    record(runs, [])
    with refusing("NEW.job_name = 'b'", "UPDATE"):
        recorder.submit([], [succeeded(run) for run in runs])
        eventually(lambda: JobRun.objects.filter(state="success").count() == 2)
        eventually(lambda: recorder.is_idle)
        assert runs[1].pk in recorder.unrecorded
        assert recorder.error is None
    assert recorder.flush(10)
    assert JobRun.objects.filter(state="success").count() == 3


def test_recorder_that_can_record_nothing_says_why(node: Node, recorder: Recorder) -> None:
    runs = queued(node, "a", "b")
    record(runs, [])
    with refusing("true", "UPDATE"):
        recorder.submit([], [succeeded(run) for run in runs])
        eventually(lambda: "refused by a trigger" in str(recorder.error))
        assert not recorder.flush(1)
        assert recorder.error
    assert recorder.flush(10)
    assert recorder.error is None
    assert set(JobRun.objects.values_list("state", "message")) == {("success", "done")}


def test_outcome_whose_details_are_refused_is_recorded_without_them(
    node: Node, recorder: Recorder
) -> None:
    runs = queued(node, "a", "b", "c")
    record(runs, [])
    runs[1].log = "an account number"
    with refusing("NEW.log LIKE '%account%'", "UPDATE"):
        recorder.submit([], [succeeded(run) for run in runs])
        assert recorder.flush(10)
    messages = dict(JobRun.objects.values_list("job_name", "message"))
    assert messages == {"a": "done", "b": module.UNRECORDABLE, "c": "done"}


def test_start_that_is_refused_delays_no_other(
    node: Node, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    runs = queued(node, "a", "b", "c")
    with refusing("NEW.job_name = 'b'", "UPDATE"):
        recorder.submit(runs)
        eventually(lambda: JobRun.objects.filter(state="running").count() == 2)
        assert not recorder.flush(0.7)  # it is tried again
    assert recorder.flush(10)
    assert JobRun.objects.filter(state="running").count() == 3
    told = [record.message for record in caplog.records if "to be recorded" in record.message]
    assert len(told) == 1


def test_declaration_that_is_refused_keeps_no_other_from_being_taken_over(
    declare: Declare, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "abc":
        declare(name)
    node = releases.register("here:1", registry)
    reconciler = Reconciler(registry)
    with refusing("NEW.id = 'scheduler_app:b'", table="django_apscheduler_djangojob"):
        for _ in range(2):
            changes = reconciler.reconcile(node, Node.objects.liveness(), T0)
            assert changes.refused == ["b"]
        assert names_of_jobs() == ["a", "c"]
    assert reconciler.reconcile(node, Node.objects.liveness(), T0).added == ["b"]
    told = [record.message for record in caplog.records if "refuses rows" in record.message]
    assert told == ["the database refuses rows of these jobs, which stay as they are: b"]


def names_of_jobs() -> list[str]:
    return list(Job.objects.order_by("name").values_list("name", flat=True))


def test_run_of_a_dead_node_that_is_refused_keeps_no_other_from_being_closed(node: Node) -> None:
    runs = queued(node, "a", "b", "c")
    record(runs, [])
    silent_for(node, 60)
    with refusing("NEW.job_name = 'b'", "UPDATE"):
        assert close_dead_nodes() == 1
        take_from_stopped_nodes(T0)
        assert states() == {"a": "lost", "b": "running", "c": "lost"}
    take_from_stopped_nodes(T0)
    assert states()["b"] == "lost"


def test_unheld_run_that_is_refused_keeps_no_other_from_being_closed(node: Node) -> None:
    runs = queued(node, "a", "b", "c")
    record(runs, [])
    unheld = UnheldRuns(0.0)
    with refusing("NEW.job_name = 'b'", "UPDATE"):
        unheld.close([run.pk for run in runs], [], T0)
        assert states() == {"a": "lost", "b": "running", "c": "lost"}
    unheld.close([runs[1].pk], [], T0)
    assert states()["b"] == "lost"


def test_counters_of_a_job_that_are_refused_keep_no_others_from_being_folded(node: Node) -> None:
    for name in "abc":
        Job.objects.create(name=name, cron="* * * * *", timezone="UTC")
    runs = queued(node, "a", "b", "c")
    record(runs, [])
    record([], [succeeded(run) for run in runs])
    with refusing("NEW.name = 'b'", "UPDATE", "scheduler_app_job"):
        assert not counters.fold()
        assert dict(Job.objects.values_list("name", "run_count")) == {"a": 1, "b": 0, "c": 1}
    counters.fold()
    assert Job.objects.get(name="b").run_count == 1


def states() -> dict[str, str]:
    return dict(JobRun.objects.values_list("job_name", "state"))


@pytest.mark.parametrize("error", [IntegrityError("no"), ValueError("no")])
def test_what_is_no_refusal_is_raised(error: Exception) -> None:
    def work(items: Any) -> None:
        raise error

    if database.is_refusal(error):
        assert locks.around([1, 2], work) == [1, 2]
    else:
        with pytest.raises(ValueError, match="no"):
            locks.around([1, 2], work)
