"""manage.py scheduler against a real server."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from scheduler_app.cli.table import status_lines
from scheduler_app.models import AuditEntry, Job, JobRun, RunState
from scheduler_app.rpc.messages import as_dict
from scheduler_app.rpc.server import Server
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.text import first_line, printable
from tests.fires import computed

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
Call = Callable[..., str]


@pytest.fixture
def call(transactional_db: None, capsys: pytest.CaptureFixture[str]) -> Iterator[Call]:
    server = Server("127.0.0.1:0")
    server.start()

    def _call(*command: str) -> str:
        call_command("scheduler", "--endpoint", server.address, *command)
        return capsys.readouterr().out

    yield _call
    server.stop(1)


def test_status_without_jobs(call: Call) -> None:
    assert call("status") == "Scheduler: STOPPED\n\nNo jobs registered.\n"


def test_status_has_the_seeds_table(call: Call, make_job: MakeJob) -> None:
    job = make_job("nightly", cron="0 1 * * *", run_count=7, error_count=2)
    fire = computed(job.schedule).next(timezone.now())
    assert fire is not None
    next_run = fire.due_at.astimezone().strftime("%Y-%m-%d %H:%M")
    header = f"{'JOB':<20} {'STATUS':<12} {'LAST RUN':<20} {'NEXT RUN':<20} {'RUNS':<10} ERRORS"
    row = f"{'nightly':<20} {'IDLE':<12} {'Never':<20} {next_run:<20} {7:<10} 2"
    assert call("status").splitlines()[2:] == [header, "-" * 92, row]


def test_pause_and_resume(call: Call, make_job: MakeJob) -> None:
    make_job("nightly")
    assert call("pause", "nightly") == "Job 'nightly' paused.\n"
    assert "PAUSED" in call("status")
    assert call("resume", "nightly") == "Job 'nightly' resumed.\n"
    assert "PAUSED" not in call("status")
    assert {entry.surface for entry in AuditEntry.objects.all()} == {"cli"}


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_unknown_job_fails(call: Call, verb: str) -> None:
    with pytest.raises(CommandError, match=f"Failed to {verb} 'nope': Job not found: nope"):
        call(verb, "nope")


def test_json_has_every_field(call: Call, make_job: MakeJob) -> None:
    make_job("nightly", run_count=7)
    status = json.loads(call("status", "--json"))
    assert status["scheduler_running"] is False
    (job,) = status["jobs"]
    assert set(job) == {field.name for field in pb.JobStatusProto.DESCRIPTOR.fields}
    assert (job["run_count"], job["last_error"], job["last_run_metadata"]) == (7, None, {})
    assert job["last_result"] == "JOB_RESULT_STATUS_UNSPECIFIED"
    assert (job["overlap"], job["retry_delay_ms"], job["running_run_ids"]) == ("skip", 60_000, [])


def add_run(state: RunState) -> JobRun:
    now = timezone.now()
    started_at = now if state == RunState.RUNNING else None
    return JobRun.objects.create(
        job_name="nightly", scheduled_for=now, due_at=now, state=state, started_at=started_at
    )


def test_status_names_the_run_that_cancel_ends(call: Call, make_job: MakeJob) -> None:
    make_job("nightly")
    run = add_run(RunState.RUNNING)
    assert call("status").splitlines()[5] == f"    running: run {run.pk}"
    assert call("cancel", str(run.pk), "--reason=too slow") == f"Run {run.pk} asked to end.\n"
    run.refresh_from_db()
    assert run.cancel_reason.endswith("(command line): too slow")


def test_waiting_run_is_cancelled_at_once(call: Call, make_job: MakeJob) -> None:
    make_job("nightly")
    run = add_run(RunState.QUEUED)
    assert call("cancel", str(run.pk)) == f"Run {run.pk} cancelled.\n"
    assert JobRun.objects.get().state == RunState.CANCELLED


def test_unknown_run_fails(call: Call) -> None:
    with pytest.raises(CommandError, match="Failed to cancel run 7: Run not found: 7"):
        call("cancel", "7")


@pytest.mark.parametrize("run_id", ["0", "-1", "x", "1.5", str(2**63)])
def test_what_cannot_be_a_run_is_refused(call: Call, run_id: str) -> None:
    with pytest.raises(CommandError):
        call("cancel", run_id)


@pytest.mark.parametrize("seconds", ["0", "x", "-1", "nan"])
def test_bad_interval_is_refused(call: Call, seconds: str) -> None:
    with pytest.raises(CommandError, match=r"0\.1 to 3600"):
        call("status", f"--watch={seconds}")


def test_watch_shows_again_until_interrupted(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = iter([None])

    def wait(_: float) -> None:
        if next(shown, "enough"):
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", wait)
    assert call("status", "--watch").count("Scheduler: STOPPED") == 2


def lines(**fields: object) -> list[str]:
    job = pb.JobStatusProto(**({"job_name": "a"} | fields))  # type: ignore[arg-type]
    return list(status_lines(as_dict(pb.GetSchedulerStatusResponse(jobs=[job]))))


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"is_paused": True, "is_running": True}, "PAUSED"),
        ({"is_running": True}, "RUNNING"),
        ({"is_orphaned": True}, "ORPHANED"),
        ({}, "IDLE"),
    ],
)
def test_states(fields: dict[str, object], state: str) -> None:
    assert lines(**fields)[4].split()[1] == state


def test_paused_job_shows_no_next_run() -> None:
    assert lines(is_paused=True, next_run_ms=1)[4].split()[3] == "-"


def test_moments_are_local() -> None:
    moment = datetime(2026, 3, 2, 13, 45).astimezone()
    assert "2026-03-02 13:45" in lines(last_run_ms=int(moment.timestamp() * 1000))[4]


def test_column_grows_for_a_long_name() -> None:
    header, dashes, row = lines(job_name="n" * 30)[2:5]
    assert header.index("STATUS") == row.index("IDLE") == 31
    assert dashes == "-" * 102


def test_error_stands_under_its_job() -> None:
    failed = lines(last_error="ValueError: no", last_result=pb.JOB_RESULT_STATUS_FAILED)
    assert failed[5] == "    error: ValueError: no"
    skipped = lines(last_error="Missed: ...", last_result=pb.JOB_RESULT_STATUS_SKIPPED)
    assert skipped[5] == "    not run: Missed: ..."


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        ("failed", "error"),
        ("lost", "lost"),
        ("cancelled", "cancelled"),
        ("skipped", "skipped"),
        ("missed", "missed"),
    ],
)
def test_word_before_the_reason_is_the_outcomes(outcome: str, word: str) -> None:
    assert lines(last_error="why", last_outcome=outcome)[5] == f"    {word}: why"


def test_json_names_the_true_outcome(call: Call, make_job: MakeJob) -> None:
    make_job("nightly")
    now = timezone.now()
    run = add_run(RunState.RUNNING)
    JobRun.objects.filter(pk=run.pk).update(state=RunState.CANCELLED, finished_at=now)
    answer = json.loads(call("status", "--json"))
    [job] = answer["jobs"]
    assert (job["last_result"], job["last_outcome"]) == ("JOB_RESULT_STATUS_FAILED", "cancelled")
    assert (answer["source"], answer["state"]) == ("server", "STOPPED")


def test_many_runs_are_the_first_twenty_and_how_many_more() -> None:
    running = lines(running_run_ids=range(1, 31))[5]
    assert running.endswith("19, 20, and 10 more")


def test_node_that_does_not_work_beside_one_that_does() -> None:
    nodes = [pb.NodeProto(name="a", well=True), pb.NodeProto(name="b", problem="stuck")]
    answer = pb.GetSchedulerStatusResponse(scheduler_running=True, state="RUNNING", nodes=nodes)
    assert list(status_lines(as_dict(answer)))[:2] == [
        "Scheduler: RUNNING",
        "    b does not work: stuck",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo", "one"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\u202eabc", r"\u202eabc"),
        ("x" * 300, "x" * 197 + "..."),
        ("", ""),
    ],
)
def test_error_cannot_control_the_terminal(text: str, shown: str) -> None:
    assert printable(first_line(text)) == shown
