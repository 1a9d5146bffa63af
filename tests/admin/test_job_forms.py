"""The forms with which people act on one job: what they show first, and what they do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.cron import Schedule
from scheduler_app.models import AuditEntry, Job, JobRun, Node, RunState, Surface
from scheduler_app.models.override import OVERRIDABLE
from scheduler_app.registry import JobDefinition, registry

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as HttpResponse

pytestmark = pytest.mark.django_db
JOB = "/admin/scheduler_app/job/nightly/"
MakeJob = Callable[..., Job]
ADA = Actor("ada", Surface.CLI)


@pytest.fixture(autouse=True)
def scheduler(db: None, settings: Settings) -> Node:
    settings.SCHEDULER = {"heartbeat": 3600}  # it beats once, however long the test takes
    return Node.objects.create(name="here:1")


@pytest.fixture
def nightly(make_job: MakeJob) -> Job:
    return make_job("nightly", "0 1 * * *", timezone="Europe/Berlin")


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Declare a function as the job "nightly" in this process."""

    def _declared(function: Callable[..., Any]) -> None:
        definition = JobDefinition(
            name="nightly", function=function, schedule=Schedule("0 1 * * *")
        )
        monkeypatch.setitem(registry._definitions, "nightly", definition)

    return _declared


def told(response: HttpResponse) -> list[tuple[str, str]]:
    return [(m.level_tag, m.message) for m in response.context["messages"]]


def send(client: Client, act: str, **data: Any) -> HttpResponse:
    return client.post(f"{JOB}{act}/", data, follow=True)


# Pause and resume


def test_pause_with_an_end_in_the_zone_of_the_job(admin_client: Client, nightly: Job) -> None:
    send(admin_client, "pause", reason="move", until="2199-06-01T10:00")
    paused = Job.objects.get()
    assert paused.paused_until == datetime(2199, 6, 1, 8, tzinfo=UTC)
    assert paused.pause_reason == "move"
    assert AuditEntry.objects.get().surface == "admin"


@pytest.mark.parametrize("until", ["2001-01-01T10:00", "x", "2199-02-30T02:30", "9" * 99])
def test_end_that_cannot_be_is_told_at_its_field(
    admin_client: Client, nightly: Job, until: str
) -> None:
    page = send(admin_client, "pause", until=until)
    assert page.context["form"].errors["until"]
    assert not Job.objects.get().is_paused


def test_pause_of_a_paused_job_says_so(admin_client: Client, nightly: Job) -> None:
    send(admin_client, "pause")
    assert told(send(admin_client, "pause")) == [("warning", "Paused already: nightly.")]


def paused_job(make_job: MakeJob) -> Job:
    return make_job("nightly", "*/5 * * * *", paused_at=timezone.now() - timedelta(minutes=30))


def test_resume_shows_what_was_due_meanwhile(admin_client: Client, make_job: MakeJob) -> None:
    paused_job(make_job)
    page = admin_client.get(f"{JOB}resume/")
    choices = dict(page.context["form"].fields["catch_up"].choices)
    assert list(choices) == ["skip", "once", "all"]
    assert choices["all"].startswith("run all 6")
    assert page.context["lines"][0].startswith("It will fire next in ")
    assert not JobRun.objects.exists()


@pytest.mark.parametrize(("catch_up", "runs"), [("skip", 0), ("once", 1), ("all", 6), ("", 0)])
def test_resume_runs_what_was_chosen(
    admin_client: Client, make_job: MakeJob, catch_up: str, runs: int
) -> None:
    paused_job(make_job)
    assert told(send(admin_client, "resume", catch_up=catch_up)) == [
        ("success", "Resumed: nightly.")
    ]
    assert JobRun.objects.count() == runs
    assert not Job.objects.get().is_paused


def test_resume_by_an_unknown_choice_is_refused(admin_client: Client, make_job: MakeJob) -> None:
    paused_job(make_job)
    assert send(admin_client, "resume", catch_up="most").context["form"].errors["catch_up"]
    assert Job.objects.get().is_paused


# Run now


def test_run_has_a_field_for_each_argument(
    admin_client: Client, nightly: Job, declared: Callable[..., Any]
) -> None:
    def roll(context: object, day: str, limit: int = 10, *, dry: bool = False) -> None: ...

    declared(roll)
    form = admin_client.get(f"{JOB}trigger/").context["form"]
    assert list(form.fields) == [
        "argument_day", "argument_limit", "argument_dry", "overlap", "reason",
    ]  # fmt: skip
    assert form.fields["argument_limit"].widget.attrs["placeholder"] == "10"


def test_run_gets_the_arguments_that_were_filled_in(
    admin_client: Client, nightly: Job, declared: Callable[..., Any]
) -> None:
    def roll(
        context: object, day: str = "", limit: int = 10, tags: Any = None, **rest: Any
    ) -> None: ...

    declared(roll)
    values = {"day": "7", "limit": "20", "tags": '["a"]', "rest": '{"deep": true}'}
    send(admin_client, "trigger", **{f"argument_{name}": text for name, text in values.items()})
    run = JobRun.objects.get()
    assert run.arguments == {"day": "7", "limit": 20, "tags": ["a"], "deep": True}


