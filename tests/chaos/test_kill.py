"""SIGKILL of a node, wherever it is."""

import signal
import time

import pytest

from tests.chaos.audit import audit
from tests.chaos.nodes import Node, Nodes
from tests.harness import eventually


@pytest.mark.parametrize("point", ["claim", "hand-over", "recording"])
def test_node_is_killed(nodes: Nodes, point: str) -> None:
    victim, other = nodes.node(), nodes.node()
    victim.order(signal.SIGKILL, point)
    assert victim.process.wait(timeout=20) == -signal.SIGKILL
    _is_closed(nodes, victim)
    nodes.works(other)
    nodes.works(nodes.node())
    audit(nodes)


def test_node_is_killed_in_a_run(nodes: Nodes) -> None:
    nodes.node()
    nodes.node()
    run, victim = nodes.run_of("attentive")
    victim.kill()
    _is_closed(nodes, victim)
    state, message, finished_at, _ = nodes.row(run)
    assert (state, finished_at is None) == ("lost", False)
    assert "died or froze" in message
    audit(nodes)


def test_lost_run_keeps_what_it_said(nodes: Nodes) -> None:
    """Its node is killed while it stores more."""
    nodes.node()
    nodes.node()
    run, victim = nodes.run_of("talkative")
    said = f"SELECT log FROM scheduler_app_runprogress WHERE run_id = {run}"
    ((before,),) = eventually(lambda: nodes.rows(said))
    victim.order(signal.SIGKILL, "telling")
    assert victim.process.wait(timeout=20) == -signal.SIGKILL
    _is_closed(nodes, victim)
    ((state, log),) = nodes.rows(f"SELECT state, log FROM scheduler_app_jobrun WHERE id = {run}")
    assert state == "lost"
    assert log.startswith(before)
    assert log.startswith("line 1\n")
    audit(nodes)


def _is_closed(nodes: Nodes, victim: Node) -> None:
    """Another node closes it in time, its runs too."""
    died = time.monotonic()
    eventually(lambda: nodes.held_by(victim) == 0, nodes.form.closed_within)
    assert time.monotonic() - died <= nodes.form.closed_within
