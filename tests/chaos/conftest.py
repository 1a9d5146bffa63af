"""Nodes on a fresh database, in a short form and, for `make chaos`, in full length."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import settings

from tests.chaos.form import FULL, SHORT, Form
from tests.chaos.nodes import Nodes
from tests.harness import Database, postgres_database
from tests.harness.cluster import Cluster, binaries, cluster, server_folder
from tests.harness.needs import missing
from tests.harness.pooler import Pooler, pooler, program


@pytest.fixture(
    params=[
        pytest.param(SHORT, id="short"),
        pytest.param(FULL, id="full", marks=pytest.mark.chaos),
    ]
)
def form(request: pytest.FixtureRequest) -> Form:
    form: Form = request.param
    return form


@pytest.fixture
def nodes(site_database: Database, tmp_path: Path, form: Form) -> Iterator[Nodes]:
    with closing(Nodes(site_database, tmp_path, form)) as nodes:
        yield nodes


@pytest.fixture
def on_sqlite() -> bool:
    engine: str = settings.DATABASES["default"]["ENGINE"]
    return engine.endswith("sqlite3")


@pytest.fixture
def sqlite_only(on_sqlite: bool) -> None:
    if not on_sqlite:
        pytest.skip("a fault of SQLite")


@pytest.fixture
def bin_folder(on_sqlite: bool) -> Path:
    """Where the programs of a PostgreSQL server are."""
    if on_sqlite:
        pytest.skip("a fault of PostgreSQL")
    return binaries() or missing("No initdb: install the package of PostgreSQL's server.")


@pytest.fixture
def own_server(bin_folder: Path) -> Iterator[Cluster]:
    """A PostgreSQL server of this test's own."""
    with server_folder() as folder, cluster(folder, bin_folder) as server:
        yield server


@pytest.fixture
def nodes_on_own_server(own_server: Cluster, tmp_path: Path, form: Form) -> Iterator[Nodes]:
    with (
        postgres_database(own_server.url) as database,
        closing(Nodes(database, tmp_path, form)) as nodes,
    ):
        yield nodes


@pytest.fixture
def own_pooler(own_server: Cluster) -> Iterator[Pooler]:
    """A pooler of this test's own, in front of its server."""
    found = program() or missing("No pgbouncer: install the package of that name.")
    with server_folder() as folder, pooler(folder, found, own_server) as own_pooler:
        yield own_pooler


@pytest.fixture
def nodes_behind_pooler(
    own_server: Cluster, own_pooler: Pooler, tmp_path: Path, form: Form
) -> Iterator[Nodes]:
    with postgres_database(own_server.url) as database:
        behind = Database(own_pooler.url(database.url), database.ask)
        with closing(Nodes(behind, tmp_path, form)) as nodes:
            yield nodes
