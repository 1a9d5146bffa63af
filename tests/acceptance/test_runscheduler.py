"""Real processes on a real database: started, signalled, killed, started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from tests.harness import Site, eventually
from tests.harness.daemon import ROOT


def test_job_runs_is_seen_paused_and_resumed(site: Site) -> None:
    scheduler = site.start(jobs="tick")
    eventually(lambda: "success" in site.states("tick"))
    shown = site.cli(scheduler, "status")
    assert shown.returncode == 0
    assert shown.stdout.startswith("Scheduler: RUNNING\n")

    assert site.cli(scheduler, "pause", "tick").stdout == "Job 'tick' paused.\n"
    assert site.status(scheduler)["jobs"]["tick"]["is_paused"]
    time.sleep(0.5)
    before = site.states("tick")
    time.sleep(2)
    assert site.states("tick") == before

    assert site.cli(scheduler, "resume", "tick").stdout == "Job 'tick' resumed.\n"
    eventually(lambda: len(site.states("tick")) > len(before))
    assert scheduler.stop() == 0


def test_killed_scheduler_is_seen_and_its_run_is_lost(site: Site) -> None:
    watcher = site.start("grpcrunserver", jobs="endless tick")
    scheduler = site.start()
    site.trigger("endless")
    eventually(lambda: site.states("endless") == ["running"])
    eventually(lambda: site.states("tick").count("success") >= 2)
    assert site.status(watcher)["scheduler_running"]
    scheduler.kill()
    eventually(lambda: not site.status(watcher)["scheduler_running"])
    before = site.runs("tick", "scheduled_for, state")

    again = site.start()
    assert site.status(watcher)["scheduler_running"]
    eventually(lambda: site.states("endless") == ["lost"])
    shown = site.status(again)["jobs"]["endless"]
    assert (shown["last_result"], shown["error_count"]) == ("JOB_RESULT_STATUS_FAILED", 1)
    assert "died or froze" in shown["last_error"]
    finished = [row for row in before if row[1] == "success"]
    assert finished
    assert set(finished) <= set(site.runs("tick", "scheduled_for, state"))
    eventually(lambda: site.states("tick").count("success") > len(finished))


def test_sigterm_lets_a_run_finish_and_loses_nothing_due(site: Site) -> None:
    scheduler = site.start(jobs="slow tick")
    site.trigger("slow")
    eventually(lambda: site.states("slow") == ["running"])
    assert scheduler.stop() == 0
    assert site.runs("slow", "state, message") == [("success", "")]
    site.start()
    before = len(site.runs("tick"))
    eventually(lambda: len(site.runs("tick")) >= before + 3)
    assert _seconds_without_a_row(site) == 0


def _seconds_without_a_row(site: Site) -> int:
    """How many seconds, from the first to the last in the ledger, no row of `tick` stands for."""
    if site.env["DATABASE_URL"].startswith("sqlite"):
        span = "round((julianday(max(scheduled_for)) - julianday(min(first))) * 86400)"
    else:
        span = "extract(epoch FROM max(scheduled_for) - min(first))"
    ((seconds, accounted_for),) = site.rows(
        f"SELECT {span}, sum(occurrences) FROM (SELECT occurrences, scheduled_for, "
        "coalesce(first_scheduled_for, scheduled_for) AS first FROM scheduler_app_jobrun "
        "WHERE job_name = 'tick') AS runs"
    )
    return int(seconds) + 1 - int(accounted_for)


def test_failures_are_shown_as_they_are(site: Site) -> None:
    scheduler = site.start(jobs="raises raises-much exits tick")
    for name in ("raises", "raises-much", "exits"):
        site.trigger(name)
    eventually(lambda: all(_has_failed(site, n) for n in ("raises", "raises-much", "exits")))
    jobs = site.status(scheduler)["jobs"]
    assert jobs["raises"]["last_error"] == "ValueError: no such record"
    assert jobs["exits"]["last_error"] == "The job called sys.exit: SystemExit: 3"
    assert jobs["raises-much"]["last_error"].startswith("RuntimeError: begin␀xxx")
    assert jobs["raises-much"]["last_error"].endswith("xend")
    assert len(jobs["raises-much"]["last_error"]) == 10_000
    assert {jobs[n]["error_count"] for n in ("raises", "raises-much", "exits")} == {1}
    assert "    error: ValueError: no such record\n" in site.cli(scheduler, "status").stdout
    assert site.status(scheduler)["scheduler_running"]
    assert scheduler.stop() == 0


def _has_failed(site: Site, name: str) -> bool:
    return site.states(name) == ["failed"]


def test_job_taken_from_the_code_is_orphaned_and_keeps_its_history(site: Site) -> None:
    scheduler = site.start(jobs="tick slow")
    eventually(lambda: "success" in site.states("tick"))
    scheduler.stop()
    again = site.start(jobs="slow")
    eventually(lambda: site.status(again)["jobs"]["tick"]["is_orphaned"])
    assert site.status(again)["jobs"]["tick"]["run_count"] >= 1
    assert "ORPHANED" in site.cli(again, "status").stdout
    before = site.runs("tick")
    time.sleep(1.5)
    assert site.runs("tick") == before


def test_pause_survives_a_restart(site: Site) -> None:
    scheduler = site.start(jobs="tick")
    site.cli(scheduler, "pause", "tick")
    scheduler.stop()
    again = site.start()
    assert site.status(again)["jobs"]["tick"]["is_paused"]
    before = site.runs("tick")
    time.sleep(1.5)
    assert site.runs("tick") == before


def test_two_schedulers_share_the_work_and_double_nothing(site: Site) -> None:
    site.env["NIGHT_TICKS"] = "40"
    schedulers = [site.start(jobs=""), site.start()]
    time.sleep(8)
    assert [scheduler.stop() for scheduler in schedulers] == [0, 0]
    query = "SELECT {} FROM scheduler_app_jobrun WHERE job_name LIKE 'tick-%'"
    ((rows, distinct),) = site.rows(
        query.format("count(*), count(DISTINCT job_name || cast(scheduled_for AS text))")
    )
    assert rows == distinct
    per_second: list[Any] = site.rows(
        query.format("scheduled_for, count(*)") + " GROUP BY scheduled_for ORDER BY 1"
    )
    assert len(per_second) >= 7
    assert {count for _, count in per_second} == {40}
    states = site.rows(query.format("state, count(*)") + " GROUP BY state")
    assert set(dict(states)) <= {"success", "queued"}


def test_second_server_on_one_port_is_refused(site: Site) -> None:
    first = site.start("grpcrunserver")
    second = site.manage("runscheduler", f"127.0.0.1:{first.port}")
    assert second.returncode == 1
    assert "the port is taken" in second.stderr
    assert "Traceback" not in second.stderr


def _has_ended(site: Site, name: str) -> bool:
    return site.states(name) not in ([], ["queued"], ["running"])


@pytest.fixture
def start_shell(site: Site) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Start a scheduler whose output goes to a shell command, and whose input stays open."""
    started: list[subprocess.Popen[bytes]] = []

    def _start(output: str) -> subprocess.Popen[bytes]:
        command = (
            f"exec 3>&1; {{ {sys.executable} manage.py runscheduler 127.0.0.1:0; echo $? >&3; }}"
        )
        started.append(
            subprocess.Popen(
                ["bash", "-c", f"{command} {output}"],
                cwd=ROOT,
                env=site.env | {"NIGHT_JOBS": "talks talks-in-a-process"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        )
        return started[0]

    yield _start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("output", ["2>&1 | head -1 >&2", "> /dev/full 2>&1", ">&- 2>&-"])
def test_runs_succeed_whatever_becomes_of_the_output(
    site: Site, start_shell: Callable[[str], subprocess.Popen[bytes]], output: str
) -> None:
    process = start_shell(output)
    ((node,),) = eventually(lambda: site.rows("SELECT name FROM scheduler_app_node"))
    eventually(lambda: site.rows("SELECT 1 FROM scheduler_app_job WHERE name = 'talks'"))
    for name in ("talks", "talks-in-a-process"):
        site.trigger(name)
        eventually(partial(_has_ended, site, name))
        ((state, message, log),) = site.runs(name, "state, message, log")
        assert (state, message) == ("success", "")
        assert "a line\n" in log
        assert "WARNING night: a record\n" in log
        assert log.endswith("Are you sure? no answer\n")
    os.kill(int(node.split(":")[1]), signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.read() == b"0\n"
