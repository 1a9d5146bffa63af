"""Somebody sets a node's clock an hour forward or back, and right again.

On SQLite the node's clock is the database's, too; PostgreSQL has its own, which stays right."""

import time
from pathlib import Path

import pytest

from tests.chaos.audit import audit
from tests.chaos.clock import Clock, library
from tests.chaos.needs import missing
from tests.chaos.nodes import Nodes

HOUR = 3600


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path, library() or missing("No libfaketime: install the package libfaketime."))


def test_clock_is_set_back_and_right_again(nodes: Nodes, clock: Clock) -> None:
    node = nodes.node(**clock.env)
    run, _ = nodes.run_of("attentive")
    clock.step(-HOUR)
    time.sleep(nodes.form.outage)
    clock.step(0)
    nodes.works(node)
    nodes.let_finish(run)
    assert nodes.outcome(run) == "success"
    audit(nodes)
    assert (nodes.given_up(), nodes.lost(), nodes.backward_runs()) == (0, [], [])


def test_clock_is_set_forward_and_right_again(nodes: Nodes, clock: Clock, on_sqlite: bool) -> None:
    """On SQLite the hour is gone: what the ledger has of it is not fired a second time."""
    node = nodes.node(**clock.env)
    run, _ = nodes.run_of("attentive")
    clock.step(HOUR)
    nodes.works(node)
    clock.step(0)
    time.sleep(nodes.form.outage)
    nodes.let_finish(run)
    assert nodes.outcome(run) == "success"
    if on_sqlite:
        clock.step(HOUR)  # at last it is that time
    nodes.works(node)
    audit(nodes)
    assert (nodes.given_up(), nodes.lost(), nodes.backward_runs()) == (0, [], [])
