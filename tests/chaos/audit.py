"""Whether the ledger, the counters and what really ran agree."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from tests.chaos.nodes import ACTIVE, Nodes
from tests.harness import eventually

COUNTED = {
    "run_count": ("success",),
    "error_count": ("failed", "lost"),
    "skip_count": ("skipped",),
    "miss_count": ("missed",),
}
HAS_BEGUN = {"running", "success", "failed", "lost", "cancelled"}


def audit(nodes: Nodes) -> None:
    """With the nodes still at work: nothing is lost, doubled or stuck."""
    eventually(lambda: not _overdue(nodes), seconds=30)
    assert nodes.stop_all() == {0}
    assert nodes.rows("SELECT count(*) FROM scheduler_app_jobrun WHERE state = 'running'") == [(0,)]
    assert [*_gaps(nodes), *_miscounts(nodes), *_misruns(nodes)] == []
    ledger = nodes.manage("scheduler", "audit-ledger")
    assert ledger.returncode == 0, ledger.stdout + ledger.stderr


def _overdue(nodes: Nodes) -> list[Any]:
    """Runs of every second that have not ended long after they should have."""
    rows = nodes.rows(
        f"SELECT id, due_at FROM scheduler_app_jobrun WHERE {ACTIVE} AND trigger = 'schedule'"
    )
    latest = max(_moment(at) for (at,) in nodes.rows("SELECT next_run_time FROM "
        "django_apscheduler_djangojob WHERE id = 'scheduler_app:load-0'"))  # fmt: skip
    return [run for run, due_at in rows if latest - _moment(due_at) > timedelta(seconds=10)]


def _gaps(nodes: Nodes) -> Iterable[str]:
    """Each second from a job's first to its last must be covered by exactly one row."""
    rows = nodes.rows(
        "SELECT job_name, coalesce(first_scheduled_for, scheduled_for) AS first, scheduled_for, "
        "occurrences FROM scheduler_app_jobrun WHERE trigger = 'schedule' AND attempt = 1 AND "
        "(job_name LIKE 'load-%' OR job_name LIKE 'two-seconds-%' OR job_name = 'elsewhere') "
        "ORDER BY job_name, first"
    )
    for name, runs in groupby(rows, key=lambda row: row[0]):
        expected = None
        for _, first, last, occurrences in runs:
            begin, end = _moment(first), _moment(last)
            if expected and begin != expected:
                yield f"{name}: {expected} is followed by {begin}"
            if occurrences != round((end - begin).total_seconds()) + 1:
                yield f"{name}: {occurrences} occurrences from {begin} to {end}"
            expected = end + timedelta(seconds=1)


def _miscounts(nodes: Nodes) -> Iterable[str]:
    """The counters must equal the sums over the ledger."""
    sums: dict[str, Counter[str]] = {}
    for name, state, amount in nodes.rows(
        "SELECT job_name, state, sum(occurrences) FROM scheduler_app_jobrun GROUP BY 1, 2"
    ):
        sums.setdefault(name, Counter())[state] = int(amount)
    columns = ", ".join(COUNTED)
    for name, *counts in nodes.rows(
        f"SELECT name, {', '.join(f'sum({column})' for column in COUNTED)} FROM ("
        f"SELECT name, {columns} FROM scheduler_app_job UNION ALL "
        f"SELECT job_name, {columns} FROM scheduler_app_jobcount) AS counted GROUP BY name"
    ):
        states = sums.get(name, Counter())
        wanted = [sum(states[state] for state in group) for group in COUNTED.values()]
        if counts != wanted:
            yield f"{name}: counters {counts}, ledger {wanted}"


def _misruns(nodes: Nodes) -> Iterable[str]:
    """What the jobs noted themselves must be what the ledger says."""
    begun = Counter(run for what, _, run, _ in nodes.notes() if what == "begun")
    states = dict(nodes.rows("SELECT id, state FROM scheduler_app_jobrun"))
    for run, times in begun.items():
        if times > 1 or states.get(run) not in HAS_BEGUN:
            yield f"run {run} was begun {times} times and is {states.get(run)}"
    noting = nodes.rows(
        "SELECT id FROM scheduler_app_jobrun WHERE state IN ('success', 'failed') AND "
        "(job_name LIKE 'load-%' OR job_name LIKE 'two-seconds-%' OR job_name = 'elsewhere')"
    )
    yield from (f"run {run} never ran" for (run,) in noting if not begun[run])


def _moment(value: str | datetime) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
