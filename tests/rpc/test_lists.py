"""What the calls that list things answer, over a real channel."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.models import Heartbeat, Job, JobRun, Node, RunProgress, RunState, Surface
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.status import lists

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
ADA = Actor("ada", Surface.CODE)


def add_run(number: int = 0, **fields: Any) -> JobRun:
    at = NOW + timedelta(minutes=number)
    values = {
        "job_name": "nightly",
        "state": RunState.SUCCESS,
        "scheduled_for": at,
        "due_at": at,
        "started_at": at + timedelta(seconds=1),
        "finished_at": at + timedelta(seconds=4),
    }
    return JobRun.objects.create(**(values | fields))


def ids(answer: Any) -> list[int]:
    return [run.run_id for run in answer.runs]


def every_page(call: Any, request: Any, field: str) -> list[list[Any]]:
    pages = []
    while True:
        answer = call(request)
        pages.append(list(getattr(answer, field)))
        if not answer.next_page_token:
            return pages
        request.page_token = answer.next_page_token


def refusal(call: Any, request: Any) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        call(request)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    return str(caught.value.details())


def test_runs_come_the_latest_first_in_pages(stub: Any) -> None:
    runs = [add_run(number).pk for number in range(5)]
    pages = every_page(stub.ListRuns, pb.ListRunsRequest(page_size=2), "runs")
    assert [[run.run_id for run in page] for page in pages] == [
        [runs[4], runs[3]],
        [runs[2], runs[1]],
        [runs[0]],
    ]


def test_run_that_comes_meanwhile_moves_no_page(stub: Any) -> None:
    runs = [add_run(number).pk for number in range(3)]
    first = stub.ListRuns(pb.ListRunsRequest(page_size=2))
    add_run(9)
    second = stub.ListRuns(pb.ListRunsRequest(page_size=2, page_token=first.next_page_token))
    assert ids(first) + ids(second) == runs[::-1]


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"job_name": "nightly"}, [0, 1, 2]),
        ({"job_name": "no such job"}, []),
        ({"states": [pb.RUN_STATE_FAILED]}, [1]),
        ({"states": [pb.RUN_STATE_FAILED, pb.RUN_STATE_MISSED]}, [1, 3]),
        ({"since": NOW + timedelta(minutes=2)}, [2, 3]),
        ({"until": NOW + timedelta(minutes=2)}, [0, 1]),
        ({"message_contains": "NO ROWS"}, [1]),
    ],
)
def test_runs_are_filtered(stub: Any, fields: dict[str, Any], wanted: list[int]) -> None:
    runs = [
        add_run(0).pk,
        add_run(1, state=RunState.FAILED, message="ValueError: no rows").pk,
        add_run(2).pk,
        add_run(3, state=RunState.MISSED, job_name="other", started_at=None).pk,
    ]
    request = pb.ListRunsRequest()
    for name, value in fields.items():
        if isinstance(value, datetime):
            getattr(request, name).FromDatetime(value)
        elif isinstance(value, list):
            getattr(request, name).extend(value)
        else:
            setattr(request, name, value)
    assert ids(stub.ListRuns(request)) == [runs[index] for index in reversed(wanted)]


def test_run_has_all_that_is_known(stub: Any) -> None:
    node = Node.objects.create(name="here:7")
    run = add_run(
        node=node, log="a line", metadata={"rows": 3}, arguments={"n": 1, "x": [1.5, None]}
    )
    found = stub.GetRun(pb.GetRunRequest(run_id=run.pk))
    assert (found.state, found.node, found.log) == (pb.RUN_STATE_SUCCESS, "here:7", "a line")
    assert found.duration.ToTimedelta() == timedelta(seconds=3)
    assert found.lateness.ToTimedelta() == timedelta(seconds=1)
    assert found.start_time.ToDatetime(UTC) == NOW + timedelta(seconds=1)
    assert dict(found.metadata) == {"rows": "3"}
    assert dict(found.arguments) == {"n": 1, "x": [1.5, None]}
    assert not found.HasField("cancel_request_time")
    assert [attempt.run_id for attempt in found.attempts] == [run.pk]
    (listed,) = stub.ListRuns(pb.ListRunsRequest()).runs
    assert (listed.log, list(listed.attempts)) == ("", [])


def test_running_run_has_what_it_said_so_far(stub: Any) -> None:
    node = Node.objects.create(name="here:7")
    run = add_run(node=node, state=RunState.RUNNING, finished_at=None)
    progress = {"done": 0, "total": 8, "text": "pages"}
    row = RunProgress(run=run, log="so far\n", metadata={"rows": 3}, progress=progress)
    RunProgress.objects.write([row], node.pk, with_logs=True)
    found = stub.GetRun(pb.GetRunRequest(run_id=run.pk))
    (listed,) = stub.ListRuns(pb.ListRunsRequest()).runs
    for each in (found, listed, found.attempts[0]):
        assert dict(each.metadata) == {"rows": "3"}
        assert (each.progress_done, each.progress_total, each.progress_text) == (0, 8, "pages")
        assert each.HasField("progress_done")
    assert (found.log, listed.log) == ("so far\n", "")


def test_run_without_progress_has_none(stub: Any) -> None:
    found = stub.GetRun(pb.GetRunRequest(run_id=add_run().pk))
    assert not found.HasField("progress_done")
    assert not found.HasField("progress_total")
    assert found.progress_text == ""


def test_run_has_its_attempts(stub: Any) -> None:
    first = add_run(state=RunState.FAILED)
    second = add_run(attempt=2, first_attempt=first)
    for run in (first, second):
        attempts = stub.GetRun(pb.GetRunRequest(run_id=run.pk)).attempts
        assert [(each.run_id, each.attempt) for each in attempts] == [(first.pk, 1), (second.pk, 2)]


@pytest.mark.parametrize("run_id", [0, -1, 4711, 2**63 - 1, -(2**63)])
def test_unknown_run_is_not_found(stub: Any, run_id: int) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub.GetRun(pb.GetRunRequest(run_id=run_id))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == f"Run not found: {run_id}"


def test_jobs_come_by_name_in_pages(stub: Any, make_job: MakeJob) -> None:
    for name in ("c", "a", "b", "ba"):
        make_job(name)
    pages = every_page(stub.ListJobs, pb.ListJobsRequest(page_size=3), "jobs")
    assert [[job.job_name for job in page] for page in pages] == [["a", "b", "ba"], ["c"]]
    found = stub.ListJobs(pb.ListJobsRequest(name_prefix="b")).jobs
    assert [job.job_name for job in found] == ["b", "ba"]


def test_jobs_are_filtered_by_what_they_are_doing(stub: Any, make_job: MakeJob) -> None:
    for name in ("a", "b", "c"):
        make_job(name)
    control.pause("b", by=ADA)
    add_run(job_name="c", state=RunState.FAILED)
    by_state = stub.ListJobs(pb.ListJobsRequest(state="paused", page_size=1))
    assert [job.job_name for job in by_state.jobs] == ["b"]
    assert by_state.next_page_token == ""
    failing = stub.ListJobs(pb.ListJobsRequest(failing=True)).jobs
    assert [job.job_name for job in failing] == ["c"]


def test_job_is_as_in_the_status(stub: Any, make_job: MakeJob) -> None:
    make_job("nightly")
    (listed,) = stub.GetSchedulerStatus(pb.GetSchedulerStatusRequest()).jobs
    assert stub.GetJob(pb.GetJobRequest(job_name="nightly")) == listed
    with pytest.raises(grpc.RpcError, match="Job not found: nope"):
        stub.GetJob(pb.GetJobRequest(job_name="nope"))


def test_nodes_say_how_they_are(stub: Any) -> None:
    well = Node.objects.create(name="here:1", declares=["nightly"])
    Heartbeat.objects.create(node=well)
    sick = Node.objects.create(name="here:2")
    Heartbeat.objects.create(node=sick, problem="every claim fails: x", problem_since=NOW)
    dead = Node.objects.create(name="here:3", started_at=NOW - timedelta(days=9))
    Node.objects.create(name="here:4", stopped_at=NOW)
    run = add_run(node=well, state=RunState.RUNNING, finished_at=None)
    nodes = stub.ListNodes(pb.ListNodesRequest()).nodes
    assert [(node.name, node.state) for node in nodes] == [
        (dead.name, "dead"),
        ("here:2", "not working"),
        ("here:1", "well"),
    ]
    assert nodes[1].problem == "every claim fails: x"
    assert (list(nodes[2].run_ids), list(nodes[2].declared_jobs)) == ([run.pk], ["nightly"])
    every = stub.ListNodes(pb.ListNodesRequest(show_stopped=True)).nodes
    assert (every[0].name, every[0].state) == ("here:4", "stopped")


def test_nodes_cost_no_query_each() -> None:
    counts = []
    for number in range(1, 4):
        node = Node.objects.create(name=f"here:{number}")
        Heartbeat.objects.create(node=node)
        add_run(number, node=node, state=RunState.RUNNING, finished_at=None)
        with CaptureQueriesContext(connection) as captured:
            assert len(lists.nodes(limit=10)) == number
        counts.append(len(captured))
    assert len(set(counts)) == 1


def test_audit_says_who_did_what(stub: Any, make_job: MakeJob) -> None:
    for name in ("a", "b"):
        make_job(name)
        control.pause(name, by=ADA, reason="noisy")
    control.pause("a", by=Actor("bob", Surface.ADMIN))
    events = stub.ListAuditEvents(pb.ListAuditEventsRequest()).events
    assert [(e.actor, e.surface, e.action, e.job_name, e.reason, e.changed) for e in events] == [
        ("bob", "admin", "pause", "a", "", False),
        ("ada", "code", "pause", "b", "noisy", True),
        ("ada", "code", "pause", "a", "noisy", True),
    ]
    of_ada = pb.ListAuditEventsRequest(actor="ada", job_name="a")
    assert len(stub.ListAuditEvents(of_ada).events) == 1


def test_token_of_another_list_is_refused(stub: Any) -> None:
    for number in range(3):
        add_run(number)
    token = stub.ListRuns(pb.ListRunsRequest(page_size=1)).next_page_token
    other = pb.ListRunsRequest(page_token=token, job_name="nightly")
    assert "Ask with the same filter" in refusal(stub.ListRuns, other)
    assert "another list" in refusal(stub.ListNodes, pb.ListNodesRequest(page_token=token))


@pytest.mark.parametrize("token", ["x", "\x7f", "bnVsbA", "WzEsMl0", "[" * 9000, "e30"])
def test_broken_token_is_refused(stub: Any, token: str) -> None:
    assert "page_token" in refusal(stub.ListRuns, pb.ListRunsRequest(page_token=token))


@pytest.mark.parametrize(
    ("call", "request_", "text"),
    [
        ("ListRuns", pb.ListRunsRequest(page_size=-1), "page_size -1"),
        ("ListRuns", pb.ListRunsRequest(states=[99]), "Bad state '99'"),  # type: ignore[list-item]
        ("ListRuns", pb.ListRunsRequest(states=[0]), "Bad state 'RUN_STATE_UNSPEC"),  # type: ignore[list-item]
        ("ListRuns", pb.ListRunsRequest(since={"seconds": 2**62}), "Bad since"),
        ("ListRuns", pb.ListRunsRequest(job_name="a\0"), "Bad job_name"),
        ("ListJobs", pb.ListJobsRequest(state="asleep"), "Bad state 'asleep'"),
        ("ListJobs", pb.ListJobsRequest(name_prefix="\0"), "Bad name_prefix"),
        ("ListAuditEvents", pb.ListAuditEventsRequest(actor="\0"), "Bad actor"),
        ("ExplainRun", pb.ExplainRunRequest(job_name="a", time="noon"), "Bad time 'noon'"),
        ("ExplainRun", pb.ExplainRunRequest(job_name="a", time="0001-01-01"), "outside the years"),
        ("PreviewSchedule", pb.PreviewScheduleRequest(), "Give either"),
        ("PreviewSchedule", pb.PreviewScheduleRequest(schedule="* *"), "Bad cron expression"),
        ("PreviewSchedule", pb.PreviewScheduleRequest(schedule="@daily", count=-1), "Bad count"),
        (
            "PreviewSchedule",
            pb.PreviewScheduleRequest(schedule="@daily", timezone="Mars"),
            "Unknown time zone 'Mars'",
        ),
    ],
)
def test_what_is_wrong_is_named(stub: Any, call: str, request_: Any, text: str) -> None:
    assert text in refusal(getattr(stub, call), request_)


@pytest.mark.parametrize(
    ("schedule", "after", "wanted"),
    [
        (
            "30 2 * * *",
            "2026-03-28T12:00+01:00",
            [
                ("2026-03-29 03:00:00 CEST", "the clock skips 02:00 to 03:00 right before"),
                ("2026-03-30 02:30:00 CEST", ""),
            ],
        ),
        (
            "30 2 * * *",
            "2026-10-24T12:00+02:00",
            [
                ("2026-10-25 02:30:00 CEST", "the clock shows this time twice; it fires the "
                 "first time alone"),
                ("2026-10-26 02:30:00 CET", ""),
            ],
        ),
        (
            "30 * * * *",
            "2026-10-25T01:59+02:00",
            [
                ("2026-10-25 02:30:00 CEST", "the clock shows this time twice"),
                ("2026-10-25 02:30:00 CET", "the clock shows this time for the second time"),
            ],
        ),
    ],
)  # fmt: skip
def test_preview_says_what_clocks_do(
    stub: Any, schedule: str, after: str, wanted: list[tuple[str, str]]
) -> None:
    request = pb.PreviewScheduleRequest(schedule=schedule, timezone="Europe/Berlin", count=2)
    request.after.FromDatetime(datetime.fromisoformat(after).astimezone(UTC))
    fires = stub.PreviewSchedule(request).fires
    assert [(fire.local_time, fire.note) for fire in fires] == wanted


def test_preview_of_a_job_has_its_schedule(stub: Any, make_job: MakeJob) -> None:
    make_job("nightly", cron="0 1 * * *", timezone="Europe/Berlin")
    found = stub.PreviewSchedule(pb.PreviewScheduleRequest(job_name="nightly"))
    assert (found.schedule, found.timezone) == ("At 01:00 every day", "Europe/Berlin")
    assert len(found.fires) == 10


def test_moment_to_come_is_explained(stub: Any, make_job: MakeJob) -> None:
    make_job("nightly", cron="0 1 * * *", timezone="Europe/Berlin")
    request = pb.ExplainRunRequest(job_name="nightly", time="2026-11-24T01:00")
    assert stub.ExplainRun(request).explanation.startswith("nightly 2026-11-24 01:00:00 CET: ")
