"""Random schedules, policies, pauses, crashes and restarts against a model of the ledger: no
occurrence is lost, none doubled, and every run ends.

LEDGER_EXAMPLES sets how many histories are tried, LEDGER_STEPS how long each is."""

import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from scheduler_app import control
from scheduler_app.engine import claim as claim_module
from scheduler_app.engine import plan
from scheduler_app.exceptions import ActionRefused
from scheduler_app.ledger import transitions
from scheduler_app.models import Node, RunState, Surface, row_id, timetable_rows
from scheduler_app.policies import CatchUp, Overlap
from scheduler_app.registry import Registry, job
from tests.model.clock import CLOCK, HEARTBEAT, rule_the_engine, seems_alive
from tests.model.process import Process
from tests.model.snapshot import is_active, is_waiting
from tests.model.world import FAULTS, World, rolled_back

EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "25"))
"""Unless it is set the histories are always the same: a chance find fails nobody's build."""
STEPS = int(os.environ.get("LEDGER_STEPS", "40"))

ADA = control.Actor("ada", Surface.CODE)
NAMES = st.sampled_from("abcd")
NUMBERS = st.integers(0, 5)
BEGINNINGS = [
    datetime(2026, 3, 2, 12, 0, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 55, tzinfo=UTC),  # 5 minutes before Berlin's hour that is skipped
    datetime(2026, 10, 25, 0, 55, tzinfo=UTC),  # the hour that Berlin repeats
]
SPANS = [
    *[timedelta(seconds=seconds) for seconds in (0.001, 1, 13, 59, 61, 300, 3600, 7 * 3600)],
    timedelta(days=1),
]
DECLARATIONS = st.fixed_dictionaries(
    {
        "cron": st.sampled_from(
            [
                *("* * * * *", "*/20 * * * * *", "*/7 * * * *", "0 */6 * * *", "30 2 * * *"),
                "@every 90s anchor 2026-03-02T12:00:07Z",
                "@at 2026-03-29T00:57:30Z",
                "*/7 * * * * except SUN",
                "*/20 * * * * * start 2026-03-02T12:00:30Z end 2026-03-02T12:03:00Z",
            ]
        ),
        "timezone": st.sampled_from(["UTC", "Europe/Berlin"]),
        "jitter": st.sampled_from([0, 0, 5, 90, 3000]),
        "overlap": st.sampled_from([str(value) for value in Overlap]),
        "catch_up": st.sampled_from([str(value) for value in CatchUp]),
        "catch_up_limit": st.integers(1, 4),
        "retries": st.integers(0, 2),
        "retry_delay": st.sampled_from([1.0, 45.0]),
        "retry_max_delay": st.sampled_from([10.0, 3600.0]),
    }
)


