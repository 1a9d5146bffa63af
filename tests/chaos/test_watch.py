"""A watcher outlasts its servers: what it was told, one server after the other, is the ledger."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import grpc
import psycopg

from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.rpc.stubs.memory_pb2_grpc import MemoryServiceStub
from tests.chaos.audit import audit
from tests.chaos.form import FULL
from tests.chaos.nodes import Node, Nodes
from tests.harness import Daemon, eventually

SERVED = 1.5
"""Seconds for which each server is watched."""


class Watcher:
    """Remembers all that it gets, from any server, and from where to resume."""

    def __init__(self) -> None:
        self.cursor = ""
        self.told = list[tuple[int, str]]()

    def watch(self, server: Daemon, seconds: float | None = None) -> None:
        """Watch for so many seconds or, without any, to the next bookmark."""
        until = time.monotonic() + (seconds or 60)
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            request = pb.WatchSchedulerRequest(cursor=self.cursor)
            call = MemoryServiceStub(channel).WatchScheduler(request, timeout=60)
            with suppress(grpc.RpcError):  # the server ends
                for answer in call:
                    self._take(answer)
                    if time.monotonic() > until or (answer.bookmark and not seconds):
                        return
        assert seconds, "there was no bookmark"

    def _take(self, answer: Any) -> None:
        runs = [event.run for event in answer.events if event.HasField("run")]
        self.told += [(run.run_id, pb.RunState.Name(run.state)) for run in runs]
        self.cursor = answer.cursor or self.cursor


@contextmanager
def open_transaction(nodes: Nodes) -> Iterator[None]:
    """A transaction of another client, which has an id and is open meanwhile."""
    url: str = nodes.env["DATABASE_URL"]
    if url.startswith("sqlite"):
        yield
        return
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_current_xact_id()")
        yield
        other.rollback()


def _is_closed(nodes: Nodes, node: Node) -> bool:
    return nodes.held_by(node) == 0


def test_watcher_is_told_the_ledger(nodes: Nodes) -> None:
    watcher = Watcher()
    restarts = 20 if nodes.form is FULL else 5
    watcher.watch(nodes.start("grpcrunserver"))
    with open_transaction(nodes):
        keeper, killed = nodes.node(), list[Node]()
        for number in range(restarts):
            server = nodes.node()
            watcher.watch(server, SERVED)
            if number % 2:
                server.kill()
                killed.append(server)
            else:
                server.stop()
        keeper.kill()
        nodes.works(nodes.node(), seconds=60)
        for node in (*killed, keeper):  # their runs are closed once they are known to be dead
            eventually(partial(_is_closed, nodes, node), nodes.form.closed_within + 30)
    audit(nodes)
    watcher.watch(nodes.start("grpcrunserver"))
    assert [told for told, times in Counter(watcher.told).items() if times > 1] == []
    last = dict(watcher.told)
    ledger = nodes.rows("SELECT id, state FROM scheduler_app_jobrun")
    assert last == {pk: f"RUN_STATE_{state.upper()}" for pk, state in ledger}
