"""The commands that look and act, against a real server."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from scheduler_app import control
from scheduler_app.control import Actor
from scheduler_app.exceptions import Busy
from scheduler_app.models import (
    AuditEntry,
    Heartbeat,
    Job,
    JobRun,
    Node,
    RunState,
    Surface,
    database,
    timetable_rows,
)
from scheduler_app.registry import job, registry
from scheduler_app.rpc.server import Server

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
Call = Callable[..., str]
ADA = Actor("ada", Surface.CODE)
AT = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)


@pytest.fixture
def call(transactional_db: None, capsys: pytest.CaptureFixture[str]) -> Iterator[Call]:
    server = Server("127.0.0.1:0")
    server.start()

    def _call(*command: str) -> str:
        call_command("scheduler", "--endpoint", server.address, *command)
        return capsys.readouterr().out

    yield _call
    server.stop(1)


@pytest.fixture
def report(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(registry, "_definitions", {})

    @job(cron="0 1 * * *", name="report")
    def send(customer: str = "all", limit: int = 5) -> None:
        """Send the report."""

    make_job("report", description="Send the report.")
    return "report"


def ended(state: RunState = RunState.SUCCESS, **fields: Any) -> JobRun:
    values = {
        "job_name": "report",
        "scheduled_for": AT,
        "due_at": AT,
        "started_at": AT,
        "finished_at": AT + timedelta(seconds=3),
    }
    return JobRun.objects.create(**(values | {"state": state} | fields))


def objects(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def carry_out(monkeypatch: pytest.MonkeyPatch, **outcome: Any) -> None:
    """Have the run that is waited for end while the command sleeps."""

    def end(_: float) -> None:
        at = timezone.now()
        values = {"started_at": at, "finished_at": at, "state": RunState.SUCCESS} | outcome
        JobRun.objects.active().update(**values)

    monkeypatch.setattr("time.sleep", end)


def test_list_has_a_line_a_job(call: Call, make_job: MakeJob) -> None:
    for name in ("a", "b"):
        make_job(name)
    control.pause("b", by=ADA)
    header, one, two = call("list").splitlines()
    assert header.split() == ["JOB", "STATE", "NEXT", "RUN", "LAST", "OUTCOME"]
    assert (one.split()[:2], two.split()[:2]) == (["a", "IDLE"], ["b", "PAUSED"])
    (found,) = objects(call("list", "--state", "paused", "--json"))
    assert found["job_name"] == "b"


def test_show_has_the_job_and_its_runs(call: Call, report: str) -> None:
    run = ended(RunState.FAILED, message="ValueError: no rows")
    out = call("show", report)
    assert "Last outcome:  failed: ValueError: no rows" in out
    assert "Every minute (* * * * *, " in out
    assert out.splitlines()[-1].split()[:3] == [str(run.pk), report, "failed"]


def test_run_is_queued_with_its_arguments(call: Call, report: str) -> None:
    out = call("run", report, "--arg", "customer=acme", "--arg", "limit=7", "--reason", "for ada")
    run = JobRun.objects.get()
    assert out == f"Run {run.pk} of report is queued.\n"
    assert run.arguments == {"customer": "acme", "limit": 7}
    assert AuditEntry.objects.get().reason == "for ada"


@pytest.mark.parametrize(("state", "code"), [(RunState.SUCCESS, 0), (RunState.FAILED, 1)])
def test_run_that_is_waited_for_gives_the_exit_code(
    call: Call, report: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], state: RunState, code: int,
) -> None:  # fmt: skip
    carry_out(monkeypatch, state=state, log="a line\n\x1b[31mred\n", message="why" if code else "")
    if code:
        with pytest.raises(SystemExit) as caught:
            call("run", report, "--wait")
        assert caught.value.code == code
        out = capsys.readouterr().out
    else:
        out = call("run", report, "--wait")
    pk = JobRun.objects.get().pk
    last = f"Run {pk} {state} after 0 ms" + (": why" if code else "")
    assert out.splitlines() == ["a line", r"\x1b[31mred", last]


def test_typing_error_suggests_a_name(call: Call, report: str) -> None:
    for command in (["run", "reprot"], ["show", "reprot"], ["pause", "reprot"]):
        with pytest.raises(CommandError, match=r"not found: reprot\. Did you mean report\?$"):
            call(*command)
    with pytest.raises(CommandError, match="not found: reprot"):
        call("runs", "reprot")


def test_arguments_that_do_not_fit_are_named(call: Call, report: str) -> None:
    with pytest.raises(CommandError, match="unexpected keyword argument 'custmer'"):
        call("run", report, "--arg", "custmer=acme")
    with pytest.raises(CommandError, match="'acme' is not NAME=VALUE"):
        call("run", report, "--arg", "acme")


def test_retry_runs_it_again(call: Call, report: str) -> None:
    failed = ended(RunState.FAILED)
    out = call("retry", str(failed.pk))
    run = JobRun.objects.get(rerun_of=failed)
    assert out == f"Run {run.pk} of report is queued.\n"
    with pytest.raises(CommandError, match="is being run again already") as caught:
        call("retry", str(failed.pk))
    assert caught.value.returncode == 1


def test_runs_are_filtered(call: Call, report: str) -> None:
    ended()
    failed = ended(RunState.FAILED, message="no rows", scheduled_for=timezone.now())
    assert len(call("runs").splitlines()) == 3
    for options in (["--failed"], ["--state", "failed"], ["--grep", "ROWS"], ["--since", "1h"]):
        (found,) = objects(call("runs", report, *options, "--json"))
        assert (found["run_id"], found["state"]) == (failed.pk, "RUN_STATE_FAILED")
    assert found["duration"] == 3.0 or found["duration"] is None
    assert found["start_time"] == "2026-11-27T03:00:00Z"


def test_limit_reaches_over_pages(call: Call, report: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler_app.cli.api.LARGEST_PAGE", 2)
    for _ in range(6):
        ended(scheduled_for=AT, trigger="manual")
    assert len(objects(call("runs", "--limit", "5", "--json"))) == 5


def test_logs_print_log_and_traceback(call: Call, report: str) -> None:
    run = ended(RunState.FAILED, log="one\ntwo\n", traceback="Traceback ...")
    assert call("logs", str(run.pk)).splitlines() == ["one", "two", "Traceback ..."]


def test_followed_log_ends_with_the_run(
    call: Call, report: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ended(RunState.RUNNING, finished_at=None)
    carry_out(monkeypatch, log="one\ntwo\n")
    assert call("logs", str(run.pk), "--follow").splitlines() == ["one", "two"]


def test_next_shows_often_firing_jobs_once(call: Call, make_job: MakeJob) -> None:
    make_job("often", cron="* * * * *")
    make_job("never", cron="0 0 1 1 *")
    timetable_rows().update(next_run_time=timezone.now() + timedelta(seconds=30))
    out = call("next", "2h")
    (line,) = (line for line in out.splitlines() if "often" in line)
    assert re.search(r"and 11[89] more until then", line)
    assert "and 1,000 or more until then" in call("next", "30d")


def test_nodes_say_how_they_are(call: Call) -> None:
    node = Node.objects.create(name="here:2")
    Heartbeat.objects.create(node=node, problem="every claim fails: x", problem_since=AT)
    line = call("nodes").splitlines()[1]
    assert line.startswith("here:2  not working")
    assert line.endswith("every claim fails: x")


def test_preview_says_what_clocks_do(call: Call) -> None:
    out = call(
        "preview", "30 2 * * *", "--tz", "Europe/Berlin", "-n", "1", "--after", "2026-03-28T12:00"
    )
    assert out.splitlines() == [
        "At 02:30 every day (Europe/Berlin)",
        "  2026-03-29 03:00:00 CEST  the clock skips 02:00 to 03:00 right before",
    ]


def test_audit_lists_who_did_what(call: Call, report: str) -> None:
    control.pause(report, by=ADA, reason="noisy")
    control.pause(report, by=ADA)
    header, second, first = call("audit").splitlines()
    assert header.startswith("TIME")
    assert first.split()[2:] == ["ada", "code", "pause", "report", "noisy"]
    assert "pause (no change)" in second


def test_all_jobs_are_paused_and_resumed(call: Call, make_job: MakeJob) -> None:
    for name in ("a", "b"):
        make_job(name)
    assert call("pause", "--all", "--reason", "deploy").count("paused.") == 2
    assert Job.objects.paused().count() == 2
    assert call("resume", "--all").count("resumed.") == 2
    assert not Job.objects.paused().exists()
    with pytest.raises(CommandError, match="one of the arguments JOB --all --app --prefix is"):
        call("pause")


def test_jobs_of_an_app_are_paused_and_resumed(call: Call, make_job: MakeJob) -> None:
    make_job("bill", app="shop")
    make_job("mail", app="news")
    assert call("pause", "--app", "shop") == "Job 'bill' paused.\n"
    assert call("pause", "--app", "shop") == "Job 'bill' was paused already.\n"
    assert call("list", "--app", "shop").split()[-4:-2] == ["bill", "PAUSED"]
    told = call("resume", "--all", "--dry-run")
    assert "Job 'bill' would be resumed.\n  0 runs would be queued.\n  due next: " in told
    assert "Job 'mail' was not paused." in told
    assert Job.objects.paused().get().name == "bill"
    assert "Job 'bill' resumed." in call("resume", "--prefix", "b")


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_empty_name_is_no_job_and_an_empty_selection_is_none(call: Call, command: str) -> None:
    with pytest.raises(CommandError, match="Job not found"):
        call(command, "")
    for option in ("--app", "--prefix"):
        with pytest.raises(CommandError, match="Give all, or which jobs"):
            call(command, option, "")


def test_job_that_others_hold_is_told_and_the_exit_code_is_1(
    call: Call, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def refuse(names: list[str], **_: Any) -> Any:
        raise Busy(f"{names[0]}: another transaction holds it.")

    make_job("a")
    monkeypatch.setattr(control, "pause_many", refuse)
    with pytest.raises(SystemExit) as caught:
        call("pause", "--all")
    assert caught.value.code == 1
    assert "Failed to pause 'a': a: another transaction holds it." in capsys.readouterr().err


def test_pause_for_a_time_says_until_when(call: Call, make_job: MakeJob) -> None:
    make_job("a")
    out = call("pause", "a", "--for", "2h", "--reason", "deploy")
    assert re.fullmatch(r"Job 'a' paused until \S+ \S+\.\n", out)
    assert re.search(r"    paused until .* by \S+: deploy", call("status"))
    assert re.search(r"Paused: +since .* until .* by \S+: deploy", call("show", "a"))
    with pytest.raises(CommandError, match="'yesterday' has passed"):
        call("pause", "a", "--until", "yesterday")


def test_resume_tells_what_it_catches_up_with(
    call: Call, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now().replace(second=30)  # no minute begins during the test
    monkeypatch.setattr(database, "now", lambda: now)
    make_job("a")
    control.pause("a", by=ADA)
    Job.objects.update(paused_at=now - timedelta(minutes=3))
    told = call("resume", "a", "--catch-up", "all", "--dry-run").splitlines()
    assert told[0] == "  3 runs would be queued."
    assert told[1].startswith("  due next: ")
    assert Job.objects.get().is_paused
    assert call("resume", "a", "--catch-up", "once").splitlines() == [
        "Job 'a' resumed.",
        "  1 run is queued.",
    ]
    assert JobRun.objects.count() == 1


def test_schedule_is_set_and_reverted(call: Call, make_job: MakeJob) -> None:
    make_job("a", cron="0 1 * * *")
    out = call("set", "a", "--schedule", "0 5 * * *", "--retries", "3", "--reason", "late")
    assert out.startswith("At 05:00 every day (")
    assert "cron '0 5 * * *' (code: '0 1 * * *'), retries '3' (code: '0')" in out
    assert "    overridden: cron, retries" in call("status")
    assert "Overridden:" in call("show", "a")
    assert "As the code declares." in call("revert", "a")
    assert Job.objects.get().cron == "0 1 * * *"
    with pytest.raises(CommandError, match="Give what is to be in force"):
        call("set", "a")
    with pytest.raises(CommandError, match="Bad cron expression"):
        call("set", "a", "--schedule", "* *")


def test_period_is_run_again(call: Call, make_job: MakeJob) -> None:
    make_job("a")
    dry = call("backfill", "a", "--from", "3m", "--dry-run").splitlines()
    assert dry[0] in ("3 runs would be queued.", "4 runs would be queued.")
    assert not JobRun.objects.exists()
    (told,) = objects(call("backfill", "a", "--from", "3m", "--json"))
    assert told["run_ids"] == list(JobRun.objects.order_by("pk").values_list("pk", flat=True))


def test_health_says_whether_jobs_run(
    call: Call, make_job: MakeJob, capsys: pytest.CaptureFixture[str]
) -> None:
    def code(*options: str) -> tuple[object, str]:
        try:
            return 0, call("health", *options)
        except SystemExit as error:
            return error.code, capsys.readouterr().out

    assert code() == (1, "Scheduler: STOPPED\n")
    Heartbeat.objects.create(node=Node.objects.create(name="here:1"))
    make_job("late")
    assert code() == (0, "Scheduler: RUNNING\n")
    timetable_rows().update(next_run_time=timezone.now() - timedelta(minutes=3))
    failed, told = code()
    assert failed == 1
    assert "late has been due for 3 min" in told
    assert code("--max-lag", "5m")[0] == 0
    control.pause("late", by=ADA)
    assert code()[0] == 0


def test_silent_server_on_another_machine_has_a_code_of_its_own() -> None:
    with pytest.raises(CommandError) as caught:
        call_command("scheduler", "--endpoint", "192.0.2.1:1", "list")
    assert caught.value.returncode == 3