def test_further_arguments_that_are_no_json_are_refused(
    admin_client: Client, nightly: Job, declared: Callable[..., Any]
) -> None:
    declared(lambda **rest: None)
    page = send(admin_client, "trigger", argument_rest="deep=true")
    assert page.context["form"].errors["argument_rest"]
    assert not JobRun.objects.exists()


def test_job_of_other_code_runs_without_arguments(admin_client: Client, nightly: Job) -> None:
    form = admin_client.get(f"{JOB}trigger/").context["form"]
    assert list(form.fields) == ["overlap", "reason"]
    send(admin_client, "trigger")
    assert JobRun.objects.get().arguments is None


def test_run_that_must_not_overlap_is_refused(
    admin_client: Client, nightly: Job, make_run: Callable[..., JobRun]
) -> None:
    make_run("nightly", RunState.RUNNING)
    html = send(admin_client, "trigger", overlap="skip").content.decode()
    assert "has not ended" in html
    assert JobRun.objects.count() == 1


# Run a period


PERIOD = {"since": "2026-01-05T00:00", "until": "2026-01-08T00:00", "reason": "prices"}


def test_period_is_shown_before_anything_is_run(admin_client: Client, nightly: Job) -> None:
    page = send(admin_client, "backfill", **PERIOD)
    plan = page.context["plan"]
    assert plan["words"] == "3 occurrences will run."
    assert "2026-01-05 01:00 CET" in plan["moments"][0]
    assert not JobRun.objects.exists()
    assert page.context["hidden"].items() >= PERIOD.items()


def test_confirmed_period_is_run(admin_client: Client, nightly: Job) -> None:
    page = send(admin_client, "backfill", **PERIOD, _confirm="1")
    assert told(page) == [("success", "3 runs are queued: nightly.")]
    moments = JobRun.objects.order_by("scheduled_for").values_list("scheduled_for", flat=True)
    assert moments[0] == datetime(2026, 1, 5, 0, tzinfo=UTC)
    assert AuditEntry.objects.get().reason.endswith("prices")


def test_long_period_shows_how_many_more(admin_client: Client, nightly: Job) -> None:
    plan = send(admin_client, "backfill", **(PERIOD | {"until": "2026-02-05T00:00"})).context[
        "plan"
    ]
    assert (len(plan["moments"]), plan["more"]) == (20, 11)


@pytest.mark.parametrize(
    ("period", "field"),
    [
        ({"since": "2026-01-08T00:00", "until": "2026-01-05T00:00"}, "until"),
        ({"since": "2001-01-08T00:00", "until": "2026-01-05T00:00"}, "until"),
        ({"since": "", "until": "2026-01-05T00:00"}, "since"),
    ],
)
def test_period_that_cannot_be_run_is_told_at_its_field(
    admin_client: Client, nightly: Job, period: dict[str, str], field: str
) -> None:
    page = send(admin_client, "backfill", **period)
    assert page.context["form"].errors[field]
    assert page.context["plan"] is None


def test_period_without_occurrences_has_nothing_to_confirm(
    admin_client: Client, nightly: Job
) -> None:
    page = send(admin_client, "backfill", since="2026-01-05T02:00", until="2026-01-05T03:00")
    assert page.context["plan"]["can_confirm"] is False
    assert b"_confirm" not in page.content


@pytest.mark.parametrize("span", ["x", "1-x", "-", "9" * 40 + "-1", "1-2-3"])
def test_span_that_no_link_has_leaves_the_form_empty(
    admin_client: Client, nightly: Job, span: str
) -> None:
    page = admin_client.get(f"{JOB}backfill/", {"span": span})
    assert page.status_code == 200
    assert page.context["form"].initial == {}


# Edit and revert


def edited(client: Client, **changes: Any) -> dict[str, Any]:
    """What the form sends if a person changes this."""
    form = client.get(f"{JOB}edit/").context["form"]
    sent = {name: form.initial[name] for name in (*OVERRIDABLE, "etag")} | changes
    return {name: value for name, value in sent.items() if value is not None and value is not False}


def test_edit_has_a_field_for_all_that_can_be_overridden(
    admin_client: Client, nightly: Job
) -> None:
    form = admin_client.get(f"{JOB}edit/").context["form"]
    assert set(form.fields) == {*OVERRIDABLE, "reason", "etag"}
    assert form.initial["cron"] == "0 1 * * *"


def test_edit_shows_the_next_ten_of_old_and_new_side_by_side(
    admin_client: Client, nightly: Job
) -> None:
    plan = send(admin_client, "edit", **edited(admin_client, cron="30 2  * * *")).context["plan"]
    old, new = plan["sides"]
    assert len(old.fires) == len(new.fires) == 10
    assert " 01:00 " in old.fires[0][0]
    assert " 02:30 " in new.fires[0][0] or "03:00" in new.fires[0][0]
    assert plan["changes"] == [("Schedule", "0 1 * * *", "30 2 * * *")]
    assert Job.objects.get().cron == "0 1 * * *"


