"""A site of its own for each test: a fresh database, and real processes on it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.harness import Database, Site


@pytest.fixture
def site(site_database: Database, tmp_path: Path) -> Iterator[Site]:
    with closing(Site(site_database, tmp_path, "tests.acceptance.settings")) as site:
        yield site
