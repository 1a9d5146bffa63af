"""PauseJobs, ResumeJobs and ListJobs of an app, over a real channel."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.models import AuditEntry, Job, JobRun, Surface
from scheduler_app.rpc.stubs import memory_pb2 as pb
from tests.rpc.test_requests import refusal

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
ADA = Actor("ada", Surface.CODE)


@pytest.fixture(autouse=True)
def jobs(make_job: MakeJob) -> None:
    make_job("bill", app="shop")
    make_job("bill-again", app="shop")
    make_job("mail", app="news")


@pytest.mark.parametrize(
    ("selection", "paused"),
    [
        ({"all": True}, ["bill", "bill-again", "mail"]),
        ({"app": "shop"}, ["bill", "bill-again"]),
        ({"name_prefix": "ma"}, ["mail"]),
        ({"job_names": ["mail", "bill"]}, ["bill", "mail"]),
        ({"job_names": ["mail", "bill"], "app": "shop"}, ["bill"]),
        ({"app": "none"}, []),
    ],
)
def test_selected_jobs_are_paused(stub: Any, selection: dict[str, Any], paused: list[str]) -> None:
    until = timezone.now() + timedelta(hours=2)
    request = pb.PauseJobsRequest(jobs=selection, reason="deploy")
    request.until.FromDatetime(until)
    answer = stub.PauseJobs(request)
    assert list(answer.paused_jobs) == paused
    found = Job.objects.paused().values_list("name", "pause_reason", "paused_until")
    assert list(found) == [(name, "deploy", until) for name in paused]


def test_pausing_again_changes_nothing(stub: Any) -> None:
    request = pb.PauseJobsRequest(jobs={"all": True})
    stub.PauseJobs(request)
    answer = stub.PauseJobs(request)
    assert (list(answer.paused_jobs), len(answer.unchanged_jobs)) == ([], 3)


@pytest.mark.parametrize("selection", [{}, {"all": True, "app": "shop"}, None])
def test_selection_says_all_or_which(stub: Any, selection: dict[str, Any] | None) -> None:
    for name in ("PauseJobs", "ResumeJobs"):
        request = getattr(pb, f"{name}Request")(jobs=selection)
        code, text, details = refusal(getattr(stub, name), request)
        assert code == "INVALID_ARGUMENT"
        assert text == "Give all, or which jobs by names, name_prefix or app."
        assert details[1]["fieldViolations"][0]["field"] == "jobs"
    assert not Job.objects.paused().exists()


@pytest.mark.parametrize("name", ["nothing", "", "a\0", "x" * 5_000])
def test_name_of_no_job_is_refused_alone(stub: Any, name: str) -> None:
    answer = stub.PauseJobs(pb.PauseJobsRequest(jobs={"job_names": [name, "bill"]}))
    assert list(answer.paused_jobs) == ["bill"]
    (refused,) = answer.refused_jobs
    assert refused.error.startswith("Job not found: ")
    assert len(refused.job_name) <= 103
    only = stub.PauseJobs(pb.PauseJobsRequest(jobs={"job_names": [name]}))
    assert (list(only.paused_jobs), len(only.refused_jobs)) == ([], 1)


def test_thousands_take_a_transaction_for_some_hundred(
    stub: Any, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    pause_many = control.pause_many

    def counted(names: list[str], **options: Any) -> Any:
        batches.append(len(names))
        return pause_many(names, **options)

    Job.objects.bulk_create(
        Job(name=f"job-{number}", cron="@daily", timezone="UTC") for number in range(1_200)
    )
    monkeypatch.setattr(control, "pause_many", counted)
    answer = stub.PauseJobs(pb.PauseJobsRequest(jobs={"name_prefix": "job-"}))
    assert (len(answer.paused_jobs), batches) == (1_200, [500, 500, 200])
    assert AuditEntry.objects.count() == 1_200


def test_resuming_tells_what_follows(stub: Any) -> None:
    control.pause_many(["bill", "mail"], by=ADA)
    Job.objects.update(paused_at=timezone.now() - timedelta(minutes=3))
    Job.objects.filter(name="bill-again").update(paused_at=None)
    dry = pb.ResumeJobsRequest(jobs={"all": True}, catch_up="once", dry_run=True)
    told = stub.ResumeJobs(dry)
    assert Job.objects.paused().count() == 2
    assert not JobRun.objects.exists()
    done = stub.ResumeJobs(pb.ResumeJobsRequest(jobs={"all": True}, catch_up="once"))
    for answer in (told, done):
        assert [job.job_name for job in answer.resumed_jobs] == ["bill", "mail"]
        assert [len(job.caught_up_times) for job in answer.resumed_jobs] == [1, 1]
        assert all(
            job.next_run_time.ToDatetime(UTC) > datetime.now(UTC) - timedelta(minutes=1)
            for job in answer.resumed_jobs
        )
        assert list(answer.unchanged_jobs) == ["bill-again"]
    assert JobRun.objects.count() == 2


def test_jobs_are_listed_by_app(stub: Any) -> None:
    answer = stub.ListJobs(pb.ListJobsRequest(app="shop", page_size=1))
    assert [(job.job_name, job.app) for job in answer.jobs] == [("bill", "shop")]
    following = pb.ListJobsRequest(app="shop", page_size=1, page_token=answer.next_page_token)
    assert [job.job_name for job in stub.ListJobs(following).jobs] == ["bill-again"]


@pytest.mark.parametrize(
    ("call", "request_", "field"),
    [
        ("RunJob", pb.RunJobRequest(job_name="bill", overlap="both"), "overlap"),
        (
            "BackfillJob",
            pb.BackfillJobRequest(job_name="bill", since={"seconds": 0}, overlap="skip"),
            "overlap",
        ),
        ("ResumeJobs", pb.ResumeJobsRequest(jobs={"all": True}, catch_up="some"), "catch_up"),
    ],
)
def test_word_that_is_none_is_refused(stub: Any, call: str, request_: Any, field: str) -> None:
    code, text, details = refusal(getattr(stub, call), request_)
    assert (code, details[1]["fieldViolations"][0]["field"]) == ("INVALID_ARGUMENT", field)
    assert text.startswith(f"Bad {field} '")


def test_policies_of_a_call_are_in_force(stub: Any) -> None:
    request = pb.UpdateJobScheduleRequest(
        job_name="bill", overlap="queue", timeout_seconds=90, isolated=True
    )
    answer = stub.UpdateJobSchedule(request)
    assert (answer.overlap, answer.timeout_ms, answer.isolated) == ("queue", 90_000, True)
    assert dict(answer.overrides) == {"overlap": "queue", "timeout": "90.0", "isolated": "true"}
    answer = stub.UpdateJobSchedule(pb.UpdateJobScheduleRequest(job_name="bill", timeout_seconds=0))
    assert answer.timeout_ms == 0
    assert dict(answer.overrides) == {"overlap": "queue", "isolated": "true"}
