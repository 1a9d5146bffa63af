"""Faults under which a scheduler stays alive, or says what is wrong."""

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from scheduler_app.rpc import health
from tests.harness import Daemon, eventually
from tests.harness.processes import descendants
from tests.liveness.conftest import MakeSite, SickSite, health_of
from tests.liveness.database import allow, execute, held, refuse

SERVING, NOT_SERVING = 1, 2
JOBRUN = "scheduler_app_jobrun"
PATIENCE = 40
"""Seconds; the machine may be busy."""
OLDEST_ANSWER = 3 * (health.INTERVAL + health.LONGEST_LOOK + health.WATCH)
"""Three times as long, in seconds, as an answer of the health service may be older than the truth.
A server that only waits would say SERVING for as long as the lock is held."""
MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
BANNER = (
    "from scheduler_app.admin.banner import banner; shown = banner(); "
    'print(f\'{shown["state"]}: {shown["problem"]}\')'
)
"""Code that prints what the admin's banner shows."""


def ticks(site: SickSite, more: int = 2) -> None:
    """Wait for this many more successes."""
    before = site.states("tick").count("success")
    eventually(lambda: site.states("tick").count("success") >= before + more, PATIENCE)


def orphaned(site: SickSite) -> int:
    query = "SELECT count(*) FROM scheduler_app_scheduleperiod WHERE state = 'orphaned'"
    ((count,),) = site.rows(query)
    return int(count)


def test_rows_that_a_person_locks_delay_no_heartbeat(make_site: MakeSite) -> None:
    site = make_site()
    site.start()
    site.start()
    ticks(site)
    with held(
        site,
        "SELECT * FROM scheduler_app_node FOR UPDATE",
        "SELECT * FROM scheduler_app_heartbeat FOR UPDATE",
        "SELECT * FROM scheduler_app_job FOR UPDATE",
        "SELECT * FROM django_apscheduler_djangojob FOR UPDATE",
    ):
        before = site.last_beat()
        time.sleep(6)  # much longer than a node may be silent
        if site.is_postgres:
            assert site.last_beat() >= before + 6
    ticks(site)
    assert site.given_up() == 0
    assert site.states("tick").count("lost") == 0
    assert orphaned(site) == 0


def test_frozen_scheduler_orphans_none_of_its_own_jobs(make_site: MakeSite) -> None:
    site = make_site()
    scheduler, other = site.start(), site.start()
    ticks(site)
    other.kill()
    scheduler.freeze()
    time.sleep(4)
    scheduler.thaw()
    eventually(lambda: site.given_up() >= 1, PATIENCE)
    ticks(site)
    assert orphaned(site) == 0


