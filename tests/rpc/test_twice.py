"""Two people at once, and one request twice: nothing is lost, and nothing is done twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import grpc
import pytest
from django.utils import timezone

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.models import AuditEntry, Job, JobRun, Request, RunState, Surface
from scheduler_app.rpc.stubs import memory_pb2 as pb

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
ADA = Actor("ada", Surface.CODE)


@pytest.fixture
def nightly(make_job: MakeJob) -> Job:
    return make_job("nightly")


def code(call: Any, request: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(request)
    return caught.value.code().name, str(caught.value.details())


def etag(stub: Any) -> str:
    return str(stub.GetJob(pb.GetJobRequest(job_name="nightly")).etag)


def test_same_request_gets_the_first_answer(stub: Any, nightly: Job) -> None:
    request = pb.RunJobRequest(job_name="nightly", request_id="one")
    first = stub.RunJob(request)
    JobRun.objects.update(state=RunState.CANCELLED, finished_at=timezone.now())
    assert stub.RunJob(request) == first
    assert JobRun.objects.count() == AuditEntry.objects.count() == 1
    other = stub.RunJob(pb.RunJobRequest(job_name="nightly", request_id="two"))
    assert other.run_id != first.run_id


@pytest.mark.parametrize(
    ("call", "request_"),
    [
        ("RunJob", pb.RunJobRequest(job_name="nightly", reason="x", request_id="one")),
        ("PauseJob", pb.PauseJobRequest(job_name="nightly", request_id="one")),
        ("ResumeJob", pb.ResumeJobRequest(job_name="nightly", request_id="one")),
        ("BackfillJob", pb.BackfillJobRequest(job_name="nightly", request_id="one")),
        ("CancelRun", pb.CancelRunRequest(run_id=1, request_id="one")),
        ("RetryRun", pb.RetryRunRequest(run_id=1, request_id="one")),
    ],
)  # fmt: skip
def test_id_of_another_request_is_refused(
    stub: Any, nightly: Job, call: str, request_: Any
) -> None:
    stub.RunJob(pb.RunJobRequest(job_name="nightly", request_id="one"))
    told = code(getattr(stub, call), request_)
    assert told[0] == "INVALID_ARGUMENT"
    assert "another request of yours had it" in told[1]
    assert AuditEntry.objects.count() == 1


def test_refused_request_may_be_tried_again(stub: Any, nightly: Job) -> None:
    Job.objects.update(orphaned_at=timezone.now())
    request = pb.RunJobRequest(job_name="nightly", request_id="one")
    assert code(stub.RunJob, request)[0] == "FAILED_PRECONDITION"
    assert not Request.objects.exists()
    Job.objects.update(orphaned_at=None)
    assert stub.RunJob(request).run_id


def test_same_request_at_once_does_one_thing(stub: Any, nightly: Job) -> None:
    request = pb.RunJobRequest(job_name="nightly", request_id="one")

    def ask(_: int) -> str:
        try:
            return str(stub.RunJob(request).run_id)
        except grpc.RpcError as error:
            return str(error.code().name)

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(ask, range(8)))
    assert JobRun.objects.count() == AuditEntry.objects.count() == 1
    assert answers <= {str(JobRun.objects.get().pk), "ABORTED"}


@pytest.mark.parametrize("request_id", ["x" * 101, "a\0"])
def test_bad_id_is_refused(stub: Any, nightly: Job, request_id: str) -> None:
    request = pb.PauseJobRequest(job_name="nightly", request_id=request_id)
    assert code(stub.PauseJob, request)[0] == "INVALID_ARGUMENT"


def test_requests_are_kept_for_a_day(stub: Any, nightly: Job) -> None:
    stub.PauseJob(pb.PauseJobRequest(job_name="nightly", request_id="one"))
    Request.objects.prune(timezone.now() + timedelta(hours=23))
    assert Request.objects.exists()
    Request.objects.prune(timezone.now() + timedelta(hours=25))
    assert not Request.objects.exists()


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ("PauseJob", pb.PauseJobRequest),
        ("ResumeJob", pb.ResumeJobRequest),
        ("RunJob", pb.RunJobRequest),
        ("UpdateJobSchedule", partial(pb.UpdateJobScheduleRequest, retries=3)),
    ],
)
def test_lost_update_is_refused(stub: Any, nightly: Job, call: str, kind: Any) -> None:
    seen = etag(stub)
    control.pause("nightly", by=ADA, reason="deploy")
    before = AuditEntry.objects.count()
    told = code(getattr(stub, call), kind(job_name="nightly", etag=seen))
    assert told == ("ABORTED", "Job nightly has been changed since you read it: look again.")
    assert AuditEntry.objects.count() == before
    getattr(stub, call)(kind(job_name="nightly", etag=etag(stub)))
    assert AuditEntry.objects.count() == before + 1


def test_etag_changes_with_what_people_set_alone(stub: Any, nightly: Job) -> None:
    first = etag(stub)
    run = control.trigger("nightly", by=ADA)
    control.cancel(run.pk, by=ADA)
    Job.objects.update(run_count=7, accounted_to=timezone.now())
    assert etag(stub) == first
    control.pause("nightly", by=ADA)
    paused = etag(stub)
    control.resume("nightly", by=ADA)
    assert etag(stub) == first != paused
    Job.objects.update(retries=3)
    assert etag(stub) != first