class History(RuleBasedStateMachine):
    """What may happen to schedulers, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.code: dict[str, dict[str, Any]] = {}
        self.transaction = rolled_back()
        self.transaction.__enter__()
        self.broken = True

    @initialize(
        at=st.sampled_from(BEGINNINGS), code=st.dictionaries(NAMES, DECLARATIONS, min_size=1)
    )
    def begin_of_time(self, at: datetime, code: dict[str, dict[str, Any]]) -> None:
        CLOCK.now = at
        self.world = World()
        self.code = code
        self.world.start(self.registry())
        self.broken = False

    def registry(self) -> Registry:
        registry = Registry()
        for name, options in self.code.items():
            job(name=name, registry=registry, **options)(nothing)
        assert not registry.problems
        return registry

    def process(self, number: int) -> Process:
        return self.world.processes[number % len(self.world.processes)]

    has_processes = precondition(lambda self: self.world.processes)

    # The code changes, processes come and go.

    @rule(name=NAMES, options=DECLARATIONS)
    def edit(self, name: str, options: dict[str, Any]) -> None:
        self.code[name] = options

    @rule(name=NAMES, change=DECLARATIONS, key=st.sampled_from(["cron", "jitter", "overlap"]))
    def edit_one_thing(self, name: str, change: dict[str, Any], key: str) -> None:
        if name in self.code:
            self.code[name] = self.code[name] | {key: change[key]}

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        self.code.pop(name, None)

    @precondition(lambda self: len(self.world.processes) < 3)
    @rule()
    def start(self) -> None:
        self.world.start(self.registry())

    @precondition(lambda self: len(self.world.processes) < 3)
    @rule(name=NAMES, jitter=st.sampled_from([0, 1, 3000]))
    def deploy_while_put_off(self, name: str, jitter: int) -> None:
        """An occurrence waits for the end of its jitter when other jitter is deployed."""
        fire = name in self.code and name in self.world.jobs and self.world.jobs[name].next()
        if fire and fire.scheduled_for < fire.due_at:
            CLOCK.now = max(CLOCK.now, fire.scheduled_for)
            self.code[name] = self.code[name] | {"jitter": jitter}
            self.start()

    @has_processes
    @rule(number=NUMBERS)
    def stop(self, number: int) -> None:
        process = self.process(number)
        process.stop()
        self.world.processes.remove(process)
        self.world.quiet_step()

    @has_processes
    @rule(number=NUMBERS, noticed=st.booleans())
    def crash(self, number: int, noticed: bool) -> None:
        self.world.crash(self.process(number))
        if noticed:
            self.world.notice_crashes()

    @has_processes
    @rule(number=NUMBERS)
    def freeze(self, number: int) -> None:
        """It falls silent, is taken for dead perhaps, and goes on as if nothing had happened."""
        seems_alive(self.process(number).node, False)

    # Time passes.

    @rule(span=st.sampled_from(SPANS))
    def wait(self, span: timedelta) -> None:
        CLOCK.now += span

    @rule(name=NAMES, milliseconds=st.sampled_from([-1, 0, 1, 30_000]))
    def wait_until_due(self, name: str, milliseconds: int) -> None:
        fire = name in self.world.jobs and self.world.jobs[name].next()
        if fire:
            moment = fire.due_at + timedelta(milliseconds=milliseconds)
            CLOCK.now = max(CLOCK.now, moment)

    @rule(seconds=st.sampled_from([0.5, 30, 4000]))
    def set_clock_back(self, seconds: float) -> None:
        CLOCK.now -= timedelta(seconds=seconds)

    # Schedulers work.

    @has_processes
    @rule(number=NUMBERS, room=st.sampled_from([20, 20, 0, 1, 2]), beats=st.booleans())
    def tick(self, number: int, room: int, beats: bool) -> None:
        process = self.process(number)
        if beats:
            process.beat()
            self.world.check(process)
        self.world.claim(process, room)

    @has_processes
    @rule(number=NUMBERS, fault=st.sampled_from(sorted(FAULTS)))
    def tick_fails(self, number: int, fault: str) -> None:
        self.world.claim_fails(self.process(number), fault)

    @has_processes
    @rule(number=NUMBERS, count=st.integers(1, 4))
    def begin_runs(self, number: int, count: int) -> None:
        self.process(number).begin(count)
        self.world.quiet_step()

    @precondition(lambda self: any(process.going for process in self.world.processes))
    @rule(number=NUMBERS, which=NUMBERS, state=st.sampled_from(["success", "failed", "cancelled"]))
    def end_run(self, number: int, which: int, state: str) -> None:
        busy = [process for process in self.world.processes if process.going]
        process = busy[number % len(busy)]
        run = process.going[which % len(process.going)]
        asked = self.world.held.runs[run.pk].cancel_requested_at
        process.end(run, RunState(state) if asked or state != "cancelled" else RunState.FAILED)
        self.world.quiet_step()

    # People interfere.

    @rule(name=NAMES, pauses=st.booleans())
    def pause_or_resume(self, name: str, pauses: bool) -> None:
        if name in self.world.held.jobs:
            act = control.pause if pauses else control.resume
            changed = act(name, by=ADA)
            self.world.quiet_step({name} if changed else set())
            assert self.world.held.jobs[name].is_paused == pauses

    @rule(name=NAMES)
    def trigger(self, name: str) -> None:
        known = self.world.held.jobs.get(name)
        if known and not known.is_orphaned:
            try:
                control.trigger(name, by=ADA)
            except ActionRefused:
                queued = [r for r in self.world.held.of(name) if r.state == RunState.QUEUED]
                assert any(run.requested_by for run in queued)
            self.world.quiet_step()

    @precondition(lambda self: any(map(is_active, self.world.held.runs.values())))
    @rule(which=st.integers(0, 20))
    def cancel(self, which: int) -> None:
        active = [run for run in self.world.held.runs.values() if is_active(run)]
        run = active[which % len(active)]
        control.cancel(run.pk, by=ADA)
        self.world.quiet_step()
        now = self.world.held.runs[run.pk]
        assert now.state == RunState.CANCELLED or now.cancel_requested_at

    @rule(name=NAMES)
    def delete_from_timetable(self, name: str) -> None:
        timetable_rows().filter(id=row_id(name)).delete()
        self.world.observe()

    @rule(name=NAMES, which=NUMBERS)
    def put_timetable_back(self, name: str, which: int) -> None:
        coverage = self.world.jobs.get(name)
        entry = timetable_rows().exclude(next_run_time=None).filter(id=row_id(name))
        if coverage and coverage.covered and entry.exists():
            earlier = sorted(coverage.covered)[-1 - which % len(coverage.covered)]
            if entry.update(next_run_time=earlier):
                self.world.put_back.add(name)
            self.world.observe()

    # In the end, all that was begun ends.

    def teardown(self) -> None:
        try:
            if not self.broken and sys.exception() is None:
                self.drain()
        finally:
            self.transaction.__exit__(RuntimeError, RuntimeError("of a world of its own"), None)

    def drain(self) -> None:
        """One healthy scheduler is left to work off everything."""
        world = self.world
        for node in Node.objects.all():
            seems_alive(node, False)
        world.processes.clear()
        process = world.start(self.registry())
        for name in list(world.held.jobs):
            if control.resume(name, by=ADA):
                world.quiet_step({name})
        for _ in range(5_000):
            process.beat()
            world.check(process)
            taken = world.claim(process, 20)
            while process.pending:
                process.begin(len(process.pending))
                world.quiet_step()
                for run in list(process.going):
                    process.end(run, RunState.SUCCESS)
                    world.quiet_step()
            waiting = [run for run in world.held.runs.values() if is_waiting(run)]
            if not taken and not world.is_due(process):
                if not waiting:
                    break
                CLOCK.now = max(CLOCK.now, min(run.due_at for run in waiting))
        stuck = [run for run in world.held.runs.values() if is_active(run)]
        assert not stuck, f"never ended: {stuck}"


def nothing() -> None:
    """Do nothing."""


@pytest.mark.django_db
@override_settings(SCHEDULER={"heartbeat": HEARTBEAT})
def test_no_occurrence_is_lost_or_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    rule_the_engine(monkeypatch)
    monkeypatch.setattr(plan, "BATCH", 40)
    monkeypatch.setattr(transitions, "BATCH", 40)
    monkeypatch.setattr(claim_module, "LIMIT", 3)
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize="LEDGER_EXAMPLES" not in os.environ,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
