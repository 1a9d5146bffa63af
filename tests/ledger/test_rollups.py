"""The rollups say what a direct count of the runs says, whatever happens to who folds them."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler_app.ledger import rollups, transitions
from scheduler_app.models import (
    Change,
    Job,
    JobCount,
    JobRun,
    Rollup,
    RollupState,
    RunState,
    Trigger,
    database,
)
from scheduler_app.models.rollup import Span, bucket, middle, quantile
from scheduler_app.status import usual as usuals

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "READ_AT_ONCE", 3)
    monkeypatch.setattr(rollups, "RECOUNTED_AT_ONCE", 2)


def settle() -> None:
    while rollups.work():
        pass


def ended(name: str, state: str = "success", ago: float = 60, **values: Any) -> JobRun:
    """Return an unsaved run that ended so many seconds ago."""
    end = timezone.now() - timedelta(seconds=ago)
    begun = {} if state in ("skipped", "missed") else {"started_at": end - timedelta(seconds=2)}
    moments = {"due_at": end - timedelta(seconds=3), "scheduled_for": end - timedelta(seconds=3)}
    fields = {"trigger": Trigger.MANUAL, "finished_at": end, "state": state, **begun, **moments}
    return JobRun(job_name=name, **{**fields, **values})


def end(*runs: JobRun) -> None:
    with database.atomic():
        transitions.insert(runs)


def totals(span: Span = Span.HOUR) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for row in Rollup.objects.filter(span=span):
        counts = found.setdefault(row.job_name, Counter())
        for name in ("success", "failed", "lost", "cancelled", "skipped", "missed"):
            counts[name] += getattr(row, name)
    return {name: +counts for name, counts in found.items()}


def of_ledger() -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for run in JobRun.objects.finished():
        found.setdefault(run.job_name, Counter())[run.state] += run.occurrences
    return found


def assert_exact() -> None:
    settle()
    assert totals() == totals(Span.WEEK) == of_ledger()
    assert list(rollups.differences()) == []
    for name in {*of_ledger()}:
        assert measured(name, Span.HOUR) == measured(name, Span.WEEK)


def measured(name: str, span: Span) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in Rollup.objects.filter(job_name=name, span=span):
        found.update(rollups._flat(rollups._tally(row)))
    return +found


def test_bucket_is_within_a_tenth_of_its_values() -> None:
    for micros in (1_000, 1_189, 1_190, 7_777, 10**6, 86_400 * 10**6):
        value = timedelta(microseconds=micros)
        assert abs(middle(bucket(value)) / value - 1) < 0.091
    assert bucket(timedelta(seconds=-5)) == bucket(timedelta()) == 0
    assert middle(bucket(timedelta.max)) < timedelta.max


def test_quantile_of_nothing_is_none() -> None:
    assert quantile({}, 0.5) is None


@pytest.mark.parametrize("state", sorted(rollups._FINAL))
def test_each_result_is_counted_once(state: str) -> None:
    settle()
    end(ended("a", state), ended("a", state, occurrences=7 if state == "missed" else 1))
    settle()
    settle()
    assert totals() == {"a": Counter({state: 8 if state == "missed" else 2})}
    assert_exact()


def test_first_fold_counts_what_ended_before() -> None:
    end(*(ended("abc"[i % 3], ago=i * 1_000) for i in range(20)))
    Change.objects.all().delete()
    assert_exact()


def test_gap_in_the_feed_is_counted_again() -> None:
    settle()
    end(ended("a"))
    settle()
    end(ended("a"), ended("b", "failed"))
    Change.objects.all().delete()
    end(ended("c"))
    assert_exact()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no infinite moment")
def test_state_that_cannot_be_read_is_begun_anew() -> None:
    settle()
    end(ended("a"))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scheduler_app_rollupstate SET folded_at = 'infinity'")
    assert_exact()


def test_spoilt_feed_is_counted_again() -> None:
    settle()
    end(ended("a"))
    Change.objects.update(data="[")
    assert_exact()


@pytest.mark.parametrize("position", ["", "x", "9223372036854775807", "9999999:9999999:"])
def test_position_of_another_database_is_counted_again(position: str) -> None:
    end(ended("a"))
    settle()
    end(ended("a"))
    RollupState.objects.update(position=position)
    assert_exact()


def test_more_than_is_worth_reading_is_counted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    settle()
    monkeypatch.setattr(rollups, "LONGEST_READ", 2)
    for _ in range(4):
        end(ended("a"))
    assert_exact()


def test_gap_says_from_when_until_it_is_counted() -> None:
    settle()
    end(*(ended(name) for name in "abcd"))
    RollupState.objects.update(position="")
    assert rollups.work()
    assert usuals.incomplete_from() is not None
    settle()
    assert usuals.incomplete_from() is None


def test_run_that_is_deleted_before_the_fold_is_counted() -> None:
    settle()
    end(ended("a", "failed"))
    JobRun.objects.all().delete()
    settle()
    assert totals() == {"a": Counter(failed=1)}


def test_hours_of_pruned_runs_keep_what_was_counted(settings: Any) -> None:
    settings.SCHEDULER = {"history_days": 2}
    end(ended("a", ago=86_400 * 1.5), ended("a"))
    settle()
    JobRun.objects.filter(finished_at__lt=timezone.now() - timedelta(days=1)).delete()
    settings.SCHEDULER = {"history_days": 1}
    rollups.rebuild()
    settle()
    assert totals()["a"]["success"] == 2


def test_spoilt_rows_are_mended_by_a_rebuild() -> None:
    end(*(ended("ab"[i % 2], ago=i * 2_000) for i in range(9)))
    settle()
    Rollup.objects.update(success=77, durations="[", latenesses='{"x": null}')
    usuals.usual()
    with pytest.raises(SystemExit):
        call_command("scheduler", "rebuild-rollups", "--check")
    call_command("scheduler", "rebuild-rollups")
    call_command("scheduler", "rebuild-rollups", "--check")


def test_prune_keeps_weeks_longer_than_hours(settings: Any) -> None:
    settings.SCHEDULER = {"history_days": 15, "rollup_days": 60}
    now = datetime(2026, 6, 1, tzinfo=UTC)
    for span in Span:
        for days in (1, 30, 90):
            begin = span.begin(now - timedelta(days=days))
            Rollup.objects.create(job_name="a", span=span, begin=begin)
    assert not rollups.prune(now)
    assert Counter(Rollup.objects.values_list("span", flat=True)) == {1: 1, 168: 2}


def test_sums_are_those_of_the_counters() -> None:
    Job.objects.create(name="a", cron="* * * * *", timezone="UTC", retries=2, retry_delay=0.001)
    settle()
    now = timezone.now()
    with database.atomic():
        (first,) = transitions.request(["a"], now, "me")
    run: JobRun | None = first
    while run is not None:  # fails, is tried again twice; the last attempt fails for good
        run.state, run.started_at, run.finished_at = RunState.FAILED, now, now
        with database.atomic():
            transitions.record([], [run], now)
        run = JobRun.objects.queued().first()
    with database.atomic():
        (first,) = transitions.request(["a"], now, "me")
    first.state, first.started_at, first.finished_at = RunState.LOST, now, now
    with database.atomic():
        transitions.record([], [first], now)
        transitions.close_queued(JobRun.objects.queued(), RunState.CANCELLED, now, "enough")
    end(ended("a"), ended("a", "missed", occurrences=4), ended("a", "skipped"))
    assert_exact()
    (row,) = Rollup.objects.filter(span=Span.WEEK)
    counted = {
        "run_count": row.success,
        "error_count": row.failed + row.lost - row.retried + row.given_up,
        "skip_count": row.skipped,
        "miss_count": row.missed,
    }
    rows = list(JobCount.objects.all())
    assert counted == {name: sum(getattr(count, name) for count in rows) for name in counted}
    assert counted["error_count"] == 2


NAMES = st.sampled_from(["a", "B", "ä", "zé 😀", "x" * 100])
RUNS = st.lists(
    st.builds(
        ended,
        NAMES,
        st.sampled_from(sorted(rollups._FINAL)),
        st.sampled_from([1, 2, 3_700, 7_400, 8 * 86_400, 20 * 86_400]),
        occurrences=st.just(1),
    ),
    min_size=1,
    max_size=6,
)
STEPS = st.lists(
    st.one_of(
        RUNS,
        st.sampled_from(["work", "kill", "empty feed", "forget position", "rebuild"]),
    ),
    max_size=14,
)


class Killed(Exception):
    pass


def _kill() -> None:
    with suppress(Killed), database.atomic():
        state = rollups._locked()
        assert state is not None
        rollups._fold(state, rollups._read_ahead())
        if state.recount_from:
            rollups._recount(state, state.recount_from)
        state.save()
        raise Killed


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_any_history_in_any_slices_is_exact(steps: list[Any]) -> None:
    for model in (JobRun, Change, Rollup, RollupState, JobCount):
        model.objects.all().delete()
    rollups._ensure_state()
    for step in steps:
        if step == "work":
            rollups.work()
        elif step == "kill":
            _kill()
        elif step == "empty feed":
            Change.objects.all().delete()
            RollupState.objects.update(position="")
        elif step == "forget position":
            long_ago = timezone.now() - timedelta(days=29)  # the runs ended long before, too
            RollupState.objects.update(position="?", folded_at=long_ago)
        elif step == "rebuild":
            rollups.rebuild()
        else:
            for run in step:
                run.pk = None
                run._state.adding = True
            end(*step)
    assert_exact()


@pytest.fixture
def two_folders() -> Iterator[Callable[[], list[BaseException]]]:
    stop, errors = threading.Event(), list[BaseException]()

    def work() -> None:
        database.serve_engine()
        while not stop.wait(0.001):
            try:
                rollups.work()
            except BaseException as error:
                errors.append(error)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()

    def finish() -> list[BaseException]:
        stop.set()
        for thread in threads:
            thread.join()
        return errors

    yield finish
    finish()


def test_two_folders_at_once_count_each_run_once(
    two_folders: Callable[[], list[BaseException]],
) -> None:
    for i in range(60):
        end(*(ended("abc"[(i + j) % 3], ago=i * 300 + j) for j in range(4)))
        if i % 20 == 10:
            rollups.rebuild()
    assert two_folders() == []
    settle()
    assert totals() == totals(Span.WEEK) == of_ledger()


def test_usual_is_one_query_and_says_what_is_slow(django_assert_num_queries: Any) -> None:
    end(*(ended("a") for _ in range(20)), *(ended("b", "failed") for _ in range(3)))
    settle()
    with django_assert_num_queries(1):
        found = usuals.usual(["a", "b", "never"])
    a, b = found["a"], found["b"]
    assert a.duration_p50 is not None
    assert abs(a.duration_p50 / timedelta(seconds=2) - 1) < 0.1
    assert (a.runs, a.success_rate, b.success_rate, b.duration_p95) == (20, 1.0, 0.0, None)
    assert "never" not in found
    for seconds, slow, stuck in ((2, False, False), (4, True, False), (9, True, True)):
        elapsed = timedelta(seconds=seconds)
        assert (usuals.is_slow(elapsed, a), usuals.is_stuck(elapsed, a)) == (slow, stuck)
    assert not usuals.is_stuck(timedelta(days=9), b)


def test_hours_of_a_job_are_in_order() -> None:
    end(ended("a", ago=8_000), ended("a", "failed", ago=60), ended("b"))
    settle()
    now = timezone.now()
    found = usuals.hours("a", now - timedelta(days=1), now)
    assert [(hour.success, hour.errors) for hour in found] == [(1, 0), (0, 1)]