def test_confirmed_edit_is_in_force_and_shown_as_an_override(
    admin_client: Client, nightly: Job
) -> None:
    data = edited(admin_client, cron="30 2 * * *", retries=3, timeout="1.5", isolated="on")
    send(admin_client, "edit", **data, reason="later", _confirm="1")
    job = Job.objects.get()
    assert (job.cron, job.retries, job.timeout, job.isolated) == ("30 2 * * *", 3, 1.5, True)
    html = admin_client.get(f"{JOB}change/").content.decode()
    assert "(the code declares 0 1 * * *)" in html
    assert AuditEntry.objects.get().reason.endswith("later")


def test_policies_that_differ_are_told_in_words(admin_client: Client, nightly: Job) -> None:
    plan = send(admin_client, "edit", **edited(admin_client, catch_up="once")).context["plan"]
    assert plan["sides"] == []
    [(name, _old, new)] = plan["policies"]
    assert (name, new) == ("Catch-up", "Of overdue occurrences, the latest runs.")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cron": "61 * * * *"}, "cron"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"retries": "101"}, "retries"),
        ({"retry_delay": "0"}, "retry_delay"),
        ({"timeout": "nan"}, "timeout"),
        ({"jitter": "-1"}, "jitter"),
        ({"overlap": "maybe"}, "overlap"),
        ({"cron": "x\0y"}, "cron"),
        ({"pause_on_failure": ""}, "pause_on_failure"),
    ],
)
@pytest.mark.parametrize("button", ["_preview", "_confirm"])
def test_value_that_cannot_be_used_is_told_at_its_field(
    admin_client: Client, nightly: Job, changes: dict[str, str], field: str, button: str
) -> None:
    page = send(admin_client, "edit", **edited(admin_client, **changes), **{button: "1"})
    assert page.context["form"].errors[field]
    assert not Job.objects.get().overrides


def test_edit_of_what_another_has_changed_meanwhile_is_refused(
    admin_client: Client, nightly: Job
) -> None:
    data = edited(admin_client, retries=3)
    control.override("nightly", {"retries": 5}, by=ADA)
    page = send(admin_client, "edit", **data, _confirm="1")
    assert "has been changed since you read it" in str(page.context["form"].errors)
    assert Job.objects.get().retries == 5


def test_edit_that_changes_nothing_has_nothing_to_confirm(
    admin_client: Client, nightly: Job
) -> None:
    page = send(admin_client, "edit", **edited(admin_client))
    assert page.context["plan"]["can_confirm"] is False
    assert told(send(admin_client, "edit", **edited(admin_client), _confirm="1")) == [
        ("warning", "Nothing is changed.")
    ]


def test_broken_schedule_can_be_edited(admin_client: Client, nightly: Job) -> None:
    Job.objects.update(timezone="Mars/Olympus")
    data = edited(admin_client, timezone="Europe/Paris")
    old, new = send(admin_client, "edit", **data).context["plan"]["sides"]
    assert "Mars/Olympus" in old.words
    assert len(new.fires) == 10
    send(admin_client, "edit", **data, _confirm="1")
    assert Job.objects.get().timezone == "Europe/Paris"


def test_revert_shows_what_the_code_declares_and_does_it(
    admin_client: Client, nightly: Job
) -> None:
    control.override("nightly", {"cron": "30 2 * * *", "retries": 3}, by=ADA)
    standing = admin_client.get(f"{JOB}revert/").context["standing"]
    assert ("Schedule", "30 2 * * *", "0 1 * * *") in standing["changes"]
    assert len(standing["sides"]) == 2
    send(admin_client, "revert")
    assert (Job.objects.get().cron, Job.objects.get().overrides) == ("0 1 * * *", "")


# Who may


PERMISSIONS = {
    "pause": "pause_job",
    "resume": "resume_job",
    "trigger": "trigger_job",
    "backfill": "trigger_job",
    "edit": "change_job",
    "revert": "change_job",
}


@pytest.mark.parametrize("act", PERMISSIONS)
def test_form_needs_its_permission_and_the_one_to_look(
    staff: Callable[..., Client], nightly: Job, act: str
) -> None:
    others = set(PERMISSIONS.values()) - {PERMISSIONS[act]}
    client = staff("view_job", *others)
    assert client.get(f"{JOB}{act}/").status_code == 403
    assert client.post(f"{JOB}{act}/", PERIOD | {"_confirm": "1"}).status_code == 403
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("act", ["pause", "resume", "trigger", "backfill"])
def test_who_may_act_but_not_look_is_refused(
    staff: Callable[..., Client], nightly: Job, act: str
) -> None:
    client = staff(PERMISSIONS[act])
    assert client.get(f"{JOB}{act}/").status_code == 403
    assert client.post(f"{JOB}{act}/", PERIOD | {"_confirm": "1"}).status_code == 403


@pytest.mark.parametrize("act", PERMISSIONS)
def test_permission_with_the_one_to_look_is_enough(
    staff: Callable[..., Client], nightly: Job, act: str
) -> None:
    assert staff("view_job", PERMISSIONS[act]).get(f"{JOB}{act}/").status_code == 200
