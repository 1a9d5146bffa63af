"""Jobs that people add, and delete."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import JSONField, Value
from pytest_django import Settings

from scheduler_app import added, control
from scheduler_app.consistency.check import audit_ledger
from scheduler_app.control import Actor
from scheduler_app.engine import releases
from scheduler_app.engine.claim import Claimer
from scheduler_app.engine.reconcile import Reconciler
from scheduler_app.engine.recorder import record
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.exceptions import (
    ActionRefused,
    CronError,
    DeclarationError,
    JobNotFound,
    RequestError,
)
from scheduler_app.models import (
    AddedJob,
    AuditEntry,
    Change,
    Job,
    JobRun,
    Node,
    RunState,
    SchedulePeriod,
    Surface,
    timetable_rows,
)
from scheduler_app.registry import JobContext, Registry
from scheduler_app.registry import registry as own
from scheduler_app.status import JobState, job_status
from tests.engine.conftest import T0, SetClock, declare, eventually, registry, set_clock

__all__ = ["declare", "registry", "set_clock"]

pytestmark = pytest.mark.django_db(transaction=True)
ADA = Actor("ada", Surface.ADMIN)
MINUTE = timedelta(minutes=1)
DAILY = {"cron": "0 3 * * *", "timezone": "UTC"}
PATH = "tests.test_added.send"
Declare = Callable[..., None]


def send(context: JobContext, customer: str = "all", limit: int = 5) -> dict[str, Any]:
    """Send the report."""
    return {"customer": customer, "limit": limit}


@pytest.fixture(autouse=True)
def code(registry: Registry, monkeypatch: pytest.MonkeyPatch, set_clock: SetClock) -> Registry:
    """This process's code offers send(), and it is T0."""
    registry.offer(send)
    monkeypatch.setattr(control.added, "registry", registry)
    monkeypatch.setattr(control.jobs, "registry", registry)
    set_clock(T0)
    return registry


class Node1:
    """A scheduler of some code, without its threads."""

    def __init__(self, registry: Registry, name: str = "here:1") -> None:
        self.node = releases.register(name, registry)
        self.reconciler = Reconciler(registry)
        self.claimer = Claimer(self.node, registry)

    def reconcile(self, minutes: float = 0) -> Any:
        snapshot = Node.objects.all().liveness()
        return self.reconciler.reconcile(self.node, snapshot, T0 + minutes * MINUTE)

    def claim(self, minutes: float) -> list[JobRun]:
        return self.claimer.claim(T0 + minutes * MINUTE)


@pytest.fixture
def here(registry: Registry) -> Node1:
    return Node1(registry)


def add(name: str = "acme", **options: Any) -> None:
    values: dict[str, Any] = {"function": PATH, "values": DAILY | {"cron": "* * * * *"}, "by": ADA}
    control.add(name, **(values | options))


def test_job_is_shown_at_once_though_no_scheduler_runs() -> None:
    add(arguments={"customer": "acme"}, description="For acme", values=DAILY, reason="asked")
    status = job_status("acme")
    assert (status.state, status.cron, status.description) == (
        JobState.IDLE,
        "0 3 * * *",
        "For acme",
    )
    assert status.next_run == T0.replace(day=3, hour=3)
    period = SchedulePeriod.objects.get()
    assert (period.begins_at, period.reason) == (T0, "Added by ada (admin): asked")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.reason) == ("add", f"{PATH}, 0 3 * * *. asked")
    assert [name for change in Change.objects.all() for name in json.loads(change.data)["jobs"]]


def test_scheduler_fires_it_like_any(here: Node1) -> None:
    here.reconcile()
    add()
    assert here.claim(1) == []
    here.reconcile(1)
    here.claimer.undeclared.clear()  # as the scheduler does after it has reconciled
    (run,) = here.claim(1)
    assert (run.job_name, run.scheduled_for) == ("acme", T0 + MINUTE)
    assert Node.objects.get().offers == ["acme"]
    assert not list(audit_ledger(until=T0 + MINUTE))


def test_whole_scheduler_calls_the_function(registry: Registry) -> None:
    scheduler = Scheduler(registry)
    scheduler.start()
    try:
        add(arguments={"customer": "acme"})
        control.trigger("acme", by=ADA)
        eventually(lambda: JobRun.objects.filter(state=RunState.SUCCESS).exists())
        control.trigger("acme", by=ADA, arguments={"limit": 7})
        eventually(lambda: JobRun.objects.filter(state=RunState.SUCCESS).count() == 2)
    finally:
        scheduler.stop()
    results = JobRun.objects.filter(trigger="manual").order_by("pk")
    assert [run.metadata for run in results] == [
        {"customer": "acme", "limit": 5},
        {"customer": "acme", "limit": 7},
    ]


