"""WatchScheduler: one hub follows the feed for all watchers of a server."""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from threading import Condition, Lock, Thread
from typing import Any, NamedTuple

from django.db import connections

from scheduler_app.exceptions import CursorError, TooSlow
from scheduler_app.logs import SafeLogger
from scheduler_app.models import Change, Job, RunState, bulk, database
from scheduler_app.models.change import Changes
from scheduler_app.rpc import looking
from scheduler_app.rpc.cursor import Cursor, cursor_at, read_cursor
from scheduler_app.rpc.live import StatusAnswer
from scheduler_app.rpc.messages import fill
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.rpc.values import job_values, node_health_values
from scheduler_app.rpc.wire import RUN_STATE
from scheduler_app.status import job_statuses, scheduler_health

logger = SafeLogger(__name__)

LOOK = 0.25
"""Seconds between two looks at the feed, while there are watchers."""
BOOKMARK = 5.0
"""Seconds after which a watcher to whom nothing happens gets a bookmark."""
MOST_WAITING = 2_000
"""Commits that wait to be sent to a watcher, before it is too slow."""
MOST_MISSED = 10_000
"""Commits after a cursor, before it is too old."""
SNAPSHOT_PART = 500
"""Jobs in one answer of a snapshot."""


STATES = {str(state): pb.RunState.Value(f"{RUN_STATE}{state.name}") for state in RunState}


class Told(NamedTuple):
    """An event, and what it is filtered by."""

    kind: int
    job: str
    event: Any


class Filter(NamedTuple):
    """Which events a watcher wants; empty: all."""

    jobs: frozenset[str]
    kinds: frozenset[int]

    def of(self, told: Iterable[Told]) -> list[Any]:
        return [
            each.event
            for each in told
            if (not self.kinds or each.kind in self.kinds)
            and (not self.jobs or each.kind == pb.EVENT_KIND_NODE or each.job in self.jobs)
        ]


class Batch:
    """What one look at the feed has found, for all watchers. Those that want the same are sent the
    same bytes."""

    def __init__(
        self, looked_at: float, rows: Sequence[tuple[int, list[Told]]], cursor: Cursor
    ) -> None:
        self.looked_at = looked_at
        """When the look began."""
        self.rows = rows
        """The events of each row of the feed, by its id."""
        self.cursor = cursor
        self._wanted: dict[Filter, bytes] = {}

    def has_others(self, known: Collection[int]) -> bool:
        """Return whether it has rows beside these: then it was read after them."""
        return any(row not in known for row, _ in self.rows)

    def wanted(self, wanted: Filter) -> bytes:
        """Return all events that are wanted, as bytes of an answer. For any thread."""
        found = self._wanted.get(wanted)
        if found is None:
            found = self._wanted[wanted] = _events(self.rows, wanted)
        return found


