"""Nodes on a fresh database, in a short form and, for `make chaos`, in full length."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import settings

from tests.chaos.form import FULL, SHORT, Form
from tests.chaos.nodes import Nodes
from tests.harness import Database


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
