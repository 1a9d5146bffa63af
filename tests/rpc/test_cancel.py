"""CancelRun over a real channel."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from scheduler_app.models import AuditEntry, Job, JobRun, RunState
from scheduler_app.rpc.stubs import memory_pb2 as pb

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def make_run(make_job: Callable[..., Job]) -> Callable[[RunState], JobRun]:
    make_job("nightly")
    now = timezone.now()

    def _make_run(state: RunState) -> JobRun:
        active = state in (RunState.QUEUED, RunState.RUNNING)
        return JobRun.objects.create(
            job_name="nightly", scheduled_for=now, due_at=now, state=state,
            started_at=now if state == RunState.RUNNING else None,
            finished_at=None if active else now,
        )  # fmt: skip

    return _make_run


def cancel(stub: Any, run_id: int, reason: str = "") -> pb.CancelRunResponse:
    answer = stub.CancelRun(pb.CancelRunRequest(run_id=run_id, reason=reason))
    assert isinstance(answer, pb.CancelRunResponse)
    return answer


@pytest.mark.parametrize(("state", "going"), [(RunState.QUEUED, False), (RunState.RUNNING, True)])
def test_second_call_is_a_success_too(
    stub: Any, make_run: Callable[[RunState], JobRun], state: RunState, going: bool
) -> None:
    run = make_run(state)
    for _ in range(2):
        answer = cancel(stub, run.pk)
        assert (answer.success, answer.HasField("error"), answer.is_running) == (True, False, going)
    assert [entry.changed for entry in AuditEntry.objects.order_by("id")] == [True, False]


def test_waiting_run_ends_at_once(stub: Any, make_run: Callable[[RunState], JobRun]) -> None:
    run = make_run(RunState.QUEUED)
    cancel(stub, run.pk, "wrong data")
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    assert run.message.endswith("(gRPC): wrong data")


def test_going_run_is_asked(stub: Any, make_run: Callable[[RunState], JobRun]) -> None:
    run = make_run(RunState.RUNNING)
    cancel(stub, run.pk, "wrong data")
    assert JobRun.objects.running().cancel_requested().get() == run
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.surface, entry.job_name) == ("cancel", "grpc", "nightly")
    assert "wrong data" in entry.reason


def test_ended_run_is_an_answer(stub: Any, make_run: Callable[[RunState], JobRun]) -> None:
    run = make_run(RunState.SUCCESS)
    answer = cancel(stub, run.pk)
    assert (answer.success, answer.error) == (
        False,
        f"Run {run.pk} had ended already: success.",
    )


@pytest.mark.parametrize("run_id", [0, -1, 4711, 2**63 - 1])
def test_unknown_run_is_an_answer(stub: Any, run_id: int) -> None:
    answer = cancel(stub, run_id)
    assert (answer.success, answer.error) == (False, f"Run not found: {run_id}")


def test_reason_is_stored_whatever_it_holds(
    stub: Any, make_run: Callable[[RunState], JobRun]
) -> None:
    run = make_run(RunState.RUNNING)
    assert cancel(stub, run.pk, "a\0b" + "x" * 100_000).success
    run.refresh_from_db()
    assert "a\N{SYMBOL FOR NULL}b" in run.cancel_reason
    assert len(run.cancel_reason) < 1_000
