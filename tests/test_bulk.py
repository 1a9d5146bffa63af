"""What is written in bulk comes back as it was, from either database."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.models import Job, JobRun, RunState, bulk

T0 = datetime(2026, 1, 1, tzinfo=UTC)
TEXTS = ["", "plain", "'", '"', "\\", 'a "quoted" \\ word', "{}", "{1,2}", "NULL", "%s"]
TEXTS += ["line\nline", "\t", "ünï\u2028cødé 🙂", "x" * 100_000]
pytestmark = pytest.mark.django_db


def rows(**columns: list[Any]) -> list[JobRun]:
    """A run for each value of these columns."""
    blank = JobRun(scheduled_for=T0, due_at=T0, created_at=T0)
    length = max(map(len, columns.values()))
    return [
        bulk.like(
            blank, job_name=f"job-{i}", **{name: values[i] for name, values in columns.items()}
        )
        for i in range(length)
    ]


def stored(column: str) -> list[Any]:
    return list(JobRun.objects.order_by("id").values_list(column, flat=True))


@pytest.mark.parametrize("count", [1, len(TEXTS)])
def test_texts_are_inserted_as_they_are(count: int) -> None:
    JobRun.objects.insert(rows(message=TEXTS[-count:]))
    assert stored("message") == TEXTS[-count:]


def test_texts_are_updated_as_they_are() -> None:
    runs = rows(message=TEXTS)
    JobRun.objects.insert(runs)
    for run in runs:
        run.log, run.state, run.finished_at = run.message, RunState.FAILED, T0
    JobRun.objects.write(runs)
    assert stored("log") == TEXTS


def test_moments_keep_their_microseconds_and_their_absence() -> None:
    moments = [T0, T0 + timedelta(microseconds=1), T0 + timedelta(days=400), None]
    JobRun.objects.insert(rows(cancel_requested_at=moments))
    assert stored("cancel_requested_at") == moments


def test_moment_of_another_zone_is_the_same_moment() -> None:
    berlin = T0.astimezone(ZoneInfo("Europe/Berlin"))
    JobRun.objects.insert(rows(due_at=[berlin, berlin + timedelta(hours=1)]))
    assert stored("due_at") == [T0, T0 + timedelta(hours=1)]


def test_metadata_is_kept() -> None:
    metadata = [{}, {"a": [1, 2.5, None, True]}, {'"': "\\ü'"}, {"deep": {"er": {}}}]
    JobRun.objects.insert(rows(metadata=metadata))
    assert stored("metadata") == metadata


ALIKE = [True, 1, 1.0, 0, False, 0.0, "1", None]


@given(st.lists(st.sampled_from(ALIKE), min_size=1, max_size=4))
def test_values_that_compare_equal_are_kept_apart(values: list[Any]) -> None:
    runs = rows(metadata=[{"value": value, "in": [value]} for value in values])
    with transaction.atomic():
        JobRun.objects.insert(runs)
        assert repr(kept(runs)) == repr(values)
        for run in runs:
            run.metadata = {"value": values[0]}
        runs[-1].metadata = {"value": True}
        JobRun.objects.write(runs)
        assert repr(kept(runs)) == repr([*[values[0]] * (len(values) - 1), True])
        transaction.set_rollback(True)


def kept(runs: list[JobRun]) -> list[Any]:
    found = JobRun.objects.in_bulk([run.pk for run in runs])
    return [found[run.pk].metadata["value"] for run in runs]


FLOATS = [0.0, 1.0, 1e-300, 1.5]


@given(st.data())
def test_every_column_of_every_type_is_written_as_the_orm_writes_it(data: st.DataObject) -> None:
    """The jobs' columns have all types that there are."""
    names = ["a", "b", "c"][: data.draw(st.integers(1, 3))]
    drawn = {
        "description": st.sampled_from(TEXTS[:-1]),
        "jitter": st.sampled_from([0, 1]),
        "retry_delay": st.sampled_from(FLOATS),
        "timeout": st.sampled_from([*FLOATS, None]),
        "isolated": st.booleans(),
        "paused_at": st.sampled_from([T0, T0 + timedelta(microseconds=1), None]),
    }
    values = {name: {field: data.draw(of) for field, of in drawn.items()} for name in names}
    with transaction.atomic():
        Job.objects.bulk_create(Job(name=name, cron="* * * * *") for name in names)
        bulk.update([Job(name=name, **values[name]) for name in names], drawn, connection)
        found = {job.pop("name"): job for job in Job.objects.values("name", *drawn)}
        assert repr(found) == repr({name: found[name] | values[name] for name in names})
        transaction.set_rollback(True)


def test_rows_get_the_ids_that_they_have() -> None:
    runs = rows(message=["a", "b", "c"])
    JobRun.objects.insert(runs)
    found = JobRun.objects.in_bulk([run.pk for run in runs])
    assert [found[run.pk].message for run in runs] == ["a", "b", "c"]
    JobRun.objects.create(job_name="d", scheduled_for=T0, due_at=T0)  # no id is given twice


def test_copies_share_nothing_but_values() -> None:
    blank = JobRun(scheduled_for=T0, due_at=T0)
    one, other = bulk.like(blank, job_name="one"), bulk.like(blank, job_name="other")
    one.save()
    assert (one.job_name, other.job_name, blank.job_name) == ("one", "other", "")
    assert other._state.adding
    assert other.pk is None


def test_fetch_gives_what_values_list_gives() -> None:
    JobRun.objects.insert(rows(message=TEXTS, cancel_requested_at=[T0, None] * 7))
    query = JobRun.objects.order_by("-id").values_list("id", "message", "cancel_requested_at")
    assert [tuple(row) for row in bulk.fetch(query)] == list(query)
    assert bulk.fetch(query.filter(job_name="none")) == []


def test_compiled_query_tells_what_has_changed_since() -> None:
    query = bulk.compiled(JobRun.objects.order_by("id").values_list("message", "due_at"))
    assert bulk.fetch(query) == []
    JobRun.objects.insert(rows(message=["a", "b"]))
    assert [tuple(row) for row in bulk.fetch(query)] == [("a", T0), ("b", T0)]


@pytest.mark.parametrize("names", [[], ["a"], ["a", 'b"', "c\\", "ü"]])
def test_among_is_in(names: list[str]) -> None:
    Job.objects.bulk_create(
        Job(name=name, cron="* * * * *") for name in ["a", 'b"', "c\\", "ü", "z"]
    )
    found = Job.objects.filter(bulk.AnyOf("name", names)).values_list("name", flat=True)
    assert sorted(found) == sorted(names)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="other threads wait at SQLite's steps")
def test_many_rows_are_one_statement_on_sqlite() -> None:
    statements: list[bool] = []

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(many)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        JobRun.objects.insert(rows(message=["a"] * 1000))
    assert not any(statements)
    assert len(statements) < 5
