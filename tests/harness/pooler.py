"""A connection pooler of a test's own, which lends connections for a transaction each."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.harness.cluster import Cluster, as_server_user, free_port
from tests.harness.waiting import eventually

SIZE = 4
"""How many connections to the server it has: fewer than the nodes have to it."""


def program() -> str | None:
    """Where PgBouncer is; None if it is not installed."""
    return shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin") or shutil.which("pgbouncer")


class Pooler:
    """PgBouncer in front of a server."""

    def __init__(self, folder: Path, program: str, server: Cluster) -> None:
        self._program = program
        self._port = free_port()
        self._log = folder / "pooler.log"
        self._settings = folder / "pooler.ini"
        self._settings.write_text(
            "[databases]\n"
            f"* = host=127.0.0.1 port={server.port} user=postgres\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self._port}\nunix_socket_dir =\n"
            f"auth_type = any\npool_mode = transaction\ndefault_pool_size = {SIZE}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*as_server_user(), self._program, self._settings], stdout=log, stderr=log
            )
        eventually(self._answers)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def url(self, behind: str) -> str:
        """Where a database of the server is to be had through the pooler."""
        return f"postgres://postgres@127.0.0.1:{self._port}/{behind.rsplit('/', 1)[1]}"

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            psycopg.connect(self.url("/postgres")).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def pooler(folder: Path, program: str, server: Cluster) -> Iterator[Pooler]:
    pooler = Pooler(folder, program, server)
    try:
        yield pooler
    finally:
        pooler.kill()
