"""WatchScheduler over a real channel: nothing is lost, and nothing comes twice."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from django.db import connection, connections
from pytest_django import Settings

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.models import Change, Job, JobRun, Surface, change
from scheduler_app.rpc import watch
from scheduler_app.rpc.server import Server
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.rpc.stubs.memory_pb2_grpc import MemoryServiceStub

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
ADA = Actor("ada", Surface.CODE)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK", 0.02)


class Watcher:
    """A client that watches, and remembers what it was told."""

    def __init__(self, stub: Any, **request: Any) -> None:
        self.call = stub.WatchScheduler(pb.WatchSchedulerRequest(**request), timeout=60)
        self.answers = list[Any]()

    def read(self) -> Any:
        self.answers.append(next(self.call))
        return self.answers[-1]

    def read_to_bookmark(self) -> "Watcher":
        while not self.read().bookmark:
            pass
        return self

    @property
    def cursor(self) -> str:
        return str(self.answers[-1].cursor)

    def events(self) -> Iterator[Any]:
        return (event for answer in self.answers for event in answer.events)

    def runs(self) -> list[tuple[int, str]]:
        found = [event.run for event in self.events() if event.HasField("run")]
        return [(run.run_id, pb.RunState.Name(run.state)) for run in found]

    def jobs(self) -> list[tuple[str, bool]]:
        found = [event.job for event in self.events() if event.HasField("job")]
        return [(job.job_name, job.is_paused) for job in found]

    def end(self) -> str:
        """Read to the end; return its status code."""
        try:
            while True:
                self.read()
        except grpc.RpcError as error:
            return str(error.code().name)


def test_it_begins_with_a_snapshot(stub: Any, make_job: MakeJob) -> None:
    make_job("a")
    make_job("b")
    watcher = Watcher(stub).read_to_bookmark()
    assert watcher.jobs() == [("a", False), ("b", False)]
    assert [answer.snapshot for answer in watcher.answers] == [True, False]
    assert [bool(answer.cursor) for answer in watcher.answers] == [False, True]


def test_what_happens_is_told(stub: Any, make_job: MakeJob) -> None:
    make_job("a")
    watcher = Watcher(stub).read_to_bookmark()
    control.pause("a", by=ADA)
    assert [event.job.is_paused for event in watcher.read().events] == [True]
    run = control.trigger("a", by=ADA)
    (event,) = watcher.read().events
    assert event.run == pb.RunEvent(run_id=run.pk, job_name="a", state=pb.RUN_STATE_QUEUED)
    control.cancel(run.pk, by=ADA)
    assert watcher.read().events[0].run.state == pb.RUN_STATE_CANCELLED
    change.note_node("here:1")
    (event,) = watcher.read().events
    assert (event.node.name, event.node.problem) == ("here:1", "stopped")


def test_it_resumes_where_it_ended(stub: Any, make_job: MakeJob) -> None:
    make_job("a")
    first = Watcher(stub).read_to_bookmark()
    first.call.cancel()
    for _ in range(2):
        control.pause("a", by=ADA)
        control.resume("a", by=ADA)
    second = Watcher(stub, cursor=first.cursor).read_to_bookmark()
    assert second.jobs() == [("a", False)] * 4
    assert not any(answer.snapshot for answer in second.answers)
    third = Watcher(stub, cursor=second.cursor).read_to_bookmark()
    assert third.jobs() == []


@pytest.mark.parametrize(
    ("filters", "jobs", "runs"),
    [
        ({"job_names": ["b"]}, ["b"], 1),
        ({"kinds": [pb.EVENT_KIND_JOB]}, ["a", "b"], 0),
        ({"kinds": [pb.EVENT_KIND_RUN], "job_names": ["a"]}, [], 1),
        ({"kinds": [pb.EVENT_KIND_NODE]}, [], 0),
    ],
)
def test_events_are_filtered(
    stub: Any, make_job: MakeJob, filters: Any, jobs: list[str], runs: int
) -> None:
    for name in ("a", "b"):
        make_job(name)
    begin = Watcher(stub).read_to_bookmark()
    for name in ("a", "b"):
        control.pause(name, by=ADA)
        control.trigger(name, by=ADA)
    watcher = Watcher(stub, cursor=begin.cursor, **filters).read_to_bookmark()
    assert [name for name, _ in watcher.jobs()] == jobs
    assert len(watcher.runs()) == runs


def test_watchers_at_once_are_told_what_each_wants(stub: Any, make_job: MakeJob) -> None:
    for name in ("hourly", "nightly"):
        make_job(name)
    filters: list[dict[str, Any]] = [
        {"job_names": ["nightly"]},
        {"job_names": ["hourly"]},
        {"job_names": ["hourly"]},
        {},
        {"kinds": [pb.EVENT_KIND_NODE]},
    ]
    watchers = [Watcher(stub, **each).read_to_bookmark() for each in filters]
    for each in watchers:
        each.answers.clear()
    for name in ("hourly", "nightly"):
        control.pause(name, by=ADA)
    for each in watchers[:4]:
        wanted = 2 if each is watchers[3] else 1
        while len(each.jobs()) < wanted:
            each.read()
    told = [[name for name, _ in each.jobs()] for each in watchers[:4]]
    assert told == [["nightly"], ["hourly"], ["hourly"], ["hourly", "nightly"]]


def test_watchers_that_want_the_same_share_its_bytes() -> None:
    event = pb.Event(run=pb.RunEvent(run_id=1, job_name="nightly"))
    told = watch.Told(pb.EVENT_KIND_RUN, "nightly", event)
    batch = watch.Batch(0.0, [(1, [told])], watch.Cursor("", 0, ""))
    nightly, again, hourly = (
        watch.Filter(frozenset({name}), frozenset()) for name in ("nightly", "nightly", "hourly")
    )
    assert batch.wanted(nightly) is batch.wanted(again)
    assert pb.WatchSchedulerResponse.FromString(batch.wanted(nightly)).events == [event]
    assert batch.wanted(hourly) == b""


def test_bookmarks_come_while_nothing_happens(stub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "BOOKMARK", 0.1)
    watcher = Watcher(stub).read_to_bookmark()
    for _ in range(3):
        assert watcher.read().bookmark
    resumed = Watcher(stub, cursor=watcher.cursor)
    assert resumed.read().bookmark


def test_cursor_of_another_database_is_refused(stub: Any, make_job: MakeJob) -> None:
    make_job("a")
    control.pause("a", by=ADA)
    cursor = Watcher(stub).read_to_bookmark().cursor
    Change.objects.update(at="2026-01-01T00:00Z")
    assert Watcher(stub, cursor=cursor).end() == "OUT_OF_RANGE"


def test_cursor_that_is_too_old_is_refused(
    stub: Any, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job("a")
    control.pause("a", by=ADA)
    cursor = Watcher(stub).read_to_bookmark().cursor
    for _ in range(2):
        control.resume("a", by=ADA)
        control.pause("a", by=ADA)
    with monkeypatch.context() as patch:
        patch.setattr(watch, "MOST_MISSED", 3)
        assert Watcher(stub, cursor=cursor).end() == "OUT_OF_RANGE"
    Change.objects.all().delete()
    assert Watcher(stub, cursor=cursor).end() == "OUT_OF_RANGE"


@pytest.mark.parametrize(
    "cursor", ["x", "e30=", "W10=", "WzEsMiwzXQ==", "WyInOyBEUk9QIiwgMSwgIiJd", "A" * 20_000]
)
def test_broken_cursor_is_refused(stub: Any, cursor: str) -> None:
    assert Watcher(stub, cursor=cursor).end() == "OUT_OF_RANGE"


@pytest.mark.parametrize("kind", [0, 9])
def test_unknown_kind_is_refused(stub: Any, kind: int) -> None:
    assert Watcher(stub, kinds=[kind]).end() == "INVALID_ARGUMENT"


def test_watcher_that_is_too_slow_is_cut_and_can_resume(
    stub: Any, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job("a")
    watcher = Watcher(stub).read_to_bookmark()
    monkeypatch.setattr(watch, "MOST_WAITING", 0)
    control.pause("a", by=ADA)
    assert watcher.end() == "RESOURCE_EXHAUSTED"
    monkeypatch.undo()
    resumed = Watcher(stub, cursor=watcher.cursor).read_to_bookmark()
    assert resumed.jobs() == [("a", True)]


def test_hub_that_fails_ends_its_watchers_and_begins_anew(
    stub: Any, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job("a")
    watcher = Watcher(stub).read_to_bookmark()

    def fail(_: Any) -> Any:
        raise RuntimeError("secret")

    with monkeypatch.context() as patch:
        patch.setattr(watch, "told_of", fail)
        control.pause("a", by=ADA)
        assert watcher.end() == "INTERNAL"
    resumed = Watcher(stub, cursor=watcher.cursor).read_to_bookmark()
    assert resumed.jobs() == [("a", True)]


def test_hub_whose_thread_cannot_start_begins_with_the_next_watcher(
    stub: Any, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job("a")
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "scheduler-watch":
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", refuse)
        assert Watcher(stub).end() == "INTERNAL"
    watcher = Watcher(stub).read_to_bookmark()
    control.pause("a", by=ADA)
    while ("a", True) not in watcher.jobs():
        watcher.read()


def test_caller_who_may_not_watch_any_more_is_cut(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.SCHEDULER = {}
    monkeypatch.setattr(watch, "BOOKMARK", 0.1)
    from django.contrib.auth.models import User

    from scheduler_app.control import tokens
    from scheduler_app.models import Scope, Token

    ada = User.objects.create_superuser("ada")
    _, text = tokens.create(ada, [Scope.VIEW], by=ADA)
    with grpc.insecure_channel(serve().address) as channel:
        call = MemoryServiceStub(channel).WatchScheduler(
            pb.WatchSchedulerRequest(), timeout=60, metadata=[("authorization", f"Bearer {text}")]
        )
        next(call)
        tokens.revoke(Token.objects.get().public_id, by=ADA)
        with pytest.raises(grpc.RpcError) as caught:
            list(call)
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_watchers_silence_nobody(stub: Any, make_job: MakeJob) -> None:
    make_job("a")
    watchers = [Watcher(stub).read_to_bookmark() for _ in range(30)]
    assert stub.GetJob(pb.GetJobRequest(job_name="a"), timeout=10).job_name == "a"
    control.pause("a", by=ADA)
    for watcher in watchers:
        assert watcher.read().events[0].job.is_paused


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite's writers are serial")
def test_late_commit_is_told_once(stub: Any, make_job: MakeJob) -> None:
    make_job("a")
    begin = Watcher(stub).read_to_bookmark()
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute(change._INSERT["postgresql"], ['{"runs":[[1,"early","queued"]]}'])
        run = control.trigger("a", by=ADA)
        assert begin.read().events[0].run.run_id == run.pk
        resumed = Watcher(stub, cursor=begin.cursor).read_to_bookmark()
        other.commit()
        for watcher in (begin, resumed):
            assert [event.run.run_id for event in watcher.read().events] == [1]
    finally:
        other.close()


def test_events_are_those_of_the_feed_whenever_watchers_come_and_go(
    stub: Any, make_job: MakeJob
) -> None:
    make_job("a")
    begin = Watcher(stub, kinds=[pb.EVENT_KIND_RUN]).read_to_bookmark()
    done = threading.Event()

    def act() -> None:
        for _ in range(60):
            control.cancel(control.trigger("a", by=ADA).pk, by=ADA)
        done.set()
        connections.close_all()

    thread = threading.Thread(target=act)
    thread.start()
    seen, cursor = list[tuple[int, str]](), begin.cursor
    while not done.is_set():
        watcher = Watcher(stub, cursor=cursor, kinds=[pb.EVENT_KIND_RUN])
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            watcher.read()
        watcher.call.cancel()
        seen, cursor = seen + watcher.runs(), watcher.cursor
    thread.join()
    seen += Watcher(stub, cursor=cursor, kinds=[pb.EVENT_KIND_RUN]).read_to_bookmark().runs()
    ids = list(JobRun.objects.order_by("pk").values_list("pk", flat=True))
    states = ("RUN_STATE_QUEUED", "RUN_STATE_CANCELLED")
    assert seen == [(pk, state) for pk in ids for state in states]
