"""The clock by which all nodes live is put an hour forward or back, and then right again.

On SQLite it is the machine's, on PostgreSQL the server's: a node's own is felt by nobody there."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.audit import audit
from tests.chaos.clocks import MachineClock, ServerClock
from tests.chaos.form import Form
from tests.chaos.nodes import Nodes
from tests.harness import Database, eventually

HOUR = 3600


@pytest.fixture
def form(form: Form) -> Form:
    """Heartbeats rare enough for others to be looked at in between."""
    return replace(form, heartbeat=max(form.heartbeat, 2))


@pytest.fixture
def clock(site_database: Database, tmp_path: Path, on_sqlite: bool) -> MachineClock | ServerClock:
    return MachineClock(tmp_path) if on_sqlite else ServerClock(site_database.url)


@pytest.fixture
def nodes(
    clock: MachineClock | ServerClock, site_database: Database, tmp_path: Path, form: Form
) -> Iterator[Nodes]:
    with closing(Nodes(site_database, tmp_path, form, **clock.env)) as nodes:
        yield nodes


def test_clock_is_put_forward(clock: MachineClock | ServerClock, nodes: Nodes) -> None:
    """What was jumped over is missed; what ran early is not run again when its time comes."""
    nodes.node()
    nodes.node()
    run, _ = nodes.run_of("attentive")
    clock.put(HOUR)
    nodes.all_work()
    clock.put(0)
    _stands_still(nodes)
    nodes.let_finish(run)
    assert nodes.outcome(run) == "success"
    audit(nodes)
    _nobody_was_taken_for_dead(nodes)
    missed = nodes.rows(
        "SELECT job_name, sum(occurrences) FROM scheduler_app_jobrun WHERE state = 'missed' "
        "AND job_name LIKE 'load-%' GROUP BY 1"
    )
    assert len(missed) == nodes.form.load
    assert all(HOUR - 120 < occurrences <= HOUR for _, occurrences in missed)


def test_clock_is_put_back(clock: MachineClock | ServerClock, nodes: Nodes) -> None:
    """Nothing is run again; what is asked for is run all the same, and so is what waits."""
    nodes.node()
    nodes.node()
    first, _ = nodes.run_of("attentive")
    nodes.trigger("attentive")
    clock.put(-HOUR)
    _stands_still(nodes)
    nodes.let_finish(first)
    _, second = [run for (run,) in nodes.runs("attentive", "id")]
    nodes.let_finish(second)
    assert [nodes.outcome(first), nodes.outcome(second)] == ["success", "success"]
    clock.put(0)
    nodes.all_work()
    audit(nodes)
    _nobody_was_taken_for_dead(nodes)


@pytest.mark.chaos
def test_node_is_killed_just_before_the_clock_is_put_back(
    clock: MachineClock | ServerClock, nodes: Nodes
) -> None:
    """Its last heartbeat lies an hour ahead; it is closed all the same."""
    both = {nodes.node(), nodes.node()}
    run, victim = nodes.run_of("attentive")
    victim.kill()
    clock.put(-HOUR)
    eventually(lambda: nodes.held_by(victim) == 0, 2 * nodes.form.closed_within)
    assert nodes.outcome(run) == "lost"
    assert nodes.backward_runs() == []
    clock.put(0)
    (other,) = both - {victim}
    nodes.works(other)
    audit(nodes)


@pytest.mark.chaos
def test_clock_of_one_node_is_wrong(nodes: Nodes, tmp_path: Path, on_sqlite: bool) -> None:
    """It lives by the server's."""
    if on_sqlite:
        pytest.skip("on SQLite all nodes live by the clock of their machine")
    own = MachineClock(tmp_path)
    own.put(HOUR)
    nodes.node()
    wrong = nodes.node(**own.env)
    own.put(-HOUR)
    nodes.all_work()
    nodes.works(wrong)
    audit(nodes)
    _nobody_was_taken_for_dead(nodes)
    assert nodes.rows("SELECT id FROM scheduler_app_jobrun WHERE state = 'missed'") == []


def _stands_still(nodes: Nodes) -> None:
    """All that is due by the clock is in the ledger: the timetable stands, the nodes live. It may
    move at first: a node that looked at the clock just before it was put lives by the old time
    until its next heartbeat."""
    eventually(lambda: _stood_still(nodes), seconds=10 * nodes.form.outage)


def _stood_still(nodes: Nodes) -> bool:
    timetable = "SELECT id, next_run_time FROM django_apscheduler_djangojob ORDER BY id"
    nodes.all_beat()
    before = nodes.rows(timetable)
    time.sleep(nodes.form.outage)
    nodes.all_beat()
    return nodes.rows(timetable) == before


def _nobody_was_taken_for_dead(nodes: Nodes) -> None:
    assert (nodes.given_up(), nodes.lost(), nodes.backward_runs()) == (0, [], [])
