"""Stopped means ended, whatever hangs."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.harness import ROOT, eventually
from tests.harness.processes import descendants, is_alive
from tests.liveness.conftest import MakeSite
from tests.liveness.database import held

CUT_OFF = 3
LIMIT = 30
"""Seconds; the shutdown timeout here is 2."""


@pytest.mark.parametrize(
    "job", ["leaves-pool", "leaves-child", "leaves-exit-function", "leaves-log-handler"]
)
def test_what_a_job_leaves_behind_keeps_nothing_alive(make_site: MakeSite, job: str) -> None:
    site = make_site()
    scheduler = site.start()
    site.trigger(job)
    eventually(lambda: site.states(job) == ["success"])
    left = descendants(scheduler.process.pid)
    scheduler.process.terminate()
    assert scheduler.process.wait(LIMIT) == CUT_OFF
    assert scheduler.output().rstrip().endswith("Stopped; something did not end in time.")
    eventually(lambda: not any(is_alive(pid) for pid in left))


def test_run_that_does_not_end_makes_the_exit_code_3(make_site: MakeSite) -> None:
    site = make_site()
    scheduler = site.start()
    site.trigger("endless")
    eventually(lambda: site.states("endless") == ["running"])
    scheduler.process.terminate()
    assert scheduler.process.wait(LIMIT) == CUT_OFF
    assert site.states("endless") == ["lost"]


def test_run_in_a_process_of_its_own_that_does_not_end_is_cut_off(make_site: MakeSite) -> None:
    site = make_site({"SICK_APART": "1"})
    scheduler = site.start()
    site.trigger("endless-apart")
    eventually(lambda: site.states("endless-apart") == ["running"])
    time.sleep(1)  # it has begun, most likely
    left = descendants(scheduler.process.pid)
    scheduler.process.terminate()
    assert scheduler.process.wait(LIMIT) == CUT_OFF
    assert site.states("endless-apart") == ["lost"]
    eventually(lambda: not any(is_alive(pid) for pid in left))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_each_signal_stops_in_good_order(make_site: MakeSite, number: signal.Signals) -> None:
    site = make_site()
    scheduler = site.start()
    eventually(lambda: "success" in site.states("tick"))
    scheduler.process.send_signal(number)
    assert scheduler.process.wait(LIMIT) == 0
    assert scheduler.output().rstrip().endswith("Stopped.")
    ((stopped,),) = site.rows("SELECT count(*) FROM scheduler_app_node WHERE stopped_at IS NULL")
    assert stopped == 0


def test_stop_beside_a_locked_table_is_bounded(make_site: MakeSite) -> None:
    site = make_site()
    scheduler = site.start()
    eventually(lambda: "success" in site.states("tick"))
    with held(site, "LOCK TABLE scheduler_app_jobrun"):
        time.sleep(1.5)
        scheduler.process.terminate()
        assert scheduler.process.wait(LIMIT) == CUT_OFF


def test_second_signal_exits_at_once(make_site: MakeSite) -> None:
    site = make_site(shutdown_timeout=60)
    scheduler = site.start()
    site.trigger("endless")
    eventually(lambda: site.states("endless") == ["running"])
    scheduler.process.terminate()
    eventually(lambda: "Stopping" in scheduler.output())
    scheduler.process.send_signal(signal.SIGINT)
    assert scheduler.process.wait(10) == 128 + signal.SIGINT


def test_start_beside_a_locked_table_can_be_interrupted(make_site: MakeSite) -> None:
    site = make_site()
    with held(site, "LOCK TABLE scheduler_app_node"):
        process = subprocess.Popen(
            [sys.executable, "manage.py", "runscheduler", "127.0.0.1:0"], cwd=ROOT, env=site.env,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        time.sleep(2.5)
        process.terminate()
        output, _ = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "is running" not in output


def test_reader_of_stdout_that_is_gone_changes_nothing(make_site: MakeSite) -> None:
    site = make_site()
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "runscheduler", "127.0.0.1:0"], cwd=ROOT, env=site.env,
        stdout=writing, stderr=writing,
    )  # fmt: skip
    os.close(writing)
    os.close(reading)
    eventually(lambda: "success" in site.states("tick"))
    process.terminate()
    assert process.wait(LIMIT) == 0


def test_systemd_is_told_of_start_progress_and_stop(make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "notify"))
        end.settimeout(20)
        scheduler = site.start(NOTIFY_SOCKET=str(tmp_path / "notify"))
        states = [end.recv(100).decode(), end.recv(100).decode()]
        scheduler.process.terminate()
        while (state := end.recv(100).decode()) == "WATCHDOG=1":
            pass
        states.append(state)
    assert states == [f"READY=1\nMAINPID={scheduler.process.pid}", "WATCHDOG=1", "STOPPING=1"]
    assert scheduler.process.wait(LIMIT) == 0
