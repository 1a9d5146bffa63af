"""A site of its own for each test, whose schedulers have short heartbeats."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.harness import Daemon, Database, Site

MakeSite: TypeAlias = Callable[..., "SickSite"]


class SickSite(Site):
    """With what the schedulers say of themselves."""

    is_postgres: bool

    def says(self) -> str:
        """Return what is known of the schedulers, in one line."""
        code = (
            "from zoneinfo import ZoneInfo; from scheduler_app import status; "
            "from scheduler_app.text import Clock; "
            "print(status.scheduler_health().words(Clock(ZoneInfo('UTC'))))"
        )
        done = self.manage("shell", "-v0", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def given_up(self) -> int:
        """Return how many nodes have been closed."""
        stopped = "SELECT count(*) FROM scheduler_app_node WHERE stopped_at IS NOT NULL"
        ((closed,),) = self.rows(stopped)
        return int(closed)

    def last_beat(self) -> int:
        ((last,),) = self.rows("SELECT max(id) FROM scheduler_app_heartbeat")
        return int(last or 0)


def health_of(daemon: Daemon) -> int:
    with grpc.insecure_channel(f"127.0.0.1:{daemon.port}") as channel:
        request = health_pb2.HealthCheckRequest()
        return int(health_pb2_grpc.HealthStub(channel).Check(request, timeout=5).status)


@pytest.fixture
def make_site(site_database: Database, tmp_path: Path) -> Iterator[MakeSite]:
    sites: list[SickSite] = []

    def _make_site(env: dict[str, str] | None = None, **settings: Any) -> SickSite:
        env = {"SICK": json.dumps(settings)} | (env or {})
        site = SickSite(site_database, tmp_path, "tests.liveness.settings", **env)
        site.is_postgres = site_database.url.startswith("postgres")
        sites.append(site)
        return site

    yield _make_site
    for site in sites:
        site.close()
