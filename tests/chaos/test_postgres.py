"""The database server goes away, and comes back."""

import os
import signal
import time

import pytest

from tests.chaos.audit import audit
from tests.chaos.nodes import Nodes
from tests.harness.cluster import Cluster


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_server_is_restarted(own_server: Cluster, nodes_on_own_server: Nodes, mode: str) -> None:
    nodes = nodes_on_own_server
    nodes.node()
    nodes.node()
    run, _ = nodes.run_of("attentive")
    own_server.stop(mode)
    own_server.start()
    nodes.all_work()
    assert nodes.row(run)[0] == "running"
    nodes.let_finish(run)
    audit(nodes)
    assert (nodes.given_up(), nodes.lost()) == (0, [])


def test_server_is_stopped_for_longer_than_a_node_may_be_silent(
    own_server: Cluster, nodes_on_own_server: Nodes
) -> None:
    """Whoever finds the server again first must not take the others for dead."""
    nodes = nodes_on_own_server
    nodes.node()
    nodes.node()
    run, second = nodes.run_of("attentive")
    own_server.stop()
    time.sleep(nodes.form.outage / 2)
    nodes.let_finish(run)  # its outcome has to wait
    time.sleep(nodes.form.outage / 2)
    second.freeze()
    own_server.start()
    time.sleep(nodes.form.heartbeat)
    second.thaw()
    nodes.all_work()
    audit(nodes)
    assert (nodes.given_up(), nodes.outcome(run), nodes.lost()) == (0, "success", [])


def test_server_leaves_each_question_of_a_node_without_an_answer(
    own_server: Cluster, nodes_on_own_server: Nodes
) -> None:
    """Its sessions stand still, with the locks that they hold: it connects anew, in time."""
    nodes = nodes_on_own_server
    first = nodes.node()
    run, _ = nodes.run_of("attentive")
    sessions = nodes.rows(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
        "AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    for (pid,) in sessions:
        os.kill(pid, signal.SIGSTOP)
    try:
        nodes.node()
        time.sleep(nodes.form.outage)
        nodes.beats(first)
    finally:
        for (pid,) in sessions:
            os.kill(pid, signal.SIGCONT)
    nodes.let_finish(run)
    assert nodes.outcome(run) == "success"
    nodes.all_work()
    audit(nodes)
    assert (nodes.given_up(), nodes.lost()) == (0, [])
