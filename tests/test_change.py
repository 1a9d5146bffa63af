"""The change feed: nothing is lost, and nothing is seen twice."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.utils import timezone

from scheduler_app.models import Change, JobRun, RunState, change, database
from scheduler_app.models.change import Changes

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT = 1_000


class Reader:
    """Follows the feed from now on."""

    def __init__(self) -> None:
        self.position = Change.objects.position()

    def read(self) -> list[Changes]:
        feed = Change.objects.after(self.position, LIMIT)
        assert feed is not None
        self.position = feed.position
        return feed.changes

    def jobs(self) -> list[str]:
        return [name for changes in self.read() for name in changes.jobs]


@pytest.fixture
def reader(transactional_db: None) -> Reader:
    return Reader()


def run(pk: int, state: RunState = RunState.QUEUED) -> JobRun:
    return JobRun(pk=pk, job_name="nightly", state=state)


def test_transaction_leaves_one_row(reader: Reader) -> None:
    with database.atomic():
        change.note_jobs(["nightly"])
        with database.atomic():
            change.note_runs([run(1), run(2, RunState.SUCCESS)])
        change.note_node("here:1")
        assert not Change.objects.exists()
    (found,) = reader.read()
    assert found.runs == [(1, "nightly", "queued"), (2, "nightly", "success")]
    assert (found.jobs, found.nodes) == (["nightly"], ["here:1"])
    assert reader.read() == []


def test_transaction_that_changes_nothing_leaves_none(reader: Reader) -> None:
    with database.atomic():
        change.note_runs([])
    assert not Change.objects.exists()


def note_and_raise(name: str) -> None:
    with database.atomic():
        change.note_jobs([name])
        raise ZeroDivisionError


def test_what_is_rolled_back_leaves_none(reader: Reader) -> None:
    with pytest.raises(ZeroDivisionError):
        note_and_raise("nightly")
    assert reader.read() == []
    with database.atomic():
        change.note_jobs(["a"])
        with pytest.raises(ZeroDivisionError):
            note_and_raise("b")
    assert reader.jobs() == ["a"]


def test_note_outside_a_transaction_of_ours_is_written_at_once(reader: Reader) -> None:
    with transaction.atomic():
        change.note_jobs(["a"])
    assert reader.jobs() == ["a"]


def test_threads_do_not_mix(reader: Reader) -> None:
    def other() -> None:
        change.note_jobs(["b"])
        connections.close_all()

    if connection.vendor == "sqlite":
        pytest.skip("SQLite's writers are serial")
    with database.atomic():
        change.note_jobs(["a"])
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert [changes.jobs for changes in reader.read()] == [["b"], ["a"]]


def test_too_much_is_not_read(reader: Reader) -> None:
    for name in "abc":
        change.note_jobs([name])
    assert Change.objects.after(reader.position, 2) is None
    assert Change.objects.after(reader.position, 3) is not None


@pytest.mark.parametrize(
    "data", ["", "x", "[]", "7", '{"runs":7}', '{"runs":[[1]]}', '{"runs":[["x","a","queued"]]}']
)
def test_spoilt_row_is_not_read(reader: Reader, data: str) -> None:
    change.note_jobs(["a"])
    Change.objects.update(data=data)
    assert Change.objects.after(reader.position, LIMIT) is None
    reader = Reader()
    change.note_jobs(["b"])
    assert reader.jobs() == ["b"]


def test_emptied_table_is_noticed(reader: Reader) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's transactions do not begin anew")
    change.note_jobs(["a"])
    assert reader.jobs() == ["a"]
    Change.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM sqlite_sequence WHERE name = 'scheduler_app_change'")
    assert Change.objects.after(reader.position, LIMIT) is None


def test_old_rows_are_pruned(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        change.note_jobs([name])
    now = timezone.now()
    assert not Change.objects.prune(now)
    assert Change.objects.count() == 3
    monkeypatch.setattr(change, "KEPT_ROWS", 2)
    assert not Change.objects.prune(now)
    assert Change.objects.count() == 2
    monkeypatch.setattr(change, "PRUNED_AT_ONCE", 1)
    later = now + change.KEPT_FOR + timedelta(minutes=1)
    assert [Change.objects.prune(later) for _ in range(3)] == [True, True, False]
    assert not Change.objects.exists()
    change.note_jobs(["d"])
    assert reader.jobs() == ["d"]


@pytest.fixture
def other(transactional_db: None) -> Iterator[Callable[[str], None]]:
    """Another client of the database, outside our control of transactions."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite's writers are serial")
    opened = connection.copy()
    opened.set_autocommit(False)

    def note(name: str) -> None:
        with opened.cursor() as cursor:
            cursor.execute(change._INSERT["postgresql"], [f'{{"jobs":["{name}"]}}'])

    note.opened = opened  # type: ignore[attr-defined]
    yield note
    opened.rollback()
    opened.close()


def test_late_commit_is_not_lost(reader: Reader, other: Any) -> None:
    other("early")
    change.note_jobs(["late"])
    assert reader.jobs() == ["late"]
    change.note_jobs(["later"])
    other.opened.commit()
    assert sorted(reader.jobs()) == ["early", "later"]
    assert reader.jobs() == []


def test_open_transaction_holds_up_nothing(reader: Reader, other: Any) -> None:
    other("open")
    for name in "abc":
        change.note_jobs([name])
        assert reader.jobs() == [name]
    other.opened.rollback()
    change.note_jobs(["d"])
    assert reader.jobs() == ["d"]


def test_many_writers_lose_nothing(reader: Reader) -> None:
    def write(number: int) -> None:
        for index in range(40):
            with database.atomic():
                change.note_jobs([f"{number}-{index}"])
        connections.close_all()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    seen = list[str]()
    while any(thread.is_alive() for thread in threads):
        seen += reader.jobs()
    seen += reader.jobs()
    assert sorted(seen) == sorted(f"{number}-{index}" for number in range(4) for index in range(40))


def test_rows_of_another_server_s_dump_are_not_told(reader: Reader) -> None:
    """Their transactions are yet to come on this server."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no such ids")
    change.note_jobs(["restored"])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scheduler_app_change SET xid = '9000000000000000000'::xid8")
    change.note_jobs(["own"])
    assert reader.jobs() == ["own"]
    Change.objects.prune(timezone.now())
    assert Change.objects.count() == 1


def test_position_of_another_server_is_none(reader: Reader) -> None:
    change.note_jobs(["a"])
    far = "9000000000000000000"
    position = f"{far}:{far}:" if connection.vendor == "postgresql" else far
    assert Change.objects.after(position, LIMIT) is None


def test_dump_is_loaded(reader: Reader, tmp_path: Path) -> None:
    change.note_jobs(["a"])
    dump = str(tmp_path / "dump.json")
    call_command("dumpdata", "scheduler_app.change", output=dump, verbosity=0)
    Change.objects.all().delete()
    call_command("loaddata", dump, verbosity=0)
    assert Change.objects.count() == 1
