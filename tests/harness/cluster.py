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

OPTIONS = "-c fsync=off -c min_wal_size=2MB -c max_wal_size=8MB -c max_connections=60"


def binaries() -> Path | None:
    """Where initdb and pg_ctl are; None if they are not installed."""
    on_path = shutil.which("initdb")
    found = [on_path] if on_path else sorted(glob("/usr/lib/postgresql/*/bin/initdb"))
    return Path(found[-1]).parent if found else None


class Cluster:
    """One in a folder, which is empty and the server's user's own."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self._bin = bin_folder
        self._data = folder / "data"
        self._port = _free_port()
        self._folder = folder
        self.url = f"postgres://postgres@127.0.0.1:{self._port}/postgres"
        self._run("initdb", "-U", "postgres", "-A", "trust", "--no-sync", "--wal-segsize=1")
        self.start()

    def start(self) -> None:
        options = f"{OPTIONS} -c port={self._port} -c unix_socket_directories={self._folder}"
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "--wait", "--log", log, "-o", options)

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "stop", "--wait", "-m", mode)

    def is_up(self) -> bool:
        return self._try("pg_ctl", "status").returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        done = self._try(program, *arguments)
        assert done.returncode == 0, done.stdout

    def _try(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        output = self._folder / "output"
        with output.open("w") as file:  # not a pipe, which the server would keep open
            code = subprocess.call(
                [self._bin / program, "-D", self._data, *arguments], stdout=file, stderr=file,
                cwd=self._folder, user=server_user(),
            )  # fmt: skip
        return subprocess.CompletedProcess([program], code, output.read_text())


def server_user() -> str | None:
    """Whose the server must be: it refuses to be root's."""
    if os.geteuid() != 0:
        return None
    return "postgres" if any(user.pw_name == "postgres" for user in pwd.getpwall()) else "nobody"


@contextmanager
def server_folder() -> Iterator[Path]:
    """An empty folder that the server's user may use; tmp_path is closed to others."""
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as name:
        if user := server_user():
            shutil.chown(name, user)
        yield Path(name)


@contextmanager
def cluster(folder: Path, bin_folder: Path) -> Iterator[Cluster]:
    cluster = Cluster(folder, bin_folder)
    try:
        yield cluster
    finally:
        if cluster.is_up():
            cluster.stop("immediate")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
