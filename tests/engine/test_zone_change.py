"""A new tzdata changes when a zone's clocks shift."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scheduler_app import control
from scheduler_app.consistency.check import audit_ledger
from scheduler_app.engine import releases
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.reconcile import Reconciler
from scheduler_app.models import (
    Job,
    JobRun,
    Node,
    RunState,
    SchedulePeriod,
    Surface,
    timetable_rows,
)
from scheduler_app.registry import Registry, job
from tests.engine.conftest import nothing
from tests.harness.tzdata import Steps, tzdata

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("early")]
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2026, 3, 1, 22, tzinfo=UTC)
"""The night of which the one tzdata says that the clocks shift, and the other that they do not."""
EIGHT_SUMMER, EIGHT_WINTER = MIDNIGHT + 7 * HOUR, MIDNIGHT + 8 * HOUR
SUMMER: Steps = [(None, 2), (MIDNIGHT, 3)]
WINTER: Steps = [(None, 2), (MIDNIGHT + 30 * DAY, 3)]


class Process:
    """A scheduler with its own tzdata."""

    def __init__(self, directory: Path, steps: Steps, cron: str) -> None:
        self._directory, self._steps = directory, steps
        self._registry = Registry()
        self._do(lambda: self._start(cron))

    def _start(self, cron: str) -> None:
        zone = "Test/Beirut"
        job(name="a", cron=cron, timezone=zone, registry=self._registry)(nothing)
        assert not self._registry.problems
        self.node = releases.register("here:1", self._registry)
        self._reconciler = Reconciler(self._registry)
        self._claimer = Claimer(self.node, self._registry)

    def beat(self, now: datetime) -> None:
        self._do(lambda: self._beat(now))

    def _beat(self, now: datetime) -> None:
        self._reconciler.reconcile(self.node, Node.objects.liveness(), now)
        self._claimer.other_rules = self._reconciler.other_rules

    def claim(self, now: datetime) -> list[datetime]:
        """Run what is due; return what it was scheduled for."""
        runs: list[JobRun] = []
        self._do(lambda: runs.extend(self._claimer.claim(now)))
        JobRun.objects.active().update(state=RunState.SUCCESS, started_at=now, finished_at=now)
        Job.objects.update(run_count=JobRun.objects.filter(state=RunState.SUCCESS).count())
        return [run.scheduled_for for run in runs]

    def audit(self) -> list[str]:
        found: list[str] = []
        self._do(lambda: found.extend(map(str, audit_ledger())))
        return found

    def stop(self) -> None:
        Node.objects.filter(pk=self.node.pk).close()

    def _do(self, action: Callable[[], None]) -> None:
        with tzdata(self._directory, {"Test/Beirut": self._steps}):
            action()


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start a scheduler with this tzdata."""

    def _start(steps: Steps, now: datetime, cron: str = "0 8 * * *") -> Process:
        process = Process(tmp_path, steps, cron)
        process.beat(now)
        return process

    return _start


def due() -> datetime | None:
    moment: datetime | None = timetable_rows().get().next_run_time
    return moment


def test_wall_time_that_fired_fires_no_second_time(start: Start) -> None:
    old = start(SUMMER, MIDNIGHT - DAY)
    old.claim(EIGHT_WINTER - DAY)
    assert old.claim(EIGHT_SUMMER) == [EIGHT_SUMMER]
    old.stop()
    new = start(WINTER, EIGHT_SUMMER + HOUR / 2)
    assert due() == EIGHT_WINTER + DAY
    new.claim(EIGHT_WINTER + DAY)
    assert new.audit() == []


def test_wall_time_to_come_fires_by_the_new_rules(start: Start) -> None:
    old = start(SUMMER, MIDNIGHT - DAY)
    old.claim(EIGHT_WINTER - DAY)
    old.stop()
    new = start(WINTER, EIGHT_SUMMER - HOUR / 2)
    assert due() == EIGHT_WINTER
    assert new.claim(EIGHT_WINTER) == [EIGHT_WINTER]
    assert new.audit() == []


def test_wall_time_that_came_earlier_is_not_late(start: Start) -> None:
    old = start(WINTER, MIDNIGHT - DAY)
    old.claim(EIGHT_WINTER - DAY)
    old.stop()
    new = start(SUMMER, EIGHT_SUMMER - HOUR / 2)
    assert due() == EIGHT_SUMMER
    assert new.claim(EIGHT_SUMMER) == [EIGHT_SUMMER]
    assert new.audit() == []


