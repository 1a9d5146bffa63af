"""What a heartbeat makes of rows that people, deploys and restored dumps have changed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduler_app import control
from scheduler_app.consistency.check import audit_ledger
from scheduler_app.control import Actor
from scheduler_app.engine import reconcile, releases
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.reconcile import Reconciler
from scheduler_app.engine.sync import Changes
from scheduler_app.models import (
    Job,
    JobCount,
    JobRun,
    Node,
    Release,
    RunState,
    SchedulePeriod,
    Surface,
    ZoneRules,
    database,
    row_id,
    timetable_rows,
)
from scheduler_app.registry import Registry, job
from tests.engine.conftest import T0, nothing
from tests.explain.conftest import finish

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("early")]
ADA = Actor("ada", Surface.CODE)
MINUTE = timedelta(minutes=1)
Declare = Callable[..., None]
Beat = Callable[..., Changes]


@pytest.fixture
def node(registry: Registry, declare: Declare) -> Node:
    """A node whose code declares a job of every minute and one of every noon."""
    declare("a")
    declare("noon", cron="0 12 * * *")
    return releases.register("here:1", registry)


@pytest.fixture
def beat(node: Node, registry: Registry) -> Beat:
    """Reconcile as that node; it has done so one minute before T0."""
    reconciler = Reconciler(registry)

    def _beat(now: datetime) -> Changes:
        return reconciler.reconcile(node, Node.objects.liveness(), now)

    _beat(T0 - MINUTE)
    return _beat


@pytest.fixture
def claimer(node: Node, registry: Registry, beat: Beat) -> Claimer:
    """A claimer that has claimed the first five minutes."""
    claimer = Claimer(node, registry)
    for minute in range(5):
        finish(claimer.claim(T0 + minute * MINUTE))
    return claimer


def due(name: str = "a") -> datetime | None:
    moment: datetime | None = timetable_rows().get(id=row_id(name)).next_run_time
    return moment


def audit() -> list[str]:
    return [str(each) for each in audit_ledger() if "count" not in each.text]


def test_what_agrees_costs_few_queries(beat: Beat, claimer: Claimer) -> None:
    beat(T0 + 4.1 * MINUTE)
    with CaptureQueriesContext(connection) as queries:
        changes = beat(T0 + 4.2 * MINUTE)
    assert changes == Changes()
    assert len(queries) <= 7


def test_emptied_timetable_goes_on_where_the_ledger_ends(beat: Beat, claimer: Claimer) -> None:
    timetable_rows().delete()
    changes = beat(T0 + 6.5 * MINUTE)
    assert changes.restored == ["a", "noon"]
    assert due() == T0 + 5 * MINUTE
    assert due("noon") == T0 + timedelta(days=1)


def test_deleted_job_row_is_restored(beat: Beat, claimer: Claimer) -> None:
    Job.objects.filter(name="a").delete()
    assert beat(T0 + 4.5 * MINUTE).restored == ["a"]
    assert due() == T0 + 5 * MINUTE
    claimer.claim(T0 + 5 * MINUTE)
    assert audit() == []


def test_deleted_row_of_a_paused_job_stays_paused(
    beat: Beat, claimer: Claimer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "now", lambda: T0 + 4.5 * MINUTE)
    control.pause("a", by=ADA)
    Job.objects.filter(name="a").delete()
    timetable_rows().filter(id=row_id("a")).delete()
    beat(T0 + 10 * MINUTE)
    assert Job.objects.get(name="a").is_paused
    assert due() is None
    assert audit() == []


def test_deleted_row_with_a_new_schedule_turns_the_period(beat: Beat, claimer: Claimer) -> None:
    Job.objects.filter(name="a").delete()
    release = Registry()
    job(name="a", cron="*/10 * * * *", timezone="UTC", registry=release)(nothing)
    later = releases.register("there:2", release)
    Reconciler(release).reconcile(later, Node.objects.liveness(), T0 + 6.5 * MINUTE)
    assert SchedulePeriod.objects.filter(job_name="a").count() == 2
    assert JobRun.objects.get(state=RunState.SKIPPED).occurrences == 2
    assert audit() == []


def test_deleted_open_period_is_begun_again(beat: Beat, claimer: Claimer) -> None:
    SchedulePeriod.objects.all().delete()
    assert beat(T0 + 4.5 * MINUTE).restored == ["a", "noon"]
    assert due() == T0 + 5 * MINUTE
    claimer.claim(T0 + 5 * MINUTE)
    assert audit() == []


def test_deleted_period_loses_nothing_that_is_due(beat: Beat, claimer: Claimer) -> None:
    SchedulePeriod.objects.all().delete()
    beat(T0 + 7.5 * MINUTE)
    assert due() == T0 + 5 * MINUTE
    claimer.claim(T0 + 7.6 * MINUTE)
    assert audit() == []


def test_deleted_history_puts_no_due_moment_back(
    beat: Beat, claimer: Claimer, node: Node, registry: Registry
) -> None:
    JobRun.objects.all().delete()
    snapshot = Node.objects.liveness()
    assert Reconciler(registry).reconcile(node, snapshot, T0 + 4.5 * MINUTE) == Changes()
    assert due() == T0 + 5 * MINUTE


def test_history_deleted_with_its_job_puts_no_due_moment_back(beat: Beat, claimer: Claimer) -> None:
    for model in (JobRun, JobCount, Job):
        model._default_manager.all().delete()
    beat(T0 + 4.5 * MINUTE)
    assert due() == T0 + 5 * MINUTE
    claimer.claim(T0 + 5 * MINUTE)
    assert [run.scheduled_for for run in JobRun.objects.all()] == [T0 + 5 * MINUTE]


def test_all_rows_of_jobs_deleted_are_restored(beat: Beat, claimer: Claimer) -> None:
    for rows in (Job.objects.all(), timetable_rows(), SchedulePeriod.objects.all()):
        rows.delete()
    beat(T0 + 4.5 * MINUTE)
    assert due() == T0 + 5 * MINUTE
    assert audit() == []


def test_emptied_tables_are_filled_again(beat: Beat, claimer: Claimer) -> None:
    timetable_rows().delete()
    for model in (JobRun, Job, SchedulePeriod, Node, Release, ZoneRules):
        model._default_manager.all().delete()
    assert beat(T0 + 4.5 * MINUTE).added == ["a", "noon"]
    assert due() == T0 + 5 * MINUTE
    assert Release.objects.count() == 1


@pytest.mark.parametrize("moment", [None, T0 + timedelta(days=3), T0 + 6 * MINUTE])
def test_due_moment_put_forward_is_put_back(
    beat: Beat, claimer: Claimer, moment: datetime | None
) -> None:
    timetable_rows().filter(id=row_id("a")).update(next_run_time=moment)
    assert beat(T0 + 5.5 * MINUTE).restored == ["a"]
    assert due() == T0 + 5 * MINUTE


def test_due_moment_of_a_paused_job_is_removed(beat: Beat, claimer: Claimer) -> None:
    control.pause("a", by=ADA)
    timetable_rows().filter(id=row_id("a")).update(next_run_time=T0)
    assert beat(T0 + 5.5 * MINUTE).restored == ["a"]
    assert due() is None


def test_schedule_edited_by_hand_is_declared_again(beat: Beat) -> None:
    Job.objects.filter(name="a").update(cron="0 0 1 1 *")
    assert beat(T0 - 30 * MINUTE / 60).changed == ["a"]
    assert Job.objects.get(name="a").cron == "* * * * *"
    assert due() == T0


def test_period_edited_by_hand_is_followed_by_a_right_one(beat: Beat, claimer: Claimer) -> None:
    SchedulePeriod.objects.filter(job_name="a").update(cron="0 0 1 1 *")
    assert beat(T0 + 4.5 * MINUTE).restored == ["a"]
    assert SchedulePeriod.objects.open().get(job_name="a").cron == "* * * * *"


@pytest.mark.parametrize("values", [{"cron": "0 0 1 1 *"}, {"timezone": "Nowhere"}])
def test_spoilt_period_loses_nothing_that_is_due(
    beat: Beat, claimer: Claimer, values: dict[str, str]
) -> None:
    SchedulePeriod.objects.open().filter(job_name="a").update(**values)
    beat(T0 + 7.5 * MINUTE)
    claimer.claim(T0 + 7.6 * MINUTE)
    for minute in (5, 6, 7):
        assert JobRun.objects.accounting_for("a", T0 + minute * MINUTE).exists()


def many(count: int, cron: str) -> Registry:
    registry = Registry()
    for number in range(count):
        job(name=f"many-{number:02}", cron=cron, timezone="UTC", registry=registry)(nothing)
    return registry


def queries_of(registry: Registry) -> int:
    """How many statements it takes to bring in this release, after a full stop."""
    Node.objects.update(stopped_at=T0)
    node = releases.register("here:2", registry)
    snapshot = Node.objects.liveness()
    with CaptureQueriesContext(connection) as queries:
        Reconciler(registry).reconcile(node, snapshot, T0)
    return len(queries)


@pytest.mark.usefixtures("db")
def test_number_of_queries_does_not_depend_on_the_changed_jobs() -> None:
    counts = []
    for size in (5, 50):
        queries_of(many(size, "0 * * * *"))
        counts.append(queries_of(many(size, "30 * * * *")))
        queries_of(many(0, ""))
    assert counts[0] == counts[1]


def test_many_changed_jobs_are_dealt_with_in_batches(
    declare: Declare, registry: Registry, beat: Beat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "BATCH", 3)
    for number in range(10):
        declare(f"many-{number}")
    newer = releases.register("here:2", registry)
    changes = Reconciler(registry).reconcile(newer, Node.objects.liveness(), T0)
    assert changes.added == [f"many-{number}" for number in range(10)]


def test_many_changes_leave_the_rest_to_the_next_heartbeat(
    declare: Declare, registry: Registry, beat: Beat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "BATCH", 3)
    for number in range(10):
        declare(f"many-{number}")
    newer, ticks = releases.register("here:2", registry), count()
    reconciler = Reconciler(registry, lambda: float(next(ticks)))
    added = [
        len(reconciler.reconcile(newer, Node.objects.liveness(), T0, seconds=1.5).added)
        for _ in range(3)
    ]
    assert added == [6, 4, 0]


def test_log_names_twenty_jobs_at_most(
    declare: Declare, registry: Registry, beat: Beat, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(30):
        declare(f"many-{number:02}")
    newer = releases.register("here:2", registry)
    Reconciler(registry).reconcile(newer, Node.objects.liveness(), T0)
    assert caplog.messages[-1].endswith("many-19, and 10 more")


def test_restored_rows_are_logged(beat: Beat, caplog: pytest.LogCaptureFixture) -> None:
    timetable_rows().delete()
    beat(T0)
    assert "missing or wrong" in caplog.messages[-1]
    assert caplog.messages[-1].endswith(": a, noon")
