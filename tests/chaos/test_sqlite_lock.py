"""Somebody else has SQLite's write lock, for longer than a connection waits for it."""

import sqlite3
import time

import pytest

from tests.chaos.audit import audit
from tests.chaos.nodes import Nodes


@pytest.mark.usefixtures("sqlite_only")
def test_foreign_write_lock(nodes: Nodes) -> None:
    node = nodes.node()
    run, _ = nodes.run_of("attentive")
    stranger = sqlite3.connect(nodes.database_file, isolation_level=None, timeout=20)
    stranger.execute("BEGIN IMMEDIATE")
    time.sleep(nodes.form.lock / 2)
    nodes.let_finish(run)
    time.sleep(nodes.form.lock / 2)
    stranger.rollback()
    stranger.close()
    nodes.works(node)
    assert "database is locked" in node.output()
    audit(nodes)
    assert (nodes.given_up(), nodes.outcome(run), nodes.lost()) == (0, "success", [])
