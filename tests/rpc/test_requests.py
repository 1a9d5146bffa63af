"""RunJob and RetryRun over a real channel, and what errors say besides their text."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from scheduler_app.models import AuditEntry, Job, JobRun, RunState, Trigger
from scheduler_app.registry import job, registry
from scheduler_app.rpc.stubs import memory_pb2 as pb

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
AT = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)


@pytest.fixture
def report(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> str:
    """A job of this process's code, with parameters."""
    monkeypatch.setattr(registry, "_definitions", {})

    @job(cron="0 1 * * *", name="report")
    def send(context: Any, customer: str = "all", limit: int = 5) -> None:
        """Send the report."""

    make_job("report")
    return "report"


def ended(state: RunState, **fields: Any) -> JobRun:
    started_at = None if state in (RunState.MISSED, RunState.SKIPPED) else AT
    values = {"job_name": "report", "scheduled_for": AT, "due_at": AT, "state": state}
    return JobRun.objects.create(**values, started_at=started_at, finished_at=AT, **fields)


def refusal(call: Any, request: Any) -> tuple[str, str, list[Any]]:
    """Return the status code, the text and the google.rpc details."""
    with pytest.raises(grpc.RpcError) as caught:
        call(request)
    status = rpc_status.from_call(caught.value)  # type: ignore[arg-type]
    assert status is not None
    assert status.message == caught.value.details()
    details = []
    for packed in status.details:
        kind = getattr(error_details_pb2, packed.TypeName().removeprefix("google.rpc."))
        detail = kind()
        packed.Unpack(detail)
        details.append(MessageToDict(detail))
    return caught.value.code().name, status.message, details


def reason(which: str) -> dict[str, str]:
    return {"reason": which, "domain": "django-memory-scheduler"}


def test_request_is_queued_with_its_arguments(stub: Any, report: str) -> None:
    request = pb.RunJobRequest(job_name=report, reason="for ada")
    request.arguments.update({"customer": "acme", "limit": 7})
    answer = stub.RunJob(request)
    assert (answer.job_name, answer.state, answer.trigger) == (
        report,
        pb.RUN_STATE_QUEUED,
        "manual",
    )
    run = JobRun.objects.get(pk=answer.run_id)
    assert run.arguments == {"customer": "acme", "limit": 7}
    assert isinstance(run.arguments["limit"], int)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.job_name, entry.reason) == ("trigger", report, "for ada")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"custmer": "acme"}, "unexpected keyword argument 'custmer'"),
        ({"context": 1}, "multiple values for argument 'context'"),
        ({"customer": "a\0"}, "no NUL"),
        ({"customer": "x" * 20_000}, "at most 10,000 characters"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    stub: Any, report: str, arguments: dict[str, Any], text: str
) -> None:
    request = pb.RunJobRequest(job_name=report)
    request.arguments.update(arguments)
    code, told, details = refusal(stub.RunJob, request)
    assert code == "INVALID_ARGUMENT"
    assert text in told
    assert details == [
        reason("ARGUMENTS_DO_NOT_FIT"),
        {"fieldViolations": [{"field": "arguments", "description": told}]},
    ]
    assert not JobRun.objects.exists()


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_number_that_json_lacks_is_refused(stub: Any, report: str, number: float) -> None:
    request = pb.RunJobRequest(job_name=report)
    request.arguments.update({"limit": number})
    code, told, details = refusal(stub.RunJob, request)
    assert (code, told) == ("INVALID_ARGUMENT", "Bad arguments: JSON has neither infinity nor NaN.")
    assert details[1]["fieldViolations"][0]["field"] == "arguments"


@pytest.mark.parametrize("name", ["a\0", "", "x" * 200])
def test_arguments_of_what_can_be_no_job_are_refused(stub: Any, name: str) -> None:
    request = pb.RunJobRequest(job_name=name)
    request.arguments.update({"limit": 1})
    code, _, _ = refusal(stub.RunJob, request)
    assert code in ("INVALID_ARGUMENT", "NOT_FOUND")


