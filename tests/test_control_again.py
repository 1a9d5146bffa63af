"""Run again what did not succeed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.exceptions import ActionRefused
from scheduler_app.models import AuditEntry, Job, JobRun, RunState, Surface, Trigger

pytestmark = pytest.mark.django_db
ADA = Actor("ada", Surface.ADMIN)
AT = timezone.now().replace(microsecond=0) - timedelta(hours=1)


@pytest.fixture(autouse=True)
def jobs(make_job: Callable[..., Job]) -> None:
    for name in ("mail", "sums"):
        make_job(name)


def ended(state: RunState = RunState.FAILED, name: str = "mail", **fields: Any) -> JobRun:
    moments = {"scheduled_for": AT, "due_at": AT, "started_at": AT, "finished_at": AT}
    if state in (RunState.QUEUED, RunState.RUNNING):
        moments.pop("finished_at")
    if state == RunState.QUEUED:
        moments.pop("started_at")
    values: dict[str, Any] = moments | {"trigger": Trigger.MANUAL} | fields
    return JobRun.objects.create(job_name=name, state=state, **values)


def why_not(run: JobRun) -> str:
    [refusal] = control.retry_many([run.pk], by=ADA).refused.values()
    with pytest.raises(ActionRefused, match=str(run.pk)):
        control.retry(run.pk, by=ADA)
    return str(refusal)


def test_several_runs_are_run_again_in_one_transaction() -> None:
    runs = [ended(), ended(RunState.LOST, "sums", arguments={"n": 1}), ended(RunState.MISSED)]
    good = ended(RunState.SUCCESS)
    changes = control.retry_many(
        [*(run.pk for run in runs), good.pk, 4711], by=ADA, reason="mended"
    )
    assert changes.changed == [str(run.pk) for run in runs]
    assert set(changes.refused) == {str(good.pk), "4711"}
    again = JobRun.objects.queued().order_by("pk")
    assert [run.rerun_of for run in again] == runs
    assert [run.arguments for run in again] == [None, {"n": 1}, None]
    reasons = AuditEntry.objects.order_by("pk").values_list("reason", flat=True)
    assert list(reasons) == [f"Run {run.pk}. mended" for run in runs]


def test_number_of_queries_does_not_depend_on_the_runs() -> None:
    def queries(number: int) -> int:
        runs = [ended(scheduled_for=AT - timedelta(hours=n)) for n in range(number)]
        with CaptureQueriesContext(connection) as made:
            assert len(control.retry_many([run.pk for run in runs], by=ADA).changed) == number
        return len(made)

    assert queries(2) == queries(60)


def test_run_whose_retry_succeeded_or_waits_is_not_run_again() -> None:
    first = ended()
    retry = ended(RunState.SUCCESS, attempt=2, first_attempt=first)
    assert f"a later attempt, run {retry.pk}, is a success" in why_not(first)
    other = ended()
    waiting = ended(RunState.QUEUED, attempt=2, first_attempt=other)
    assert f"being run again already, as run {waiting.pk}" in why_not(other)


def test_run_that_succeeded_when_run_again_is_not_run_again() -> None:
    first = ended()
    again = ended(rerun_of=first)
    retried = ended(RunState.SUCCESS, rerun_of=first, first_attempt=again, attempt=2)
    assert f"run {retried.pk}, is a success" in why_not(first)
    assert f"run {retried.pk}, is a success" in why_not(again)


def test_run_again_of_a_run_again_counts_for_the_first() -> None:
    first = ended()
    second = ended(rerun_of=first)
    third = ended(RunState.SUCCESS, rerun_of=second)
    assert f"run {third.pk}, is a success" in why_not(first)


def test_of_several_attempts_the_last_is_run_again() -> None:
    first = ended()
    retry = ended(attempt=2, first_attempt=first)
    changes = control.retry_many([first.pk, retry.pk], by=ADA)
    assert changes.changed == [str(retry.pk)]
    assert f"run {retry.pk} is a later attempt" in str(changes.refused[str(first.pk)])


def test_run_whose_later_attempts_failed_can_be_run_again() -> None:
    first = ended()
    ended(attempt=2, first_attempt=first)
    assert control.retry(first.pk, by=ADA).rerun_of == first


def test_success_before_is_no_obstacle() -> None:
    first = ended(RunState.SUCCESS)
    again = ended(rerun_of=first)
    assert control.retry(again.pk, by=ADA).rerun_of == again
