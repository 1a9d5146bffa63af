"""What is known of a run while it runs, and after."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from scheduler_app.exceptions import RunNotFound
from scheduler_app.ledger import transitions
from scheduler_app.metadata import Progress
from scheduler_app.models import Job, JobRun, Node, RunProgress, RunState
from scheduler_app.status import live_run
from tests.engine.conftest import T0, node

__all__ = ["node"]

pytestmark = pytest.mark.django_db
HALF = {"done": 45.0, "total": 90.0, "text": "pages"}


@pytest.fixture
def run(node: Node) -> JobRun:
    Job.objects.create(name="a", cron="* * * * *", timezone="UTC")
    return JobRun.objects.create(
        job_name="a", scheduled_for=T0, due_at=T0, node=node, state=RunState.RUNNING,
        started_at=timezone.now() - timedelta(minutes=2),
    )  # fmt: skip


def say(run: JobRun, log: str = "so far\n", *, with_logs: bool = True, **told: Any) -> None:
    assert run.node_id
    row = RunProgress(run=run, log=log, **{"metadata": {"rows": 3}, "progress": HALF} | told)
    RunProgress.objects.write([row], run.node_id, with_logs=with_logs)


def end(run: JobRun, state: RunState = RunState.SUCCESS) -> None:
    JobRun.objects.filter(pk=run.pk).update(state=state, finished_at=timezone.now(), log="all")


def test_running_run_has_what_it_said_so_far(run: JobRun) -> None:
    say(run)
    found = live_run(run.pk)
    assert found.is_running
    assert (found.log_tail, found.metadata) == ("so far\n", {"rows": 3})
    assert found.progress == Progress(45.0, 90.0, "pages")
    assert found.progress.percent == 50
    assert found.elapsed
    assert timedelta(minutes=2) <= found.elapsed < timedelta(minutes=3)
    assert found.flushed_at
    assert abs(found.flushed_at - timezone.now()) < timedelta(minutes=1)


def test_running_run_that_said_nothing_has_only_its_time(run: JobRun) -> None:
    found = live_run(run.pk)
    assert (found.log_tail, found.metadata, found.progress) == ("", {}, Progress())
    assert found.flushed_at is None
    assert found.elapsed


def test_later_words_replace_the_earlier_ones(run: JobRun) -> None:
    say(run)
    say(run, "more\n", metadata={"rows": 4}, progress=None)
    found = live_run(run.pk)
    assert (found.log_tail, found.metadata, found.done) == ("more\n", {"rows": 4}, None)


def test_log_that_is_as_it_was_is_not_written_again(run: JobRun) -> None:
    say(run)
    say(run, "", with_logs=False, metadata={"rows": 4})
    found = live_run(run.pk)
    assert (found.log_tail, found.metadata) == ("so far\n", {"rows": 4})


def test_tail_is_the_end_of_the_log(run: JobRun) -> None:
    say(run, "0123456789")
    assert live_run(run.pk, tail=3).log_tail == "789"
    assert live_run(run.pk, tail=0).log_tail == ""


def test_ended_run_has_its_outcome_whatever_is_left(run: JobRun) -> None:
    say(run)
    end(run)
    found = live_run(run.pk)
    assert (found.state, found.log_tail, found.metadata) == ("success", "all", {})
    assert found.progress == Progress()


def test_late_words_of_an_ended_run_are_not_kept(run: JobRun) -> None:
    end(run)
    say(run)
    assert not RunProgress.objects.exists()


def test_words_of_a_node_that_lost_the_run_are_not_kept(run: JobRun) -> None:
    JobRun.objects.update(node=Node.objects.create(name="there:1"))
    say(run)
    assert not RunProgress.objects.exists()


def test_words_of_another_run_with_the_same_id_are_not_shown(run: JobRun) -> None:
    say(run)
    JobRun.objects.update(created_at=T0)
    assert live_run(run.pk).log_tail == ""


def test_lost_run_keeps_what_it_said(run: JobRun) -> None:
    say(run)
    transitions.lose(JobRun.objects.running(), timezone.now(), "Lost.")
    row = JobRun.objects.get(pk=run.pk)
    assert (row.log, row.metadata, row.progress) == ("so far\n", {"rows": 3}, HALF)
    assert live_run(run.pk).log_tail == "so far\n"


def test_lost_run_that_said_nothing_stays_empty(run: JobRun) -> None:
    transitions.lose(JobRun.objects.running(), timezone.now(), "Lost.")
    row = JobRun.objects.get(pk=run.pk)
    assert (row.log, row.metadata, row.progress) == ("", {}, None)


def test_only_rows_of_ended_and_deleted_runs_are_pruned(run: JobRun) -> None:
    say(run)
    assert RunProgress.objects.prune() == 0
    end(run)
    assert RunProgress.objects.prune() == 1
    other = JobRun.objects.create(job_name="a", scheduled_for=T0, due_at=T0, attempt=2)
    RunProgress.objects.create(run=other, run_created_at=other.created_at, at=T0)
    other.delete()
    assert RunProgress.objects.prune() == 1


@pytest.mark.parametrize(
    "spoilt",
    [[1], "x", {"done": "much"}, {"done": True, "total": None, "text": 5}, {"done": 10**400}],
)
def test_spoilt_progress_is_none(run: JobRun, spoilt: Any) -> None:
    say(run, progress=spoilt)
    assert live_run(run.pk).progress == Progress()


@pytest.mark.parametrize(
    ("done", "total", "percent"),
    [(1, 3, 33), (5, 0, None), (None, 9, None), (12, 9, 100), (-1, 9, 0), (1, None, None),
     (1e308, 1e-308, 100)],
)  # fmt: skip
def test_percent_is_a_share_of_the_total(done: Any, total: Any, percent: int | None) -> None:
    assert Progress(done, total).percent == percent


@pytest.mark.parametrize("run_id", [0, -1, 2**63, -(2**70)])
def test_run_that_is_not_there_is_an_error(db: None, run_id: int) -> None:
    with pytest.raises(RunNotFound):
        live_run(run_id)