def test_just_added_job_is_not_orphaned_by_one_that_has_not_seen_it(
    here: Node1, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.reconcile()
    add()
    monkeypatch.setattr(here.reconciler._added, "load", lambda: False)
    assert here.reconcile().orphaned == []
    assert here.reconcile(1).orphaned == ["acme"]


def test_job_whose_function_no_code_has_is_orphaned_and_comes_back(
    here: Node1, registry: Registry
) -> None:
    add()
    registry.functions.clear()
    assert here.reconcile(1).orphaned == ["acme"]
    Node.objects.update(stopped_at=T0)
    registry.offer(send)
    Node1(registry, "here:2").reconcile(2)
    assert job_status("acme").state == JobState.IDLE


def test_one_of_two_nodes_can_run_it(here: Node1, registry: Registry) -> None:
    add()
    here.reconcile()
    other = Node1(Registry(), "there:1")
    assert other.reconcile(1).orphaned == []
    assert other.claim(1) == []
    assert [run.job_name for run in here.claim(1)] == ["acme"]


def test_code_that_declares_the_name_hides_it(
    here: Node1, registry: Registry, declare: Declare
) -> None:
    add()
    here.reconcile()
    declare("acme", cron="0 5 * * *")
    Node.objects.update(stopped_at=T0)
    Node1(registry, "here:2").reconcile(1)
    assert job_status("acme").cron == "0 5 * * *"


def test_override_of_it_outlasts_a_restart_and_is_reverted(here: Node1, registry: Registry) -> None:
    add()
    here.reconcile()
    control.override("acme", {"cron": "0 7 * * *"}, by=ADA)
    here.reconcile()
    assert job_status("acme").cron == "0 7 * * *"
    control.revert("acme", by=ADA)
    assert job_status("acme").cron == "* * * * *"
    assert here.reconcile().changed == []


def test_deleted_rows_of_it_are_restored(here: Node1) -> None:
    add()
    here.reconcile()
    Job.objects.all().delete()
    timetable_rows().delete()
    assert here.reconcile(1).restored == ["acme"]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"function": "os.system"}, DeclarationError, r"Unknown function 'os.system'"),
        ({"function": ""}, RequestError, "Give a function or a command"),
        ({"command": "check"}, RequestError, "Give a function or a command"),
        ({"function": "", "command": "check"}, DeclarationError, "is not among SCHEDULER"),
        ({"arguments": {"custmer": 1}}, DeclarationError, "unexpected keyword argument 'custmer'"),
        ({"arguments": {"context": 1}}, DeclarationError, "its context"),
        ({"arguments": ["acme"]}, DeclarationError, "use a dict by name"),
        ({"arguments": {"limit": float("nan")}}, DeclarationError, "use values of JSON"),
        ({"arguments": {"limit": object()}}, DeclarationError, "use values of JSON"),
        ({"values": {"cron": "* *", "timezone": "UTC"}}, CronError, "Bad cron"),
        ({"values": {"cron": "@daily", "timezone": "Mars"}}, CronError, "Unknown time zone"),
        ({"values": DAILY | {"retries": -1}}, DeclarationError, "Bad retries"),
        ({"values": DAILY | {"paused_at": 1}}, RequestError, "Bad field 'paused_at'"),
        ({"name": "Not A Name"}, DeclarationError, "Bad job name"),
        ({"name": "x" * 101}, DeclarationError, "Bad job name"),
        ({"description": "a\0"}, DeclarationError, "Bad description"),
    ],
)
def test_what_no_code_could_declare_is_refused(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        add(**options)
    assert not AddedJob.objects.exists()
    assert not AuditEntry.objects.exists()


def test_name_that_is_taken_is_refused(declare: Declare, make_job: Callable[..., Job]) -> None:
    add()
    make_job("other")
    declare("mine")
    for name in ("acme", "other", "mine"):
        with pytest.raises(ActionRefused, match=f"There is a job {name} already"):
            add(name)
    assert AddedJob.objects.count() == 1


def test_allowed_command_becomes_a_job(settings: Settings) -> None:
    settings.SCHEDULER = {"addable_commands": ["check"]}
    add(function="", command="check", arguments=["--tag", "urls"])
    found = added.find("acme", Registry())
    assert found is not None
    assert found.function.line == "manage.py check --tag urls"  # type: ignore[attr-defined]
    with pytest.raises(DeclarationError, match=r"check cannot be called so: .*--no-such"):
        add("other", function="", command="check", arguments=["--no-such"])
    settings.SCHEDULER = {}
    assert added.find("acme", Registry()) is None


SPOILT = [
    *({"declaration": text} for text in ("", "x", "[]", '{"cron": 7}', '{"retries": 1e99}')),
    *({"arguments": text} for text in ("x", "7", '{"no": 1}', "[" * 5_000)),
    {"function": "é" * 200},
    {"function": "", "command": "nope"},
]


@pytest.mark.parametrize("values", SPOILT)
def test_spoilt_row_stops_no_other_job(
    here: Node1, declare: Declare, registry: Registry, values: dict[str, str]
) -> None:
    add()
    add("good")
    here.reconcile()
    AddedJob.objects.filter(name="acme").update(**values)
    here.reconcile(1)
    assert job_status("acme").name == "acme"
    assert "good" in {run.job_name for run in here.claim(1)}


@pytest.mark.parametrize("offers", [7, "acme", None, {"a": 1}, [7, None, ["acme"]]])
def test_spoilt_offers_of_a_node_stop_no_job(
    here: Node1, registry: Registry, offers: object
) -> None:
    add()
    here.reconcile()
    other = Node1(registry, "there:1")
    other.reconcile()
    Node.objects.update(offers=Value(offers, JSONField()))
    assert here.reconcile(1).orphaned == []
    assert Node.objects.get(pk=here.node.pk).offers == ["acme"]
    assert [run.job_name for run in here.claim(1)] == ["acme"]


class TestDelete:
    def test_all_of_it_goes_but_its_history(self, here: Node1) -> None:
        add()
        here.reconcile()
        (run,) = here.claim(1)
        record([run], [])
        run.started_at = run.finished_at = T0 + MINUTE
        run.state = RunState.SUCCESS
        record([], [run])
        control.delete("acme", by=ADA, reason="a typo")
        assert not Job.objects.exists()
        assert not AddedJob.objects.exists()
        assert not timetable_rows().exists()
        last = SchedulePeriod.objects.open().get()
        assert (last.state, last.reason) == ("orphaned", "Deleted by ada (admin): a typo")
        assert JobRun.objects.get().state == RunState.SUCCESS
        assert AuditEntry.objects.filter(action="delete", reason="a typo").exists()
        changes = here.reconcile(2)
        assert (changes.added, changes.restored, changes.orphaned) == ([], [], [])
        assert here.claim(2) == []
        assert not list(audit_ledger(until=T0 + 2 * MINUTE))

    def test_what_waits_is_cancelled_and_what_is_due_is_told(
        self, here: Node1, set_clock: SetClock
    ) -> None:
        add()
        here.reconcile()
        control.trigger("acme", by=ADA)
        set_clock(T0 + MINUTE)
        control.delete("acme", by=ADA)
        states = JobRun.objects.order_by("pk").values_list("state", flat=True)
        assert list(states) == ["cancelled", "skipped"]

    def test_name_may_be_used_again(self, here: Node1, set_clock: SetClock) -> None:
        add()
        here.reconcile()
        here.claim(1)
        JobRun.objects.update(state="success", started_at=T0, finished_at=T0, node=None)
        control.delete("acme", by=ADA)
        set_clock(T0 + 2 * MINUTE)
        add(values=DAILY)
        here.reconcile(2)
        assert job_status("acme").cron == "0 3 * * *"
        assert not list(audit_ledger(until=T0 + 2 * MINUTE))

    def test_declared_job_is_refused(self, here: Node1, declare: Declare) -> None:
        declare("mine")
        Node1(here.reconciler._registry, "here:2").reconcile()
        with pytest.raises(ActionRefused, match="Job mine is declared by code"):
            control.delete("mine", by=ADA)
        assert Job.objects.exists()

    def test_orphaned_job_is_deleted(self, make_job: Callable[..., Job]) -> None:
        make_job("old", orphaned_at=T0)
        control.delete("old", by=ADA)
        assert not Job.objects.exists()

    def test_running_job_is_refused(self, here: Node1) -> None:
        add()
        here.reconcile()
        runs = here.claim(1)
        record(runs, [])
        with pytest.raises(ActionRefused, match="is running, as run"):
            control.delete("acme", by=ADA)
        assert AddedJob.objects.exists()

    @pytest.mark.parametrize("name", ["nothing", "", "a\0"])
    def test_unknown_job_is_told(self, name: str) -> None:
        with pytest.raises(JobNotFound):
            control.delete(name, by=ADA)


@pytest.fixture
def offered() -> Iterator[None]:
    own.offer(send)
    yield
    del own.functions[PATH]