def test_log_handler_that_raises_ends_nothing(make_site: MakeSite) -> None:
    site = make_site(env={"SICK_LOGGING": "1"})
    scheduler = site.start()
    ticks(site)
    for action in ("INSERT", "UPDATE"):
        refuse(site, f"{action}", JOBRUN)
        time.sleep(2)
        allow(site, JOBRUN)
        ticks(site)
    if site.is_postgres:
        execute(
            site,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        ticks(site)
    eventually(lambda: health_of(scheduler) == SERVING, PATIENCE)
    assert scheduler.stop() == 0


@pytest.mark.parametrize("env", [{}, {"SICK_GRPC": "1"}], ids=["", "jobs import grpc"])
def test_job_that_forks_beside_calls_harms_nothing(make_site: MakeSite, env: Any) -> None:
    """By default gRPC halts its threads at each fork, which may hang, or abort the child."""
    site = make_site(env)
    scheduler = site.start()
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.is_set():
            health_of(scheduler)

    clients = [threading.Thread(target=ask) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        site.trigger("forks")
        eventually(lambda: site.states("forks") == ["success"], PATIENCE)
    finally:
        stopped.set()
        for client in clients:
            client.join()
    ticks(site)
    assert "fork_posix" not in scheduler.output()


def test_child_that_outlives_its_scheduler_keeps_no_port(make_site: MakeSite) -> None:
    """Nor clients that wait for an answer."""
    site = make_site()
    scheduler = site.start()
    with grpc.insecure_channel(f"127.0.0.1:{scheduler.port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watched = stub.Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        next(watched)
        site.trigger("forks-for-long")
        eventually(lambda: site.states("forks-for-long") == ["success"], PATIENCE)
        left = descendants(scheduler.process.pid)
        scheduler.kill()
        try:
            with pytest.raises(grpc.RpcError) as caught:
                list(watched)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
            with socket.create_server(("127.0.0.1", scheduler.port)):
                pass
        finally:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def test_signals_that_a_job_asks_for_end_nothing(make_site: MakeSite) -> None:
    site = make_site()
    scheduler = site.start()
    site.trigger("asks-for-signals")
    eventually(lambda: site.states("asks-for-signals") == ["success"], PATIENCE)
    eventually(lambda: "a job may have set a timer" in scheduler.output())
    ticks(site)
    assert scheduler.process.poll() is None


def test_job_that_holds_the_interpreter_is_named(make_site: MakeSite) -> None:
    # Held for longer than a scheduler without a heartbeat lives, which a busy machine stays below.
    site = make_site({"SICK_HELD": "8"}, heartbeat=3)
    scheduler, other = site.start(), site.start()
    ticks(site)
    site.trigger("regex")
    eventually(lambda: site.states("regex") in (["success"], ["lost"]), 3 * PATIENCE)
    assert site.states("regex") == ["success"]
    assert site.given_up() == 0
    ((run,),) = site.runs("regex", "id")
    warning = "the interpreter lock was held for"
    eventually(lambda: warning in scheduler.output() + other.output())
    logs = scheduler.output() + other.output()
    assert f"run {run} of regex" in logs[logs.index(warning) :]
    assert "isolated=True" in logs


def test_held_interpreter_is_told_while_it_lasts(make_site: MakeSite) -> None:
    site = make_site({"SICK_HELD": "12"})  # time for several looks, each a process of its own
    scheduler = site.start()
    ticks(site)
    # A lock that begins in the midst of a claim would keep SQLite's database from the warden too.
    assert site.cli(scheduler, "pause", "tick").returncode == 0
    eventually(lambda: "running" not in site.states("tick"))
    site.trigger("regex")
    shown = eventually(lambda: said if "interpreter lock" in (said := site.says()) else "")
    ((run,),) = site.runs("regex", "id")
    assert shown.startswith("NOT WORKING since ")
    assert f"run {run} of regex" in shown
    eventually(lambda: "success" in site.states("regex"), 2 * PATIENCE)
    eventually(lambda: site.says() == "RUNNING", PATIENCE)


def test_scheduler_whose_claims_fail_says_so_and_exits(make_site: MakeSite) -> None:
    site = make_site(stuck_after=8)
    scheduler = site.start()
    ticks(site)
    eventually(lambda: health_of(scheduler) == SERVING)
    refuse(site, "INSERT", JOBRUN)
    shown = eventually(lambda: said if (said := site.says()).startswith("NOT WORKING") else "")
    assert "every claim fails: " in shown
    assert "refused by a trigger" in shown
    eventually(lambda: health_of(scheduler) == NOT_SERVING)
    assert scheduler.process.wait(PATIENCE) == 4


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda site: refuse(site, "INSERT", JOBRUN), "every claim fails: "),
        (lambda site: refuse(site, "UPDATE", JOBRUN), "no outcome can be recorded: "),
        (lambda site: site.trigger("wakes-no-thread"), "runs that were handed over do not begin"),
        (lambda site: site.trigger("starts-no-thread"), "runs do not begin: RuntimeError: can't"),
        (lambda site: site.trigger("hangs-claims"), "no claim completes"),
        (lambda site: site.trigger("hangs-recorder"), "the recorder makes no progress"),
    ],
    ids=["claims", "recorder", "executor", "no thread", "claims hang", "recorder hangs"],
)
def test_part_that_is_stuck_is_told_alike_on_all_surfaces(
    make_site: MakeSite, spoil: Callable[[SickSite], None], why: str
) -> None:
    site = make_site(stuck_after=600)
    scheduler = site.start()
    ticks(site)
    eventually(lambda: health_of(scheduler) == SERVING, PATIENCE)
    assert site.cli(scheduler, "status").stdout.startswith("Scheduler: RUNNING\n")

    spoil(site)

    told = eventually(lambda: _first_line(site, scheduler, "NOT WORKING since "), 2 * PATIENCE)
    assert re.fullmatch(rf"Scheduler: NOT WORKING since {MOMENT} UTC: {why}.*", told)
    status = site.status(scheduler)
    assert (status["source"], status["state"]) == ("server", "NOT WORKING")
    assert status["scheduler_running"] is False
    assert status["problem"].startswith(why)
    assert status["since_ms"] > 0
    [node] = status["nodes"]
    assert (node["well"], node["problem"]) == (False, status["problem"])
    eventually(lambda: health_of(scheduler) == NOT_SERVING, PATIENCE)
    banner = site.manage("shell", "-v0", "-c", BANNER).stdout
    assert banner.startswith(f"NOT WORKING: {why}")
    audit = site.manage("scheduler", "audit-ledger").stderr
    assert re.search(rf"^Scheduler: NOT WORKING since {MOMENT} UTC: {why}", audit, re.MULTILINE)
    before = site.last_beat()
    eventually(lambda: site.last_beat() > before, PATIENCE)  # it is alive all the time
    assert site.given_up() == 0


