"""The disk is full while outcomes are recorded; then there is room again."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.chaos.audit import audit
from tests.chaos.disk import LimitedProcess, SmallDisk, small_disk
from tests.chaos.form import FULL, Form
from tests.chaos.nodes import Node, Nodes
from tests.harness import eventually, postgres_database, sqlite_database
from tests.harness.cluster import Cluster, cluster, server_folder
from tests.harness.needs import missing

SQLITE_MEGABYTES = 16
TABLES_MEGABYTES = 32
SERVER_MEGABYTES = 128


@pytest.mark.usefixtures("sqlite_only")
def test_sqlite(tmp_path: Path, form: Form) -> None:
    with small_disk(tmp_path / "disk", SQLITE_MEGABYTES) as small:
        folder = small.folder if small else tmp_path
        with closing(Nodes(sqlite_database(folder), tmp_path, form)) as nodes:
            node = nodes.node()
            disk = small or LimitedProcess(node)

            def fill() -> None:
                disk.fill()
                with (
                    closing(sqlite3.connect(nodes.database_file)) as connection,
                    suppress(sqlite3.OperationalError),
                ):
                    # What is left of the log's file would take more writes.
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                disk.fill()

            _go_through(nodes, node, fill, disk.free)


@pytest.fixture
def server_on_small_disk(bin_folder: Path) -> Iterator[tuple[Cluster, SmallDisk]]:
    with server_folder() as folder, small_disk(folder / "disk", SERVER_MEGABYTES) as disk:
        if disk is None:
            missing("This user may not mount a small disk for PostgreSQL.")
        with cluster(folder, bin_folder, data=disk.folder / "data") as server:
            yield server, disk


@pytest.fixture
def tables_on_small_disk(bin_folder: Path) -> Iterator[tuple[Cluster, SmallDisk]]:
    with server_folder() as folder, small_disk(folder / "disk", TABLES_MEGABYTES) as disk:
        if disk is None:
            missing("This user may not mount a small disk for PostgreSQL.")
        with cluster(folder, bin_folder) as server:
            server.keep_tables_in(disk.folder / "tables")
            yield server, disk


def test_postgres_without_room_for_rows(
    tables_on_small_disk: tuple[Cluster, SmallDisk], tmp_path: Path, form: Form
) -> None:
    """The server lives, and refuses to write."""
    _postgres(*tables_on_small_disk, tmp_path, form)


@pytest.mark.parametrize("form", [pytest.param(FULL, marks=pytest.mark.chaos)], indirect=True)
def test_postgres_without_room_for_anything(
    server_on_small_disk: tuple[Cluster, SmallDisk], tmp_path: Path, form: Form
) -> None:
    """The server gives up when it cannot write its log, and has to be started again."""
    _postgres(*server_on_small_disk, tmp_path, form)


def _postgres(server: Cluster, disk: SmallDisk, tmp_path: Path, form: Form) -> None:
    def free() -> None:
        disk.free()
        server.revive()

    with (
        postgres_database(server.url) as database,
        closing(Nodes(database, tmp_path, form)) as nodes,
    ):
        _go_through(nodes, nodes.node(), disk.fill, free)
        assert "No space left on device" in server.log()


def _go_through(
    nodes: Nodes, node: Node, fill: Callable[[], None], free: Callable[[], None]
) -> None:
    """Fill the disk, have a run end whose outcome finds no room, wait, free the disk."""
    run, _ = nodes.run_of("attentive")
    fill()
    nodes.let_finish(run)

    def finds_no_room() -> bool:
        fill()
        return "cannot record runs" in node.output()

    eventually(finds_no_room)
    time.sleep(nodes.form.outage)
    free()
    nodes.works(node)
    audit(nodes)
    assert (nodes.given_up(), nodes.outcome(run), nodes.lost()) == (0, "success", [])
