"""No server that somebody runs on this machine answers the commands of these tests."""

import pytest


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULER_ENDPOINT", "127.0.0.1:1")