class Subscription:
    """The batches that wait for one watcher."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self.position = ""
        """Everything in the feed after this comes in a batch."""
        self._changed = Condition()
        self._batches: deque[Batch] = deque()
        self._waiting = 0
        self._is_over = False
        self._error: BaseException | None = None

    def put(self, batch: Batch) -> None:
        with self._changed:
            self._waiting += len(batch.rows)
            if self._waiting > MOST_WAITING:
                self._error = TooSlow("This watcher is too slow: resume with its last cursor.")
            else:
                self._batches.append(batch)
            self._changed.notify()

    def fail(self, error: BaseException) -> None:
        with self._changed:
            self._error = error
            self._changed.notify()

    def close(self) -> None:
        """End it: its watcher has gone."""
        with self._changed:
            self._is_over = True
            self._changed.notify()
        self._hub.unsubscribe(self)

    def next(self, timeout: float) -> Batch | None:
        """Return the next batch; None if there is none within so many seconds. Raises what has
        ended it, and EOFError if its watcher has gone."""
        with self._changed:
            self._changed.wait_for(lambda: self._batches or self._is_over or self._error, timeout)
            if self._is_over:
                raise EOFError
            if self._error:
                raise self._error
            if not self._batches:
                return None
            batch = self._batches.popleft()
            self._waiting -= len(batch.rows)
            return batch


class Hub:
    """Follows the feed for all watchers of one server, while there are any."""

    def __init__(self, status: StatusAnswer) -> None:
        self.status = status
        self._lock = Lock()
        self._watchers: set[Subscription] = set()
        self._thread: Thread | None = None

    def subscribe(self) -> Subscription:
        """Have everything that is committed from now on put into the subscription, or a little
        more. Raises RuntimeError if the hub's thread cannot start; the next call tries again."""
        subscription = Subscription(self)
        with self._lock:
            if self._thread is None:
                self._position = Change.objects.position()
                thread = Thread(target=self._loop, name="scheduler-watch", daemon=True)
                thread.start()  # waits for the lock held here
                self._thread = thread
            subscription.position = self._position
            self._watchers.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        with self._lock:
            self._watchers.discard(subscription)

    def _loop(self) -> None:
        try:
            while self._has_watchers():
                self._look()
                database.forget_queries()
                time.sleep(LOOK)
        except BaseException as error:
            logger.warning("the change feed cannot be followed: %s", error)
            with self._lock:
                failed, self._watchers = self._watchers, set()
                self._thread = None
            for each in failed:
                each.fail(error)
        finally:
            database.close_connection()

    def _has_watchers(self) -> bool:
        with self._lock:
            if not self._watchers:
                self._thread = None
            return bool(self._watchers)

    def _look(self) -> None:
        looked_at = time.monotonic()
        feed = looking.reading(lambda: Change.objects.after(self._position, MOST_MISSED))
        if feed is None:
            raise CursorError("More happened at once than a watcher can follow: begin anew.")
        rows = looking.reading(lambda: told_of(feed.changes)) if feed.changes else []
        cursor = cursor_at(feed.position, feed.changes[-1] if feed.changes else None)
        with self._lock:
            self._position = feed.position
            watchers = list(self._watchers)
        batch = Batch(looked_at, rows, cursor)
        for each in watchers:
            each.put(batch)


def watch(
    hub: Hub,
    text: str,
    wanted: Filter,
    on_end: Callable[[Callable[[], None]], bool],
    check: Callable[[], object],
) -> Iterator[Any]:
    """Yield the answers of one watcher. `on_end` has a function called when its call ends; `check`
    raises if the caller may not watch any more. Raises CursorError and TooSlow."""
    try:
        cursor = looking.reading(lambda: read_cursor(text)) if text else None
        subscription = hub.subscribe()
        with closing(subscription):
            if on_end(subscription.close):
                yield from _answers(hub, subscription, cursor, wanted, check)
    except EOFError:
        return
    finally:
        connections.close_all()


def _answers(
    hub: Hub,
    subscription: Subscription,
    cursor: Cursor | None,
    wanted: Filter,
    check: Callable[[], object],
) -> Iterator[Any]:
    """Yield a snapshot, or what follows the cursor, and then what happens."""
    if cursor is None:
        position, answer = hub.status.snapshot()
        yield from _snapshot(answer, wanted)
    else:
        position = cursor.position
    # The hub tells again what it has not told before, though the snapshot or the cursor has it.
    again = looking.reading(lambda: Change.objects.after(subscription.position, MOST_MISSED))
    # What the snapshot or the cursor does not have: read last, so that nothing is in neither.
    feed = looking.reading(lambda: Change.objects.after(position, MOST_MISSED))
    if feed is None or again is None:
        raise CursorError("The cursor is too old: begin anew, without a cursor.")
    caught_up_at = time.monotonic()
    rows = looking.reading(lambda: told_of(feed.changes))
    cursor = looking.reading(
        lambda: cursor_at(feed.position, feed.changes[-1] if feed.changes else None)
    )
    known = {changes.id for changes in (*again.changes, *feed.changes)}
    connections.close_all()  # a watcher that waits holds none
    yield _answer(_events(rows, wanted), cursor, is_bookmark=True)
    marked_at = time.monotonic()
    while True:
        until_bookmark = marked_at + BOOKMARK - time.monotonic()
        batch = subscription.next(max(0.0, until_bookmark))
        if batch is not None and (batch.looked_at > caught_up_at or batch.has_others(known)):
            cursor = batch.cursor
        events = _not_known(batch, known, wanted) if batch else b""
        is_late = time.monotonic() - marked_at >= BOOKMARK
        if events or is_late:
            yield _answer(events, cursor, is_bookmark=is_late)
        if is_late:
            marked_at = time.monotonic()
            check()
            connections.close_all()