@pytest.mark.parametrize("job", ["starts-no-thread", "hangs-claims", "hangs-recorder"])
def test_scheduler_that_is_stuck_for_good_exits(make_site: MakeSite, job: str) -> None:
    site = make_site(stuck_after=3)
    scheduler = site.start()
    ticks(site)
    site.trigger(job)
    assert scheduler.process.wait(2 * PATIENCE) == 4


def _first_line(site: SickSite, scheduler: Daemon, words: str) -> str:
    """Return the first line of `status`, if it has these words; else nothing."""
    first = site.cli(scheduler, "status").stdout.partition("\n")[0]
    return first if words in first else ""


def test_scheduler_that_cannot_record_says_so_and_exits(make_site: MakeSite) -> None:
    site = make_site(stuck_after=5)
    scheduler = site.start()
    ticks(site)
    refuse(site, "UPDATE", JOBRUN)
    shown = eventually(lambda: said if (said := site.says()).startswith("NOT WORKING") else "")
    assert "no outcome can be recorded: " in shown
    assert scheduler.process.wait(PATIENCE) == 4


@pytest.mark.parametrize(
    "job", ["ends-recorder", "ends-tick", "ends-liveness", "ends-pulse", "ends-grpc"]
)
def test_scheduler_that_has_lost_a_thread_of_its_own_exits(make_site: MakeSite, job: str) -> None:
    site = make_site(stuck_after=600)  # it waits for nothing: only a restart can mend that
    scheduler = site.start()
    ticks(site)
    site.trigger(job)
    assert scheduler.process.wait(PATIENCE) == 4
    assert "this scheduler cannot work any more" in scheduler.output()


def test_scheduler_works_again_once_it_can(make_site: MakeSite) -> None:
    site = make_site()
    scheduler = site.start()
    ticks(site)
    refuse(site, "INSERT", JOBRUN)
    eventually(lambda: site.says().startswith("NOT WORKING"))
    allow(site, JOBRUN)
    ticks(site)
    eventually(lambda: site.says() == "RUNNING")
    eventually(lambda: health_of(scheduler) == SERVING)


def test_health_of_a_database_that_does_not_answer(make_site: MakeSite) -> None:
    site = make_site()
    scheduler = site.start()
    ticks(site)
    eventually(lambda: health_of(scheduler) == SERVING)
    with held(site, "LOCK TABLE scheduler_app_node", "LOCK TABLE scheduler_app_heartbeat"):
        eventually(lambda: health_of(scheduler) == NOT_SERVING)
    ticks(site)
    eventually(lambda: health_of(scheduler) == SERVING)


@pytest.mark.parametrize("table", ["node", "heartbeat"])
def test_server_beside_a_locked_table_is_not_serving_within_seconds(
    make_site: MakeSite, table: str
) -> None:
    """A gRPC server without a scheduler has no heartbeat that fails: only its own look can tell."""
    site = make_site()
    site.start()
    server = site.start("grpcrunserver")
    eventually(lambda: health_of(server) == SERVING, PATIENCE)
    with held(site, f"LOCK TABLE scheduler_app_{table} IN ACCESS EXCLUSIVE MODE"):
        eventually(lambda: health_of(server) == NOT_SERVING, OLDEST_ANSWER)
    eventually(lambda: health_of(server) == SERVING, PATIENCE)
