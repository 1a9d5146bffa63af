"""The built wheel, in projects that `startproject` wrote, with the packages that pip chooses."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness import ROOT, Database, postgres_database, sqlite_database
from tests.wheel.project import ADMIN, Project

DJANGO = {"3.11": "5.2", "3.12": "6.0", "3.13": "6.1", "3.14": "6.1"}
"""Which Django is tried with which Python; the second number is that of the newest."""
RAN = r"^tick .* [1-9]\d* +0$"
"""The line of a job that has run without an error."""
SERVER = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")


def interpreters() -> dict[str, str]:
    """The Pythons of this machine, by version: those on the path, and those of pyenv."""
    found = {}
    for version in DJANGO:
        pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
        path = shutil.which(f"python{version}", path=os.defpath) or (
            str(pyenv[-1]) if pyenv else ""
        )
        if path:
            found[version] = path
    found.setdefault(f"{sys.version_info[0]}.{sys.version_info[1]}", sys.executable)
    return found


INTERPRETERS = interpreters()
every_python = pytest.mark.parametrize("version", sorted(INTERPRETERS))
MakeProject = Callable[..., Project]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "-w",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True, timeout=300, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture
def make_project(wheel: Path, tmp_path: Path) -> MakeProject:
    def _make_project(version: str, extras: str, *packages: str) -> Project:
        django = f"django=={DJANGO[version]}.*"
        ours = f"django-memory-scheduler[{extras}] @ {wheel.as_uri()}" if extras else str(wheel)
        return Project(tmp_path, INTERPRETERS[version], [ours, django, *packages])

    return _make_project


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[list[Database]]:
    with ExitStack() as stack:
        yield [sqlite_database(tmp_path), stack.enter_context(postgres_database(SERVER))]


@every_python
def test_first_job_in_a_new_project(
    make_project: MakeProject, databases: list[Database], version: str
) -> None:
    project = make_project(version, "grpc,postgres,cli")
    assert project.version("django").startswith(DJANGO[version])
    for database in databases:
        project.configure(database)
        assert "no issues" in project.manage("check")
        assert "No changes detected" in project.manage("makemigrations", "--check")
        project.manage("migrate")
        assert "OK" in project.manage("test")
        with project.scheduler() as endpoint:
            project.sees(endpoint, "Scheduler: RUNNING")
            project.sees(endpoint, RAN)
            # Through the scheduler's socket; at its address a token would be needed.
            assert "paused" in project.manage("scheduler", "pause", "tick")
            project.sees(endpoint, r"^tick +PAUSED ")
            assert "PAUSED" in project.client("--endpoint", endpoint, "show", "tick")
            assert "_scheduler_schedulerctl" in project.client("completion", "bash")
            assert "resumed" in project.manage("scheduler", "resume", "tick")
        pages = project.manage("shell", "-v", "0", "-c", ADMIN)
        assert "job 200 True" in pages
        assert "jobrun 200 True" in pages
        assert "; no discrepancy" in project.manage("scheduler", "audit-ledger")


def test_project_without_grpc(make_project: MakeProject, databases: list[Database]) -> None:
    project = make_project(min(INTERPRETERS), "")
    project.configure(databases[0])
    project.manage("migrate")
    with project.scheduler(serves=False) as endpoint:
        project.sees(endpoint, RAN)
        project.manage("scheduler", "--endpoint", endpoint, "pause", "tick")
        project.sees(endpoint, r"^tick +PAUSED ")
    assert "grpc" in (project.folder / "log").read_text()


@pytest.mark.parametrize("protobuf", ["protobuf==5.*", "protobuf==7.*"])
def test_project_with_another_protobuf_and_protos(
    make_project: MakeProject, databases: list[Database], protobuf: str
) -> None:
    packages = (
        [protobuf]
        if protobuf.startswith("protobuf==7")
        else [
            protobuf,
            "grpcio<1.72",
            "grpcio-health-checking<1.72",
            "grpcio-reflection<1.72",
            "grpcio-status<1.72",
        ]
    )
    project = make_project(min(INTERPRETERS), "grpc", *packages)
    assert project.version("protobuf").startswith(protobuf[10])
    (project.folder / "protos").mkdir()
    (project.folder / "protos" / "__init__.py").write_text("raise RuntimeError('not ours')\n")
    (project.folder / "protos" / "memory.proto").write_text('syntax = "proto3"; package memory;\n')
    project.configure(databases[0])
    project.manage("migrate")
    with project.scheduler() as endpoint:
        project.sees(endpoint, RAN)
