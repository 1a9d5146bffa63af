"""Fixtures for the tests of a project: `pytest_plugins = ["scheduler_app.pytest_plugin"]`."""

from collections.abc import Callable

import pytest

from scheduler_app import testing


@pytest.fixture
def run_job(db: None) -> Callable[..., testing.Result]:
    """Return a function that carries a declared job out, in the transaction of the test: see
    scheduler_app.testing.run_job."""
    return testing.run_job
