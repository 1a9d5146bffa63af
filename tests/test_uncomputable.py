"""What each surface says of a job whose schedule cannot be computed, and of all others."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest
from django.core.management import call_command
from django.test import Client

from scheduler_app import control, status
from scheduler_app.cli.table import status_lines
from scheduler_app.consistency.check import audit_ledger
from scheduler_app.consistency.report import Kind
from scheduler_app.control import Actor
from scheduler_app.engine.claim import Claimer
from scheduler_app.explain.explain import explain
from scheduler_app.models import AuditEntry, Job, JobRun, SchedulePeriod, Surface, Trigger
from scheduler_app.registry import Registry
from scheduler_app.rpc.messages import as_dict
from scheduler_app.rpc.server import Server
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.rpc.stubs import memory_pb2_grpc
from scheduler_app.text import shown
from tests.admin.confirming import act_on_jobs
from tests.admin.conftest import page
from tests.engine.conftest import T0, SetClock, declare, node, registry, set_clock, start, sync_jobs
from tests.explain.conftest import finish
from tests.rpc.conftest import serve
from tests.spoilt import PLACES, SPOILT, spoil

__all__ = ["declare", "node", "page", "registry", "serve", "set_clock", "start"]

MINUTE = timedelta(minutes=1)
each_way = pytest.mark.parametrize("how", SPOILT)
each_place = pytest.mark.parametrize("place", PLACES)
on_any_thread = pytest.mark.django_db(transaction=True)


@pytest.fixture
def claimer(
    declare: Callable[..., None], start: Callable[..., Claimer], set_clock: SetClock
) -> Claimer:
    """Jobs a and b, of every minute, have run at T0; a will be spoilt."""
    declare("a")
    declare("b")
    claimer = start()
    finish(claimer.claim(T0))
    set_clock(T0 + MINUTE / 2)
    return claimer


def bad_value(how: str) -> str:
    """How the value that is complained of first is shown."""
    values = SPOILT[how]
    column = next(name for name in ("jitter", "timezone", "cron") if name in values)
    return str(values[column] if column == "jitter" else shown(values[column]))


def says_what_is_bad(text: str, how: str) -> bool:
    complaint = ("Bad ", "Unknown time zone ", "Empty cron expression")
    field = SPOILT[how].get("cron", "")
    return text.startswith(complaint) and (bad_value(how) in text or not field)


@each_way
def test_status_names_the_problem_of_the_job_alone(claimer: Claimer, how: str) -> None:
    spoil("a", how)
    a, b = status.scheduler_status().jobs
    assert a.state == status.JobState.BROKEN
    assert says_what_is_bad(a.problem, how)
    assert a.schedule == a.problem
    assert (b.state, b.problem, b.schedule) == (status.JobState.IDLE, "", "Every minute")


def test_period_alone_does_not_break_the_job(claimer: Claimer) -> None:
    spoil("a", "zone", "open period")
    assert status.job_status("a").state == status.JobState.IDLE


@each_way
def test_pages_of_the_admin_show_it(
    claimer: Claimer, admin_client: Client, page: Callable[..., str], how: str
) -> None:
    spoil("a", how)
    html = page("job/")
    assert '<span class="state state-broken"' in html
    assert html.count('<span class="state state-idle"') == 1, "the other job"
    assert '<span class="state state-broken"' in page("job/a/change/")
    assert "IDLE" in page("job/b/change/")
    assert "1 job" in page("job/", state="broken")
    (period,) = SchedulePeriod.objects.filter(job_name="a")
    page(f"scheduleperiod/{period.pk}/change/")
    page("scheduleperiod/")


@each_way
def test_actions_of_the_admin_work(claimer: Claimer, admin_client: Client, how: str) -> None:
    spoil("a", how)

    act_on_jobs(admin_client, "pause", "a")
    assert Job.objects.get(name="a").is_paused
    act_on_jobs(admin_client, "resume", "a")
    assert not Job.objects.get(name="a").is_paused
    act_on_jobs(admin_client, "trigger", "a")
    assert JobRun.objects.filter(job_name="a", trigger=Trigger.MANUAL).exists()
    assert AuditEntry.objects.filter(surface=Surface.ADMIN).count() == 3


@on_any_thread
@each_way
def test_grpc_tells_of_it_and_can_pause_and_resume(
    claimer: Claimer, serve: Callable[..., Server], how: str
) -> None:
    spoil("a", how)
    with grpc.insecure_channel(serve().address) as channel:
        stub: Any = memory_pb2_grpc.MemoryServiceStub(channel)
        a, b = stub.GetSchedulerStatus(pb.GetSchedulerStatusRequest()).jobs
        assert (a.state, b.state) == ("BROKEN", "IDLE")
        assert says_what_is_bad(a.problem, how)
        assert not b.HasField("problem")
        assert stub.PauseJob(pb.PauseJobRequest(job_name="a")).success
        assert stub.ResumeJob(pb.ResumeJobRequest(job_name="a")).success


@on_any_thread
@each_way
def test_command_line_tells_of_it(
    claimer: Claimer, serve: Callable[..., Server], how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil("a", how)
    server = serve()
    call_command("scheduler", "--endpoint", server.address, "status")
    table = capsys.readouterr().out
    rows = [line.split() for line in table.splitlines() if line.startswith(("a ", "b "))]
    assert [row[1] for row in rows] == ["BROKEN", "IDLE"]
    (problem,) = (line for line in table.splitlines() if line.startswith("    problem: "))
    assert says_what_is_bad(problem.removeprefix("    problem: "), how)
    assert table.replace("\n", "").isprintable()
    call_command("scheduler", "--endpoint", server.address, "status", "--json")
    a, _ = json.loads(capsys.readouterr().out)["jobs"]
    assert a["state"] == "BROKEN"
    assert says_what_is_bad(a["problem"], how)


def test_table_of_an_older_server_shows_states_of_its_flags() -> None:
    job = pb.JobStatusProto(job_name="a", is_paused=True)
    assert "PAUSED" in "".join(status_lines(as_dict(pb.GetSchedulerStatusResponse(jobs=[job]))))


@each_way
@each_place
def test_explain_answers_whatever_is_spoilt(claimer: Claimer, how: str, place: str) -> None:
    spoil("a", how, place)
    for moment in (T0 - 9 * MINUTE, T0, T0 + MINUTE, T0 + 99 * MINUTE):
        assert explain("a", moment, T0 + 3 * MINUTE)
    assert "success" in explain("a", T0, T0 + 3 * MINUTE)
    judged = explain("a", T0 + MINUTE, T0 + 3 * MINUTE)
    assert ("cannot be judged: the schedule recorded then" in judged) is ("period" in place)


def test_explain_names_schedule_zone_and_problem(claimer: Claimer) -> None:
    spoil("a", "zone")
    assert explain("a", T0 + MINUTE, T0 + 3 * MINUTE) == (
        "a 2026-03-02 12:01:00 UTC: cannot be judged: the schedule recorded then, '* * * * *' in "
        "zone 'US/Atlantis', cannot be computed here. Unknown time zone 'US/Atlantis': use an IANA "
        "name that this machine knows, such as 'Europe/Berlin' or 'UTC'."
    )
    assert explain("a", T0, T0 + 3 * MINUTE).endswith("such as 'Europe/Berlin' or 'UTC'.")


def test_moment_in_a_gap_of_the_clock_is_explained(claimer: Claimer) -> None:
    SchedulePeriod.objects.filter(job_name="a").update(cron="61 * * * *")
    Job.objects.filter(name="a").update(timezone="Europe/Berlin")
    moment = T0.replace(month=3, day=29, hour=2, minute=30, tzinfo=None)
    text = explain("a", moment, T0 + 3 * MINUTE)
    assert "does not exist on 2026-03-29" in text
    assert "cannot be judged" in text


@each_way
def test_audit_reports_a_past_period_and_judges_the_others(
    claimer: Claimer, registry: Registry, how: str, set_clock: SetClock
) -> None:
    SchedulePeriod.objects.filter(job_name="a").update(**SPOILT[how])
    sync_jobs(registry, T0 + MINUTE / 2)
    finish(claimer.claim(T0 + MINUTE))
    set_clock(T0 + 1.5 * MINUTE)
    (found,) = audit_ledger()
    assert (found.job_name, found.kind, found.moment) == ("a", Kind.UNJUDGED, T0 - MINUTE)
    assert "cannot be judged: the schedule, " in found.text
    assert list(audit_ledger(since=T0 + MINUTE)) == []
    assert list(audit_ledger(until=T0 - 2 * MINUTE)) == []


@each_way
@each_place
def test_audit_finds_what_is_spoilt_and_nothing_of_others(
    claimer: Claimer, how: str, place: str
) -> None:
    spoil("a", how, place)
    found = list(audit_ledger())
    assert found
    assert {discrepancy.job_name for discrepancy in found} == {"a"}
    assert (Kind.UNJUDGED in {each.kind for each in found}) is ("period" in place)


def test_paused_period_that_cannot_be_computed_is_no_discrepancy(
    claimer: Claimer, set_clock: SetClock
) -> None:
    spoil("a", "zone")
    SchedulePeriod.objects.filter(job_name="a").update(timezone="UTC")
    control.pause("a", by=Actor("ada", Surface.CLI))
    assert list(audit_ledger()) == []