def test_second_request_with_the_same_arguments_is_refused(stub: Any, report: str) -> None:
    request = pb.RunJobRequest(job_name=report)
    first = stub.RunJob(request)
    code, told, details = refusal(stub.RunJob, request)
    assert (code, details) == ("FAILED_PRECONDITION", [reason("ACTION_REFUSED")])
    assert f"run {first.run_id} waits to start" in told
    request.arguments.update({"limit": 1})
    assert stub.RunJob(request).run_id != first.run_id


@pytest.mark.parametrize("state", ["FAILED", "LOST", "CANCELLED", "SKIPPED", "MISSED"])
def test_what_did_not_succeed_is_run_again(stub: Any, report: str, state: str) -> None:
    failed = ended(RunState[state], arguments={"limit": 7})
    answer = stub.RetryRun(pb.RetryRunRequest(run_id=failed.pk, reason="mended"))
    run = JobRun.objects.get(pk=answer.run_id)
    assert (run.state, run.trigger, run.rerun_of) == (RunState.QUEUED, Trigger.MANUAL, failed)
    assert (run.scheduled_for, run.arguments) == (failed.scheduled_for, {"limit": 7})
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.reason) == ("retry", f"Run {failed.pk}. mended")
    code, told, _ = refusal(stub.RetryRun, pb.RetryRunRequest(run_id=failed.pk))
    assert code == "FAILED_PRECONDITION"
    assert told == f"Run {failed.pk} is being run again already, as run {run.pk}."


def test_success_is_not_run_again(stub: Any, report: str) -> None:
    run = ended(RunState.SUCCESS)
    code, told, _ = refusal(stub.RetryRun, pb.RetryRunRequest(run_id=run.pk))
    assert code == "FAILED_PRECONDITION"
    assert "it is a success" in told


def test_running_run_is_not_run_again(stub: Any, report: str) -> None:
    run = JobRun.objects.create(
        job_name=report, scheduled_for=AT, due_at=AT, state=RunState.RUNNING, started_at=AT
    )
    assert "has not ended" in refusal(stub.RetryRun, pb.RetryRunRequest(run_id=run.pk))[1]


def test_run_of_an_orphaned_job_is_not_run_again(stub: Any, report: str) -> None:
    Job.objects.update(orphaned_at=AT)
    run = ended(RunState.FAILED)
    assert "declares the job" in refusal(stub.RetryRun, pb.RetryRunRequest(run_id=run.pk))[1]


@pytest.mark.parametrize("run_id", [0, -1, 4711, 2**63 - 1])
def test_unknown_run_is_not_found(stub: Any, run_id: int) -> None:
    code, told, details = refusal(stub.RetryRun, pb.RetryRunRequest(run_id=run_id))
    assert (code, told) == ("NOT_FOUND", f"Run not found: {run_id}")
    assert details == [reason("RUN_NOT_FOUND")]


def test_unknown_job_is_not_found(stub: Any) -> None:
    code, told, details = refusal(stub.RunJob, pb.RunJobRequest(job_name="nope"))
    assert (code, told, details) == ("NOT_FOUND", "Job not found: nope", [reason("JOB_NOT_FOUND")])


def test_wrong_field_is_named(stub: Any) -> None:
    code, told, details = refusal(stub.ListRuns, pb.ListRunsRequest(page_size=-1))
    assert code == "INVALID_ARGUMENT"
    assert details == [
        reason("BAD_REQUEST"),
        {"fieldViolations": [{"field": "page_size", "description": told}]},
    ]


def test_long_text_fits_into_the_header(stub: Any) -> None:
    name = "ä" * 100_000
    assert refusal(stub.GetJob, pb.GetJobRequest(job_name=name))[0] == "NOT_FOUND"
    request = pb.PreviewScheduleRequest(schedule=name)
    assert refusal(stub.PreviewSchedule, request)[0] == "INVALID_ARGUMENT"


def test_reason_of_a_pause_is_kept(stub: Any, report: str) -> None:
    stub.PauseJob(pb.PauseJobRequest(job_name=report, reason="noisy"))
    stub.ResumeJob(pb.ResumeJobRequest(job_name=report, reason="calm"))
    reasons = AuditEntry.objects.order_by("pk").values_list("reason", flat=True)
    assert list(reasons) == ["noisy", "calm"]
