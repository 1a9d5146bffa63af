"""SIGSTOP of a node for longer than it may be silent, then SIGCONT."""

import signal
import time

import pytest

from tests.chaos.audit import audit
from tests.chaos.nodes import Nodes
from tests.harness import eventually


def test_frozen_node_does_not_go_on_with_what_was_given_up(nodes: Nodes) -> None:
    nodes.node()
    nodes.node()
    run, frozen = nodes.run_of("attentive")
    frozen.freeze()
    eventually(lambda: nodes.row(run)[0] == "lost", nodes.form.closed_within)
    given_up = nodes.row(run)
    frozen.thaw()
    eventually(lambda: ("told", "attentive", run, frozen.pid) in nodes.notes())
    nodes.all_work()
    assert nodes.row(run) == given_up
    audit(nodes)


@pytest.mark.chaos
def test_frozen_node_does_not_record_what_ended_after_it_was_given_up(nodes: Nodes) -> None:
    nodes.node()
    nodes.node()
    run, frozen = nodes.run_of("attentive")
    frozen.freeze()
    eventually(lambda: nodes.row(run)[0] == "lost", nodes.form.closed_within)
    given_up = nodes.row(run)
    nodes.let_finish(run)
    frozen.thaw()
    eventually(lambda: nodes.ended(run))
    nodes.all_work()
    assert nodes.row(run) == given_up
    audit(nodes)


@pytest.mark.chaos
@pytest.mark.parametrize("point", ["claim", "hand-over", "recording"])
def test_node_frozen_at_its_work_does_not_hold_up_the_others(
    nodes: Nodes, point: str, on_sqlite: bool
) -> None:
    frozen, other = nodes.node(), nodes.node()
    frozen.order(signal.SIGSTOP, point)
    eventually(frozen.is_frozen)
    if on_sqlite and point != "hand-over":
        time.sleep(nodes.form.outage)  # its transaction has the only write lock
    else:
        eventually(lambda: nodes.held_by(frozen) == 0, nodes.form.closed_within)
        eventually(nodes.is_up_to_date, nodes.form.closed_within)
        nodes.works(other)
    frozen.thaw()
    nodes.all_work()
    audit(nodes)


@pytest.mark.chaos
def test_node_frozen_while_it_closes_another_orphans_nothing(
    nodes: Nodes,
) -> None:
    judge, dead = nodes.node(), nodes.node()
    judge.order(signal.SIGSTOP, "closing")
    dead.kill()
    eventually(judge.is_frozen, nodes.form.closed_within + nodes.form.outage)
    time.sleep(nodes.form.outage)  # the fault itself: longer than a node may be silent
    judge.thaw()
    nodes.beats(judge)
    nodes.works(judge)
    eventually(lambda: nodes.held_by(dead) == 0, 2 * nodes.form.outage)
    assert nodes.rows("SELECT name FROM scheduler_app_job WHERE orphaned_at IS NOT NULL") == []
    ever = "SELECT job_name FROM scheduler_app_scheduleperiod WHERE state = 'orphaned'"
    assert nodes.rows(ever) == []
    audit(nodes)
