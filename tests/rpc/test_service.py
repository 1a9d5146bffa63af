"""memory.MemoryService over a real channel."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest
from django.db import (
    IntegrityError,
    OperationalError,
    ProgrammingError,
    connection,
    transaction,
)
from django.utils import timezone

from scheduler_app import control
from scheduler_app.exceptions import ActionRefused, Busy, JobNotFound, RunNotFound, SchedulerError
from scheduler_app.models import AuditEntry, Heartbeat, Job, JobRun, Node, RunState
from scheduler_app.rpc import looking
from scheduler_app.rpc.client import LARGEST_ANSWER
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.rpc.values import RESULTS
from scheduler_app.status import live
from tests.fires import computed

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
NOW = timezone.now().replace(microsecond=0)


def only_job(stub: Any) -> pb.JobStatusProto:
    (job,) = stub.GetSchedulerStatus(pb.GetSchedulerStatusRequest()).jobs
    assert isinstance(job, pb.JobStatusProto)
    return job


def add_run(state: RunState, **fields: Any) -> JobRun:
    if state == RunState.RUNNING:
        fields.setdefault("started_at", NOW)
    active = state in (RunState.QUEUED, RunState.RUNNING)
    return JobRun.objects.create(
        job_name="nightly", scheduled_for=NOW, due_at=NOW, state=state,
        finished_at=None if active else NOW + timedelta(seconds=5), **fields,
    )  # fmt: skip


def test_stopped_without_jobs(stub: Any) -> None:
    answer = stub.GetSchedulerStatus(pb.GetSchedulerStatusRequest())
    assert not answer.scheduler_running
    assert not answer.jobs


def test_running_with_a_living_node(stub: Any) -> None:
    Node.objects.create(name="here:1")
    assert stub.GetSchedulerStatus(pb.GetSchedulerStatusRequest()).scheduler_running


def test_job_that_never_ran(stub: Any, make_job: MakeJob) -> None:
    row = make_job("nightly", cron="0 1 * * *", timezone="Europe/Berlin", description="Roll up.")
    job = only_job(stub)
    assert (job.job_name, job.cron_expr, job.timezone) == ("nightly", "0 1 * * *", "Europe/Berlin")
    assert (job.description, job.schedule) == ("Roll up.", "At 01:00 every day")
    assert (job.last_run_ms, job.last_result) == (0, pb.JOB_RESULT_STATUS_UNSPECIFIED)
    assert not job.HasField("last_error")
    fire = computed(row.schedule).next(timezone.now())
    assert fire is not None
    assert job.next_run_ms == fire.due_at.timestamp() * 1000


def test_last_run_with_its_metadata(stub: Any, make_job: MakeJob) -> None:
    make_job("nightly", run_count=7, error_count=2, skip_count=1, miss_count=3)
    metadata = {"items": 42, "note": "ok", "deep": [1]}
    add_run(RunState.SUCCESS, started_at=NOW + timedelta(seconds=2), metadata=metadata)
    job = only_job(stub)
    assert job.last_run_ms == (NOW.timestamp() + 2) * 1000
    assert (job.last_duration_ms, job.last_lateness_ms) == (3000, 2000)
    assert dict(job.last_run_metadata) == {"items": "42", "note": "ok", "deep": "[1]"}
    counts = (job.run_count, job.error_count, job.skip_count, job.miss_count)
    assert counts == (7, 2, 1, 3)


def test_policies_of_a_job_that_chose_none(stub: Any, make_job: MakeJob) -> None:
    make_job("nightly")
    job = only_job(stub)
    assert (job.overlap, job.catch_up, job.catch_up_limit, job.retries) == ("skip", "skip", 100, 0)
    assert (job.retry_delay_ms, job.retry_max_delay_ms) == (60_000, 3_600_000)
    assert (job.timeout_ms, job.isolated, job.jitter_ms) == (0, False, 0)


def test_policies_of_a_job_that_chose_all(stub: Any, make_job: MakeJob) -> None:
    make_job(
        "nightly", jitter=90, overlap="cancel_previous", catch_up="all", catch_up_limit=7,
        retries=3, retry_delay=0.5, retry_max_delay=1.1, timeout=0.0001, isolated=True,
    )  # fmt: skip
    job = only_job(stub)
    assert (job.overlap, job.catch_up, job.catch_up_limit) == ("cancel_previous", "all", 7)
    assert (job.retries, job.retry_delay_ms, job.retry_max_delay_ms) == (3, 500, 1100)
    assert (job.timeout_ms, job.isolated, job.jitter_ms) == (1, True, 90_000)


def test_runs_that_are_going_are_named(stub: Any, make_job: MakeJob) -> None:
    make_job("nightly")
    going = [add_run(RunState.RUNNING, attempt=attempt).pk for attempt in (1, 2)]
    add_run(RunState.QUEUED, attempt=3)
    job = only_job(stub)
    assert (list(job.running_run_ids), job.is_running) == (going, True)


@pytest.mark.parametrize(
    ("state", "result"),
    [
        (RunState.FAILED, pb.JOB_RESULT_STATUS_FAILED),
        (RunState.LOST, pb.JOB_RESULT_STATUS_FAILED),
        (RunState.CANCELLED, pb.JOB_RESULT_STATUS_FAILED),
        (RunState.SKIPPED, pb.JOB_RESULT_STATUS_SKIPPED),
        (RunState.MISSED, pb.JOB_RESULT_STATUS_SKIPPED),
    ],
)
def test_what_is_not_a_success_says_why(
    stub: Any, make_job: MakeJob, state: RunState, result: int
) -> None:
    make_job("nightly")
    add_run(state, message="reason")
    job = only_job(stub)
    assert (job.last_result, job.last_error) == (result, "reason")
    assert job.last_outcome == state


def test_job_without_an_outcome_has_none(stub: Any, make_job: MakeJob) -> None:
    make_job("nightly")
    assert only_job(stub).last_outcome == ""


def test_scheduler_that_does_not_work_says_why_and_since_when(stub: Any) -> None:
    since = NOW - timedelta(minutes=3)
    node = Node.objects.create(name="here:1")
    Heartbeat.objects.create(node=node, problem="every claim fails", problem_since=since)
    answer = stub.GetSchedulerStatus(pb.GetSchedulerStatusRequest())
    assert (answer.scheduler_running, answer.state) == (False, "NOT WORKING")
    assert (answer.problem, answer.since_ms) == ("every claim fails", since.timestamp() * 1000)
    assert answer.nodes == [pb.NodeProto(name="here:1", problem="every claim fails")]


def test_run_of_a_dead_scheduler_is_interrupted(stub: Any, make_job: MakeJob) -> None:
    make_job("nightly")
    dead = Node.objects.create(name="here:1", started_at=NOW - timedelta(days=1))
    run = add_run(RunState.RUNNING, node=dead)
    job = only_job(stub)
    assert (job.state, job.is_running, list(job.running_run_ids)) == ("INTERRUPTED", False, [])
    assert [(r.run_id, r.node) for r in job.interrupted_runs] == [(run.pk, "here:1")]


def test_every_final_state_has_a_result() -> None:
    assert set(RESULTS) == set(RunState) - {RunState.QUEUED, RunState.RUNNING}


def test_pause_and_resume(stub: Any, make_job: MakeJob) -> None:
    make_job("nightly")
    for _ in range(2):  # a second time changes nothing, and succeeds
        answer = stub.PauseJob(pb.PauseJobRequest(job_name="nightly"))
        assert answer.success
        assert not answer.HasField("error")
    assert only_job(stub).is_paused
    assert only_job(stub).next_run_ms == 0
    for _ in range(2):
        assert stub.ResumeJob(pb.ResumeJobRequest(job_name="nightly")).success
    assert not only_job(stub).is_paused


@pytest.mark.parametrize(
    ("method", "request_type"),
    [("PauseJob", pb.PauseJobRequest), ("ResumeJob", pb.ResumeJobRequest)],
)
def test_unknown_job_is_an_answer(stub: Any, method: str, request_type: Any) -> None:
    answer = getattr(stub, method)(request_type(job_name="nope"))
    assert (answer.success, answer.error) == (False, "Job not found: nope")


def test_audit_names_the_peer_of_a_foreign_client(stub: Any, make_job: MakeJob) -> None:
    make_job("nightly")
    stub.PauseJob(pb.PauseJobRequest(job_name="nightly"))
    entry = AuditEntry.objects.get()
    assert entry.surface == "grpc"
    assert entry.actor.startswith("ipv4:127.0.0.1")


@pytest.mark.parametrize("name", ["x" * 4_000, " ", "a b"])
def test_any_name_in_the_metadata_is_recorded(stub: Any, make_job: MakeJob, name: str) -> None:
    make_job("nightly")
    who = (("x-scheduler-actor", name), ("x-scheduler-surface", "x" * 300))
    stub.PauseJob(pb.PauseJobRequest(job_name="nightly"), metadata=who)
    entry = AuditEntry.objects.get()
    assert 0 < len(entry.actor) <= 255
    assert entry.actor.isprintable()
    assert entry.surface == "grpc"


def test_what_a_client_says_of_itself_is_not_believed(stub: Any, make_job: MakeJob) -> None:
    make_job("nightly")
    who = (("x-scheduler-actor", "ada"), ("x-scheduler-surface", "cli"))
    stub.PauseJob(pb.PauseJobRequest(job_name="nightly"), metadata=who)
    entry = AuditEntry.objects.get()
    assert entry.actor.startswith("ipv4:127.0.0.1")
    assert entry.surface == "cli"


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (JobNotFound("a"), grpc.StatusCode.NOT_FOUND, "Job not found: a"),
        (RunNotFound(1), grpc.StatusCode.NOT_FOUND, "Run not found: 1"),
        (Busy("a: held"), grpc.StatusCode.ABORTED, "a: held"),
        (IntegrityError("secret"), grpc.StatusCode.ABORTED, "Other transactions changed"),
        (ProgrammingError("secret"), grpc.StatusCode.INTERNAL, "Internal error; the server's log"),
        (ActionRefused("not now"), grpc.StatusCode.FAILED_PRECONDITION, "not now"),
        (SchedulerError("bad"), grpc.StatusCode.INVALID_ARGUMENT, "bad"),
        (OperationalError("host=secret"), grpc.StatusCode.UNAVAILABLE, "The database does not"),
        (RuntimeError("secret"), grpc.StatusCode.INTERNAL, "Internal error; the server's log"),
    ],
)
def test_exception_becomes_a_status_code_without_its_secrets(
    stub: Any,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: grpc.StatusCode,
    text: str,
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(live, "scheduler_health", fail)
    with pytest.raises(grpc.RpcError) as caught:
        stub.GetSchedulerStatus(pb.GetSchedulerStatusRequest())
    assert caught.value.code() == code
    details = caught.value.details() or ""
    assert details.startswith(text)
    assert "secret" not in details


@pytest.mark.skipif(connection.vendor == "sqlite", reason="readers of SQLite wait for nothing")
def test_locked_table_does_not_hold_the_workers(stub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "READ_TIME", 0.5)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE scheduler_app_job IN ACCESS EXCLUSIVE MODE")
        ask = stub.GetSchedulerStatus.future
        answers = [ask(pb.GetSchedulerStatusRequest(), timeout=30) for _ in range(20)]
        assert {answer.code() for answer in answers} == {grpc.StatusCode.UNAVAILABLE}
        assert "took longer" in (answers[0].details() or "")


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no connections to lose")
def test_status_survives_the_loss_of_its_connection(
    stub: Any, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job("nightly")
    lost = list[bool]()

    def lose_connection_once() -> Any:
        if not lost:
            lost.append(True)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return scheduler_health()

    scheduler_health = live.__dict__["scheduler_health"]
    monkeypatch.setattr(live, "scheduler_health", lose_connection_once)
    assert only_job(stub).job_name == "nightly"
    assert lost


def test_ten_thousand_jobs_fit_into_our_clients_answer() -> None:
    job = pb.JobStatusProto(job_name="x" * 100, description="y" * 1000, last_error="z" * 1000)
    assert pb.GetSchedulerStatusResponse(jobs=[job] * 10_000).ByteSize() < LARGEST_ANSWER


def test_pause_is_one_transaction(
    stub: Any, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job("nightly")

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(control.selection, "audit", fail)
    with pytest.raises(grpc.RpcError):
        stub.PauseJob(pb.PauseJobRequest(job_name="nightly"))
    assert not Job.objects.get().is_paused