def test_wall_time_that_has_passed_is_made_up_by_policy(start: Start) -> None:
    old = start(WINTER, MIDNIGHT - DAY)
    old.claim(EIGHT_WINTER - DAY)
    old.stop()
    new = start(SUMMER, EIGHT_SUMMER + HOUR / 2)
    assert due() == EIGHT_SUMMER
    assert new.claim(EIGHT_SUMMER + HOUR / 2) == []
    assert JobRun.objects.get(scheduled_for=EIGHT_SUMMER).state == RunState.MISSED


def test_hourly_job_fires_each_hour(start: Start) -> None:
    old = start(SUMMER, MIDNIGHT - HOUR / 2, cron="0 * * * *")
    old.claim(MIDNIGHT)
    old.stop()
    start(WINTER, MIDNIGHT + HOUR / 2, cron="0 * * * *")
    assert due() == MIDNIGHT + HOUR


def test_change_of_the_rules_begins_a_period(start: Start) -> None:
    start(SUMMER, MIDNIGHT - DAY).stop()
    start(WINTER, MIDNIGHT)
    last = SchedulePeriod.objects.open().get()
    assert last.reason == "The rules of the time zone Test/Beirut changed."
    assert last.zone_rules == Job.objects.get().zone_rules
    assert not JobRun.objects.exists()


def test_paused_job_stays_paused_under_new_rules(start: Start) -> None:
    old = start(SUMMER, MIDNIGHT - DAY)
    control.pause("a", by=control.Actor("ada", Surface.CODE))
    old.stop()
    start(WINTER, MIDNIGHT)
    last = SchedulePeriod.objects.open().get()
    assert (last.state, last.zone_rules) == ("paused", Job.objects.get().zone_rules)
    assert due() is None


def test_new_cron_and_new_rules_begin_one_period(start: Start) -> None:
    start(SUMMER, MIDNIGHT - DAY).stop()
    start(WINTER, MIDNIGHT, cron="0 9 * * *")
    assert SchedulePeriod.objects.count() == 2
    assert due() == EIGHT_WINTER + HOUR


def test_nodes_with_different_rules_do_not_take_turns(start: Start) -> None:
    old = start(SUMMER, MIDNIGHT - DAY)
    new = start(WINTER, MIDNIGHT - DAY + HOUR)
    for process in (old, new, old, new):
        process.beat(MIDNIGHT)
    assert SchedulePeriod.objects.count() == 2
    new.claim(EIGHT_WINTER - DAY)
    assert due() == EIGHT_WINTER


def test_node_with_other_rules_leaves_the_due_moment_alone(start: Start) -> None:
    old = start(SUMMER, MIDNIGHT - DAY)
    new = start(WINTER, MIDNIGHT - DAY + HOUR)
    new.claim(EIGHT_WINTER - DAY)
    for process in (old, new):
        process.beat(EIGHT_WINTER - DAY + HOUR)
        assert due() == EIGHT_WINTER


def test_node_with_other_rules_leaves_the_job_to_others(start: Start) -> None:
    old = start(SUMMER, MIDNIGHT)
    new = start(WINTER, MIDNIGHT)
    old.beat(MIDNIGHT)
    assert old.claim(EIGHT_WINTER) == []
    assert new.claim(EIGHT_WINTER) == [EIGHT_WINTER]


def test_node_that_is_left_goes_by_its_own_rules(start: Start) -> None:
    old = start(SUMMER, MIDNIGHT)
    new = start(WINTER, MIDNIGHT)
    new.stop()
    old.beat(MIDNIGHT)
    assert old.claim(EIGHT_SUMMER) == [EIGHT_SUMMER]


def test_period_by_rules_that_agreed_is_audited(start: Start) -> None:
    old = start(SUMMER, MIDNIGHT - 4 * DAY)
    for days in (4, 3, 2, 1):
        old.claim(EIGHT_WINTER - days * DAY)
    old.stop()
    new = start(WINTER, MIDNIGHT - HOUR)
    JobRun.objects.filter(scheduled_for=EIGHT_WINTER - 3 * DAY).delete()
    Job.objects.update(run_count=3)
    assert "no row accounts for" in "".join(new.audit())
