"""Runs that somebody looks for."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from scheduler_app.models import Job, JobRun, RunState, SchedulePeriod, Trigger
from scheduler_app.status import run_search
from scheduler_app.status.run_search import FoundRuns, RunQuery, find_runs

pytestmark = pytest.mark.django_db
NOW = timezone.now().replace(microsecond=0)
BAD = frozenset({"failed", "lost", "missed"})
MakeRun = Callable[..., JobRun]


@pytest.fixture
def ended(db: None) -> MakeRun:
    def _ended(
        name: str, state: RunState = RunState.SUCCESS, ago: int = 0, **fields: Any
    ) -> JobRun:
        at = NOW - timedelta(minutes=ago)
        moments = {"scheduled_for": at, "due_at": at, "started_at": at, "finished_at": at}
        if state in (RunState.QUEUED, RunState.RUNNING):
            moments.pop("finished_at")
        if state == RunState.QUEUED:
            moments.pop("started_at")
        values = moments | {"created_at": at, "trigger": Trigger.MANUAL} | fields
        return JobRun.objects.create(job_name=name, state=state, **values)

    return _ended


def found(**query: Any) -> list[int]:
    return list(find_runs(RunQuery(**query)).ids)


def test_active_runs_come_first_then_those_that_ended_last(ended: MakeRun) -> None:
    late = ended("a", ago=1)
    early = ended("a", ago=60)
    between = ended("a", RunState.FAILED, ago=30)
    waiting, running = ended("b", RunState.QUEUED, 90), ended("b", RunState.RUNNING, 80)
    order = [run.pk for run in (running, waiting, late, between, early)]
    assert found() == order
    assert found(states=frozenset({"queued", "success"})) == [waiting.pk, late.pk, early.pk]


@pytest.mark.parametrize("states", [BAD, *({state} for state in RunState)])
def test_states_are_those_asked_for(ended: MakeRun, states: set[str]) -> None:
    runs = [ended(str(state), state, number) for number, state in enumerate(RunState)]
    assert set(found(states=frozenset(states))) == {r.pk for r in runs if r.state in states}


def test_range_has_what_ended_in_it_and_what_still_runs(ended: MakeRun) -> None:
    after, inside, before = (ended("a", ago=ago) for ago in (10, 30, 50))
    running, later = ended("a", RunState.RUNNING, 35), ended("a", RunState.RUNNING, 5)
    since, until = NOW - timedelta(minutes=40), NOW - timedelta(minutes=20)
    assert found(since=since, until=until) == [running.pk, inside.pk]
    assert found(since=since) == [later.pk, running.pk, after.pk, inside.pk]
    assert found(until=until) == [running.pk, inside.pk, before.pk]


def test_text_is_part_of_a_name_or_of_an_error_or_the_number(ended: MakeRun) -> None:
    named = ended("nightly-Invoices", ago=1)
    failed = ended("mail", RunState.FAILED, 2, message="no invoice 17\nsecond")
    going = ended("invoices", RunState.RUNNING, 3)
    other = ended("mail", RunState.FAILED, 4, message="boom")
    SchedulePeriod.objects.create(job_name="nightly-Invoices", begins_at=NOW, state="active")
    Job.objects.create(name="invoices", cron="* * * * *", timezone="UTC")
    assert found(text="invoice") == [going.pk, named.pk, failed.pk]
    assert found(text="invoice", states=BAD) == [failed.pk]
    assert found(text=str(other.pk), job_name="mail") == [other.pk]
    assert other.pk in found(text=str(other.pk))
    assert found(text="boom", job_name="invoices") == []
    assert found(text="100%") == []


def test_error_of_what_was_skipped_is_found_where_that_is_asked_for(ended: MakeRun) -> None:
    run = ended("mail", RunState.SKIPPED, message="Skipped: the last run was going.")
    assert found(text="last run", states=frozenset({"skipped"})) == [run.pk]


@pytest.mark.parametrize("text", ["9" * 30, "-1", "0", "²", "%", "_", "\\", "'", "\N{FIRE}" * 300])
def test_any_text_is_looked_for(ended: MakeRun, text: str) -> None:
    ended("a", RunState.FAILED, message="b")
    ended("a", RunState.RUNNING)
    assert found(text=text) == []


def test_name_that_many_jobs_have_is_looked_for(
    ended: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_search, "MOST_NAMES", 2)
    runs = [ended(f"job-{n}", ago=n) for n in range(5)]
    ended("other")
    Job.objects.bulk_create(
        Job(name=run.job_name, cron="* * * * *", timezone="UTC") for run in runs
    )
    assert found(text="job-") == [run.pk for run in runs]


def test_no_more_than_the_most_are_found(ended: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_search, "MOST", 3)
    runs = [ended("job", ago=n) for n in range(4)]
    Job.objects.create(name="job", cron="* * * * *", timezone="UTC")
    first = tuple(run.pk for run in runs[:3])
    for query in (RunQuery(), RunQuery(text="job"), RunQuery(job_name="job")):
        assert find_runs(query) == FoundRuns(first, has_more=True)
    runs[0].delete()
    assert find_runs(RunQuery()) == FoundRuns(tuple(run.pk for run in runs[1:]))


def test_what_no_index_knows_is_looked_for_so_far_and_no_further(
    ended: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_search, "LOOKED_THROUGH", 2)
    old = ended("a", RunState.SKIPPED, 9)
    ends = [ended("a", ago=n) for n in range(4)]
    answer = find_runs(RunQuery(states=frozenset({"skipped"})))
    assert answer == FoundRuns(looked_back_to=ends[2].finished_at)
    narrow = RunQuery(states=frozenset({"skipped"}), until=NOW - timedelta(minutes=5))
    assert find_runs(narrow) == FoundRuns((old.pk,))


@pytest.mark.parametrize(
    "query",
    [
        {}, {"states": BAD}, {"text": "a"}, {"text": "1", "states": BAD, "trigger": "manual"},
        {"job_name": "a", "text": "1"},
    ],
)  # fmt: skip
def test_search_takes_few_queries(ended: MakeRun, query: dict[str, Any]) -> None:
    for n in range(60):
        ended(f"a{n}", RunState.FAILED, message="1")
    with CaptureQueriesContext(connection) as made:
        find_runs(RunQuery(**query))
    assert len(made) <= 7


PLANS = {
    "all": RunQuery(),
    "did not succeed": RunQuery(states=BAD),
    "range": RunQuery(since=NOW, until=NOW + timedelta(hours=1)),
    "error": RunQuery(text="boom"),
    "job": RunQuery(job_name="a"),
}


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL plans by statistics")
@pytest.mark.parametrize("name", PLANS)
def test_search_scans_no_history(name: str) -> None:
    with CaptureQueriesContext(connection) as made:
        find_runs(PLANS[name])
    statements = [each["sql"] for each in made if "jobrun" in each["sql"]]
    assert statements
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
            plan = " ".join(row[3] for row in cursor.fetchall())
            is_one = statement.endswith("ASC LIMIT 1")  # the row beside the horizons
            assert is_one or "SCAN scheduler_app_jobrun" not in plan, (statement, plan)
            is_small = '"finished_at" IS NULL' in statement or "IN (SELECT" in statement
            assert is_small or "TEMP B-TREE" not in plan, plan