def _snapshot(status: Any, wanted: Filter) -> Iterator[Any]:
    """Yield all nodes, and all jobs that are wanted, as events."""
    nodes = [Told(pb.EVENT_KIND_NODE, "", pb.Event(node=node)) for node in status.nodes]
    jobs = [Told(pb.EVENT_KIND_JOB, job.job_name, pb.Event(job=job)) for job in status.jobs]
    told = [*nodes, *jobs]
    for start in range(0, max(1, len(told)), SNAPSHOT_PART):
        part = wanted.of(told[start : start + SNAPSHOT_PART])
        yield pb.WatchSchedulerResponse(events=part, snapshot=True)


def _not_known(batch: Batch, known: Collection[int], wanted: Filter) -> bytes:
    """Return the wanted events of the batch, but for those of rows that the watcher has already."""
    if any(row in known for row, _ in batch.rows):
        return _events([each for each in batch.rows if each[0] not in known], wanted)
    return batch.wanted(wanted)


def _events(rows: Iterable[tuple[int, list[Told]]], wanted: Filter) -> bytes:
    """Return the events as bytes of an answer; none if there are none."""
    events = [event for _, told in rows for event in wanted.of(told)]
    data: bytes = pb.WatchSchedulerResponse(events=events).SerializeToString()
    return data


def _answer(events: bytes, cursor: Cursor, *, is_bookmark: bool) -> bytes:
    """Return an answer: messages that are written one after the other are one."""
    rest = pb.WatchSchedulerResponse(cursor=str(cursor), bookmark=is_bookmark)
    data: bytes = events + rest.SerializeToString()
    return data


def told_of(changes: Sequence[Changes]) -> list[tuple[int, list[Told]]]:
    """Return the events of these rows of the feed."""
    jobs = _jobs({name for each in changes for name in each.jobs})
    nodes = _nodes({name for each in changes for name in each.nodes})
    return [(each.id, list(_told(each, jobs, nodes))) for each in changes]


def _told(changes: Changes, jobs: dict[str, Any], nodes: dict[str, Any]) -> Iterator[Told]:
    for run_id, name, state in changes.runs:
        number: Any = STATES.get(state, 0)
        run = pb.RunEvent(run_id=run_id, job_name=name, state=number)
        yield Told(pb.EVENT_KIND_RUN, name, pb.Event(run=run))
    for name in dict.fromkeys(changes.jobs):
        if name in jobs:
            yield Told(pb.EVENT_KIND_JOB, name, jobs[name])
    for name in dict.fromkeys(changes.nodes):
        yield Told(pb.EVENT_KIND_NODE, "", nodes[name])


def _jobs(names: Collection[str]) -> dict[str, Any]:
    rows = Job.objects.filter(bulk.AnyOf("name", sorted(names))) if names else Job.objects.none()
    statuses = job_statuses(rows, sorted(names)) if names else []
    return {job.name: pb.Event(job=fill(pb.JobStatusProto(), job_values(job))) for job in statuses}


def _nodes(names: Collection[str]) -> dict[str, Any]:
    if not names:
        return {}
    healths = {node.name: node for node in scheduler_health().nodes}
    found = {}
    for name in names:
        health = healths.get(name)
        values = node_health_values(health) if health else {"name": name, "problem": "stopped"}
        found[name] = pb.Event(node=pb.NodeProto(**values))
    return found
