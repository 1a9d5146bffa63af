"""No server that runs on this machine answers the commands of these tests, and no status
is kept: the tests write rows that the feed does not know."""

import pytest

from tests.rpc.conftest import nothing_kept

__all__ = ["nothing_kept"]


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULER_ENDPOINT", "127.0.0.1:1")
