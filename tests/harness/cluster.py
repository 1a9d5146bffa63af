"""A PostgreSQL server of a test's own, to stop, restart and starve."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path

import psycopg

from tests.harness.waiting import eventually

OPTIONS = "-c fsync=off -c min_wal_size=2MB -c max_wal_size=8MB -c max_connections=60"


def binaries() -> Path | None:
    """Where initdb and pg_ctl are; None if they are not installed."""
    on_path = shutil.which("initdb")
    found = [on_path] if on_path else sorted(glob("/usr/lib/postgresql/*/bin/initdb"))
    return Path(found[-1]).parent if found else None


class Cluster:
    """One in a folder, which is empty and the server's user's own."""

    def __init__(self, folder: Path, bin_folder: Path, data: Path | None = None) -> None:
        self._bin = bin_folder
        self._data = data or folder / "data"
        self.port = free_port()
        self._folder = folder
        self._log = folder / "log"
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        self._run("initdb", "-U", "postgres", "-A", "trust", "--no-sync", "--wal-segsize=1")
        self.start()

    def start(self) -> None:
        options = f"{OPTIONS} -c port={self.port} -c unix_socket_directories={self._folder}"
        self._run("pg_ctl", "start", "--wait", "--log", str(self._log), "-o", options)

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "stop", "--wait", "-m", mode)

    def is_up(self) -> bool:
        return self._try("pg_ctl", "status").returncode == 0

    def revive(self) -> None:
        """Have it answer, be it up, recovering from a crash, or down."""
        eventually(self._answers, seconds=30)

    def _answers(self) -> bool:
        if not self.is_up():
            self.start()
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def log(self) -> str:
        return self._log.read_text()

    def keep_tables_in(self, folder: Path) -> None:
        """Have new databases keep their tables and indexes in this folder, but not the log."""
        folder.mkdir()
        if user := server_user():
            shutil.chown(folder, user)
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
            connection.execute("ALTER DATABASE template1 SET TABLESPACE small")

    def _run(self, program: str, *arguments: str) -> None:
        done = self._try(program, *arguments)
        assert done.returncode == 0, done.stdout

    def _try(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        output = self._folder / "output"
        with output.open("w") as file:  # not a pipe, which the server would keep open
            code = subprocess.call(
                [*as_server_user(), self._bin / program, "-D", self._data, *arguments],
                stdout=file, stderr=file, cwd=self._folder,
            )  # fmt: skip
        return subprocess.CompletedProcess([program], code, output.read_text())


def server_user() -> str | None:
    """Whose the server must be: it refuses to be root's."""
    if os.geteuid() != 0:
        return None
    return "postgres" if any(user.pw_name == "postgres" for user in pwd.getpwall()) else "nobody"


def as_server_user() -> list[str]:
    """What to put before a command line. Not subprocess's own `user`, for which it forks: gRPC
    halts its threads then, and at times aborts the child."""
    user = server_user()
    return ["setpriv", f"--reuid={user}", "--clear-groups"] if user else []


@contextmanager
def server_folder() -> Iterator[Path]:
    """An empty folder that the server's user may use; tmp_path is closed to others."""
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as name:
        if user := server_user():
            shutil.chown(name, user)
        yield Path(name)


@contextmanager
def cluster(folder: Path, bin_folder: Path, data: Path | None = None) -> Iterator[Cluster]:
    cluster = Cluster(folder, bin_folder, data)
    try:
        yield cluster
    finally:
        if cluster.is_up():
            cluster.stop("immediate")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
