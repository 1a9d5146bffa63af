"""A schedule, or policies, that people have set in place of the code's."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from scheduler_app import control
from scheduler_app.consistency.check import audit_ledger
from scheduler_app.control import Actor
from scheduler_app.engine import releases
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.reconcile import Reconciler
from scheduler_app.exceptions import CronError, DeclarationError, EtagMismatch, RequestError
from scheduler_app.models import AuditEntry, Job, JobRun, Node, RunState, SchedulePeriod, Surface
from scheduler_app.registry import Registry
from scheduler_app.status import job_status
from tests.engine.conftest import T0, SetClock, declare, node, registry, set_clock, start

__all__ = ["declare", "node", "registry", "set_clock", "start"]

pytestmark = pytest.mark.django_db(transaction=True)
ADA = Actor("ada", Surface.CLI)
MINUTE = timedelta(minutes=1)
Declare = Callable[..., None]


class Scheduler:
    """One node, which claims and reconciles."""

    def __init__(self, registry: Registry, node: Node, claimer: Claimer) -> None:
        self.registry, self.claimer = registry, claimer
        self.node = releases.register(node.name, registry)
        self.reconciler = Reconciler(registry)

    def reconcile(self, minutes: float = 0) -> list[str]:
        """Return the jobs that were changed."""
        snapshot = Node.objects.all().liveness()
        changes = self.reconciler.reconcile(self.node, snapshot, T0 + minutes * MINUTE)
        return changes.changed + changes.restored + changes.added

    def deploy(self, declare: Declare, **declaration: object) -> None:
        """Be succeeded by a release that declares job a so."""
        Node.objects.filter(pk=self.node.pk).close()
        self.registry._definitions.clear()
        declare("a", **declaration)
        self.node = releases.register("here:2", self.registry)
        self.reconciler = Reconciler(self.registry)


@pytest.fixture
def scheduler(
    declare: Declare, start: Callable[..., Claimer], registry: Registry, node: Node,
    set_clock: SetClock,
) -> Scheduler:  # fmt: skip
    """Of job a, of every minute; it is T0."""
    declare("a", retries=1)
    claimer = start()
    node.delete()
    scheduler = Scheduler(registry, node, claimer)
    scheduler.reconcile()
    set_clock(T0)
    return scheduler


def job() -> Job:
    return Job.objects.get()


def test_schedule_is_in_force_at_once(scheduler: Scheduler) -> None:
    assert control.override("a", {"cron": "0  *  * * *"}, by=ADA, reason="calmer")
    assert (job().cron, job_status("a").next_run) == ("0 * * * *", T0 + 60 * MINUTE)
    period = SchedulePeriod.objects.open().get()
    assert (period.cron, period.reason) == (
        "0 * * * *",
        "Schedule changed by ada (command line): calmer",
    )
    skipped = JobRun.objects.get()
    assert (skipped.state, skipped.scheduled_for) == (RunState.SKIPPED, T0)
    assert not list(audit_ledger(until=T0 + 59 * MINUTE))


def test_every_surface_says_what_the_code_declares(scheduler: Scheduler) -> None:
    control.override("a", {"cron": "0 * * * *", "retries": 5}, by=ADA)
    status = job_status("a")
    assert status.overrides == {"cron": "0 * * * *", "retries": 5}
    assert status.declared == {"cron": "* * * * *", "retries": 1}
    assert status.policies.retries == 5


def test_audit_has_before_and_after(scheduler: Scheduler) -> None:
    control.override("a", {"retries": 5}, by=ADA, reason="flaky")
    control.revert("a", by=ADA)
    entries = AuditEntry.objects.order_by("pk").values_list("action", "reason", "changed")
    assert list(entries) == [
        ("edit", "as the code declares -> retries 5. flaky", True),
        ("edit", "retries 5 -> as the code declares.", True),
    ]


def test_reconciling_leaves_it(scheduler: Scheduler) -> None:
    control.override("a", {"cron": "0 * * * *", "retries": 5}, by=ADA)
    assert scheduler.reconcile() == []
    assert (job().cron, job().retries) == ("0 * * * *", 5)


def test_deploy_keeps_it_and_says_what_the_code_declares_now(
    scheduler: Scheduler, declare: Declare
) -> None:
    control.override("a", {"cron": "0 * * * *"}, by=ADA)
    scheduler.deploy(declare, cron="*/5 * * * *", retries=3)
    assert scheduler.reconcile(1) == ["a"]
    assert (job().cron, job().retries) == ("0 * * * *", 3)
    assert job_status("a").declared == {"cron": "*/5 * * * *"}
    assert scheduler.reconcile(2) == []
    assert control.revert("a", by=ADA)
    assert (job().cron, job().overrides, job().declared) == ("*/5 * * * *", "", "")
    assert scheduler.reconcile(3) == []


def test_revert_has_the_code_decide_again(scheduler: Scheduler) -> None:
    control.override("a", {"cron": "0 * * * *", "retries": 5}, by=ADA)
    assert control.revert("a", by=ADA)
    assert not control.revert("a", by=ADA)
    assert (job().cron, job().retries, job().overrides) == ("* * * * *", 1, "")
    assert job_status("a").next_run == T0 + MINUTE
    assert scheduler.reconcile() == []


def test_what_the_code_declares_is_no_override(scheduler: Scheduler) -> None:
    control.override("a", {"retries": 5, "catch_up": "all"}, by=ADA)
    assert control.override("a", {"retries": 1}, by=ADA)
    assert job_status("a").overrides == {"catch_up": "all"}
    assert not control.override("a", {"catch_up": "all"}, by=ADA)


def test_reconciling_with_an_older_view_leaves_it(scheduler: Scheduler, declare: Declare) -> None:
    """The rows are read before the override, and mended after it."""
    scheduler.deploy(declare, retries=2)
    look = scheduler.reconciler._look

    def look_and_be_overtaken(state: tuple[object, ...]) -> object:
        found = look(state)
        control.override("a", {"cron": "0 * * * *"}, by=ADA)
        return found

    scheduler.reconciler._look = look_and_be_overtaken  # type: ignore[assignment,method-assign]
    scheduler.reconcile(1)
    assert (job().cron, job().retries) == ("0 * * * *", 2)


def test_paused_job_stays_paused(scheduler: Scheduler) -> None:
    control.pause("a", by=ADA)
    control.override("a", {"cron": "0 * * * *"}, by=ADA)
    assert (job().is_paused, job_status("a").next_run) == (True, None)
    control.resume("a", by=ADA)
    assert job_status("a").next_run == T0 + 60 * MINUTE


def test_zone_may_be_another_one(scheduler: Scheduler) -> None:
    control.override("a", {"cron": "0 14 * * *", "timezone": "Europe/Berlin"}, by=ADA)
    assert job_status("a").next_run == T0 + 60 * MINUTE
    assert scheduler.reconcile() == []


@pytest.mark.parametrize(
    ("values", "error", "text"),
    [
        ({"cron": "* *"}, CronError, "Bad cron expression"),
        ({"timezone": "Mars"}, CronError, "Unknown time zone"),
        ({"jitter": -1}, CronError, "Bad jitter"),
        ({"retries": 1_000}, DeclarationError, "Bad retries 1000"),
        ({"catch_up": "some"}, DeclarationError, "Bad catch_up 'some'"),
        ({"retry_delay": 0}, DeclarationError, "Bad retry_delay"),
        ({"overlap": "both"}, DeclarationError, "Bad overlap 'both'"),
        ({"timeout": -1}, DeclarationError, "Bad timeout"),
        ({"isolated": "yes"}, DeclarationError, "Bad isolated 'yes'"),
        ({"paused_at": None}, RequestError, "Bad field"),
    ],
)
def test_what_cannot_be_in_force_is_refused(
    scheduler: Scheduler, values: dict[str, object], error: type[Exception], text: str
) -> None:
    before = Job.objects.values().get()
    with pytest.raises(error, match=text):
        control.override("a", values, by=ADA)
    assert Job.objects.values().get() == before
    assert not AuditEntry.objects.exists()


def test_lost_update_is_refused(scheduler: Scheduler) -> None:
    seen = job().etag
    control.override("a", {"retries": 5}, by=ADA, etag=seen)
    with pytest.raises(EtagMismatch):
        control.override("a", {"retries": 7}, by=ADA, etag=seen)
    with pytest.raises(EtagMismatch):
        control.revert("a", by=ADA, etag=seen)


SPOILT = [
    *("x", "[]", "7", '{"overlap": "both"}', '{"no": 1}', '{"cron": 7, "retries": "x"}'),
    *('{"timezone": [1]}', '{"timezone": 7}', '{"cron": "\\u0000"}', '{"cron": "\\ud800"}'),
    *('{"jitter": "x"}', '{"jitter": -1}', '{"jitter": true}', '{"catch_up": "nope"}'),
    *('{"timeout": 0}', '{"timeout": "x"}', '{"isolated": 1}', '{"overlap": null}'),
    *('{"retries": -5}', '{"retries": 1e99}', '{"retry_delay": 1e999}', '{"retry_delay": null}'),
    *(
        '{"retries": 100000000000000000000}',
        '{"catch_up_limit": {}}',
        f'{{"cron": "{"*" * 9999}"}}',
    ),
]


@pytest.mark.parametrize("text", SPOILT)
def test_spoilt_overrides_are_none(scheduler: Scheduler, text: str) -> None:
    Job.objects.update(overrides=text)
    scheduler.reconcile()
    status = job_status("a")
    assert (status.overrides, status.cron) == ({}, "* * * * *")
    assert control.override("a", {"retries": 5}, by=ADA)
    assert scheduler.reconcile() == []


def test_spoilt_value_leaves_the_others(scheduler: Scheduler) -> None:
    control.override("a", {"retries": 5}, by=ADA)
    Job.objects.update(overrides='{"jitter": "x", "retries": 5}')
    scheduler.reconcile()
    assert job_status("a").overrides == {"retries": 5}
    assert control.revert("a", by=ADA)
    assert (job().overrides, job().retries) == ("", 1)
    assert scheduler.reconcile() == []
