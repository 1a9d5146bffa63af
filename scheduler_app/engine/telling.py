"""Stores, about once a second, what running runs say: their logs, reported values and progress.

A thread and a connection of its own: no claim and no outcome waits for it. What could not be stored
is stored a second later; the outcome has all of it in any case.

It leaves no row in the change feed. The feed is for what none may miss; of this only the latest
counts, and a page that shows a run reads its row. A row a second would push out changes that
matter, and have statuses read again that stay as they are."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from django.db import DatabaseError

from scheduler_app.conf import scheduler_settings
from scheduler_app.engine.connections import WatchedConnection
from scheduler_app.execution.bounded_log import RunLog
from scheduler_app.logs import SafeLogger
from scheduler_app.metadata import ERROR, Progress, storable_metadata, stored_progress
from scheduler_app.models import JobRun, Node, RunProgress, database, locks
from scheduler_app.registry import JobContext
from scheduler_app.text import storable

logger = SafeLogger(__name__)

EVERY = 1.0
"""Seconds between two looks; a run that is younger is left alone."""
SLOWEST = 30.0
"""Seconds after a look that failed, at most."""
AT_ONCE = 1_000_000
"""After so many characters of logs a transaction takes no more; the others have their turn in the
next look."""
PRUNE_EVERY = 60.0
"""Seconds between two looks for rows that other schedulers have left."""
REFUSED_FOR = 60.0
"""For how many seconds a run is left alone of which the database refuses what it says."""
UNREADABLE = "not readable before the run has ended"


@dataclass(frozen=True, slots=True)
class Speaking:
    """A run whose function is called now, and where what it says is gathered."""

    run: JobRun
    context: JobContext
    log: RunLog
    began_at: float
    """By the monotonic clock."""


class Said(NamedTuple):
    """What a run had said at a look."""

    log_size: int = 0
    metadata: str = "{}"
    """As JSON: values that are equal in Python may differ there."""
    progress: Progress | None = None


NOTHING = Said()


@dataclass(slots=True)
class _Stored:
    """What is stored of a run, and when that was tried last."""

    said: Said = NOTHING
    at: float = 0.0
    refused_until: float = 0.0


News: TypeAlias = tuple[Speaking, Said]


class Teller:
    """`speaking` gives the runs whose functions are called now, `node` the one that holds them.
    Start it with the scheduler; stop it when the outcomes are recorded, before the runs are
    released that are cut off."""

    def __init__(
        self,
        node: Callable[[], Node],
        speaking: Callable[[], Sequence[Speaking]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node, self._speaking, self._monotonic = node, speaking, monotonic
        self._most = scheduler_settings().log_limit
        self._stored: dict[int, _Stored] = {}
        self._prune_at = 0.0
        self._failures = 0
        self._stopping = threading.Event()
        self.connection = WatchedConnection(scheduler_settings().stuck_after / 2)
        self._thread = threading.Thread(target=self._loop, name="scheduler-telling", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Store what the runs that still go have said. False if that took longer than `timeout`
        seconds."""
        self._stopping.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def look(self, youngest: float = EVERY) -> None:
        """Store what is new of the runs that are at least `youngest` seconds old; delete what is
        left of those that have ended. Raises what the database raises."""
        now = self._monotonic()
        speaking = self._speaking()
        old = [each for each in speaking if now - each.began_at >= youngest]
        news = [(each, said) for each in old if (said := self._news(each, now)) is not None]
        news.sort(key=lambda item: self._known(item[0]).at)
        with_logs = [item for item in news if self._has_new_log(*item)]
        self._store(self._first(with_logs), now, with_logs=True)
        self._store([item for item in news if not self._has_new_log(*item)], now, with_logs=False)
        gone = self._stored.keys() - {each.run.pk for each in speaking}
        if gone or now >= self._prune_at:
            self._prune(gone, now)

    def _known(self, speaking: Speaking) -> _Stored:
        return self._stored.get(speaking.run.pk) or _Stored()

    def _news(self, speaking: Speaking, now: float) -> Said | None:
        """Return what the run has said, if that is not stored yet."""
        known = self._known(speaking)
        if now < known.refused_until:
            return None
        said = Said(
            log_size=speaking.log.size,
            metadata=_as_json(speaking.context.reported),
            progress=speaking.context.last_progress,
        )
        return said if said != known.said else None

    def _has_new_log(self, speaking: Speaking, said: Said) -> bool:
        is_first = speaking.run.pk not in self._stored
        return is_first or said.log_size != self._known(speaking).said.log_size

    def _first(self, news: Iterable[News]) -> list[News]:
        """Return those whose logs fit into one transaction, at least one."""
        found, size = list[News](), 0
        for item in news:
            size += min(item[1].log_size, self._most)
            if found and size > AT_ONCE:
                break
            found.append(item)
        return found

    def _store(self, news: Sequence[News], now: float, *, with_logs: bool) -> None:
        if not news:
            return
        refused = set[int]()

        def write(rows: Sequence[RunProgress]) -> None:
            with database.atomic():
                RunProgress.objects.write(rows, self._node().pk, with_logs=with_logs)

        def refuse(row: RunProgress, error: DatabaseError) -> None:
            refused.add(row.run_id)
            logger.warning("the database refuses what run %d says: %s", row.run_id, error)

        rows = [self._row(*item, with_logs=with_logs) for item in news]
        left = {row.run_id for row in locks.impatiently(rows, write, refuse)}
        for speaking, said in news:
            pk = speaking.run.pk
            stored = self._stored.setdefault(pk, _Stored())
            stored.at = now
            if pk in refused:
                stored.refused_until = now + REFUSED_FOR
            elif pk not in left:
                stored.said = said

    def _row(self, speaking: Speaking, said: Said, *, with_logs: bool) -> RunProgress:
        return RunProgress(
            run_id=speaking.run.pk,
            log=storable(speaking.log.text(), self._most) if with_logs else "",
            metadata=json.loads(said.metadata),
            progress=stored_progress(said.progress),
        )

    def _prune(self, gone: Iterable[int], now: float) -> None:
        """Delete the rows of runs that have ended, written by any scheduler."""
        if RunProgress.objects.exists():
            with database.atomic():
                RunProgress.objects.prune()
        for pk in gone:
            del self._stored[pk]
        self._prune_at = now + PRUNE_EVERY

    def _loop(self) -> None:
        database.serve_engine()
        while not self._stopping.wait(min(EVERY * 2.0 ** min(self._failures, 9), SLOWEST)):
            self._try(EVERY)
        self._try(0.0)
        database.close_connection()
        self.connection.close()

    def _try(self, youngest: float) -> None:
        """Look. Never raises: what is not stored now is stored later."""
        try:
            with self.connection:
                self.look(youngest)
            self._failures = 0
            database.forget_queries()
        except BaseException as error:
            self._failures += 1
            if self._failures & (self._failures - 1) == 0:  # the first, second, fourth, eighth...
                text = "cannot store what runs say (%d in a row), will try again: %s"
                logger.warning(text, self._failures, error)
            database.close_connection()


def _as_json(reported: object) -> str:
    """Return the values as JSON, without calling a method of theirs: a job may have put in objects
    of its own, past report(), and these are for its own thread."""
    if type(reported) is not dict or not reported:
        return "{}"
    try:
        json.dumps(values := dict(reported))
    except (TypeError, ValueError, RecursionError):
        return json.dumps({ERROR: UNREADABLE})
    return json.dumps(storable_metadata(values))
